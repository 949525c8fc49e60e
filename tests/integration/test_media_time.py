"""Every container and every trap: beeps and picture codes stand where they belong, to a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.media.run import (
    MediaSource,
    audio_blocks,
    cut,
    inspect,
    key_pictures,
    open_source,
    picture_at,
)
from pipeline.model import Hole
from tests import media as made

FORMS = tuple(made.FORMS)


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.master(tmp_path_factory.mktemp("master") / "master.mp4")


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.master(tmp_path_factory.mktemp("silent") / "master.mp4", audio=False)


def heard(source: MediaSource, **more: object) -> tuple[list[int], list[Hole], np.ndarray]:
    report: list[Hole] = []
    blocks = list(audio_blocks(source, report=report, **more))  # type: ignore[arg-type]
    samples = np.concatenate([b.samples for b in blocks]) if blocks else np.zeros(0, np.float32)
    start = 0
    for block in blocks:  # blocks follow on exactly
        assert block.start_ms == blocks[0].start_ms + start // 16
        start += len(block.samples)
    return made.beep_ms(samples), report, samples


def close(found: list[int], expected_s: list[float] | tuple[float, ...]) -> None:
    assert len(found) == len(expected_s), found
    for ms, second in zip(found, expected_s, strict=True):
        assert abs(ms - second * 1000) < made.TICK_MS, (ms, second)


def codes(source: MediaSource, **more: object) -> list[tuple[int, int]]:
    pictures = key_pictures(source, min_gap_ms=500, **more)  # type: ignore[arg-type]
    pairs = [(p.media_ms, made.code_ms(p.bgr)) for p in pictures]
    assert pairs
    for at_ms, code in pairs:
        assert code is not None
        assert abs(at_ms - code) < made.TICK_MS, (at_ms, code)
    return pairs  # type: ignore[return-value]


@pytest.mark.parametrize("form", FORMS)
def test_plain(master: Path, tmp_path: Path, form: str) -> None:
    source = open_source(made.contained(master, tmp_path, form))
    assert source.container == form.removesuffix("_moov_last")
    beeps, report, samples = heard(source)
    close(beeps, made.BEEPS_S)
    assert report == []
    assert len(codes(source)) == made.SECONDS
    probed = inspect(source).probed
    assert abs(probed.duration_ms - 12_000) <= 60
    assert abs(len(samples) / 16 - probed.duration_ms) <= 60
    assert probed.holes == ()
    assert {s.kind: s.codec for s in probed.streams} == {"video": "h264", "audio": "aac"}


@pytest.mark.parametrize("form", FORMS)
def test_late_audio(master: Path, tmp_path: Path, form: str) -> None:
    source = open_source(made.contained(master, tmp_path, form, keep=made.late_audio))
    beeps, report, _ = heard(source)
    close(beeps, made.BEEPS_S[1:])
    codes(source)
    (hole,) = inspect(source).probed.holes
    assert (hole.reason, hole.stream) == ("late_audio", "audio")
    assert hole.start_ms == 0
    assert abs(hole.end_ms - 1500) < made.TICK_MS
    assert [h.reason for h in report] == ["late_audio"]


@pytest.mark.parametrize("form", FORMS)
def test_hole(master: Path, tmp_path: Path, form: str) -> None:
    source = open_source(made.contained(master, tmp_path, form, keep=made.hole))
    beeps, report, _ = heard(source)
    close(beeps, [1, 2, 8, 10])
    assert [at for at, _ in codes(source) if 3000 < at < 6900] == []
    holes = inspect(source).probed.holes
    assert {h.stream for h in holes} == {"audio", "video"}
    for hole in [*holes, *report]:
        assert hole.reason == "gap"
        assert abs(hole.start_ms - 3000) < made.TICK_MS
        assert abs(hole.end_ms - 7000) < made.TICK_MS


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("keep", [made.everything, made.hole, made.late_audio])
def test_middle_of_the_sound(master: Path, tmp_path: Path, form: str, keep: made.Keep) -> None:
    source = open_source(made.contained(master, tmp_path, form, keep=keep))
    whole = np.concatenate([b.samples for b in audio_blocks(source)])
    part = list(audio_blocks(source, start_ms=6_123, end_ms=9_456, block_ms=1000))
    samples = np.concatenate([b.samples for b in part])
    assert [b.start_ms for b in part] == [6123, 7123, 8123, 9123]
    assert len(samples) == (9_456 - 6_123) * 16
    close([n + 6123 for n in made.beep_ms(samples)], [8])
    at = 6_123 * 16 + 1600  # the same sound, up to 1 ms of the container's rounding
    lags = [
        np.abs(whole[at + n : at + n + 50_000] - samples[1600:51_600]).max() for n in range(-17, 18)
    ]
    assert min(lags) < 0.2


@pytest.mark.parametrize("form", FORMS)
def test_cut(master: Path, tmp_path: Path, form: str) -> None:
    source = open_source(made.contained(master, tmp_path, form))
    result = cut(source, start_ms=4_500, end_ms=8_700, out=tmp_path / "clip.mp4")
    assert abs(result.media_start_ms - 4000) < made.TICK_MS
    assert abs(result.media_end_ms - 9000) < made.TICK_MS
    assert result.coded_anew == ()
    clip = open_source(result.path)
    assert clip.container == "mp4"
    close([n + result.media_start_ms for n in heard(clip)[0]], [4, 5, 8])
    for picture in key_pictures(clip, min_gap_ms=0):
        code = made.code_ms(picture.bgr)
        assert code is not None
        assert abs(picture.media_ms + result.media_start_ms - code) < made.TICK_MS
    for at_ms in (4_000, 4_560, 8_690):
        code = made.code_ms(picture_at(clip, media_ms=at_ms - result.media_start_ms).bgr)
        assert code == at_ms // 40 * 40


@pytest.mark.parametrize("form", FORMS)
def test_picture_at(master: Path, tmp_path: Path, form: str) -> None:
    source = open_source(made.contained(master, tmp_path, form))
    for at_ms in (0, 39, 40, 1_000, 5_777, 7_999, 11_960, 20_000):
        picture = picture_at(source, media_ms=at_ms)
        assert made.code_ms(picture.bgr) == min(at_ms, 11_999) // 40 * 40
        assert abs(picture.media_ms - min(at_ms, 11_960)) <= made.TICK_MS
