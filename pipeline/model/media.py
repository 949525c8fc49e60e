"""Recordings, the clock map and the packet sidecar."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.model.base import Frozen
from pipeline.timeline import Span

Container = Literal["mp4", "fmp4", "flv", "mpegts", "hls", "matroska", "audio", "other"]
ClockSource = Literal["broadcast", "recording", "program_date_time", "screen_clock", "media_only"]


class StreamInfo(Frozen):
    """One elementary stream of a recording."""

    index: int
    """Index in the container."""
    kind: Literal["video", "audio", "other"]
    """What it carries."""
    codec: str
    """FFmpeg's codec name."""
    start_ms: int
    """First presentation time, media milliseconds from the recording's start."""
    end_ms: int
    """End of the last packet, media milliseconds; not what the container claims."""
    width_px: int = 0
    """Coded width after rotation; 0 for audio."""
    height_px: int = 0
    """Coded height after rotation; 0 for audio."""
    rotation_deg: int = 0
    """Display rotation, clockwise degrees (0, 90, 180, 270)."""
    sample_rate_hz: int = 0
    """Audio sample rate; 0 for video."""
    frames: int = 0
    """Packets counted."""


class Hole(Frozen):
    """A stretch without packets (reconnect, drop), or one that cannot be decoded."""

    start_ms: int
    """Media milliseconds."""
    end_ms: int
    """Media milliseconds, exclusive."""
    reason: str
    """``gap``, ``corrupt``, ``truncated``, ``late_audio``, ``clock_jump``."""
    detail: str = ""
    """Words for a person."""
    stream: Literal["all", "audio", "video"] = "all"
    """What is missing: words may be lost only in ``audio`` and ``all``."""


class Recording(Frozen):
    """One stored recording and what was measured about it at ingest."""

    recording_id: str
    """First 16 hex digits of ``sha256``."""
    file_name: str
    """The name it came with; hostile text."""
    parts: tuple[RecordingPart, ...]
    """The stored objects: one, or a playlist's segments in order."""
    sha256: str
    """Of the file; of the canonical list of part hashes for a playlist."""
    size_bytes: int
    """All parts together."""
    container: Container
    """Kind of container."""
    duration_ms: int
    """Measured from packets, media milliseconds."""
    claimed_duration_ms: int = 0
    """What the container says; 0 when it says nothing."""
    streams: tuple[StreamInfo, ...]
    """Elementary streams."""
    holes: tuple[Hole, ...] = ()
    """Stretches without usable packets, media time."""
    merkle_root: str = ""
    """RFC 6962 root over the byte ranges of the sidecar, hex."""

    @property
    def has_audio(self) -> bool:
        """Whether there is an audio stream."""
        return any(s.kind == "audio" for s in self.streams)

    @property
    def has_video(self) -> bool:
        """Whether there is a video stream."""
        return any(s.kind == "video" for s in self.streams)


class RecordingPart(Frozen):
    """One object of a recording."""

    name: str
    """File name of the part."""
    key: str
    """Key in the object store."""
    size_bytes: int
    """Bytes."""
    sha256: str
    """Of the bytes."""
    media_start_ms: int = 0
    """Where the part begins in the recording's media time."""


class ViewingProxy(Frozen):
    """A recording once more, small, coded anew: for looking at, never evidence."""

    recording_id: str
    """Of which recording."""
    recording_sha256: str
    """Hash of that recording."""
    key: str
    """Key of the MP4 in the object store."""
    sha256: str
    """Of the MP4."""
    size_bytes: int
    """Bytes."""
    media_start_ms: int
    """The recording's media time at the MP4's zero."""
    width_px: int
    """0 without pictures."""
    height_px: int
    """0 without pictures."""


class ClockSpan(Frozen):
    """A continuous span of one recording, tied to the timeline and to wall-clock time."""

    recording_index: int
    """Which recording of the broadcast; -1 where only a transcript was given."""
    start_ms: int
    """On the broadcast's timeline."""
    end_ms: int
    """Exclusive."""
    media_start_ms: int
    """The recording's media time at ``start_ms``."""
    wall_start_utc_ms: int | None
    """UTC at ``start_ms``; null where no wall clock is known."""
    source: ClockSource
    """Which clock says so."""
    uncertainty_ms: int
    """± of the wall time."""

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)


class ClockMap(Frozen):
    """All clock spans of a broadcast, in timeline order, never overlapping."""

    spans: tuple[ClockSpan, ...] = ()
    """In order."""
    zone_minutes: int = 0
    """Offset in which wall times are shown."""

    def at(self, at_ms: int) -> ClockSpan | None:
        """The clock span that holds an instant; None in a gap."""
        return next((s for s in self.spans if s.span.holds(at_ms)), None)

    def nearest(self, at_ms: int) -> ClockSpan | None:
        """The span that holds the instant, else the nearest one; None when there is none."""
        distance = lambda s: max(s.start_ms - at_ms, at_ms - s.end_ms, 0)  # noqa: E731
        return min(self.spans, key=distance, default=None)

    def wall_utc_ms(self, at_ms: int) -> tuple[int, int] | None:
        """``(UTC milliseconds, ± milliseconds)`` of an instant; None without a wall clock."""
        span = self.nearest(at_ms)
        if span is None or span.wall_start_utc_ms is None:
            return None
        return span.wall_start_utc_ms + at_ms - span.start_ms, span.uncertainty_ms

    def media(self, at_ms: int) -> tuple[int, int] | None:
        """``(recording index, media milliseconds)``; None where nothing was recorded."""
        span = self.at(at_ms)
        if span is None or span.recording_index < 0:
            return None
        return span.recording_index, span.media_start_ms + at_ms - span.start_ms


class Gop(Frozen):
    """A group of pictures (or, without video, a stretch of audio) and its bytes."""

    start_ms: int
    """First presentation time, media milliseconds."""
    end_ms: int
    """End, exclusive."""
    part: int
    """Index into the recording's parts."""
    byte_start: int
    """First byte in the part."""
    byte_end: int
    """Exclusive."""


class PacketIndex(Frozen):
    """The sidecar of one recording: enough to cut a clip without reading the whole."""

    recording_id: str
    """Whose sidecar it is."""
    container: Container
    """Kind of container."""
    init_ranges: tuple[tuple[int, int, int], ...] = ()
    """``(part, byte_start, byte_end)`` of headers a cut needs (moov, FLV header …)."""
    gops: tuple[Gop, ...] = ()
    """In media order."""
    discontinuities_ms: tuple[int, ...] = ()
    """Media times at which clocks or bytes jump."""
    leaves: tuple[tuple[int, int, int, str], ...] = ()
    """Merkle leaves: ``(part, byte_start, byte_end, RFC 6962 leaf hash hex)``, covering every byte."""
    init: str = ""
    """Base64 of what stands before packets: an MP4 without media that describes the streams, or the
    program tables of an MPEG-TS; empty: packets are not listed."""
    transport: bool = False
    """The listed packets lie in MPEG-TS packets, not in one piece."""
    packets: tuple[bytes, ...] = Field(default=(), exclude=True)
    """The packets of each group (``media/packed.py``): a table of its own in the sidecar's pack."""


Recording.model_rebuild()
