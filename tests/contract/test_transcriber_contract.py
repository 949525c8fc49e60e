"""What every transcriber promises, over the fake and the real model on a clip of a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import TranscriptionFailed
from pipeline.media.audio import audio_blocks
from pipeline.media.source import open_source
from pipeline.ports import Transcriber
from pipeline.settings import TranscribeSettings
from pipeline.transcribe.models import packaged_here, resolve
from pipeline.transcribe.whisper import WhisperTranscriber
from tests.fakes import LoudnessTranscriber

EXAMPLES = Path(__file__).parents[2] / "examples"
KINDS = ["fake", "whisper"]


def real(cache: Path, *, batch: int = 8, threads: int = 2) -> WhisperTranscriber:
    if not packaged_here():
        pytest.skip("the packaged model is not installed (extra `offline`)")
    settings = TranscribeSettings(batch_chunks=batch, cpu_threads=threads)
    return WhisperTranscriber(resolve("packaged", cache=cache), settings)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def clip() -> list[Any]:
    """Three stretches of about six seconds of one sample broadcast."""
    blocks = audio_blocks(open_source(EXAMPLES / "zh06" / "recording.m4a"), end_ms=24_000)
    samples = np.concatenate([b.samples for b in blocks])
    return [samples[at * 16_000 : (at + 6) * 16_000] for at in (3, 9, 15)]


@pytest.fixture(scope="module", params=KINDS)
def transcriber(request: pytest.FixtureRequest, cache: Path) -> Transcriber:
    return LoudnessTranscriber() if request.param == "fake" else real(cache)


def texts(heard: Any) -> list[str]:
    return [" ".join(h.text for h in one) for one in heard]


def test_one_answer_for_each_chunk_with_times_inside_it(
    transcriber: Transcriber, clip: list[Any]
) -> None:
    found = transcriber.transcribe(clip, language="zh")
    assert len(found) == len(clip)
    for heard, samples in zip(found, clip, strict=True):
        assert heard
        for piece in heard:
            assert piece.text == piece.text.strip()
            assert len(piece.char_start_ms) == len(piece.text) + 1
            assert len(piece.char_prob_pm) == len(piece.text)
            assert list(piece.char_start_ms) == sorted(piece.char_start_ms)
            assert 0 <= piece.start_ms <= piece.end_ms <= len(samples) // 16
            assert all(0 <= p <= 1000 for p in (*piece.char_prob_pm, piece.no_speech_pm))


def test_text_and_times_do_not_depend_on_the_company(
    transcriber: Transcriber, clip: list[Any]
) -> None:
    together = list(transcriber.transcribe(clip, language="zh"))
    turned = list(transcriber.transcribe(clip[::-1], language="zh"))[::-1]
    alone = [transcriber.transcribe([chunk], language="zh")[0] for chunk in clip]
    assert together == turned == alone


def test_both_ways_of_decoding_are_repeatable(transcriber: Transcriber, clip: list[Any]) -> None:
    for retry in (False, True):
        first = transcriber.transcribe(clip[:1], language="", retry=retry)
        assert transcriber.transcribe(clip[:1], language="", retry=retry) == first


def test_it_says_who_it_is(transcriber: Transcriber) -> None:
    assert transcriber.producer
    assert len(transcriber.digest) == 64
    int(transcriber.digest, 16)


def test_nothing_to_do_is_nothing(transcriber: Transcriber) -> None:
    assert list(transcriber.transcribe([], language="zh")) == []


def test_threads_and_batch_size_change_neither_text_nor_digest(
    cache: Path, clip: list[Any]
) -> None:
    one, other = real(cache, batch=1, threads=1), real(cache, batch=3, threads=2)
    assert one.digest == other.digest
    assert texts(one.transcribe(clip, language="zh")) == texts(
        other.transcribe(clip, language="zh")
    )


def test_a_chunk_over_thirty_seconds_is_refused(cache: Path) -> None:
    with pytest.raises(TranscriptionFailed, match="30 s"):
        real(cache).transcribe([np.zeros(31 * 16_000, dtype=np.float32)], language="zh")
