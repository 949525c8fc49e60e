"""Writing MP4: packets copied as they are, or coded anew where MP4 cannot hold them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.errors import UnreadableMedia
from pipeline.media.audio import audio_blocks
from pipeline.media.packets import Kind, Reader, Timed, codecs_of
from pipeline.media.pictures import frames
from pipeline.media.source import MediaSource, audio_of, video_of

COPIED: dict[Kind, frozenset[str]] = {
    "video": frozenset({"h264", "hevc", "av1", "vp9"}),
    "audio": frozenset({"aac", "mp3", "opus", "flac", "ac3", "eac3", "alac"}),
}
"""Codecs that go into an MP4 as they are."""

_MICRO = Fraction(1, 1_000_000)
_AUDIO_HZ = 48_000
_OPTIONS = {"movflags": "+faststart", "fflags": "+bitexact"}
"""Index first, so that playing starts at once; no clock or version in the bytes."""


class Writer:
    """An MP4 being written; times are relative to ``start_us``."""

    def __init__(self, out: Path, *, start_us: int) -> None:
        self._out = out
        self._start_us = start_us
        self._file: Any = None
        self._streams: dict[str, Any] = {}
        self._waiting: dict[str, list[Timed]] = {}
        self._last_us: dict[str, int] = {}

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what waits and the index; only the file's removal is left to the caller."""
        if error is None:
            for waiting in self._waiting.values():
                self._write_all(waiting, None)
        if self._file is not None:
            self._file.close()

    def put(self, timed: Timed) -> None:
        """Take the next packet of the source."""
        if self._file is None:
            self._open(timed)
        waiting = self._waiting.setdefault(timed.kind, [])
        if timed.packet.dts is None:  # Matroska: known as soon as the re-ordering is
            waiting.append(timed)
            return
        if waiting:
            self._write_all(waiting, timed.dts_us)
        self._write(timed, timed.dts_us)

    def _open(self, timed: Timed) -> None:
        import av

        self._file = av.open(str(self._out), mode="w", format="mp4", options=_OPTIONS)
        media = timed.stream.container
        for kind, stream in (("video", video_of(media)), ("audio", audio_of(media))):
            if stream is not None:
                copy = self._file.add_stream_from_template(stream, opaque=True)
                copy.codec_context.bit_rate = 0  # a running guess: depends on what was read
                self._streams[kind] = copy

    def _write_all(self, waiting: list[Timed], until_us: int | None) -> None:
        """Packets without a decoding time get times that lead up to the first known one."""
        first = min((t.pts_us for t in waiting), default=0)
        for place, timed in enumerate(waiting):
            left = (len(waiting) - place) * timed.length_us
            self._write(timed, first - left if until_us is None else until_us - left)
        waiting.clear()

    def _write(self, timed: Timed, dts_us: int) -> None:
        last = self._last_us.get(timed.kind)
        if last is not None and dts_us <= last:
            dts_us = last + 100
        self._last_us[timed.kind] = dts_us
        packet = timed.packet
        packet.time_base = _MICRO
        packet.dts = dts_us - self._start_us
        packet.pts = max(timed.pts_us, dts_us) - self._start_us
        packet.duration = timed.length_us
        packet.stream = self._streams[timed.kind]
        self._mux(packet)

    def _mux(self, packet: Any) -> None:
        import av.error

        try:
            self._file.mux_one(packet)
        except (av.error.FFmpegError, ValueError) as error:
            raise UnreadableMedia(
                f"the clip cannot be written: {error}", hint="check the free space on the disk"
            ) from error


def coded_anew(source: MediaSource, out: Path, *, start_us: int, end_us: int) -> int:
    """Write a viewing copy of a span as H.264 and AAC; its end in media microseconds.

    Raises:
        UnreadableMedia: nothing of it can be decoded.
    """
    import av

    codecs = codecs_of(source)
    with av.open(str(out), mode="w", format="mp4", options=_OPTIONS) as file:
        sound = _sound_stream(file) if "audio" in codecs else None
        if "video" in codecs:
            _pictures(file, source, start_us, end_us)
        if sound is not None:
            end_us = max(end_us, _sound(file, sound, source, start_us, end_us))
    return end_us


def _sound_stream(file: Any) -> Any:
    stream = file.add_stream("aac", rate=_AUDIO_HZ, options={"b": "128k"})
    stream.layout = "mono"
    return stream


def _sound(file: Any, stream: Any, source: MediaSource, start_us: int, end_us: int) -> int:
    import av
    import numpy as np

    end_ms = min(end_us // 1000, _end_ms(source))
    at = 0
    blocks = audio_blocks(
        source, start_ms=start_us // 1000, end_ms=end_ms, rate_hz=_AUDIO_HZ, block_ms=1000
    )
    for block in blocks:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block.samples[None, :]), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = _AUDIO_HZ, at, Fraction(1, _AUDIO_HZ)
        at += len(block.samples)
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))
    return start_us + at * 1_000_000 // _AUDIO_HZ


def _end_ms(source: MediaSource) -> int:
    reader = Reader(source)
    for _ in reader:
        pass
    return -(-reader.clock_now().end_us // 1000)


def _pictures(file: Any, source: MediaSource, start_us: int, end_us: int) -> None:
    stream: Any = None
    for at_us, frame in _span(source, start_us, end_us):
        if stream is None:
            stream = file.add_stream("libx264", rate=30, options={"crf": "20", "threads": "1"})
            stream.width, stream.height = frame.width // 2 * 2, frame.height // 2 * 2
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, 90_000)
        picture = frame.reformat(stream.width, stream.height, "yuv420p")
        picture.pts = (at_us - start_us) * 9 // 100
        picture.time_base = Fraction(1, 90_000)
        file.mux(stream.encode(picture))
    if stream is not None:
        file.mux(stream.encode(None))


def _span(source: MediaSource, start_us: int, end_us: int) -> Iterator[tuple[int, Any]]:
    for at_us, frame in frames(source, from_us=start_us):
        if at_us >= end_us:
            return
        if at_us >= start_us:
            yield at_us, frame
