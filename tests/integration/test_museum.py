"""Each broken bundle of the museum fails exactly its documented checks, and none is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.evidence.verify_bundle import Asked, verify
from tests.museum import Exhibit, Store, collection, exhibits, made

EXHIBITS = exhibits()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return collection(tmp_path_factory.mktemp("museum"))


def test_there_are_enough_and_each_check_is_broken_somewhere() -> None:
    assert len({one.name for one in EXHIBITS}) == len(EXHIBITS) >= 40
    assert {n for one in EXHIBITS for n in one.fails} >= set(range(1, 13))


def test_what_they_are_made_from_is_good(store: Store) -> None:
    for good in (store.good, store.other):
        report = verify(Asked(good, store.trust))
        assert report.failed == ()
        assert report.holds("trusted")


@pytest.mark.parametrize("one", EXHIBITS, ids=lambda one: one.name)
def test_exhibit(one: Exhibit, store: Store, tmp_path: Path) -> None:
    shown = made(one, store, tmp_path)
    report = verify(Asked(shown.bundle, shown.trust))
    why = [c for c in report.checks if c.status == "fail"]
    assert set(report.failed) == one.fails, why
    assert not any(c.code == "unfinished" for c in why), why
    assert report.holds("trusted") == (not one.fails)
