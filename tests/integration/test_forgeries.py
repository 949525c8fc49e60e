"""Nothing that was not sealed with the right key becomes trusted, and no changed byte goes unseen."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.seal import write_zip
from pipeline.evidence.verify_bundle import Asked, canonical, verify
from tests.forgeries import ALTERATIONS, SEALS, forged
from tests.museum import Store, collection, flip

pytestmark = pytest.mark.slow
FORGERIES, BATCH, CHANGES = 520, 65, 150


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return collection(tmp_path_factory.mktemp("forgeries"))


@pytest.mark.parametrize("start", range(0, FORGERIES, BATCH))
def test_no_self_consistent_forgery_is_trusted(store: Store, tmp_path: Path, start: int) -> None:
    seen: set[str] = set()
    for seed in range(start, start + BATCH):
        forgery = forged(seed, store, tmp_path)
        report = verify(Asked(forgery.bundle, store.trust))
        assert not report.holds("trusted"), forgery.words
        assert set(report.failed) == forgery.fails, (forgery.words, report.checks)
        seen |= set(forgery.words.replace(":", ",").replace(";", ",").split(", "))
        shutil.rmtree(forgery.bundle)
    assert seen >= {one.__name__ for one in SEALS}
    assert len(seen & {one.__name__ for one in ALTERATIONS}) > 10


def test_a_changed_byte_of_the_folder_is_seen(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(store.good, folder)
    dice = random.Random(1)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    for _ in range(CHANGES):
        file = dice.choice(files)
        data = file.read_bytes()
        at = dice.randrange(len(data))
        file.write_bytes(data[:at] + bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1 :])
        report = verify(Asked(folder, store.trust))
        assert report.failed, (file.name, at)
        assert not report.holds("trusted")
        file.write_bytes(data)
    assert verify(Asked(folder, store.trust)).holds("trusted")


def nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from nodes(inner, (*path, key))


HOSTILE = (None, -1, 0, 10**30, True, "", "x", "../x", "\u202e", [], {}, [[]], {"a": 1})


def test_no_record_however_odd_escapes_its_check(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(store.good, folder)
    shutil.rmtree(folder / "seal")  # no OpenSSL: every other check runs whatever came before
    dice = random.Random(3)
    files = sorted(p for p in folder.rglob("*.json") if "clips" not in p.parts)
    for turn in range(CHANGES):
        file = files[turn % len(files)]
        kept = file.read_bytes()
        value = json.loads(kept)
        *way, last = dice.choice(list(nodes(value)))
        inner = value
        for key in way:
            inner = inner[key]
        inner[last] = dice.choice(HOSTILE)
        file.write_bytes(canonical(value))
        report = verify(Asked(folder, store.trust))
        assert len(report.checks) == 13
        assert report.failed, (file.name, way, last)
        assert not report.holds("signed")
        file.write_bytes(kept)


@given(st.binary(max_size=400))
def test_what_is_no_zip_fails_the_first_check(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "bundle.zip")
        place.write_bytes(data)
        assert verify(Asked(place)).failed == (1,)


def test_a_changed_byte_of_the_zip_is_seen(store: Store, tmp_path: Path) -> None:
    place = write_zip(store.good, tmp_path / "bundle.zip")
    assert place is not None
    dice = random.Random(2)
    size = place.stat().st_size
    for _ in range(CHANGES):
        at = dice.choice([dice.randrange(size), size - 1 - dice.randrange(4000)])
        flip(place, at)
        report = verify(Asked(place, store.trust))
        assert report.failed, at
        assert not report.holds("trusted")
        flip(place, at)
    assert verify(Asked(place, store.trust)).holds("trusted")
