"""Museum: bytes changed; files removed, added, renamed, swapped; the manifest's form."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pipeline.evidence.seal import write_sums
from pipeline.evidence.verify_bundle import SIGNATURE, canonical
from tests.museum import (
    Store,
    exhibit,
    flip,
    only,
    signed_manifest,
)

# --- a byte changed -------------------------------------------------------------------------------


@exhibit(3)
def byte_in_report(folder: Path, store: Store) -> None:
    flip(folder / "report.html")


@exhibit(3)
def byte_in_script(folder: Path, store: Store) -> None:
    flip(folder / "verify.py", 100)


@exhibit(3)
def byte_in_picture(folder: Path, store: Store) -> None:
    flip(only(folder, "clips/*.jpg"))


@exhibit(3)
def byte_in_subtitles(folder: Path, store: Store) -> None:
    flip(only(folder, "clips/*.srt"))


@exhibit(3, 5)
def byte_in_key(folder: Path, store: Store) -> None:
    flip(folder / "signer.pem", 60)


@exhibit(3, 7)
def byte_in_clip(folder: Path, store: Store) -> None:
    flip(only(folder, "clips/*.mp4"), -100)


@exhibit(3, 6, 7)
def byte_in_source(folder: Path, store: Store) -> None:
    clip = json.loads((folder / "source/packets.json").read_bytes())["clips"][0]
    flip(folder / clip["pieces"][0], clip["tracks"][0]["packets"][0][1] + 5)


@exhibit(3, 5)
def byte_in_claims(folder: Path, store: Store) -> None:
    data = (folder / "claims.json").read_bytes()
    flip(folder / "claims.json", data.index(b'"claim_id"') + 1)


@exhibit(3)
def byte_in_listing(folder: Path, store: Store) -> None:
    flip(folder / "listing.json")


@exhibit(3, 9)
def byte_in_manifest(folder: Path, store: Store) -> None:
    data = (folder / "MANIFEST.json").read_bytes()
    at = data.index(b'"sha256":"', data.index(b'"report.html"')) + 12
    changed = b"1" if data[at : at + 1] != b"1" else b"2"
    (folder / "MANIFEST.json").write_bytes(data[:at] + changed + data[at + 1 :])


@exhibit(3, 9, 10)
def byte_in_signature(folder: Path, store: Store) -> None:
    flip(folder / SIGNATURE)


@exhibit(3, 10)
def byte_in_token(folder: Path, store: Store) -> None:
    flip(folder / "seal/timestamp-1.tsr", -20)


@exhibit(3, 10)
def byte_in_request(folder: Path, store: Store) -> None:
    flip(folder / "seal/timestamp-1.tsq", -6)


@exhibit(3)
def byte_in_sums(folder: Path, store: Store) -> None:
    flip(folder / "SHA256SUMS", 3)


# --- files removed, added, renamed, swapped ---------------------------------------------------------


@exhibit(2)
def manifest_removed(folder: Path, store: Store) -> None:
    (folder / "MANIFEST.json").unlink()


@exhibit(3, 9)
def signature_removed_with_its_stamp(folder: Path, store: Store) -> None:
    shutil.rmtree(folder / "seal")


@exhibit(9, 10)
def signature_removed(folder: Path, store: Store) -> None:
    (folder / SIGNATURE).unlink()
    write_sums(folder)


@exhibit(4, 10)
def token_without_request(folder: Path, store: Store) -> None:
    (folder / "seal/timestamp-1.tsq").unlink()
    write_sums(folder)


@exhibit(3)
def sums_removed(folder: Path, store: Store) -> None:
    (folder / "SHA256SUMS").unlink()


@exhibit(3)
def report_removed(folder: Path, store: Store) -> None:
    (folder / "report.html").unlink()


@exhibit(3, 5)
def claims_removed(folder: Path, store: Store) -> None:
    (folder / "claims.json").unlink()


@exhibit(3, 7)
def clip_removed(folder: Path, store: Store) -> None:
    only(folder, "clips/*.mp4").unlink()


@exhibit(3, 6, 7)
def source_removed(folder: Path, store: Store) -> None:
    only(folder, "source/*.bin").unlink()


@exhibit(4)
def file_added(folder: Path, store: Store) -> None:
    (folder / "more.json").write_text("{}")


@exhibit(4)
def file_added_to_the_seal(folder: Path, store: Store) -> None:
    (folder / "seal/trust.json").write_bytes(store.trust.read_bytes())


@exhibit(1)
def hidden_file_added(folder: Path, store: Store) -> None:
    (folder / ".hidden").write_text("")


@exhibit(1)
def empty_folder_added(folder: Path, store: Store) -> None:
    (folder / "more").mkdir()


@exhibit(1)
def link_in_place_of_a_file(folder: Path, store: Store) -> None:
    (folder / "report.html").unlink()
    (folder / "report.html").symlink_to(store.good / "report.html")


@exhibit(1)
def homoglyph_name(folder: Path, store: Store) -> None:
    (folder / "cl\u0430ims.json").write_bytes((folder / "claims.json").read_bytes())


@exhibit(1)
def names_that_differ_by_case(folder: Path, store: Store) -> None:
    (folder / "Claims.json").write_bytes((folder / "claims.json").read_bytes())


@exhibit(3, 4, 7)
def clip_renamed(folder: Path, store: Store) -> None:
    clip = only(folder, "clips/*.mp4")
    clip.rename(clip.with_name("clip.mp4"))


@exhibit(3)
def two_records_swapped(folder: Path, store: Store) -> None:
    one, two = folder / "listing.json", folder / "rules.json"
    a, b = one.read_bytes(), two.read_bytes()
    one.write_bytes(b)
    two.write_bytes(a)


@exhibit(3, 7)
def clip_of_another_bundle(folder: Path, store: Store) -> None:
    shutil.copyfile(only(store.foreign, "clips/*.mp4"), only(folder, "clips/*.mp4"))


@exhibit(3, 9)
def seal_of_another_bundle(folder: Path, store: Store) -> None:
    shutil.rmtree(folder / "seal")
    shutil.copytree(store.other / "seal", folder / "seal")


@exhibit(3, 4, 5, 7, 9)
def manifest_of_another_bundle(folder: Path, store: Store) -> None:
    for name in ("MANIFEST.json", "SHA256SUMS"):
        shutil.copyfile(store.other / name, folder / name)


# --- the manifest's form ----------------------------------------------------------------------------


@exhibit(2)
def manifest_reordered(folder: Path, store: Store) -> None:
    found = json.loads((folder / "MANIFEST.json").read_bytes())
    found["files"].reverse()
    signed_manifest(folder, store, canonical(found))


@exhibit(2)
def manifest_indented(folder: Path, store: Store) -> None:
    found = json.loads((folder / "MANIFEST.json").read_bytes())
    signed_manifest(folder, store, json.dumps(found, indent=1).encode())


@exhibit(2)
def manifest_with_a_key_twice(folder: Path, store: Store) -> None:
    data = (folder / "MANIFEST.json").read_bytes()
    signed_manifest(folder, store, b'{"version":1,' + data[1:])


@exhibit(2)
def manifest_of_a_later_version(folder: Path, store: Store) -> None:
    found = json.loads((folder / "MANIFEST.json").read_bytes())
    signed_manifest(folder, store, canonical(found | {"version": 2}))


@exhibit(2)
def manifest_that_leaves_out_the_claims(folder: Path, store: Store) -> None:
    found = json.loads((folder / "MANIFEST.json").read_bytes())
    found["files"] = [f for f in found["files"] if f["name"] != "claims.json"]
    signed_manifest(folder, store, canonical(found))


@exhibit(2)
def manifest_that_lists_its_own_seal(folder: Path, store: Store) -> None:
    found = json.loads((folder / "MANIFEST.json").read_bytes())
    row = {"name": SIGNATURE, "sha256": "0" * 64, "size": 64}
    found["files"] = sorted([*found["files"], row], key=lambda f: f["name"])
    signed_manifest(folder, store, canonical(found))


@exhibit(2)
def manifest_with_a_path_upwards(folder: Path, store: Store) -> None:
    found = json.loads((folder / "MANIFEST.json").read_bytes())
    row = {"name": "../x", "sha256": "0" * 64, "size": 1}
    found["files"] = sorted([*found["files"], row], key=lambda f: f["name"])
    signed_manifest(folder, store, canonical(found))


@exhibit(2)
def manifest_nested_deeply(folder: Path, store: Store) -> None:
    signed_manifest(folder, store, b"[" * 200_000 + b"]" * 200_000)
