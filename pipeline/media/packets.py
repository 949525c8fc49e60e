"""Every packet of a recording with its media time, in file order, one at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from pipeline.errors import UnreadableMedia
from pipeline.media.clock import FLV_WRAP_US, TS_WRAP_US, Clock, Epoch
from pipeline.media.layout import mp4_boxes, next_fragment
from pipeline.media.source import MediaSource, Segment, audio_of, opened, video_of
from pipeline.model import Gop, PacketIndex

Kind = Literal["video", "audio"]
KINDS: frozenset[Kind] = frozenset({"video", "audio"})

_MAX_FAILURES = 200
_STEP_US = 2_000_000
_MAX_HEADER_BYTES = 64 << 20
_LONGEST_US = {"audio": 150_000, "video": 1_000_000}
"""A packet that claims to last longer stands before a hole (MP4 stretches the last sample)."""
_USUAL_US = {"audio": 23_220, "video": 40_000}


class Timed(NamedTuple):
    """A packet on the media clock. Times are microseconds."""

    packet: Any
    """PyAV packet with its raw timestamps."""
    stream: Any
    """PyAV stream."""
    kind: Kind
    part: int
    """Index into the source's parts."""
    pts_us: int
    """Presentation time."""
    dts_us: int
    """Decoding time."""
    length_us: int
    """Nominal length; a stretched one is cut down."""
    byte: int
    """Position in the part; -1 where the demuxer does not know."""
    epoch: Epoch
    """Clock it was placed with."""

    @property
    def end_us(self) -> int:
        """Presentation time of its end."""
        return self.pts_us + self.length_us


class Reader:
    """Reads a source once; ``clock`` and ``failures`` may be looked at afterwards."""

    def __init__(
        self,
        source: MediaSource,
        *,
        kinds: frozenset[Kind] = KINDS,
        index: PacketIndex | None = None,
    ) -> None:
        self.source = source
        self._index = index
        self.clock: Clock | None = None
        self.failures: list[int] = []
        """Media microseconds at which the container's structure was broken."""
        self.claimed_us = 0
        self.part_starts_us: dict[int, int] = {}
        self._kinds = kinds
        self._read_to = 0
        self._lost_us = 0

    def __iter__(self) -> Iterator[Timed]:
        return self.read()

    def read(self, *, from_us: int = 0) -> Iterator[Timed]:
        """All packets, or those from the last key packet at or before ``from_us``.

        Containers with absolute clocks are entered in the middle. The others are too where
        a packet index says that no clock jumps before; else they are read (not decoded) from
        the start, because a wrap may lie before.

        Raises:
            UnreadableMedia: a segment cannot be opened.
        """
        entry = self._entry(from_us)
        for segment in self.source.segments:
            if entry is not None and segment.part < entry.part and self.clock is not None:
                continue
            with ExitStack() as stack:
                try:
                    media, offset = stack.enter_context(_segment(self.source, segment))
                except UnreadableMedia as error:
                    self._lost(error, segment)
                    continue
                self._enter(media, segment)
                if entry is not None and segment.part < entry.part:
                    continue
                if from_us > 0 and _seekable(media):
                    self._seek(media, segment.part, from_us)
                elif entry is not None and entry.part == segment.part and not offset:
                    _seek_to(media, entry.byte_start, byte=True)
                yield from self._packets(media, segment.part, offset)
            if self.source.container == "fmp4":
                yield from self._after_damage(segment.part)
        self.clock_now()

    def _lost(self, error: UnreadableMedia, segment: Segment) -> None:
        """A playlist's segment that cannot be opened is a hole; a whole file is an error."""
        if len(self.source.segments) == 1:
            raise error
        self.failures.append(self.clock.end_us if self.clock is not None else 0)
        if self.clock is None:  # only the playlist knows how long the lost beginning was
            self._lost_us += segment.claimed_ms * 1000

    def _entry(self, from_us: int) -> Gop | None:
        """The group to begin at for an instant, one early for sound that lies before it."""
        if self._index is None or from_us <= 0:
            return None
        if any(jump_ms * 1000 <= from_us for jump_ms in self._index.discontinuities_ms):
            return None
        before = [gop for gop in self._index.gops if gop.start_ms * 1000 <= from_us]
        return before[-2] if len(before) > 1 else None

    def _after_damage(self, part: int) -> Iterator[Timed]:
        """The fragments of an MP4 behind box lengths that led the demuxer astray."""
        path = self.source.parts[part]
        with path.open("rb") as file:
            first = next(iter(mp4_boxes(path).fragments), 0)
            if not 0 < first <= _MAX_HEADER_BYTES:
                return
            while (at := next_fragment(file, after=self._read_to)) is not None:
                self.failures.append(self.clock_now().end_us)
                self._read_to = at + 8
                with opened(_resumed(path, file, first, at), name=self.source.file_name) as media:
                    yield from self._packets(media, part, 0)

    def clock_now(self) -> Clock:
        """The clock; only while or after reading."""
        if self.clock is None:
            raise UnreadableMedia(
                f"{self.source.file_name}: not one of its segments can be opened",
                hint="copy the playlist and its segments again",
            )
        return self.clock

    def _enter(self, media: Any, segment: Segment) -> None:
        self.claimed_us += max(0, segment.claimed_ms * 1000 or (media.duration or 0))
        raw_start_us = media.start_time if media.start_time is not None else 0
        if self.clock is None:
            name = media.format.name.split(",")[0]
            wrap_us = {"flv": FLV_WRAP_US, "mpegts": TS_WRAP_US}.get(name, 0)
            jumps = wrap_us > 0 or self.source.container == "hls"
            zero_us = raw_start_us - self._lost_us
            self.clock = Clock(zero_us=zero_us, wrap_us=wrap_us, may_jump=jumps)
        elif segment.discontinuity:
            self.clock.restart(raw_start_us, at_us=self.clock.end_us)

    def _seek(self, media: Any, part: int, from_us: int) -> None:
        """Go to a key packet shown at or before an instant.

        Containers find it by decoding time, which lies before the time it is shown; so one
        looks where one has landed and steps further back while that is too late.
        """
        shift_us = self.clock_now().epochs[0].shift_us
        back_us = 0
        while _seek_to(media, from_us - shift_us - back_us):
            first = next(self._packets(media, part, 0), None)
            if first is not None and (first.pts_us <= from_us or from_us <= back_us):
                _seek_to(media, from_us - shift_us - back_us)
                return
            if from_us <= back_us:
                return
            back_us = max(_STEP_US, back_us * 4)

    def _packets(self, media: Any, part: int, offset: int) -> Iterator[Timed]:
        chosen = {"video": video_of(media), "audio": audio_of(media)}
        kinds: dict[int, Kind] = {
            stream.index: kind
            for kind, stream in chosen.items()
            if stream is not None and kind in self._kinds
        }
        wanted = tuple(media.streams[index] for index in kinds)
        if not wanted:
            return
        byte = -1
        for packet in self._demux(media, wanted):
            if packet.pos is not None and packet.pos >= offset:
                byte = packet.pos - offset
            timed = self._time(packet, kinds[packet.stream.index], part, byte)
            self.part_starts_us.setdefault(part, timed.pts_us)
            self._read_to = max(self._read_to, byte + packet.size)
            yield timed

    def _demux(self, media: Any, wanted: tuple[Any, ...]) -> Iterator[Any]:
        """Packets with data; a broken place in the container is noted and passed over."""
        import av.error

        idle = 0
        while idle < _MAX_FAILURES:
            try:
                for packet in media.demux(wanted):
                    if packet.size > 0 and (packet.pts is not None or packet.dts is not None):
                        idle = 0
                        yield packet
            except (av.error.InvalidDataError, av.error.OSError, ValueError, IndexError):
                idle += 1
                self.failures.append(self.clock_now().end_us)
            else:
                return

    def _time(self, packet: Any, kind: Kind, part: int, byte: int) -> Timed:
        base = packet.time_base
        dts = packet.dts if packet.dts is not None else packet.pts
        pts = packet.pts if packet.pts is not None else packet.dts
        raw_us = dts * 1_000_000 * base.numerator // base.denominator
        length_us = _length(packet, kind)
        pts_us = pts * 1_000_000 * base.numerator // base.denominator
        epoch = self.clock_now().place(kind, raw_us, pts_us=pts_us, length_us=length_us)
        return Timed(
            packet,
            packet.stream,
            kind,
            part,
            pts_us + epoch.shift_us,
            raw_us + epoch.shift_us,
            length_us,
            byte,
            epoch,
        )


def _length(packet: Any, kind: Kind) -> int:
    base = packet.time_base
    claimed = (packet.duration or 0) * 1_000_000 * base.numerator // base.denominator
    if 0 < claimed <= _LONGEST_US[kind]:
        return int(claimed)
    context = packet.stream.codec_context
    if kind == "audio":
        size, rate = context.frame_size or 0, context.sample_rate or 0
        return size * 1_000_000 // rate if size and rate else _USUAL_US[kind]
    rate = packet.stream.average_rate
    return int(1_000_000 / rate) if rate and rate >= 1 else _USUAL_US[kind]


def _seekable(media: Any) -> bool:
    return media.format.name.split(",")[0] in ("mov", "matroska", "wav", "flac", "ogg")


def _seek_to(media: Any, place: int, *, byte: bool = False) -> bool:
    """Go to a time in raw microseconds, or to a byte; whether that was possible."""
    import av.error

    try:
        media.seek(max(0, place), backward=True, unsupported_byte_offset=byte)
    except av.error.FFmpegError:  # no index to seek by: reading on from the start is right too
        return False
    return True


def codecs_of(source: MediaSource) -> dict[Kind, str]:
    """FFmpeg's codec names of the streams that are used.

    Raises:
        UnreadableMedia: the source cannot be opened.
    """
    with open_first(source) as media:
        video, audio = video_of(media), audio_of(media)
        codecs: dict[Kind, str] = {}
        if video is not None:
            codecs["video"] = codec_name(video)
        if audio is not None:
            codecs["audio"] = codec_name(audio)
        return codecs


def codec_name(stream: Any) -> str:
    """The codec's own name, whichever library decodes it."""
    return str(stream.codec_context.codec.canonical_name)


@contextmanager
def open_first(source: MediaSource) -> Iterator[Any]:
    """The open container of the first segment that can be opened, to look at its streams.

    Raises:
        UnreadableMedia: none of them can.
    """
    with ExitStack() as stack:
        for place, segment in enumerate(source.segments, start=1):
            try:
                media, _ = stack.enter_context(_segment(source, segment))
                break
            except UnreadableMedia:
                if place == len(source.segments):
                    raise
        yield media


@contextmanager
def _segment(source: MediaSource, segment: Segment) -> Iterator[tuple[Any, int]]:
    """The open container of a segment and how many header bytes stand before its own."""
    path = source.parts[segment.part]
    if segment.init_part is None:
        with opened(path, name=source.file_name) as media:
            yield media, 0
        return
    with source.parts[segment.init_part].open("rb") as file:
        header = file.read(_MAX_HEADER_BYTES)
    with (
        path.open("rb") as body,
        opened(_Joined(header, body, path), name=source.file_name) as media,
    ):
        yield media, len(header)


class _Joined(io.RawIOBase):
    """A header and a file read as one; ``over`` lays the header over the file's beginning."""

    def __init__(self, header: bytes, body: BinaryIO, path: Path, *, over: bool = False) -> None:
        super().__init__()
        self._header = header
        self._body = body
        self._shift = 0 if over else len(header)
        self._size = self._shift + path.stat().st_size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._body.seekable()

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = self._size - self._at
        if self._at < len(self._header):
            data = self._header[self._at : self._at + size]
        else:
            self._body.seek(self._at - self._shift)
            data = self._body.read(size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._at, 2: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at


def _resumed(path: Path, file: BinaryIO, first: int, at: int) -> _Joined:
    """A fragmented MP4 from a later fragment on; every byte keeps its position.

    The stretch between its header and the fragment is declared free space.
    """
    file.seek(0)
    header = file.read(first)
    free = b"\0\0\0\x01free" + (at - first).to_bytes(8, "big")
    return _Joined(header + free, file, path, over=True)
