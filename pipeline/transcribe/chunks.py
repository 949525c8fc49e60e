"""Cutting a stream of audio into chunks of at most 30 s at pauses, without looking ahead.

A chunk is one uninterrupted stretch of the recording; the pauses inside it are
kept, because recognition costs the same for 5 s as for 30 s. Its bounds depend on
the audio up to the bound plus at most ``CLOSE_MS`` (and, where a chunk runs full,
on audio of that chunk alone), so a live stream is cut exactly like its recording.

What lies between chunks comes out as a ``Quiet`` with its reason; chunks and quiets
together cover every millisecond, in order, without overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from pipeline.transcribe.vad import BLOCK_SAMPLES, FRAME_MS, FRAME_SAMPLES, Vad

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.ports import Audio

QuietReason = Literal["silence", "no_speech", "music_or_noise", "blank"]

SPEECH_PROB = 0.3
"""Frames at least this likely count as voiced; low, since a lost word costs more than a window."""
SURE_PROB = 0.6
"""One frame as likely as this opens a chunk; otherwise ``OPEN_FRAMES`` voiced ones do."""
OPEN_FRAMES = 3
"""Voiced frames in a row that open a chunk (96 ms)."""
PAD_MS = 416
"""Kept before the first and after the last voiced frame, so that no consonant is clipped."""
CLOSE_MS = 3008
"""A pause this long closes a chunk."""
PAUSE_MS = 192
"""Shorter unvoiced runs are part of a word."""
LONG_PAUSE_MS = 800
"""Among pauses at least this long the latest is the best place to cut a full chunk."""
QUIET_MS = 60_000
"""A long quiet is given out in pieces of this length, so that memory stays bounded."""
SLIVER_MS = 320
"""A shorter rest between two chunks is given to the second."""
_FULL_SHARE = 0.5
"""A full chunk is cut in its last half."""

BLANK_DB = -75.0
"""Below this (dB of full scale) there is no signal at all: rooms and codecs are louder."""
LOUD_DB = -38.0
"""Unvoiced stretches at least this loud are music or noise that could hide words."""
NOISE_DB = -55.0
"""Between ``BLANK_DB`` and this a stretch is called silence, above it ``no_speech``."""
BLANK_MS = 1500
"""Blank stretches shorter than this are pauses."""
LOUD_MS = 1500
"""Loud stretches shorter than this are clicks and laughs."""

SAMPLES_PER_MS = 16
_SMOOTH = 15


class AudioLike(Protocol):
    """A block of mono 16 kHz audio, as the media room yields it."""

    @property
    def start_ms(self) -> int:
        """Media time of its first sample."""

    @property
    def samples(self) -> Audio:
        """float32 in [-1, 1]."""


class Chunk(NamedTuple):
    """A stretch of audio to be recognised at once."""

    start_ms: int
    """Media time of the first sample."""
    end_ms: int
    """Media time after the last sample."""
    samples: Audio
    """float32 mono 16 kHz."""
    pauses: tuple[tuple[int, int], ...]
    """Unvoiced stretches inside, ``(start, end)`` in milliseconds from the chunk's start."""


class Quiet(NamedTuple):
    """A stretch that holds no speech by the detector's judgement."""

    start_ms: int
    """Media time."""
    end_ms: int
    """Exclusive."""
    reason: QuietReason
    """Why it was not recognised."""
    loudness_db: int
    """Root mean square, dB of full scale; -120 for digital zero."""
    prob_pm: int
    """Highest speech probability in it, per mille."""


class _Frames(NamedTuple):
    """One block of frames with what the machine needs to know about each."""

    samples: Audio
    probs: npt.NDArray[np.float32]
    power: npt.NDArray[np.float64]


def cut(blocks: Iterable[AudioLike], *, vad: Vad, max_ms: int = 30_000) -> Iterator[Chunk | Quiet]:
    """Chunks and quiets of one continuous stream, in order, covering it whole.

    The first block's ``start_ms`` is the stream's start; later blocks are taken as
    following on (the media room fills holes with silence).

    Args:
        blocks: Consecutive audio.
        vad: A fresh detector.
        max_ms: Longest chunk.
    """
    machine: _Machine | None = None
    for origin_ms, samples in _steady(blocks):
        machine = machine or _Machine(origin_ms, max_ms=max_ms)
        yield from machine.feed(_measure(samples, vad), samples.shape[0])
    if machine is not None:
        yield from machine.finish()


def _steady(blocks: Iterable[AudioLike]) -> Iterator[tuple[int, Audio]]:
    """Blocks of exactly ``BLOCK_SAMPLES``, whatever sizes come in; the last may be shorter."""
    import numpy as np

    held: list[Audio] = []
    count, origin = 0, 0
    for n, block in enumerate(blocks):
        origin = block.start_ms if n == 0 else origin
        held.append(block.samples)
        count += block.samples.shape[0]
        if count < BLOCK_SAMPLES:
            continue
        joined = np.concatenate(held)
        whole = count // BLOCK_SAMPLES * BLOCK_SAMPLES
        for at in range(0, whole, BLOCK_SAMPLES):
            yield origin, joined[at : at + BLOCK_SAMPLES]
        held, count = [joined[whole:]], count - whole
    if count:
        yield origin, np.concatenate(held)


def _measure(samples: Audio, vad: Vad) -> _Frames:
    """The block padded to whole frames, with probability and power of each frame."""
    import numpy as np

    samples = np.nan_to_num(samples.astype(np.float32, copy=False), posinf=0.0, neginf=0.0)
    padded = np.pad(samples, (0, BLOCK_SAMPLES - samples.shape[0]))
    count = -(-samples.shape[0] // FRAME_SAMPLES)
    probs = vad(padded)[:count]
    frames = padded[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES).astype(np.float64)
    return _Frames(padded[: count * FRAME_SAMPLES], probs, np.mean(frames**2, axis=1))


class _Machine:
    """Follows the frames of a stream; positions are frames from the stream's start."""

    def __init__(self, origin_ms: int, *, max_ms: int) -> None:
        import numpy as np

        self._origin_ms = origin_ms
        self._max = max_ms // FRAME_MS
        self._base = 0
        self._samples = np.zeros(0, dtype=np.float32)
        self._probs = np.zeros(0, dtype=np.float32)
        self._power = np.zeros(0, dtype=np.float64)
        self._total_samples = 0
        self._done = 0
        self._at = 0
        self._open: int | None = None
        self._last = -1
        self._run = 0

    def feed(self, frames: _Frames, count: int) -> Iterator[Chunk | Quiet]:
        """Take a block of ``count`` real samples; what is finished by now."""
        import numpy as np

        self._samples = np.concatenate([self._samples, frames.samples])
        self._probs = np.concatenate([self._probs, frames.probs])
        self._power = np.concatenate([self._power, frames.power])
        self._total_samples += count
        while self._at < self._base + self._probs.shape[0]:
            yield from self._step()
        self._forget()

    def finish(self) -> Iterator[Chunk | Quiet]:
        """The stream has ended; what is left."""
        end = self._base + self._probs.shape[0]
        if self._open is not None:
            yield from self._emit(self._open, min(end, self._last + 1 + _frames(PAD_MS)))
        yield from self._quiet(end)

    def _step(self) -> Iterator[Chunk | Quiet]:
        at = self._at
        prob = float(self._probs[at - self._base])
        self._at += 1
        self._run = self._run + 1 if prob >= SPEECH_PROB else 0
        if prob >= SPEECH_PROB:
            self._last = at
        if self._open is None:
            if prob >= SURE_PROB or self._run >= OPEN_FRAMES:
                self._open = self._opening(at + 1 - max(1, self._run))
            elif at - self._done >= _frames(QUIET_MS):
                yield from self._quiet(at - _frames(PAD_MS) - OPEN_FRAMES)
        elif at - self._last >= _frames(CLOSE_MS):
            yield from self._emit(self._open, self._last + 1 + _frames(PAD_MS))
        if self._open is not None and self._at - self._open >= self._max:
            yield from self._split(self._open)

    def _opening(self, voiced: int) -> int:
        """Where a chunk begins whose first voiced frame this is; slivers are taken in."""
        start = voiced - _frames(PAD_MS)
        return self._done if start - self._done < _frames(SLIVER_MS) else start

    def _split(self, start: int) -> Iterator[Chunk | Quiet]:
        """The chunk is full: cut it, and look at the frames after the cut once more."""
        end = self._best_cut(start)
        yield from self._emit(start, end)
        self._at, self._last = end, end - 1

    def _best_cut(self, start: int) -> int:
        """The middle of the longest pause in the last half, else the quietest instant there."""
        import numpy as np

        lo, hi = start + int(self._max * _FULL_SHARE), start + self._max
        runs = unvoiced(self._probs[lo - self._base : hi - self._base], _frames(PAUSE_MS))
        if runs:
            first, after = max(runs, key=lambda r: (min(r[1] - r[0], _frames(LONG_PAUSE_MS)), r))
            return lo + min((first + after) // 2, first + _frames(PAD_MS))
        power = self._power[lo - self._base : hi - self._base]
        smooth = np.convolve(power, np.ones(5), mode="valid")
        return lo + 2 + int(np.argmin(smooth))

    def _emit(self, start: int, end: int) -> Iterator[Chunk | Quiet]:
        yield from self._quiet(start)
        a, b = start - self._base, end - self._base
        first, after = start * FRAME_SAMPLES, min(end * FRAME_SAMPLES, self._total_samples)
        offset = self._base * FRAME_SAMPLES
        pauses = tuple(
            (p * FRAME_MS, q * FRAME_MS) for p, q in unvoiced(self._probs[a:b], _frames(PAUSE_MS))
        )
        samples = self._samples[first - offset : after - offset].copy()
        yield Chunk(self._ms(start), self._ms(end), samples, pauses)
        self._done, self._open, self._run = end, None, 0

    def _quiet(self, end: int) -> Iterator[Quiet]:
        """The unspoken stretch from what is done to ``end``, by kinds of quiet."""
        if end <= self._done:
            return
        a, b = self._done - self._base, end - self._base
        for p, q, reason in kinds(self._power[a:b]):
            part = slice(a + p, a + q)
            yield Quiet(
                self._ms(self._done + p),
                self._ms(self._done + q),
                reason,
                round(decibels(float(self._power[part].mean()))),
                min(1000, round(float(self._probs[part].max()) * 1000)),
            )
        self._done = end

    def _forget(self) -> None:
        """Drop the frames that are done."""
        drop = self._done - self._base
        if drop > 0:
            self._samples = self._samples[drop * FRAME_SAMPLES :]
            self._probs, self._power = self._probs[drop:], self._power[drop:]
            self._base += drop

    def _ms(self, frame: int) -> int:
        """Media time of a frame's start, never after the last real sample."""
        samples = min(frame * FRAME_SAMPLES, self._total_samples)
        return self._origin_ms + samples // SAMPLES_PER_MS


def unvoiced(probs: npt.NDArray[np.float32], at_least: int) -> list[tuple[int, int]]:
    """Runs of at least so many frames below ``SPEECH_PROB``, as ``(first, after)``."""
    return _runs(probs < SPEECH_PROB, at_least)


def kinds(power: npt.NDArray[np.float64]) -> list[tuple[int, int, QuietReason]]:
    """What an unspoken stretch is made of: parts that cover it, with their reasons."""
    import numpy as np

    blank = power < 10 ** (BLANK_DB / 10)
    smooth = np.convolve(power, np.full(_SMOOTH, 1 / _SMOOTH), mode="same")[: power.shape[0]]
    marks: list[tuple[int, int, QuietReason]] = [
        (p, q, "blank") for p, q in _runs(blank, _frames(BLANK_MS))
    ]
    loud = (smooth > 10 ** (LOUD_DB / 10)) & ~blank
    marks += [
        (p, q, "music_or_noise")
        for p, q in _runs(loud, _frames(LOUD_MS))
        if not any(p < b and a < q for a, b, _ in marks)
    ]
    parts: list[tuple[int, int, QuietReason]] = []
    at = 0
    for p, q, reason in [*sorted(marks), (power.shape[0], power.shape[0], "silence")]:
        if p > at:
            still = decibels(float(power[at:p].mean())) < NOISE_DB
            parts.append((at, p, "silence" if still else "no_speech"))
        if q > p:
            parts.append((p, q, reason))
        at = q
    return parts


def decibels(power: float) -> float:
    """Power to dB of full scale; at least -120."""
    return 10 * math.log10(max(power, 1e-12))


def _runs(mask: npt.NDArray[np.bool_], at_least: int) -> list[tuple[int, int]]:
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(p, q) for p, q in pairs if q - p >= at_least]


def _frames(ms: int) -> int:
    return -(-ms // FRAME_MS)
