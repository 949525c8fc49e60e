"""A clip holds its claim, says where it comes from, and is there whole or not at all."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import av
import pytest

from pipeline.errors import InputError, MediaError
from pipeline.evidence.clip import make_clip, safe_name
from pipeline.evidence.viewing import make_exact
from pipeline.media.binary import run_ffmpeg
from pipeline.media.run import (
    MediaSource,
    RecordingClock,
    build,
    inspect,
    key_pictures,
    open_source,
)
from pipeline.model import ClockMap, Recording, RecordingPart, Segment, Transcript
from pipeline.provenance import sha256_file
from tests import media as made
from tests.integration.test_media_time import close, heard

ZERO = datetime(2026, 6, 5, 7, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.master(tmp_path_factory.mktemp("clip") / "master.mp4")


def stored(source: MediaSource) -> Recording:
    found = inspect(source)
    parts = tuple(
        RecordingPart(name=p.name, key=p.name, size_bytes=p.stat().st_size, sha256=sha)
        for p, sha in zip(source.parts, found.part_sha256, strict=True)
    )
    return Recording(
        recording_id=found.recording_id,
        file_name=source.file_name,
        parts=parts,
        sha256=found.sha256,
        size_bytes=sum(p.size_bytes for p in parts),
        container=source.container,
        duration_ms=found.probed.duration_ms,
        streams=found.probed.streams,
        holes=found.probed.holes,
        merkle_root=found.merkle_root,
    )


def clocks(*starts_s: float) -> ClockMap:
    return build(
        [RecordingClock(12_000, ZERO + timedelta(seconds=s)) for s in starts_s],
        broadcast_started_at=ZERO,
        zone_minutes=480,
    )


WORDS = Transcript(
    broadcast_id="b",
    segments=(
        Segment(start_ms=500, end_ms=1_500, text="before"),
        Segment(start_ms=4_200, end_ms=5_200, text="这款两年质保\n\n9\n00:00:00,000 --> 1"),
        Segment(start_ms=5_800, end_ms=20_000, text="tail"),
    ),
)


@pytest.mark.parametrize("form", ["mp4", "flv", "hls"])
def test_clip_of_a_claim(master: Path, tmp_path: Path, form: str) -> None:
    source = open_source(made.contained(master, tmp_path / "in", form))
    recording = stored(source)
    clip = make_clip(
        source=source,
        recording=recording,
        clock_map=clocks(0),
        broadcast_id="b",
        span_ms=(5_040, 5_600),
        margin_ms=500,
        transcript=WORDS,
        out_dir=tmp_path / "out",
        name="claim-1",
        claim_id="c1",
    )
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        f"claim-1.{s}" for s in ("mp4", "jpg", "srt", "json")
    }
    said = json.loads(clip.sidecar.read_text())
    assert said["claim_id"] == "c1"
    assert said["recording_sha256"] == recording.sha256
    assert said["files"]["claim-1.mp4"] == sha256_file(clip.video)
    assert abs(said["start"]["media_ms"] - 4_000) < made.TICK_MS
    assert abs(said["end"]["timeline_ms"] - 7_000) < made.TICK_MS
    assert said["start"]["wall"]["at"].startswith("2026-06-05T15:00:0")
    assert said["start"]["wall"]["uncertainty_ms"] == 1000
    assert said["complete"] is True
    assert said["coded_anew"] == []
    for piece in said["source_ranges"]:
        size = source.parts[piece["part"]].stat().st_size
        assert 0 <= piece["byte_start"] < piece["byte_end"] <= size
        assert piece["sha256"] == recording.parts[piece["part"]].sha256
    import cv2

    code = made.code_ms(cv2.imread(str(clip.picture)))
    assert code is not None
    assert abs(code - 5_040) <= made.TICK_MS
    start = said["start"]["media_ms"]
    lines = clip.subtitles.read_text().splitlines() if clip.subtitles else []
    assert lines[0] == "1"
    assert lines[1] == f"00:00:00,{4_200 - start:03d} --> 00:00:01,{5_200 - start - 1000:03d}"
    assert lines[2] == "这款两年质保 9 00:00:00,000 → 1"
    assert lines[6] == "tail"
    close([n + start for n in heard(open_source(clip.video))[0]], [4, 5])
    for shown in key_pictures(open_source(clip.video), min_gap_ms=0):
        assert abs(shown.media_ms + start - (made.code_ms(shown.bgr) or 0)) < made.TICK_MS


def test_gap_between_recordings(master: Path, tmp_path: Path) -> None:
    source = open_source(master)
    more = {
        "source": source,
        "recording": stored(source),
        "clock_map": clocks(0, 20.5),
        "broadcast_id": "b",
        "margin_ms": 0,
        "transcript": None,
        "out_dir": tmp_path / "out",
        "name": "x",
    }
    with pytest.raises(InputError, match=r"0:00:00\.000 to 0:00:12\.000"):
        make_clip(span_ms=(14_000, 16_000), recording_index=0, **more)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
    first = make_clip(span_ms=(10_500, 22_000), recording_index=0, **more)  # type: ignore[arg-type]
    assert first.info.missing == ((12_000, 22_000),)
    assert first.info.complete is False
    second = make_clip(span_ms=(19_000, 22_000), recording_index=1, **more)  # type: ignore[arg-type]
    assert second.info.missing == ((19_000, 20_500),)
    assert second.info.start.media_ms == 0
    assert second.info.start.timeline_ms == 20_500
    assert second.info.start.wall is not None
    assert second.info.start.wall.at == "2026-06-05T15:00:20.500+08:00"
    assert second.info.start.wall.uncertainty_ms == 100
    assert not (tmp_path / "out" / "x.srt").exists()


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("form", ["mp4", "hls"])
def test_chapters_after_gaps_and_part_borders(
    master: Path, tmp_path: Path, form: str, listed: bool
) -> None:
    source = open_source(made.contained(master, tmp_path / "in", form, keep=made.hole))
    found = inspect(source)
    starts = found.probed.part_starts_ms
    recording = stored(source)
    parts = [
        p.model_copy(update={"media_start_ms": starts[n]}) for n, p in enumerate(recording.parts)
    ]
    clip = make_clip(
        source=source,
        recording=recording.model_copy(update={"parts": tuple(parts)}),
        clock_map=clocks(0),
        broadcast_id="b",
        span_ms=(1_500, 9_500),
        margin_ms=0,
        transcript=None,
        out_dir=tmp_path,
        name="clip",
        index=found.sidecar if listed else None,
    )
    assert clip.info.holes[0][2] == "gap"
    at = [ms for ms, _ in clip.info.chapters]
    goes_on = min(at, key=lambda ms: abs(ms + clip.info.start.media_ms - 7_000))
    assert abs(goes_on + clip.info.start.media_ms - 7_000) <= 150
    assert at[0] == 0
    assert len(at) == 2 if form == "mp4" else len(at) > 2
    offset = timezone(timedelta(hours=8))
    for ms, title in clip.info.chapters:
        wall = ZERO + timedelta(milliseconds=clip.info.start.media_ms + ms)
        assert title == wall.astimezone(offset).isoformat(timespec="milliseconds")
    run_ffmpeg(["-i", str(clip.video), "-f", "ffmetadata", str(tmp_path / "said.txt")])
    said = (tmp_path / "said.txt").read_text(encoding="utf-8")
    assert re.findall(r"^title=(.*)$", said, re.M) == [title for _, title in clip.info.chapters]
    with av.open(str(clip.video)) as media:
        assert [round(c["start"] * (c["time_base"] or 0) * 1000) for c in media.chapters()] == at
        frames = [frame.time for frame in media.decode(video=0)]
    assert len(frames) > 50
    run_ffmpeg(["-xerror", "-i", str(clip.video), "-f", "null", "-"])
    assert sha256_file(clip.video) == clip.info.files["clip.mp4"]


def test_a_viewing_copy_is_exact_captioned_and_says_what_it_is_of(
    master: Path, tmp_path: Path
) -> None:
    source = open_source(made.contained(master, tmp_path / "in", "flv"))
    clip = make_clip(
        source=source,
        recording=stored(source),
        clock_map=clocks(0),
        broadcast_id="b",
        span_ms=(4_300, 5_500),
        margin_ms=200,
        transcript=WORDS,
        out_dir=tmp_path,
        name="clip",
        index=inspect(source).sidecar,
    )
    path, copy = make_exact(clip)
    assert (copy.kind, copy.of, copy.of_sha256) == (
        "viewing_copy",
        "clip.mp4",
        sha256_file(clip.video),
    )
    assert (copy.start_ms, copy.end_ms, copy.captioned) == (4_100, 5_700, True)
    assert copy.sha256 == sha256_file(path) != copy.of_sha256
    said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert said == copy.model_dump(mode="json")
    with av.open(str(path)) as media:
        assert [s.type for s in media.streams] == ["video", "audio", "subtitle"]
        frames = [made.code_ms(f.to_ndarray(format="bgr24")) for f in media.decode(video=0)]
    assert abs(frames[0] - 4_100) <= made.TICK_MS
    assert abs(frames[-1] + made.TICK_MS - 5_700) <= made.TICK_MS
    run_ffmpeg(["-i", str(path), "-map", "0:s", str(tmp_path / "words.srt")])
    assert "这款两年质保" in (tmp_path / "words.srt").read_text(encoding="utf-8")


def test_sound_only_and_holes(tmp_path: Path) -> None:
    base = made.master(tmp_path / "base.mp4", video=False)
    file = made.remux(base, tmp_path / "a.m4a", form="ipod", keep=made.hole)
    source = open_source(file)
    clip = make_clip(
        source=source,
        recording=stored(source),
        clock_map=clocks(0),
        broadcast_id="b",
        span_ms=(2_000, 8_000),
        margin_ms=500,
        transcript=None,
        out_dir=tmp_path / "out",
        name="../../etc/passwd\0<script>",
    )
    assert clip.picture is None
    assert clip.video.parent == tmp_path / "out"
    assert clip.video.name == "etc_passwd_script.mp4"
    ((start_ms, end_ms, reason),) = clip.info.holes
    assert reason == "gap"
    assert abs(start_ms - 3_000) < made.TICK_MS
    assert abs(end_ms - 7_000) < made.TICK_MS


@pytest.mark.parametrize(
    ("name", "safe"),
    [("", "clip"), ("..", "clip"), ("a/b", "a_b"), ("直播", "clip"), ("-x.", "-x")],
)
def test_safe_name(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_failure_leaves_nothing(master: Path, tmp_path: Path) -> None:
    source = open_source(master)
    recording = stored(source)
    gone = tmp_path / "gone.mp4"
    with pytest.raises(MediaError):
        make_clip(
            source=source._replace(parts=(gone,)),
            recording=recording,
            clock_map=clocks(0),
            broadcast_id="b",
            span_ms=(1_000, 2_000),
            margin_ms=0,
            transcript=None,
            out_dir=tmp_path / "out",
            name="x",
        )
    assert list((tmp_path / "out").iterdir()) == []
