"""Self-consistent forgeries: a bundle altered so that its records agree, and sealed by a thief.

Each is made from a seed: some alterations that keep every record in agreement with every other
(checks 1 to 8 hold), and one way of putting a seal on it without the right key.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.evidence.seal import seal, write_sums
from pipeline.evidence.verify_bundle import SIGNATURE, canonical, sha
from pipeline.provenance import sha256_hex
from tests.museum import Json, Store, edit, only, seal_again, stamp_again

Alter = Callable[[Path, random.Random], None]


class Forgery(NamedTuple):
    """A forged bundle and the checks that give it away."""

    bundle: Path
    words: str
    fails: frozenset[int]


# --- alterations that agree -------------------------------------------------------------------------


def words_changed(folder: Path, dice: random.Random) -> None:
    """Another word in the transcript, and the same in every quote of it."""
    transcript = json.loads((folder / "transcript.json").read_bytes())
    segment = dice.choice(transcript["segments"])
    at = dice.randrange(len(segment["text"]))
    segment["text"] = (
        segment["text"][:at] + dice.choice("一二三十百不没") + segment["text"][at + 1 :]
    )

    def change(value: Json) -> None:
        for row in value["claims"]:
            claim = row["claim"]
            if claim["source"] == "speech" and claim["segment_index"] == segment["index"]:
                claim["quote"] = segment["text"][claim["char_start"] : claim["char_end"]]
                row["heard"] = claim["quote"]

    edit(folder, "claims", change)
    (folder / "transcript.json").write_bytes(canonical(transcript))


def claim_left_out(folder: Path, dice: random.Random) -> None:
    """One of the claims that were not asked about is gone."""

    def change(value: Json) -> None:
        rows = [r for r in value["claims"] if r["relation"] != "asked"]
        if rows:
            value["claims"].remove(dice.choice(rows))

    edit(folder, "claims", change)


def asked_left_out(folder: Path, dice: random.Random) -> None:
    """The claim asked about is gone, and nothing asks about it."""

    def gone(value: Json) -> None:
        value["claims"] = [r for r in value["claims"] if r["relation"] != "asked"]

    def unasked(value: Json) -> None:
        value["asked"] = []
        for clip in value["clips"]:
            clip["claims"] = []

    edit(folder, "claims", gone)
    edit(folder, "bundle", unasked)


def value_changed(folder: Path, dice: random.Random) -> None:
    """A claim says something else."""

    def change(value: Json) -> None:
        if value["claims"]:
            claim = dice.choice(value["claims"])["claim"]
            claim["value"] = f"{dice.randrange(2, 99)} years"
            claim["polarity"] = dice.choice(["affirm", "negate"])

    edit(folder, "claims", change)


def clock_shifted(folder: Path, dice: random.Random) -> None:
    """All wall times by the same amount."""
    by = dice.choice([-1, 1]) * dice.randrange(1, 10**7)

    def spans(value: Json) -> None:
        for span in value["spans"]:
            span["wall_start_utc_ms"] += by

    def claims(value: Json) -> None:
        for row in value["claims"]:
            row["wall_utc_ms"] += by

    edit(folder, "clock", spans)
    edit(folder, "claims", claims)


def listing_changed(folder: Path, dice: random.Random) -> None:
    """The product page said something else."""

    def change(value: Json) -> None:
        if value["product"]:
            value["product"]["listing"]["质保"] = f"{dice.randrange(1, 30)}年"

    edit(folder, "listing", change)


def coverage_changed(folder: Path, dice: random.Random) -> None:
    """Everything was listened to, or nothing."""

    def change(value: Json) -> None:
        for span in value["spans"]:
            span["share_pm"] = dice.choice([0, 1000])

    edit(folder, "coverage", change)


def windows_moved(folder: Path, dice: random.Random) -> None:
    """The product was on stage at another time."""

    def change(value: Json) -> None:
        for window in value["windows"]:
            window["end_ms"] += dice.randrange(1, 10_000)

    edit(folder, "windows", change)


def picture_replaced(folder: Path, dice: random.Random) -> None:
    """Another picture, with its hash in the record."""
    rows = json.loads((folder / "keyframes.json").read_bytes())
    for row in rows["keyframes"][:1]:
        data = only(folder, "clips/*.jpg").read_bytes() + dice.randbytes(4)
        (folder / row["file"]).write_bytes(data)
        row["image_sha256"] = sha256_hex(data)
    (folder / "keyframes.json").write_bytes(canonical(rows))


def custody_rewritten(folder: Path, dice: random.Random) -> None:
    """Taken in earlier, and the chain made anew."""

    def change(value: Json) -> None:
        last: dict[str, str] = {}
        for event in value["events"]:
            body = event["body"]
            body["at_utc_ms"] -= dice.randrange(1, 10**9)
            if "number" in body:
                body["previous"] = last.get(body["writer"], "")
                last[body["writer"]] = sha(canonical(body))

    edit(folder, "custody", change)
    edit(folder, "custody", lambda v: v | {"log": []})  # no token can be had for another past


def backdated(folder: Path, dice: random.Random) -> None:
    """Sealed earlier than it was."""
    by = dice.randrange(1, 10**10)
    edit(folder, "bundle", lambda v: v | {"sealed_utc_ms": v["sealed_utc_ms"] - by})


def report_replaced(folder: Path, dice: random.Random) -> None:
    """A page that says something else."""
    (folder / "report.html").write_text(f"<p>没有这回事 {dice.random()}</p>", encoding="utf-8")


def trust_laid_inside(folder: Path, dice: random.Random) -> None:
    """A trust file of the thief's own among the files."""
    body = {"format": "replay-evidence-trust", "version": 1, "keys": [], "authorities": []}
    (folder / "trust.json").write_bytes(canonical(body | {"scripts": [str(dice.random())]}))


def script_replaced(folder: Path, dice: random.Random) -> None:
    """A script that says yes."""
    (folder / "verify.py").write_text(f"print('trusted', {dice.random()})\n")


ALTERATIONS: tuple[Alter, ...] = (
    words_changed,
    claim_left_out,
    asked_left_out,
    value_changed,
    clock_shifted,
    listing_changed,
    coverage_changed,
    windows_moved,
    picture_replaced,
    custody_rewritten,
    backdated,
    report_replaced,
    trust_laid_inside,
    script_replaced,
)


# --- ways to seal without the key ---------------------------------------------------------------------


def own_key(folder: Path, store: Store) -> set[int]:
    """Signed with the thief's key, unstamped."""
    seal_again(folder, store.thief, None)
    return {11}


def own_key_and_authority(folder: Path, store: Store) -> set[int]:
    """Signed with the thief's key, stamped by the thief's authority."""
    seal_again(folder, store.thief, store.thieves)
    return {10, 11}


def own_key_stamped_rightly(folder: Path, store: Store) -> set[int]:
    """Signed with the thief's key; anybody may ask the right authority."""
    seal_again(folder, store.thief, store.authority)
    return {11}


def own_key_and_old_token(folder: Path, store: Store) -> set[int]:
    """Signed with the thief's key, and the token of the genuine bundle put beside it."""
    _with_old_tokens(folder, lambda: seal_again(folder, store.thief, None))
    return {10, 11}


def old_signature_and_token(folder: Path, store: Store) -> set[int]:
    """A new manifest under the genuine key's name, with the genuine signature and token."""
    kept = (folder / SIGNATURE).read_bytes()
    _with_old_tokens(folder, lambda: _sealed_in_the_name_of(folder, store, kept))
    return {9}


def own_signature_under_the_right_name(folder: Path, store: Store) -> set[int]:
    """A new manifest that names the genuine key, signed with the thief's, stamped rightly."""
    shutil.rmtree(folder / "seal")
    _sealed_in_the_name_of(folder, store, b"")
    manifest = (folder / "MANIFEST.json").read_bytes()
    (folder / SIGNATURE).write_bytes(store.thief.sign(manifest))
    stamp_again(folder, store.authority)
    return {9}


class _InTheNameOf:
    """Names a key and signs with nothing of it."""

    def __init__(self, public: bytes, signature: bytes) -> None:
        self.public_key = public
        self._signature = signature

    def sign(self, data: bytes) -> bytes:
        """What it was given."""
        return self._signature


def _sealed_in_the_name_of(folder: Path, store: Store, signature: bytes) -> None:
    shutil.rmtree(folder / "seal", ignore_errors=True)
    from pipeline.evidence.verify_bundle import pem

    (folder / "signer.pem").write_bytes(pem(store.signer.public_key))
    at = json.loads((folder / "bundle.json").read_bytes())["sealed_utc_ms"]
    named: Any = _InTheNameOf(store.signer.public_key, signature)
    seal(folder, signer=named, sealed_utc_ms=at)


def _with_old_tokens(folder: Path, make: Callable[[], None]) -> None:
    kept = {p.name: p.read_bytes() for p in (folder / "seal").glob("timestamp-*")}
    make()
    for name, data in kept.items():
        (folder / "seal" / name).write_bytes(data)
    write_sums(folder)


SEALS = (
    own_key,
    own_key_and_authority,
    own_key_stamped_rightly,
    own_key_and_old_token,
    old_signature_and_token,
    own_signature_under_the_right_name,
)


def forged(seed: int, store: Store, out: Path) -> Forgery:
    """The forgery of a seed; the same seed gives the same alterations."""
    dice = random.Random(seed)
    base = dice.choice([store.good, store.other, store.foreign])
    folder = out / f"forgery-{seed}"
    shutil.copytree(base, folder)
    chosen = dice.sample(ALTERATIONS, dice.randrange(1, 5))
    for alter in chosen:
        alter(folder, dice)
    way = SEALS[seed % len(SEALS)]
    if base == store.foreign and way is old_signature_and_token:
        way = own_key_and_old_token
    fails = way(folder, store) | ({12} if script_replaced in chosen else set())
    words = f"{base.parent.name}: {', '.join(a.__name__ for a in chosen)}; {way.__name__}"
    return Forgery(folder, words, frozenset(fails))
