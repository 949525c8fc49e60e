"""The viewing proxy: a whole recording once more, small, for looking at while it is archived.

Sound and picture keep their media times. It is coded anew and never evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import UnreadableMedia
from pipeline.media.audio import audio_blocks
from pipeline.media.packets import codecs_of
from pipeline.media.pictures import frames, rotation_deg, upright
from pipeline.media.source import MediaSource

_OPTIONS = {"movflags": "+faststart", "fflags": "+bitexact"}
"""The index (moov) first: a player and a cut need little more than what they show."""
_HZ = 24_000
_BLOCK_MS = 1000
_KEY_EVERY_S = 5
_BASE = Fraction(1, 90_000)
_EARLY = 0.9
"""Of the time between two pictures: a source's rate need not be a multiple of the proxy's."""


class Rates(NamedTuple):
    """How small."""

    short_side_px: int
    max_fps: int
    video_kbit_s: int
    audio_kbit_s: int


class Proxy(NamedTuple):
    """What was made."""

    media_start_ms: int
    """Media time of the file's zero."""
    width_px: int
    height_px: int


def viewing_proxy(
    source: MediaSource, out: Path, *, rates: Rates, report: Callable[[int], None]
) -> Proxy:
    """Write the proxy of a recording; one second of it in memory. ``report`` hears media ms.

    Raises:
        UnreadableMedia: nothing of it can be decoded.
    """
    import av

    codecs = codecs_of(source)
    with av.open(str(out), mode="w", format="mp4", options=_OPTIONS) as file:
        pictures = _Pictures(file, source, rates) if "video" in codecs else None
        if pictures is not None and pictures.empty and "audio" not in codecs:
            raise UnreadableMedia(
                f"{source.file_name}: no picture of it can be decoded", hint="turn viewing off"
            )
        sound = iter(_sound(file, source, rates)) if "audio" in codecs else iter(())
        start_us = 0 if "audio" in codecs or pictures is None else pictures.first_us
        heard_us = 0
        for at_us in pictures.write(start_us) if pictures is not None else iter(()):
            while heard_us <= at_us and (heard := next(sound, None)) is not None:
                heard_us = heard
            report(at_us // 1000)
        for heard_us in sound:
            report(heard_us // 1000)
    size = (pictures.width, pictures.height) if pictures is not None else (0, 0)
    return Proxy(start_us // 1000, *size)


class _Pictures:
    """The picture track; made before anything is written, so that the file knows its size."""

    def __init__(self, file: Any, source: MediaSource, rates: Rates) -> None:
        self._file = file
        self._frames = _thinned(source, rates.max_fps)
        self._first = next(self._frames, None)
        self.width = self.height = 0
        self.first_us = 0
        if self._first is None:
            return
        self.first_us, frame = self._first
        turned = rotation_deg(frame) in (90, 270)
        wide, high = (frame.height, frame.width) if turned else (frame.width, frame.height)
        scale = min(Fraction(1), Fraction(rates.short_side_px, min(wide, high)))
        self.width, self.height = (int(side * scale) // 2 * 2 for side in (wide, high))
        bits = rates.video_kbit_s * 1000
        self._stream = file.add_stream(
            "libx264",
            rate=rates.max_fps,
            options={
                "preset": "veryfast",
                "threads": "1",  # more would change the bytes, and so does mbtree, run by run
                "x264-params": "mbtree=0",
                "maxrate": str(bits * 3 // 2),
                "bufsize": str(bits * 3),
                "g": str(rates.max_fps * _KEY_EVERY_S),
            },
        )
        self._stream.width, self._stream.height = self.width, self.height
        self._stream.pix_fmt = "yuv420p"
        self._stream.bit_rate = bits
        self._stream.codec_context.time_base = _BASE

    @property
    def empty(self) -> bool:
        """Whether nothing could be decoded."""
        return self._first is None

    def write(self, start_us: int) -> Iterator[int]:
        """Encode one picture after another; its media microseconds."""
        if self._first is None:
            return
        yield self._one(*self._first, start_us)
        for at_us, frame in self._frames:
            yield self._one(at_us, frame, start_us)
        self._file.mux(self._stream.encode(None))

    def _one(self, at_us: int, frame: Any, start_us: int) -> int:
        import av

        if rotation_deg(frame):
            frame = av.VideoFrame.from_ndarray(upright(frame), format="bgr24")
        picture = frame.reformat(self.width, self.height, "yuv420p")
        picture.pts, picture.time_base = (at_us - start_us) * 9 // 100, _BASE
        picture.pict_type = 0  # the source's own key pictures say nothing here
        self._file.mux(self._stream.encode(picture))
        return at_us


def _thinned(source: MediaSource, max_fps: int) -> Iterator[tuple[int, Any]]:
    """Frames in order of time, at most so many a second."""
    step_us = int(1_000_000 * _EARLY / max_fps)
    last_us: int | None = None
    for at_us, frame in frames(source, from_us=0):
        if at_us >= 0 and (last_us is None or at_us >= last_us + step_us):
            last_us = at_us
            yield at_us, frame


def _sound(file: Any, source: MediaSource, rates: Rates) -> Iterator[int]:
    """Encode one second after another; the media microseconds reached."""
    import av
    import numpy as np

    stream = file.add_stream("aac", rate=_HZ, options={"b": f"{rates.audio_kbit_s}k"})
    stream.layout = "mono"
    return _encoded(file, stream, source, av, np)


def _encoded(file: Any, stream: Any, source: MediaSource, av: Any, np: Any) -> Iterator[int]:
    at = 0
    for block in audio_blocks(source, rate_hz=_HZ, block_ms=_BLOCK_MS):
        samples = np.ascontiguousarray(block.samples[None, :])
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _HZ, at, Fraction(1, _HZ)
        at += samples.shape[1]
        file.mux(stream.encode(frame))
        yield at * 1_000_000 // _HZ
    file.mux(stream.encode(None))
