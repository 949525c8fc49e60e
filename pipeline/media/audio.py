"""Sound on the media clock: mono float samples with silence where nothing was recorded.

Sample ``i`` of the concatenated blocks is media time ``start_ms + i / rate`` exactly.
Gaps, late starts and undecodable packets become silence of their own length, so that
nothing after them moves; each is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import NoAudio
from pipeline.media.clock import to_ms
from pipeline.media.packets import Reader, Timed
from pipeline.media.source import MediaSource
from pipeline.model import Hole, PacketIndex

if TYPE_CHECKING:
    from pipeline.ports import Audio

_TOLERANCE_US = 20_000
"""Timestamps may stray this far from the sample count (containers round to 1 ms) before
the count is corrected; half a frame at 25 fps."""
HOLE_US = 100_000
"""Shorter gaps are closed with silence and not reported: four AAC frames."""
_PREROLL_US = 1_000_000


class AudioBlock(NamedTuple):
    """A stretch of sound."""

    start_ms: int
    """Media time of the first sample."""
    samples: Audio
    """Mono float32."""


def audio_blocks(
    source: MediaSource,
    *,
    start_ms: int = 0,
    end_ms: int | None = None,
    rate_hz: int = 16_000,
    block_ms: int = 30_000,
    report: list[Hole] | None = None,
    index: PacketIndex | None = None,
    reader: Reader | None = None,
) -> Iterator[AudioBlock]:
    """The sound of ``[start_ms, end_ms)`` in blocks of ``block_ms`` (the last is shorter).

    Without ``end_ms`` it ends with the last packet of sound or picture. Memory holds one
    block. ``report`` collects the holes: ``late_audio``, ``gap``, ``corrupt``, ``clock_jump``.
    ``index`` saves reading from the start where only the middle is asked for. ``reader`` is
    one of the caller's own, of the same source, whose clock it wants to see.

    Raises:
        NoAudio: the recording has no sound. UnreadableMedia: it cannot be opened.
    """
    holes = [] if report is None else report
    out = _Blocks(start_ms=start_ms, end_ms=end_ms, rate_hz=rate_hz, block_ms=block_ms)
    reader = reader or Reader(source, index=index)
    decoder = _Decoder(rate_hz, holes)
    heard = False
    for timed in reader.read(from_us=max(0, start_ms * 1000 - _PREROLL_US)):
        if timed.kind == "audio":
            heard = True
            if timed.end_us >= start_ms * 1000 - _PREROLL_US:
                for at, samples in decoder.feed(timed):
                    yield from out.put(at, samples)
        if end_ms is not None and timed.dts_us > end_ms * 1000 + _PREROLL_US:
            break
    if not heard and not _has_audio(source):
        raise NoAudio(
            f"{source.file_name}: no sound in the recording",
            hint="give a recording with sound, or a transcript with --transcript",
        )
    for at, samples in decoder.finish():
        yield from out.put(at, samples)
    yield from out.finish(to_ms(reader.clock_now().end_us))


def _has_audio(source: MediaSource) -> bool:
    from pipeline.media.packets import open_first
    from pipeline.media.source import audio_of

    with open_first(source) as media:
        return audio_of(media) is not None


class _Decoder:
    """Packets to ``(first sample number, samples)`` runs; each run is resampled on its own."""

    def __init__(self, rate_hz: int, holes: list[Hole]) -> None:
        self._rate_hz = rate_hz
        self._holes = holes
        self._context: Any = None
        self._epoch = -1
        self._resampler: Any = None
        self._shape: tuple[Any, ...] = ()
        self._next_us: int | None = None
        """Media time after the last decoded sample; None before the first."""
        self._out = 0
        self._shift_us = 0
        self._base: Any = None
        self._bad: tuple[int, int] | None = None

    def feed(self, timed: Timed) -> Iterator[tuple[int, Audio]]:
        """Decode one packet."""
        if self._context is None or timed.epoch.number != self._epoch:
            yield from self._drain()
            if self._context is not None and timed.epoch.reason == "clock_jump":
                self._note(timed.pts_us, timed.pts_us, "clock_jump", "the sound's clock restarted")
            self._context = timed.stream.codec_context
            self._epoch = timed.epoch.number
        self._shift_us, self._base = timed.epoch.shift_us, timed.packet.time_base
        frames = self._decode(timed)
        for frame in frames:
            yield from self._place(frame, timed)

    def finish(self) -> Iterator[tuple[int, Audio]]:
        """What decoder and resampler still hold."""
        yield from self._drain()
        self._flush_bad()

    def _decode(self, timed: Timed) -> list[Any]:
        import av.error

        try:
            return list(self._context.decode(timed.packet))
        except (av.error.FFmpegError, ValueError):
            self._corrupt(timed.pts_us, timed.end_us)
            return []

    def _drain(self) -> Iterator[tuple[int, Audio]]:
        import av.error

        if self._context is None:
            return
        try:
            frames = list(self._context.decode(None))
        except (av.error.FFmpegError, ValueError):
            frames = []
        self._context.flush_buffers()  # an emptied decoder takes nothing more without this
        for frame in frames:
            yield from self._place(frame, None)
        yield from self._end_run()

    def _place(self, frame: Any, timed: Timed | None) -> Iterator[tuple[int, Audio]]:
        """Put a decoded frame where its timestamp says, unless it just follows on."""
        at_us = self._time(frame, timed)
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        expected = self._next_us
        follows = self._resampler is not None and shape == self._shape
        if expected is None or not follows or abs(at_us - expected) > _TOLERANCE_US:
            yield from self._end_run()
            self._gap(expected, at_us)
            self._begin_run(at_us, shape)
        self._run_samples += frame.samples
        self._next_us = self._run_us + self._run_samples * 1_000_000 // frame.sample_rate
        frame.pts = None
        yield from self._emit(self._resampler.resample(frame))

    def _time(self, frame: Any, timed: Timed | None) -> int:
        base = self._base
        if frame.pts is not None:
            raw = frame.pts * 1_000_000 * base.numerator // base.denominator
            return int(raw) + self._shift_us
        if self._next_us is not None:
            return self._next_us
        return timed.pts_us if timed is not None else 0

    def _begin_run(self, at_us: int, shape: tuple[Any, ...]) -> None:
        import av

        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=self._rate_hz)
        self._shape = shape
        self._run_us, self._run_samples = at_us, 0
        self._out = round(at_us * self._rate_hz / 1_000_000)

    def _end_run(self) -> Iterator[tuple[int, Audio]]:
        if self._resampler is not None and self._run_samples:
            yield from self._emit(self._resampler.resample(None))
        self._resampler, self._run_samples = None, 0

    def _emit(self, frames: list[Any]) -> Iterator[tuple[int, Audio]]:
        for frame in frames:
            if frame is None:
                continue
            samples = frame.to_ndarray().reshape(-1)
            yield self._out, samples
            self._out += len(samples)

    _run_us = 0
    _run_samples = 0

    def _gap(self, expected: int | None, at_us: int) -> None:
        start = 0 if expected is None else expected
        if at_us - start <= HOLE_US:
            return
        if self._bad is not None and self._bad[0] <= start + HOLE_US:
            self._bad = (min(self._bad[0], start), max(self._bad[1], at_us))
            self._flush_bad()
        elif expected is None:
            self._note(0, at_us, "late_audio", "sound begins late")
        else:
            self._note(start, at_us, "gap", "no packets of sound")

    def _corrupt(self, start_us: int, end_us: int) -> None:
        if self._bad is not None and start_us - self._bad[1] <= HOLE_US:
            self._bad = (self._bad[0], max(end_us, self._bad[1]))
            return
        self._flush_bad()
        self._bad = (start_us, end_us)

    def _flush_bad(self) -> None:
        if self._bad is not None:
            self._note(*self._bad, "corrupt", "sound cannot be decoded")
        self._bad = None

    def _note(self, start_us: int, end_us: int, reason: str, detail: str) -> None:
        self._holes.append(
            Hole(
                start_ms=max(0, to_ms(start_us)),
                end_ms=max(0, to_ms(end_us)),
                reason=reason,
                detail=detail,
                stream="audio",
            )
        )


class _Blocks:
    """Cuts runs of samples into blocks and fills what lies between with silence."""

    def __init__(self, *, start_ms: int, end_ms: int | None, rate_hz: int, block_ms: int) -> None:
        self._rate_hz = rate_hz
        self._at = start_ms * rate_hz // 1000
        self._end = None if end_ms is None else end_ms * rate_hz // 1000
        self._size = max(1, block_ms * rate_hz // 1000)
        self._block: Audio | None = None
        self._filled = 0

    def put(self, at: int, samples: Audio) -> Iterator[AudioBlock]:
        """Samples from sample number ``at`` on; what lies before the present is dropped."""
        if at < self._now:
            samples = samples[self._now - at :]
        yield from self._silence(at)
        if self._end is not None:
            samples = samples[: max(0, self._end - self._now)]
        while len(samples):
            room = self._room()
            take = min(len(samples), self._size - self._filled)
            room[self._filled : self._filled + take] = samples[:take]
            self._filled += take
            samples = samples[take:]
            if self._filled == self._size:
                yield self._take()

    def finish(self, end_ms: int) -> Iterator[AudioBlock]:
        """Silence to the end and the last block."""
        end = end_ms * self._rate_hz // 1000
        yield from self._silence(end if self._end is None else self._end)
        if self._filled:
            yield self._take()

    @property
    def _now(self) -> int:
        return self._at + self._filled

    def _silence(self, until: int) -> Iterator[AudioBlock]:
        until = until if self._end is None else min(until, self._end)
        while self._now < until:
            room = self._room()
            take = min(until - self._now, self._size - self._filled)
            room[self._filled : self._filled + take] = 0.0
            self._filled += take
            if self._filled == self._size:
                yield self._take()

    def _room(self) -> Audio:
        import numpy as np

        if self._block is None:
            self._block = np.zeros(self._size, dtype=np.float32)
        return self._block

    def _take(self) -> AudioBlock:
        block = AudioBlock(self._at * 1000 // self._rate_hz, self._room()[: self._filled])
        self._at += self._filled
        self._block, self._filled = None, 0
        return block
