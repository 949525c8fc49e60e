"""What every transcriber promises, over the fake and the real model on a clip of a sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import TranscriptionFailed
from pipeline.media.audio import audio_blocks
from pipeline.media.source import open_source
from pipeline.ports import Transcriber
from pipeline.settings import TranscribeSettings
from pipeline.transcribe.apart import ApartTranscriber
from pipeline.transcribe.models import packaged_here, resolve
from pipeline.transcribe.whisper import WhisperTranscriber
from tests.fakes import LoudnessTranscriber

EXAMPLES = Path(__file__).parents[2] / "examples"
KINDS = ["fake", "whisper", "apart"]


def real(cache: Path, *, batch: int = 8, threads: int = 2) -> WhisperTranscriber:
    if not packaged_here():
        pytest.skip("the packaged model is not installed (extra `offline`)")
    settings = TranscribeSettings(batch_chunks=batch, cpu_threads=threads)
    return WhisperTranscriber(resolve("packaged", cache=cache), settings)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def stretch(file: str, start_s: int, end_s: int) -> Any:
    blocks = audio_blocks(open_source(EXAMPLES / file), end_ms=end_s * 1000)
    return np.concatenate([b.samples for b in blocks])[start_s * 16_000 :]


@pytest.fixture(scope="module")
def clip() -> list[Any]:
    """Two stretches of six seconds of one sample broadcast."""
    samples = stretch("zh06/recording.m4a", 3, 15)
    return [samples[: 6 * 16_000], samples[6 * 16_000 :]]


@pytest.fixture(scope="module")
def whisper(cache: Path) -> WhisperTranscriber:
    return real(cache)


@pytest.fixture(scope="module")
def apart(cache: Path) -> Iterator[ApartTranscriber]:
    if not packaged_here():
        pytest.skip("the packaged model is not installed (extra `offline`)")
    settings = TranscribeSettings(batch_chunks=8, cpu_threads=2)
    found = ApartTranscriber(resolve("packaged", cache=cache), settings)
    yield found
    found.rest()


@pytest.fixture(scope="module", params=KINDS)
def transcriber(request: pytest.FixtureRequest) -> Transcriber:
    if request.param == "fake":
        return LoudnessTranscriber()
    found: Transcriber = request.getfixturevalue("whisper")
    return found


@pytest.fixture(scope="module")
def answer(transcriber: Transcriber, clip: list[Any]) -> list[Any]:
    return list(transcriber.transcribe(clip, language="zh"))


def texts(heard: Any) -> list[str]:
    return [" ".join(h.text for h in one) for one in heard]


def latin_share(heard: Any) -> float:
    text = "".join(texts(heard))
    return sum(c.isascii() for c in text) / max(1, len(text))


def test_one_answer_for_each_chunk_with_times_inside_it(answer: list[Any], clip: list[Any]) -> None:
    assert len(answer) == len(clip)
    for heard, samples in zip(answer, clip, strict=True):
        assert heard
        for piece in heard:
            assert piece.text == piece.text.strip()
            assert len(piece.char_start_ms) == len(piece.text) + 1
            assert len(piece.char_prob_pm) == len(piece.text)
            assert list(piece.char_start_ms) == sorted(piece.char_start_ms)
            assert 0 <= piece.start_ms <= piece.end_ms <= len(samples) // 16
            assert all(0 <= p <= 1000 for p in (*piece.char_prob_pm, piece.no_speech_pm))


def test_text_and_times_do_not_depend_on_the_company(
    transcriber: Transcriber, clip: list[Any], answer: list[Any]
) -> None:
    assert list(transcriber.transcribe(clip[::-1], language="zh"))[::-1] == answer
    assert list(transcriber.transcribe(clip[1:], language="zh")) == answer[1:]


def test_the_second_way_of_decoding_is_repeatable(
    transcriber: Transcriber, clip: list[Any]
) -> None:
    first = transcriber.transcribe(clip[:1], language="zh", retry=True)
    assert any(first)
    assert transcriber.transcribe(clip[:1], language="zh", retry=True) == first


def test_it_says_who_it_is(transcriber: Transcriber) -> None:
    assert transcriber.producer
    assert len(transcriber.digest) == 64
    int(transcriber.digest, 16)


def test_nothing_to_do_is_nothing(transcriber: Transcriber) -> None:
    assert list(transcriber.transcribe([], language="zh")) == []


# --- the real one only ------------------------------------------------------------------------


def test_threads_and_batch_size_change_neither_text_nor_digest(
    cache: Path, whisper: WhisperTranscriber, clip: list[Any]
) -> None:
    other = real(cache, batch=1, threads=1)
    assert other.digest == whisper.digest
    assert texts(other.transcribe(clip[:1], language="zh")) == texts(
        whisper.transcribe(clip[:1], language="zh")
    )


def test_what_can_change_a_text_changes_the_digest(
    cache: Path, whisper: WhisperTranscriber
) -> None:
    settings = TranscribeSettings(numerals="figures")
    assert WhisperTranscriber(resolve("packaged", cache=cache), settings).digest != whisper.digest


def test_a_chunk_over_thirty_seconds_is_refused(whisper: WhisperTranscriber) -> None:
    with pytest.raises(TranscriptionFailed, match="30 s"):
        whisper.transcribe([np.zeros(31 * 16_000, dtype=np.float32)], language="zh")


def test_a_chunk_in_the_other_language_is_written_in_it(whisper: WhisperTranscriber) -> None:
    english = stretch("en02/recording.mp4", 30, 37)
    mandarin = stretch("zh06/recording.m4a", 3, 9)
    in_zh = whisper.transcribe([mandarin, english], language="zh")
    assert latin_share(in_zh[:1]) < 0.3
    assert latin_share(in_zh[1:]) > 0.9
    in_en = whisper.transcribe([mandarin], language="en")
    assert latin_share(in_en) < 0.3


def test_numerals_are_written_as_they_were_said(whisper: WhisperTranscriber) -> None:
    english = stretch("en01/recording.m3u8", 81, 87)
    text = "".join(texts(whisper.transcribe([english], language="en")))
    assert "fifteen bucks" in text.lower()
    assert not any(c.isdigit() for c in text)


def test_after_a_rest_it_hears_the_same(transcriber: Transcriber, clip: list[Any]) -> None:
    before = transcriber.transcribe(clip[:1], language="zh")
    transcriber.rest()
    assert transcriber.transcribe(clip[:1], language="zh") == before
