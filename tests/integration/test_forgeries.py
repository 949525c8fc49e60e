"""Nothing that was not sealed with the right key becomes trusted, and no changed byte goes unseen."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from pipeline.evidence.seal import write_zip
from pipeline.evidence.verify_bundle import Asked, verify
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
