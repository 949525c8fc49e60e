"""What a recording holds, measured from its packets in one pass, and its hashes in another."""

from __future__ import annotations

import base64
from bisect import bisect_right
from typing import Any, NamedTuple

from pipeline.errors import UnreadableMedia
from pipeline.media.clock import to_ms
from pipeline.media.holes import HoleFinder, joined
from pipeline.media.layout import Layout, layout_of
from pipeline.media.leaves import PartHash, hash_part, recording_sha256, root_of
from pipeline.media.noted import Notes
from pipeline.media.packets import Kind, Reader, Timed, codec_name, open_first
from pipeline.media.source import MediaSource, audio_of, video_of
from pipeline.model import Container, Gop, Hole, PacketIndex, StreamInfo
from pipeline.provenance import sha256_file

_AUDIO_GROUP_US = 5_000_000
"""Without pictures, sound is grouped in stretches of this length."""
_HEAD_BYTES = 256


class Probed(NamedTuple):
    """What ``model.Recording`` needs to know."""

    container: Container
    duration_ms: int
    """End of the last packet of sound or picture, media milliseconds."""
    claimed_duration_ms: int
    """What the container (or playlist) says; 0 when it says nothing."""
    streams: tuple[StreamInfo, ...]
    holes: tuple[Hole, ...]
    part_starts_ms: tuple[int, ...]
    """Media time at which each part begins; 0 for headers and playlists."""
    program_dates: tuple[tuple[int, int], ...]
    """``(media milliseconds, UTC milliseconds)`` a playlist states."""


class Inspection(NamedTuple):
    """Everything that is measured at ingest."""

    probed: Probed
    sidecar: PacketIndex
    sha256: str
    """Of the recording: the file's, or of the list of part hashes."""
    part_sha256: tuple[str, ...]
    merkle_root: str

    @property
    def recording_id(self) -> str:
        """First 16 hex digits of ``sha256``."""
        return self.sha256[:16]


def probe(source: MediaSource) -> Probed:
    """Streams, measured duration and holes; no bytes are hashed.

    Raises:
        UnreadableMedia: it cannot be opened, or holds not one packet.
    """
    return _Survey(source).run().probed()


def inspect(source: MediaSource) -> Inspection:
    """:func:`probe` plus packet index, SHA-256 per part and Merkle tree.

    Raises:
        UnreadableMedia: as :func:`probe`.
    """
    survey = _Survey(source, notes=Notes(source)).run()
    gops, headers = survey.gops(), survey.headers()
    hashes = [
        hash_part(path, part=part, cuts=_cuts(part, gops, headers))
        for part, path in enumerate(source.parts)
    ]
    sha256 = recording_sha256([h.sha256 for h in hashes])
    index = _index(survey, gops, headers, hashes, sha256)
    return Inspection(
        survey.probed(), index, sha256, tuple(h.sha256 for h in hashes), root_of(index.leaves)
    )


def sha256_of(source: MediaSource) -> str:
    """The recording's hash as :func:`inspect` gives it, without a look at its packets."""
    return recording_sha256([sha256_file(path) for path in source.parts])


def packet_index(source: MediaSource) -> PacketIndex:
    """The sidecar alone.

    Raises:
        UnreadableMedia: as :func:`probe`.
    """
    return inspect(source).sidecar


Range = tuple[int, int, int]


def _cuts(part: int, gops: list[Gop], headers: list[Range]) -> list[int]:
    edges = [e for g in gops if g.part == part for e in (g.byte_start, g.byte_end)]
    return edges + [e for h in headers if h[0] == part for e in h[1:]]


def _index(
    survey: _Survey, gops: list[Gop], headers: list[Range], hashes: list[PartHash], sha256: str
) -> PacketIndex:
    jumps = {to_ms(epoch.at_us) for epoch in survey.reader.clock_now().epochs[1:]}
    packets = survey.packets()
    return PacketIndex(
        init=base64.b64encode(survey.notes.init).decode() if survey.notes and packets else "",
        transport=bool(packets) and survey.notes is not None and survey.notes.transport,
        packets=packets,
        recording_id=sha256[:16],
        container=survey.source.container,
        init_ranges=tuple(headers),
        gops=tuple(gops),
        discontinuities_ms=tuple(sorted(jumps)),
        leaves=tuple(leaf for h in hashes for leaf in h.leaves),
    )


class _Stream:
    """Running facts of one stream."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.holes = HoleFinder(kind)
        self.frames = 0
        self.start_us: int | None = None
        self.end_us = 0

    def see(self, timed: Timed) -> None:
        if timed.packet.is_discard:
            return
        self.holes.see(timed)
        self.frames += 1
        self.start_us = timed.pts_us if self.start_us is None else min(self.start_us, timed.pts_us)
        self.end_us = max(self.end_us, timed.end_us)


class _Group(NamedTuple):
    part: int
    start_us: int
    byte: int


class _Survey:
    """One pass over the packets."""

    def __init__(self, source: MediaSource, *, notes: Notes | None = None) -> None:
        self.source = source
        self.notes = notes
        self.reader = Reader(source)
        self.streams: dict[Kind, _Stream] = {}
        self.groups: list[_Group] = []
        self.last_byte: dict[int, int] = {}
        self._by: Kind = "audio"
        self._about: dict[Kind, StreamInfo] = {}

    def run(self) -> _Survey:
        """Read everything.

        Raises:
            UnreadableMedia: not one packet.
        """
        with open_first(self.source) as media:
            self._about = _describe(media)
            if self.notes is not None:
                self.notes.describe(media)
        self._by = "video" if "video" in self._about else "audio"
        for timed in self.reader:
            if timed.kind not in self.streams:
                self.streams[timed.kind] = _Stream(timed.kind)
            self.streams[timed.kind].see(timed)
            self._group(timed)
            if self.notes is not None:
                self.notes.see(timed, group=len(self.groups) - 1)
        if not self.streams:
            raise UnreadableMedia(
                f"{self.source.file_name}: it holds no sound and no picture",
                hint="the recording was broken off before anything was written; get another copy",
            )
        return self

    def _group(self, timed: Timed) -> None:
        if timed.byte >= 0:
            end = timed.byte + timed.packet.size
            self.last_byte[timed.part] = max(self.last_byte.get(timed.part, 0), end)
        if timed.kind != self._by or timed.packet.is_discard or not timed.packet.is_keyframe:
            return
        last = self.groups[-1] if self.groups else None
        near = last is not None and timed.pts_us - last.start_us < _AUDIO_GROUP_US
        if self._by == "audio" and last is not None and near and last.part == timed.part:
            return
        self.groups.append(_Group(timed.part, timed.pts_us, max(0, timed.byte)))

    # --- results -----------------------------------------------------------------------

    def probed(self) -> Probed:
        """The measured facts."""
        starts = self.reader.part_starts_us
        parts = range(len(self.source.parts))
        return Probed(
            container=self.source.container,
            duration_ms=self.duration_ms,
            claimed_duration_ms=to_ms(self.reader.claimed_us),
            streams=tuple(self._streams()),
            holes=tuple(self._holes()),
            part_starts_ms=tuple(max(0, to_ms(starts.get(part, 0))) for part in parts),
            program_dates=tuple(
                (max(0, to_ms(starts.get(s.part, 0))), s.program_utc_ms)
                for s in self.source.segments
                if s.program_utc_ms is not None and s.part in starts
            ),
        )

    @property
    def duration_ms(self) -> int:
        """End of the last packet."""
        return to_ms(max(s.end_us for s in self.streams.values()))

    def _streams(self) -> list[StreamInfo]:
        return [
            about.model_copy(
                update={
                    "start_ms": max(0, to_ms(seen.start_us or 0)),
                    "end_ms": to_ms(seen.end_us),
                    "frames": seen.frames,
                }
            )
            for kind, about in self._about.items()
            if (seen := self.streams.get(kind)) is not None
        ]

    def _holes(self) -> list[Hole]:
        found = [hole for s in self.streams.values() for hole in s.holes.holes()]
        end_ms = self.duration_ms
        for kind, seen in self.streams.items():
            if end_ms - to_ms(seen.end_us) > 2000:
                detail = {"audio": "sound ends early", "video": "pictures end early"}[kind]
                found.append(_hole(to_ms(seen.end_us), end_ms, "gap", detail, stream=kind))
        found.extend(
            _hole(to_ms(at_us), to_ms(at_us), "corrupt", "the container is damaged")
            for at_us in self.reader.failures
        )
        if self._layout(self.source.segments[-1].part).truncated:
            until = max(end_ms, to_ms(self.reader.claimed_us))
            found.append(_hole(end_ms, until, "truncated", "the file ends in the middle"))
        return joined(found)

    def _layout(self, part: int) -> Layout:
        path = self.source.parts[part]
        with path.open("rb") as file:
            return layout_of(path, head=file.read(_HEAD_BYTES))

    def headers(self) -> list[Range]:
        """Byte ranges of the headers a cut needs."""
        result: list[Range] = []
        for segment in self.source.segments:
            if segment.init_part is not None:
                size = self.source.parts[segment.init_part].stat().st_size
                result.append((segment.init_part, 0, size))
            found = [(segment.part, *r) for r in self._layout(segment.part).headers]
            first = next((g.byte for g in self.groups if g.part == segment.part), 0)
            result.extend(found or ([(segment.part, 0, first)] if first else []))
        return list(dict.fromkeys(result))

    def packets(self) -> tuple[bytes, ...]:
        """A record of packets for each group; none where they are not known."""
        return self.notes.records([g.start_us for g in self.groups]) if self.notes else ()

    def gops(self) -> list[Gop]:
        """The groups with their bytes; a group ends where the next one in its part begins."""
        layouts = {part: self._layout(part) for part in {g.part for g in self.groups}}
        result = []
        for number, group in enumerate(self.groups):
            after = self.groups[number + 1] if number + 1 < len(self.groups) else None
            end_us = after.start_us if after is not None else self.duration_ms * 1000
            start, end = _bytes(group, after, layouts[group.part], self.last_byte)
            result.append(
                Gop(
                    start_ms=max(0, to_ms(group.start_us)),
                    end_ms=max(0, to_ms(end_us)),
                    part=group.part,
                    byte_start=start,
                    byte_end=end,
                )
            )
        return result


def _bytes(
    group: _Group, after: _Group | None, layout: Layout, last: dict[int, int]
) -> tuple[int, int]:
    """A group's byte range, widened to whole fragments where the container has them."""
    start = _floor(group.byte, layout.fragments)
    if after is None or after.part != group.part:
        plain_mp4 = bool(layout.headers) and not layout.fragments
        return start, max(last.get(group.part, 0) if plain_mp4 else layout.size_bytes, start)
    end = _floor(after.byte, layout.fragments)
    if end <= start and layout.fragments:  # two groups in one fragment
        place = bisect_right(layout.fragments, start)
        end = layout.fragments[place] if place < len(layout.fragments) else layout.size_bytes
    return start, max(start, end)


def _floor(byte: int, edges: tuple[int, ...]) -> int:
    place = bisect_right(edges, byte)
    return edges[place - 1] if place else byte


def _hole(start_ms: int, end_ms: int, reason: str, detail: str, *, stream: Any = "all") -> Hole:
    return Hole(
        start_ms=max(0, start_ms),
        end_ms=max(0, start_ms, end_ms),
        reason=reason,
        detail=detail,
        stream=stream,
    )


def _describe(media: Any) -> dict[Kind, StreamInfo]:
    """The streams that are used, as the container describes them."""
    about: dict[Kind, StreamInfo] = {}
    if (video := video_of(media)) is not None:
        turns = _rotation(media, video)
        size = (video.width or 0, video.height or 0)
        width, height = size[::-1] if turns in (90, 270) else size
        about["video"] = StreamInfo(
            index=video.index,
            kind="video",
            codec=codec_name(video),
            start_ms=0,
            end_ms=0,
            width_px=width,
            height_px=height,
            rotation_deg=turns,
        )
    if (audio := audio_of(media)) is not None:
        about["audio"] = StreamInfo(
            index=audio.index,
            kind="audio",
            codec=codec_name(audio),
            start_ms=0,
            end_ms=0,
            sample_rate_hz=audio.codec_context.sample_rate or 0,
        )
    return about


def _rotation(media: Any, video: Any) -> int:
    """Rotation of the first picture that can be decoded; 0 when there is none nearby."""
    import av.error

    from pipeline.media.pictures import rotation_deg

    try:
        for tried, packet in enumerate(media.demux(video)):
            for frame in packet.decode():
                return rotation_deg(frame)
            if tried >= 50:
                break
    except (av.error.FFmpegError, ValueError):
        return 0
    return 0
