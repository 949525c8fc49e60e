"""On air, with the index or the store away for a while: nothing is lost, and it is caught up."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.bootstrap import Application, init
from pipeline.errors import IndexUnavailable, StoreUnavailable
from pipeline.index.run import search
from pipeline.ingest.local import LocalStore
from pipeline.ingest.places import place_of
from pipeline.journal import Journal, newest
from pipeline.live import Session
from pipeline.live_lag import Pace
from pipeline.patience import waits
from tests.fakes import LoudnessTranscriber
from tests.on_air import Air, cut_up

FAST = Pace(every_s=0.05, patience_s=0.5, settle_s=0, seal_ms=10_000)


class AwayIndex:
    """An index that does not answer the first times."""

    def __init__(self, real: Any, times: int) -> None:
        self._real, self.times = real, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def put(self, documents: Iterable[Any]) -> int:
        self._maybe()
        done: int = self._real.put(documents)
        return done

    def drop(self, broadcast_id: str, *, keep: Collection[str] = (), day: str = "") -> int:
        done: int = self._real.drop(broadcast_id, keep=keep, day=day)
        return done

    def _maybe(self) -> None:
        self.times -= 1
        if self.times >= 0:
            raise IndexUnavailable("away", hint="wait")


class AwayStore(LocalStore):
    """A store that does not take the first seals."""

    times = 0

    def put_if_absent(self, key: str, source: bytes | Path, **more: Any) -> bool:
        if key.startswith("live/"):
            self.times -= 1
            if self.times >= 0:
                raise StoreUnavailable("away", hint="wait")
        return super().put_if_absent(key, source, **more)


@pytest.fixture(scope="module")
def air(tmp_path_factory: pytest.TempPathFactory) -> Air:
    """A broadcast that has just ended."""
    root = tmp_path_factory.mktemp("air")
    found = Air(root / "air", cut_up(root / "segments"))
    for number in range(len(found.segments)):
        found.land(number)
    found.listing(len(found.segments), ended=True)
    return found


def followed(app: Application, air: Air) -> list[str]:
    """What it says, each line after the services that are seen to be waited for by then."""
    app.transcriber = LoudnessTranscriber()
    said: list[str] = []
    place = place_of(str(air.folder), s3=lambda _: app.store)

    def say(text: str) -> None:
        said.append(" ".join([*(f"<{wait.service}>" for wait in waits(app.scratch)), text]))

    Session(app, place, pace=FAST, say=say).follow()
    assert waits(app.scratch) == []
    return said


def test_an_index_that_is_away_is_caught_up_with(air: Air, tmp_path: Path):
    app = init(tmp_path / "w")
    real = app.index
    app.index = AwayIndex(real, 2)
    said = followed(app, air)
    assert sum("the index is away" in line for line in said) == 2
    assert any(line.startswith("<index> ") for line in said)
    app.index = real
    lines = search(app.index, "kind:line", size=1000).hits
    assert lines[0].document.start_ms < 30_000 < max(line.document.end_ms for line in lines)


def test_seals_wait_for_a_store_that_is_away(air: Air, tmp_path: Path):
    app = init(tmp_path / "w")
    store = AwayStore(tmp_path / "objects")
    store.times = 2
    app.store = store
    said = followed(app, air)
    assert sum("waits for the store" in line for line in said) == 2
    assert any(line.startswith("<store> ") for line in said)
    prefix = "06cf/taobao_like/mch_lvzhe_bags/sample-zh01"
    seals = Journal(store, prefix).seals()
    assert [seal.number for seal in seals] == list(range(1, len(seals) + 1))
    assert newest(seals)[-1].last
    assert len([one for seal in seals for one in seal.taken]) == len(air.segments)


def test_a_second_session_over_the_same_broadcast_seals_nothing_anew(air: Air, tmp_path: Path):
    app = init(tmp_path / "w")
    followed(app, air)
    keys = [stat.key for stat in app.store.list("live/")]
    followed(init(app.root), air)
    assert [stat.key for stat in app.store.list("live/")] == keys
