"""Museum: records that do not agree, sealed again by somebody who holds the right key."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

from pipeline.evidence.verify_bundle import canonical
from pipeline.provenance import sha256_file
from tests.museum import (
    Json,
    Store,
    edit,
    exhibit,
    flip,
    only,
    resealed,
    signed_manifest,
)

# --- records that do not agree (sealed again by the holder of the key) --------------------------------


@resealed(5)
def quote_altered(folder: Path, store: Store) -> None:
    def change(value: Json) -> None:
        value["claims"][0]["claim"]["quote"] += "!"

    edit(folder, "claims", change)


@resealed(5)
def clock_shifted(folder: Path, store: Store) -> None:
    def change(value: Json) -> None:
        for span in value["spans"]:
            span["wall_start_utc_ms"] -= 600_000

    edit(folder, "clock", change)


@resealed(5)
def asked_claim_left_out(folder: Path, store: Store) -> None:
    edit(
        folder,
        "claims",
        lambda v: v | {"claims": [r for r in v["claims"] if r["relation"] != "asked"]},
    )


@resealed(5)
def broadcast_of_another_name(folder: Path, store: Store) -> None:
    edit(folder, "windows", lambda v: v | {"broadcast_id": "b-2"})


@exhibit(5)
def sealing_times_that_differ(folder: Path, store: Store) -> None:
    found = json.loads((folder / "MANIFEST.json").read_bytes())
    signed_manifest(folder, store, canonical(found | {"sealed_utc_ms": found["sealed_utc_ms"] - 1}))


@resealed(5)
def clip_record_of_another_recording(folder: Path, store: Store) -> None:
    name = only(folder, "clips/*.json").relative_to(folder).as_posix().removesuffix(".json")
    edit(folder, name, lambda v: v | {"recording_sha256": "0" * 64})


@resealed(5)
def clip_that_lacks_its_claim(folder: Path, store: Store) -> None:
    name = only(folder, "clips/*.json").relative_to(folder).as_posix().removesuffix(".json")
    edit(folder, name, lambda v: v | {"end": v["start"]})


@resealed(5)
def record_with_a_float(folder: Path, store: Store) -> None:
    edit(folder, "keyframes", lambda v: v | {"more": 0.5})


@resealed(5)
def record_with_a_key_twice(folder: Path, store: Store) -> None:
    data = (folder / "transcript.json").read_bytes()
    (folder / "transcript.json").write_bytes(b'{"language":"zh",' + data[1:])


@resealed(5, 8)
def record_that_is_no_json(folder: Path, store: Store) -> None:
    (folder / "clock.json").write_bytes(b"\xff\xfe{}")


@resealed(5)
def claim_marked_as_asked(folder: Path, store: Store) -> None:
    def change(value: Json) -> None:
        for row in value["claims"]:
            row["relation"] = "asked"

    edit(folder, "claims", change)


# --- source bytes, packets, custody -----------------------------------------------------------------


def _proof(value: Json) -> Json:
    found: Json = value["recordings"][0]
    return found


@resealed(6)
def proof_of_another_leaf(folder: Path, store: Store) -> None:
    def change(value: Json) -> None:
        for leaf in _proof(value)["pieces"][0]["leaves"]:
            leaf["index"] += 1

    edit(folder, "source/proofs", change)


@resealed(6)
def proof_cut_short(folder: Path, store: Store) -> None:
    edit(folder, "source/proofs", lambda v: _proof(v)["pieces"][0]["leaves"][0]["path"].pop() and v)


@resealed(6)
def proof_without_its_last_leaf(folder: Path, store: Store) -> None:
    edit(folder, "source/proofs", lambda v: _proof(v)["pieces"][-1]["leaves"].pop() and v)


@resealed(6)
def proof_for_a_larger_tree(folder: Path, store: Store) -> None:
    edit(folder, "source/proofs", lambda v: _proof(v).update(leaves=_proof(v)["leaves"] * 2) or v)
    edit(folder, "recording", lambda v: _proof(v).update(leaves=_proof(v)["leaves"] * 2) or v)


@resealed(6, 7)
def source_bytes_altered(folder: Path, store: Store) -> None:
    clip = json.loads((folder / "source/packets.json").read_bytes())["clips"][0]
    flip(folder / clip["pieces"][0], clip["tracks"][0]["packets"][0][1] + 5)


@resealed(6)
def source_bytes_that_nothing_proves(folder: Path, store: Store) -> None:
    (folder / "source/more.bin").write_bytes(b"more")


@resealed(5, 6, 8)
def root_replaced(folder: Path, store: Store) -> None:
    edit(folder, "recording", lambda v: _proof(v).update(merkle_root="0" * 64) or v)


@resealed(7)
def packet_left_out_of_the_list(folder: Path, store: Store) -> None:
    edit(folder, "source/packets", lambda v: v["clips"][0]["tracks"][0]["packets"].pop() and v)


@resealed(7)
def packet_that_points_elsewhere(folder: Path, store: Store) -> None:
    def change(value: Json) -> None:
        value["clips"][0]["tracks"][0]["packets"][3][1] += 1

    edit(folder, "source/packets", change)


@resealed(7)
def gaps_kept_quiet(folder: Path, store: Store) -> None:
    def change(value: Json) -> None:
        value["clips"][0]["gaps"] = {"raw": [[0, 100]]}

    edit(folder, "source/packets", change)


def rename_hash(folder: Path, clip: Path) -> None:
    """Make a clip's own record fit its altered bytes."""
    name = clip.relative_to(folder).as_posix().removesuffix(".mp4")
    digest = sha256_file(clip)
    edit(folder, name, lambda v: v["files"].update({clip.name: digest}) or v)
    edit(folder, "bundle", lambda v: v["clips"][0].update(sha256=digest) or v)


@resealed(7)
def clip_with_a_hidden_box(folder: Path, store: Store) -> None:
    clip = only(folder, "clips/*.mp4")
    clip.write_bytes(clip.read_bytes() + struct.pack(">I4s", 24, b"uuid") + bytes(16))
    rename_hash(folder, clip)


@resealed(7)
def clip_with_hidden_bytes(folder: Path, store: Store) -> None:
    clip = only(folder, "clips/*.mp4")
    clip.write_bytes(clip.read_bytes() + struct.pack(">I4s", 16, b"mdat") + bytes(8))
    rename_hash(folder, clip)


@resealed(7)
def clip_of_another_recording(folder: Path, store: Store) -> None:
    clip = only(folder, "clips/*.mp4")
    shutil.copyfile(only(store.foreign, "clips/*.mp4"), clip)
    rename_hash(folder, clip)


@resealed(8)
def custody_event_left_out(folder: Path, store: Store) -> None:
    edit(folder, "custody", lambda v: v | {"events": [v["events"][0], *v["events"][2:]]})


@resealed(8)
def custody_event_altered(folder: Path, store: Store) -> None:
    def change(value: Json) -> None:
        value["events"][1]["body"]["by"] = "somebody else"

    edit(folder, "custody", change)


@resealed(8)
def custody_without_the_ingest(folder: Path, store: Store) -> None:
    edit(folder, "custody", lambda v: v | {"events": v["events"][1:]})


@resealed(8)
def log_proof_of_another_event(folder: Path, store: Store) -> None:
    edit(folder, "custody", lambda v: v["log"][0].update(event=v["events"][1]["name"]) or v)


@resealed(8)
def log_proof_altered(folder: Path, store: Store) -> None:
    edit(folder, "custody", lambda v: v["log"][0].update(path=["0" * 64]) or v)


@resealed(8, 10)
def log_head_altered(folder: Path, store: Store) -> None:
    head = only(folder, "custody/log-*.json").relative_to(folder).as_posix().removesuffix(".json")
    edit(folder, head, lambda v: v | {"at_utc_ms": v["at_utc_ms"] - 1, "root": "0" * 64})


@resealed(10)
def log_backdated(folder: Path, store: Store) -> None:
    head = only(folder, "custody/log-*.json").relative_to(folder).as_posix().removesuffix(".json")
    edit(folder, head, lambda v: v | {"at_utc_ms": v["at_utc_ms"] - 10**9})
