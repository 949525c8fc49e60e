"""The museum of broken bundles: each exhibit is made from a good bundle, and says what fails.

``python -m tests.museum OUT`` makes them all under ``OUT``, each with a note of its failing
checks. An exhibit that is *re-sealed* was altered by somebody who holds the right key and asks
the right authority: only what the records say of each other gives it away.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.evidence.seal import seal, write_sums
from pipeline.evidence.signing import Signer
from pipeline.evidence.verify_bundle import SIGNATURE, canonical, pem
from tests.authority import Authority, openssl

Json = dict[str, Any]


class Store(NamedTuple):
    """What exhibits are made of."""

    good: Path
    """A good bundle; its custody holds a chain of at least two events."""
    other: Path
    """A good bundle of another claim of the same broadcast."""
    foreign: Path
    """A good bundle of another recording."""
    signer: Signer
    authority: Authority
    trust: Path
    thief: Signer
    """A key that nobody vouches for."""
    thieves: Authority
    """An authority that nobody vouches for."""
    scratch: Path


Break = Callable[[Path, Store], Path | None]
"""Breaks the copy it is given; gives another place (a zip, a trust file's bundle) or nothing."""


class Exhibit(NamedTuple):
    """One broken bundle."""

    name: str
    fails: frozenset[int]
    """Numbers of exactly the checks that fail."""
    make: Break
    trust: Callable[[Path, Store], Path] | None = None
    """Another trust file than the right one."""


EXHIBITS: list[Exhibit] = []


def exhibit(
    *fails: int, trust: Callable[[Path, Store], Path] | None = None
) -> Callable[[Break], Break]:
    """Put a function into the museum under its own name."""

    def put(make: Break) -> Break:
        EXHIBITS.append(Exhibit(make.__name__, frozenset(fails), make, trust))
        return make

    return put


# --- tools --------------------------------------------------------------------------------------


def flip(path: Path, at: int | None = None) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    place = len(data) // 2 if at is None else at
    data[place] ^= 1
    path.write_bytes(data)


def edit(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Change a record, in its canonical form."""
    file = folder / f"{name}.json"
    value = json.loads(file.read_bytes())
    changed = change(value)
    file.write_bytes(canonical(value if changed is None else changed))


def seal_again(folder: Path, signer: Signer, authority: Authority | None) -> None:
    """Sign and stamp a folder as if it were new."""
    shutil.rmtree(folder / "seal", ignore_errors=True)
    (folder / "signer.pem").write_bytes(pem(signer.public_key))
    sealed = json.loads((folder / "bundle.json").read_bytes())["sealed_utc_ms"]
    seal(folder, signer=signer, sealed_utc_ms=sealed)
    if authority is not None:
        stamp_again(folder, authority)


def stamp_again(folder: Path, authority: Authority, *, algorithm: str = "sha256") -> None:
    """Stamp a signed folder anew."""
    query, reply = authority.stamp((folder / SIGNATURE).read_bytes(), algorithm=algorithm)
    (folder / "seal/timestamp-1.tsq").write_bytes(query)
    (folder / "seal/timestamp-1.tsr").write_bytes(reply)
    write_sums(folder)


def resealed(*fails: int) -> Callable[[Callable[[Path, Store], None]], Break]:
    """An exhibit whose alteration is sealed again with the right key and authority."""

    def put(change: Callable[[Path, Store], None]) -> Break:
        def make(folder: Path, store: Store) -> None:
            change(folder, store)
            seal_again(folder, store.signer, store.authority)

        make.__name__ = change.__name__
        return exhibit(*fails)(make)

    return put


def signed_manifest(folder: Path, store: Store, data: bytes) -> None:
    """Put a manifest in place with a right signature and stamp."""
    (folder / "MANIFEST.json").write_bytes(data)
    (folder / SIGNATURE).write_bytes(store.signer.sign(data))
    stamp_again(folder, store.authority)


def only(folder: Path, pattern: str) -> Path:
    """The first file of a pattern."""
    return min(folder.glob(pattern))


# --- making -----------------------------------------------------------------------------------------


class Shown(NamedTuple):
    """An exhibit on disk."""

    exhibit: Exhibit
    bundle: Path
    trust: Path


def exhibits() -> list[Exhibit]:
    """All of them."""
    from tests import exhibits_files, exhibits_records, exhibits_seal, museum

    rooms = (exhibits_files, exhibits_records, exhibits_seal)
    assert all(room.exhibit is museum.exhibit for room in rooms)
    return museum.EXHIBITS


def made(one: Exhibit, store: Store, out: Path) -> Shown:
    """Make an exhibit from the good bundle."""
    folder = out / one.name
    shutil.copytree(store.good, folder)
    bundle = one.make(folder, store) or folder
    trust = one.trust(folder, store) if one.trust else store.trust
    return Shown(one, bundle, trust)


def collection(scratch: Path) -> Store:
    """Good bundles and everything exhibits are made of."""
    from pipeline.evidence.signing import PemSigner, signer_of
    from pipeline.serve.bundles import stamp_custody
    from tests.bundles import desk

    authority = Authority(scratch / "authority")
    with authority:
        here = desk(scratch / "desk", authority=authority)
        there = desk(scratch / "there", form="flv", authority=authority, portrait=True)
        stamp_custody(here.app)
        made_of = [
            here.seal(scratch / name, nth=n).folder for name, n in (("a", 1), ("b", 2), ("c", 0))
        ]
        foreign = there.seal(scratch / "foreign", nth=0).folder
    thief_key = scratch / "thief.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", thief_key)
    return Store(
        good=made_of[2],
        other=made_of[1],
        foreign=foreign,
        signer=signer_of(here.app.settings.seal, here.app.keys / "signing"),
        authority=authority,
        trust=here.trust(scratch / "trust.json"),
        thief=PemSigner(thief_key.read_bytes(), where="thief"),
        thieves=Authority(scratch / "thieves", name="Thieves"),
        scratch=scratch,
    )


def main() -> None:
    """Make the whole museum."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        store = collection(Path(scratch))
        shutil.copyfile(store.trust, out / "trust.json")
        for one in exhibits():
            shown = made(one, store, out)
            print(f"{shown.bundle.name}: fails {sorted(one.fails)}")


if __name__ == "__main__":
    main()
