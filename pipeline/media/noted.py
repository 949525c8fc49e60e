"""Where each packet of a recording lies, noted while it is surveyed at ingest.

From these notes a clip is cut later without opening the recording: its packets are byte ranges.
Where a packet cannot be found again as it is, nothing is noted and clips are cut by the demuxer.
"""

from __future__ import annotations

import io
import os
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.media.mux import COPIED
from pipeline.media.packed import Entry, packed
from pipeline.media.packets import Kind, Timed, codec_name
from pipeline.media.source import MediaSource, audio_of, video_of

_NEAR_BYTES = 64
"""A container's own bytes before a packet (FLV tag and codec headers, Matroska block header)."""
_TS_BYTES = 188
_SCAN_PACKETS = 1 << 17
_COLUMNS = 10
_KINDS: tuple[Kind, Kind] = ("video", "audio")
_INIT = {"movflags": "empty_moov+default_base_moof", "fflags": "+bitexact"}


class Notes:
    """Feed it every packet; then ask for the records of the groups."""

    def __init__(self, source: MediaSource) -> None:
        self._source = source
        self.transport = _is_transport(source)
        self.init = b""
        """What stands before the packets: an MP4 without media, or the tables of an MPEG-TS."""
        self._usable = True
        self._rows = array("q")
        self._shift: dict[Kind, int] = {}
        self._end: dict[Kind, int] = {}
        self._begun: dict[Kind, tuple[int, int]] = {}
        self._open: tuple[int, int] = (-1, -1)
        self._pids: dict[int, dict[Kind, int]] = defaultdict(dict)
        self._described: dict[Kind, tuple[str, bytes]] = {}

    def describe(self, media: Any) -> None:
        """Take the description of the streams from an open container."""
        streams = {"video": video_of(media), "audio": audio_of(media)}
        known = {kind: stream for kind, stream in streams.items() if stream is not None}
        self._usable = all(codec_name(s) in COPIED[kind] for kind, s in known.items())  # type: ignore[index]
        if self._usable and not self.transport:
            self.init = _init(list(known.values()))
            self._usable = bool(self.init)

    def see(self, timed: Timed, *, group: int) -> None:
        """Note a packet; ``group`` is that of the last key picture, -1 before the first."""
        if not self._usable or timed.packet.is_discard:
            return
        byte = self._place(timed)
        self._usable = (byte >= 0 or self.transport) and self._same(timed)
        if byte < 0:
            return
        kind = _KINDS.index(timed.kind)
        packet = timed.packet
        row = (kind, timed.part, byte, packet.size, timed.pts_us, timed.dts_us, timed.length_us)
        self._rows.extend((*row, packet.is_keyframe, packet.dts is not None, group))

    def close(self) -> None:
        """Done with the files."""
        if self._open[1] >= 0:
            os.close(self._open[1])
        self._open = (-1, -1)

    def records(self, starts_us: Sequence[int]) -> tuple[bytes, ...]:
        """A record for each group, which begin at these times; none where packets are not known."""
        self.close()
        if not self._usable or not starts_us:
            return ()
        ends = self._transport_ends() if self.transport else {}
        if self.transport and not self.init:
            return ()
        groups = [array("q") for _ in starts_us]
        for at in range(0, len(self._rows), _COLUMNS):
            kind, group = self._rows[at], self._rows[at + _COLUMNS - 1]
            if kind or group < 0:
                group = max(0, bisect_right(starts_us, self._rows[at + 4]) - 1)
            groups[group].append(at)
        return tuple(self._packed(group, ends) for group in groups)

    def _packed(self, rows: Sequence[int], ends: dict[tuple[int, int, int], int]) -> bytes:
        entries = []
        for at in rows:
            row = self._rows[at : at + _COLUMNS - 1]
            kind, part, byte, size, pts_us, dts_us, length_us, key, known = row
            end = ends[part, kind, byte] if self.transport else byte + size
            where, times = (_KINDS[kind], part, byte, end, size), (pts_us, dts_us, length_us)
            entries.append(Entry(*where, *times, bool(key), bool(known)))
        entries.sort(key=lambda e: (e.part, e.byte))
        return packed(entries, transport=self.transport)

    # --- one packet -----------------------------------------------------------------------

    def _place(self, timed: Timed) -> int:
        """Where a packet's bytes begin; -1 where they do not lie in the file as they are."""
        if self.transport:  # of the frames that travel together only the first says where
            self._pids[timed.part][timed.kind] = timed.stream.id
            if timed.packet.pos is not None:
                self._begun[timed.kind] = (timed.part, timed.packet.pos)
            part, byte = self._begun.get(timed.kind, (-1, -1))
            return byte if part == timed.part else -1
        if timed.byte < 0:
            return -1
        data = bytes(timed.packet)
        guess = timed.byte + self._shift.get(timed.kind, 0)
        for place in (guess, self._end.get(timed.kind, guess)):
            if self._read(timed.part, place, len(data)) == data:
                break
        else:
            near = self._read(timed.part, timed.byte, len(data) + _NEAR_BYTES).find(data)
            place = timed.byte + near if near >= 0 else -1
            self._shift[timed.kind] = max(0, near)
        self._end[timed.kind] = place + len(data)
        return place

    def _read(self, part: int, at: int, size: int) -> bytes:
        if self._open[0] != part:
            self.close()
            self._open = (part, os.open(self._source.parts[part], os.O_RDONLY))
        return os.pread(self._open[1], size, at)

    def _same(self, timed: Timed) -> bool:
        """Whether the decoder's settings are still those of the beginning."""
        if self.transport:  # they travel in the packets
            return True
        context, packet = timed.stream.codec_context, timed.packet
        now = (context.name, bytes(context.extradata or b""))
        if packet.has_sidedata("new_extradata"):
            now = (context.name, bytes(packet.get_sidedata("new_extradata")))
        return self._described.setdefault(timed.kind, now) == now

    # --- MPEG-TS --------------------------------------------------------------------------

    def _transport_ends(self) -> dict[tuple[int, int, int], int]:
        """Where the transport packets of each packet end: ``(part, kind, byte)`` to byte."""
        begins: dict[tuple[int, int], list[int]] = defaultdict(list)
        for at in range(0, len(self._rows), _COLUMNS):
            kind, part, byte = self._rows[at : at + 3]
            begins[part, kind].append(byte)
        found: dict[tuple[int, int, int], int] = {}
        for part in sorted({part for part, _ in begins}):
            path = self._source.parts[part]
            pids = _pids(path)
            if not self.init:
                self.init = _tables(path, pids)
            for kind in (0, 1):
                here = sorted(set(begins.get((part, kind), ())))
                pid = self._pids[part].get(_KINDS[kind], -1)
                for byte, end in zip(here, _ends(pids, pid, here, path), strict=True):
                    found[part, kind, byte] = end
        return found


def _is_transport(source: MediaSource) -> bool:
    if source.container not in ("mpegts", "hls"):
        return False
    with source.parts[source.segments[0].part].open("rb") as file:
        return file.read(1) == b"\x47"


def _init(streams: Sequence[Any]) -> bytes:
    """An MP4 that describes the streams and holds none of them; empty where MP4 cannot."""
    import av
    import av.error

    made = io.BytesIO()
    try:
        with av.open(made, "w", format="mp4", options=_INIT) as file:
            for stream in streams:
                copy = file.add_stream_from_template(stream, opaque=True)
                copy.codec_context.bit_rate = 0
            file.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return b""
    return made.getvalue()


def _pids(path: Path) -> Any:
    """The PID of each transport packet; none where packets do not follow each other."""
    import numpy as np

    found = []
    with path.open("rb") as file:
        while block := file.read(_SCAN_PACKETS * _TS_BYTES):
            whole = len(block) // _TS_BYTES
            rows = np.frombuffer(block, np.uint8, whole * _TS_BYTES).reshape(whole, _TS_BYTES)
            if (rows[:, 0] != 0x47).any():
                return np.zeros(0, np.uint16)
            found.append((rows[:, 1] & 31).astype(np.uint16) << 8 | rows[:, 2])
    return np.concatenate(found) if found else np.zeros(0, np.uint16)


def _ends(pids: Any, pid: int, begins: list[int], path: Path) -> list[int]:
    """Where the transport packets of each run end: after the last one before the next run."""
    import numpy as np

    nexts = [*begins[1:], path.stat().st_size]
    own = (np.flatnonzero(pids == pid) * _TS_BYTES).tolist()
    if not own:
        return nexts
    lasts = [own[max(0, bisect_left(own, after) - 1)] + _TS_BYTES for after in nexts]
    return [max(last, begin + _TS_BYTES) for last, begin in zip(lasts, begins, strict=True)]


def _tables(path: Path, pids: Any) -> bytes:
    """The transport packets of the program tables (ISO/IEC 13818-1, 2.4.4); empty if not found."""
    import numpy as np

    first = np.flatnonzero(pids == 0)[:1].tolist()
    with path.open("rb") as file:
        for place in first:
            file.seek(place * _TS_BYTES)
            programs = file.read(_TS_BYTES)
            body = programs[5 + programs[4] :] if programs[1] & 0x40 else b""
            pid = (body[10] & 31) << 8 | body[11] if len(body) > 12 else -1
            for number in np.flatnonzero(pids == pid)[:1].tolist():
                file.seek(number * _TS_BYTES)
                return programs + file.read(_TS_BYTES)
    return b""
