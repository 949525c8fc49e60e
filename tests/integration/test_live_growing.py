"""A broadcast on air that is one growing file: heard while it is written, and the same as its replay."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from pipeline.bootstrap import Application, init
from pipeline.index.run import search
from pipeline.ingest.http_tail import HttpTail
from pipeline.ingest.places import place_of
from pipeline.ingest.tails import FileTail
from pipeline.journal import Ending, Journal
from pipeline.live import Session
from pipeline.live_end import close, hand_over
from pipeline.live_lag import Pace
from pipeline.plan import STAGES, finish, run_stage
from pipeline.runner import Request, publish, take_in
from tests.fakes import LoudnessTranscriber
from tests.growing import Streamer, described, served, writing
from tests.on_air import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
FAST = Pace(every_s=0.05, patience_s=0.6, settle_s=0.1, seal_ms=10_000)
QUIET = "[keyframes]\nocr = false\n"


@pytest.fixture
def app(tmp_path: Path) -> Application:
    return opened(tmp_path / "w")


def opened(folder: Path) -> Application:
    """A workspace whose words are made of loudness: what matters here is where they stand."""
    folder.mkdir()
    (folder / "evidence.toml").write_text(QUIET)
    app = init(folder)
    app.transcriber = LoudnessTranscriber()
    return app


def no_bucket(_: str) -> Any:
    raise AssertionError("a folder needs no bucket")


def follow(app: Application, place: Any, air: Path) -> tuple[Ending, Path]:
    """What the flow does, step by step; how it ended, and the recording that was taken in."""
    session = Session(app, place, broadcast_file=air / "broadcast.json", pace=FAST)
    found = session.follow()
    taken = take_in(app, Request((str(found.playlist),), found.broadcast_file, None, found.amends))
    hand_over(app, taken.prefix, session.heard)
    for stage in STAGES:
        run_stage(app.context(), taken.prefix, stage)
    state = finish(app.context(), taken.prefix)
    publish(app, state)
    return close(app, state), found.playlist


def replayed(folder: Path, recording: Path, air: Path) -> str:
    """Content id of the transcript that a batch run in a fresh workspace gives."""
    app = opened(folder)
    taken = take_in(app, Request((str(recording),), air / "broadcast.json"))
    output = run_stage(app.context(), taken.prefix, "transcribe")
    assert output is not None
    return output.content


def stretches(app: Application) -> list[tuple[str, int, int]]:
    """What the seals say was taken: file, offset, length."""
    rooms = {s.key.rpartition("/")[0] for s in app.store.list("live/")}
    (room,) = rooms
    seals = Journal(app.store, room.removeprefix("live/")).seals()
    return [(t.name, t.offset_bytes or 0, t.size_bytes) for s in seals for t in s.taken]


def test_a_growing_flv_is_heard_while_it_is_written_and_its_replay_gives_the_same_bytes(
    app: Application, tmp_path: Path
):
    air = described(tmp_path / "air")
    found: list[int] = []
    writer = writing(air / "live.flv", "flv", seconds=45, rate=1)

    def watch() -> None:
        other = init(app.root)
        until(lambda: search(other.index, "kind:line").total > 0)
        found.append(writer.poll() is None)
        writer.wait()
        (air / "_END").touch()

    watcher = threading.Thread(target=watch)
    watcher.start()
    ending, recording = follow(app, FileTail(air / "live.flv", marker="_END"), air)
    watcher.join()
    assert found == [True]  # words were found while FFmpeg was still writing
    assert ending.agrees
    assert recording.name == "live.flv"
    assert {e.kind for e in ending.events} <= {"changed"}  # FFmpeg writes the length at the end
    parts = stretches(app)
    assert len(parts) >= 2
    assert [start for _, start, _ in parts] == [
        sum(p[2] for p in parts[:n]) for n in range(len(parts))
    ]
    assert sum(size for *_, size in parts) == (air / "live.flv").stat().st_size
    assert replayed(tmp_path / "b", air / "live.flv", air) == ending.transcript


def test_a_file_begun_anew_becomes_a_second_part_and_the_whole_agrees_with_its_replay(
    app: Application, tmp_path: Path
):
    air = described(tmp_path / "air")

    def cast() -> None:
        writing(air / "live.flv", "flv", seconds=14, rate=20).wait()
        until(lambda: copied(app, "live.flv") == (air / "live.flv").stat().st_size)
        writing(air / "second.flv", "flv", seconds=12, start_s=20, rate=20).wait()
        (air / "second.flv").replace(air / "live.flv")
        until(lambda: copied(app, "live-002.flv") == (air / "live.flv").stat().st_size)
        (air / "_END").touch()

    caster = threading.Thread(target=cast)
    caster.start()
    ending, recording = follow(app, FileTail(air / "live.flv", marker="_END"), air)
    caster.join()
    assert ("restarted", 2) in [(e.kind, e.sequence) for e in ending.events]
    assert ending.agrees
    assert recording.name == "recording.m3u8"
    assert "#EXT-X-DISCONTINUITY" in recording.read_text()
    assert replayed(tmp_path / "b", recording, air) == ending.transcript


def copied(app: Application, name: str) -> int:
    files = list(app.scratch.glob(f"live-*/segments/{name}"))
    return files[0].stat().st_size if files else -1


@pytest.mark.parametrize("ranges", [True, False], ids=["file server", "live server"])
def test_a_stream_over_http_that_breaks_loses_nothing(
    ranges: bool, app: Application, tmp_path: Path
):
    air = described(tmp_path / "air")
    writer = writing(air / "live.flv", "flv", seconds=24, rate=8)
    until(lambda: (air / "live.flv").exists())
    streamer = Streamer(air / "live.flv", ranges=ranges)
    streamer.cut_at = [300_000]

    def end() -> None:
        writer.wait()
        streamer.ended.set()
        until(lambda: copied(app, "live.flv") == (air / "live.flv").stat().st_size)
        streamer.gone = True

    ender = threading.Thread(target=end)
    ender.start()
    with served(streamer) as url:
        ending, recording = follow(app, HttpTail(url, quiet_s=30), air)
    ender.join()
    assert ending.agrees
    assert len(streamer.asked) >= 2
    kinds = [e.kind for e in ending.events]
    assert kinds == ([] if ranges else ["repeated"])
    assert recording.stat().st_size == (air / "live.flv").stat().st_size
    assert replayed(tmp_path / "b", air / "live.flv", air) == ending.transcript


@pytest.mark.parametrize("kind", ["ranges-ts", "ranges-mp4"])
def test_byte_ranges_of_a_file_that_grows(kind: str, app: Application, tmp_path: Path):
    air = described(tmp_path / "air")
    writer = writing(air / "live.m3u8", kind, seconds=45, rate=1)
    found: list[bool] = []

    def watch() -> None:
        other = init(app.root)
        until(lambda: search(other.index, "kind:line").total > 0)
        found.append(writer.poll() is None)

    watcher = threading.Thread(target=watch)
    watcher.start()
    place = place_of(str(air / "live.m3u8"), s3=no_bucket)
    ending, recording = follow(app, place, air)
    watcher.join()
    writer.wait()
    assert "#EXT-X-BYTERANGE" in (air / "live.m3u8").read_text()
    assert found == [True]
    assert ending.agrees
    assert ending.events == ()
    media = next(p for p in air.iterdir() if p.suffix in (".ts", ".mp4", ".m4s"))
    ours = next(app.scratch.glob(f"live-*/segments/{media.name}"))
    assert ours.read_bytes() == media.read_bytes()
    assert replayed(tmp_path / "b", air / "live.m3u8", air) == ending.transcript
    assert recording.read_text() == (air / "live.m3u8").read_text()


def test_odd_ranges_are_recorded_and_the_file_is_read_once(app: Application, tmp_path: Path):
    made = described(tmp_path / "made")
    writing(made / "live.m3u8", "ranges-ts", seconds=24, rate=50).wait()
    air = described(tmp_path / "air")
    shutil.copyfile(made / "live.ts", air / "live.ts")
    lines = (made / "live.m3u8").read_text().splitlines()
    first = lines.index("#EXTINF:2.000000,") if "#EXTINF:2.000000," in lines else 0
    rows = [lines[n : n + 3] for n, line in enumerate(lines) if line.startswith("#EXTINF")]
    size = (air / "live.ts").stat().st_size
    ghost = ["#EXTINF:2.0,", f"#EXT-X-BYTERANGE:1880@{size + 1880}", "live.ts"]
    odd = [rows[0], rows[2], rows[1], rows[1], *rows[3:], ghost]
    head = ["#EXTM3U", "#EXT-X-VERSION:4", "#EXT-X-TARGETDURATION:10", "#EXT-X-MEDIA-SEQUENCE:5"]
    text = [*head, *(line for row in odd for line in row), "#EXT-X-ENDLIST", ""]
    (air / "live.m3u8").write_text("\n".join(text))
    ending, recording = follow(app, place_of(str(air), s3=no_bucket), air)
    assert first >= 0
    kinds = [(e.kind, e.sequence) for e in ending.events]
    assert kinds == [("reordered", 7), ("repeated", 8), ("missing", 5 + len(odd) - 1)]
    assert ending.agrees
    assert replayed(tmp_path / "b", made / "live.m3u8", air) == ending.transcript
    assert recording.name == "live.m3u8"


def test_a_growing_file_whose_follower_was_killed_is_taken_up_where_it_stopped(
    app: Application, tmp_path: Path
):
    air = described(tmp_path / "air")
    writing(air / "live.flv", "flv", seconds=24, rate=50).wait()
    whole = (air / "live.flv").read_bytes()
    (air / "live.flv").unlink()
    half = threading.Timer(1, (air / "live.flv").write_bytes, (whole[: len(whole) // 2],))
    half.start()

    class Killed(BaseException):
        pass

    def die(text: str) -> None:
        if "searchable" in text:
            raise Killed

    session = Session(app, FileTail(air / "live.flv", quiet_s=5), pace=FAST, say=die)
    with pytest.raises(Killed):
        session.follow()
    (air / "live.flv").write_bytes(whole)
    (air / "_END").touch()
    ending, recording = follow(app, FileTail(air / "live.flv", marker="_END"), air)
    assert ending.agrees
    assert ending.events == ()
    assert recording.read_bytes() == whole
    log = json.loads(next(app.scratch.glob("live-*/parts.json")).read_text())
    assert [p["name"] for p in log["parts"]] == ["live.flv"]
    assert replayed(tmp_path / "b", air / "live.flv", air) == ending.transcript
