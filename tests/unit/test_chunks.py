from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.transcribe.chunks import Chunk, Quiet, cut, kinds
from pipeline.transcribe.vad import BLOCK_SAMPLES, FRAME_SAMPLES, SileroVad

RATE = 16_000


class Block(NamedTuple):
    start_ms: int
    samples: Any


class LoudIsSpeech:
    """A detector that takes a 200 Hz voice of level 0.1 to 0.3 for speech and nothing else."""

    def __call__(self, block: Any) -> Any:
        frames = block.reshape(-1, FRAME_SAMPLES)
        level = np.sqrt((frames**2).mean(axis=1))
        return np.where((level > 0.05) & (level < 0.4), 0.95, 0.02).astype(np.float32)


def sound(*parts: tuple[str, float]) -> Any:
    """Speech (``s``), room (``r``), blank (``b``) or loud noise (``n``), with seconds."""
    rng = np.random.default_rng(7)
    made = []
    for kind, seconds in parts:
        count = int(seconds * RATE)
        level = {"s": 0.2, "r": 0.001, "b": 0.0, "n": 0.6}[kind]
        made.append(rng.normal(0, 1, count) * level)
    return np.concatenate(made).astype(np.float32)


def pieces(samples: Any, *, block: int = 48_000, start_ms: int = 0, max_ms: int = 30_000) -> Any:
    blocks = [
        Block(start_ms + at // 16, samples[at : at + block]) for at in range(0, len(samples), block)
    ]
    return list(cut(blocks, vad=LoudIsSpeech(), max_ms=max_ms))


def bounds(found: list[Chunk | Quiet]) -> list[tuple[int, int, str]]:
    return [(f.start_ms, f.end_ms, getattr(f, "reason", "chunk")) for f in found]


def assert_whole(found: list[Chunk | Quiet], start_ms: int, end_ms: int) -> None:
    at = start_ms
    for piece in found:
        assert piece.start_ms == at
        assert piece.end_ms > at
        at = piece.end_ms
    assert at == end_ms


def test_every_millisecond_is_in_a_chunk_or_a_quiet() -> None:
    samples = sound(("r", 5), ("s", 4), ("r", 8), ("s", 2), ("b", 6), ("n", 5), ("s", 1))
    found = pieces(samples, start_ms=700)
    assert_whole(found, 700, 700 + len(samples) // 16)
    reasons = {f.reason for f in found if isinstance(f, Quiet)}
    assert {"silence", "blank", "music_or_noise"} <= reasons
    assert sum(isinstance(f, Chunk) for f in found) == 3


def test_chunks_hold_the_speech_with_room_around_it() -> None:
    found = pieces(sound(("r", 5), ("s", 4), ("r", 8)))
    (chunk,) = [f for f in found if isinstance(f, Chunk)]
    assert 4400 <= chunk.start_ms <= 4800
    assert 9200 <= chunk.end_ms <= 9600
    assert abs(len(chunk.samples) - (chunk.end_ms - chunk.start_ms) * 16) <= 16


def test_long_speech_is_cut_at_its_longest_late_pause() -> None:
    found = pieces(sound(("s", 18), ("r", 0.6), ("s", 5), ("r", 0.25), ("s", 12)))
    first, second = [f for f in found if isinstance(f, Chunk)]
    assert 18_000 <= first.end_ms <= 18_600
    assert second.start_ms == first.end_ms or second.start_ms <= 18_600


def test_speech_without_any_pause_is_cut_where_it_is_quietest() -> None:
    samples = sound(("s", 70))
    dip = slice(22 * RATE, 22 * RATE + 3200)
    samples[dip] *= 0.4  # still voiced to the detector
    found = pieces(samples)
    chunks = [f for f in found if isinstance(f, Chunk)]
    assert all(c.end_ms - c.start_ms <= 30_000 for c in chunks)
    assert 22_000 <= chunks[0].end_ms <= 22_200
    assert_whole(found, 0, 70_000)
    assert not [f for f in found if isinstance(f, Quiet)]


@pytest.mark.parametrize("block", [777, 16_000, 480_000])
def test_bounds_do_not_depend_on_how_the_sound_arrives(block: int) -> None:
    samples = sound(("r", 3), ("s", 40), ("r", 1), ("s", 9), ("r", 5), ("s", 3))
    assert bounds(pieces(samples, block=block)) == bounds(pieces(samples))


def test_what_comes_later_never_moves_an_earlier_bound() -> None:
    head = sound(("r", 2), ("s", 20), ("r", 1), ("s", 20), ("r", 4))
    with_speech = pieces(np.concatenate([head, sound(("s", 30))]))
    with_silence = pieces(np.concatenate([head, sound(("r", 30))]))
    chunks = [
        [f for f in found if isinstance(f, Chunk)][:2] for found in (with_speech, with_silence)
    ]
    for one, other in zip(*chunks, strict=True):
        assert (one.start_ms, one.end_ms) == (other.start_ms, other.end_ms)
        assert np.array_equal(one.samples, other.samples)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("srbn"), st.floats(0.05, 12)), min_size=1, max_size=8),
    st.integers(3_000, 30_000),
)
def test_any_sound_is_covered_once(parts: list[tuple[str, float]], max_ms: int) -> None:
    samples = sound(*parts)
    found = pieces(samples, max_ms=max_ms)
    assert_whole(found, 0, len(samples) // 16)
    for piece in found:
        assert not isinstance(piece, Chunk) or piece.end_ms - piece.start_ms <= max_ms


def test_broken_samples_do_not_break_the_stream() -> None:
    samples = sound(("r", 1), ("s", 2), ("r", 4))
    samples[20_000:20_100] = np.nan
    found = pieces(samples)
    (chunk,) = [f for f in found if isinstance(f, Chunk)]
    assert np.isfinite(chunk.samples).all()


def test_kinds_of_quiet_cover_the_stretch() -> None:
    power = np.concatenate([np.full(100, 1e-5), np.zeros(100), np.full(100, 0.1)])
    parts = kinds(power)
    assert [p[2] for p in parts][1:] == ["blank", "music_or_noise"]
    assert parts[0][0] == 0
    assert parts[-1][1] == 300


def test_the_real_detector_is_the_same_in_pieces_and_hears_no_speech_in_noise() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, 4 * BLOCK_SAMPLES).astype(np.float32)
    vad = SileroVad()
    probs = np.concatenate(
        [vad(noise[at : at + BLOCK_SAMPLES]) for at in range(0, len(noise), BLOCK_SAMPLES)]
    )
    assert probs.shape == (128,)
    assert probs.max() < 0.3
    again = SileroVad()
    assert np.array_equal(again(noise[:BLOCK_SAMPLES]), probs[:32])
