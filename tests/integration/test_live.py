"""A broadcast on air: searchable while it goes on, and the same bytes as its replay."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.bootstrap import Application, init
from pipeline.index.documents import Document
from pipeline.index.run import search
from pipeline.ingest.places import place_of
from pipeline.journal import Ending, Journal, newest
from pipeline.live import Session
from pipeline.live_end import close, hand_over
from pipeline.live_lag import Pace
from pipeline.plan import STAGES, finish, run_stage
from pipeline.runner import Request, publish, take_in
from tests.on_air import END, Air, cut_up, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
FAST = Pace(every_s=0.05, patience_s=0.6, settle_s=0.1, seal_ms=10_000)
QUIET = "[keyframes]\nocr = false\n"


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return cut_up(tmp_path_factory.mktemp("segments"))


@pytest.fixture
def app(tmp_path: Path) -> Application:
    return opened(tmp_path / "w")


def opened(folder: Path) -> Application:
    folder.mkdir()
    (folder / "evidence.toml").write_text(QUIET)
    return init(folder)


def no_bucket(_: str) -> Any:
    raise AssertionError("a folder needs no bucket")


def follow(app: Application, air: Air, **options: Any) -> tuple[Ending, list[str]]:
    """What the flow does, step by step."""
    said: list[str] = []
    place = place_of(str(air.folder), s3=no_bucket, **options)
    session = Session(app, place, pace=FAST, say=said.append)
    found = session.follow()
    request = Request((str(found.playlist),), found.broadcast_file, None, found.amends)
    taken = take_in(app, request)
    hand_over(app, taken.prefix, session.heard)
    for stage in STAGES:
        run_stage(app.context(), taken.prefix, stage)
    state = finish(app.context(), taken.prefix)
    publish(app, state)
    return close(app, state), said


def replayed(folder: Path, recording: Path, broadcast_file: Path) -> str:
    """Content id of the transcript that a batch run in a fresh workspace gives."""
    app = opened(folder)
    taken = take_in(app, Request((str(recording),), broadcast_file))
    output = run_stage(app.context(), taken.prefix, "transcribe")
    assert output is not None
    return output.content


def meanwhile(air: Air, work: Callable[[], None]) -> threading.Thread:
    """Land segments in the background; a failure there ends the broadcast, so that it shows."""

    def whole() -> None:
        try:
            work()
        finally:
            air.end()

    thread = threading.Thread(target=whole)
    thread.start()
    return thread


def test_words_are_found_while_the_broadcast_goes_on_and_batch_gives_the_same_bytes(
    app: Application, segments: list[Path], tmp_path: Path
):
    air = Air(tmp_path / "air", segments)
    found_on_air: list[int] = []
    provisional: list[Document] = []

    def cast() -> None:
        other = init(app.root)
        for number in range(len(segments)):
            air.land(number)
            air.listing(number + 1)
            time.sleep(0.1)
            if number == len(segments) - 3:
                until(lambda: search(other.index, "三件套").total > 0)
                found_on_air.append(search(other.index, "三件套").total)
                until(lambda: search(other.index, "", kind="claim").total > 0)
                claims = search(other.index, "", kind="claim").hits
                provisional.extend(hit.document for hit in claims)

    caster = meanwhile(air, cast)
    ending, said = follow(app, air)
    caster.join()
    assert found_on_air
    assert ending.agrees
    assert (ending.segments, ending.versions, ending.events) == (len(segments), 0, ())
    assert ending.parts >= 3
    assert any("searchable to" in line for line in said)
    assert {(one.release, one.pack) for one in provisional} == {(0, "")}
    final = [hit.document for hit in search(app.index, "", kind="claim").hits]
    assert final
    assert all(one.release and one.pack for one in final)
    assert not {one.claim_id for one in provisional} & {one.claim_id for one in final}
    batch = replayed(tmp_path / "b", air.folder / "live.m3u8", air.folder / "broadcast.json")
    assert batch == ending.transcript


def test_late_repeated_reordered_and_missing_segments_are_recorded_and_both_agree_again(
    app: Application, segments: list[Path], tmp_path: Path
):
    air = Air(tmp_path / "air", segments)
    journal = Journal(app.store, prefix_of_sample())

    def cast() -> None:
        for number in range(3):
            air.land(number)
        until(lambda: passed(app, 2))
        air.land(4)  # 3 is overtaken and comes in time
        time.sleep(0.3)
        air.land(3)
        until(lambda: passed(app, 4))
        air.land(2, name="again_002.ts")
        for number in (5, 6, 7, 9, 10, 11):  # 8 is given up, and comes late
            air.land(number)
        until(lambda: any(seal.number == 2 for seal in journal.seals()))
        air.land(8)
        until(lambda: passed(app, 8))
        for number in (12, 14, 15):  # 13 never comes
            air.land(number)
        until(lambda: passed(app, 15))

    caster = meanwhile(air, cast)
    ending, _ = follow(app, air, marker=END)
    caster.join()
    kinds = [(e.kind, e.sequence) for e in ending.events]
    assert sorted(kinds) == [
        ("late", 8),
        ("missing", 8),
        ("missing", 13),
        ("reordered", 3),
        ("repeated", 2),
    ]
    assert ending.versions >= 1
    assert ending.agrees
    versions = {(s.number, s.version) for s in journal.seals()}
    changed = {number for number, version in versions if version > 1}
    assert all((number, 1) in versions for number in changed)  # the first one stands
    assert 1 not in changed
    copies = next(app.scratch.glob("live-*")) / "segments"
    batch = replayed(tmp_path / "b", copies / "recording.m3u8", air.folder / "broadcast.json")
    assert batch == ending.transcript

    air.land(13)  # after the end: a further run takes it in as a revision of its own
    again, _ = follow(app, air, marker=END)
    assert again.release == ending.release + 1
    assert again.agrees
    assert again.transcript != ending.transcript
    assert newest(journal.seals())[-1].last


def passed(app: Application, number: int) -> bool:
    """Whether the session has taken a segment."""
    logs = list(app.scratch.glob("live-*/log.json"))
    return bool(logs) and f'"sequence":{number},"name":"seg' in logs[0].read_text()


def prefix_of_sample() -> str:
    from pipeline.archive import prefix_of

    return prefix_of("sample-zh01", platform="taobao_like", merchant_id="mch_lvzhe_bags")
