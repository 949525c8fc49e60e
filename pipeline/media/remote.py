"""A stored recording read where it is looked at: one ranged read for the span, no download.

What a container needs beside the span (headers, an index, the first packets that set the clock)
is read in blocks once and kept under the part's hash; the bytes of the span are one read an
object. Where the sidecar lists the packets nothing but the span is read. Everything is the
recording's own bytes, so a clip is the same as from the whole file.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from pipeline.errors import ObjectChanged
from pipeline.media.mux import COPIED
from pipeline.media.source import MediaSource, source_of
from pipeline.model import PacketIndex, Recording, RecordingPart
from pipeline.ports import ObjectStore
from pipeline.provenance import sha256_hex

_BLOCK_BYTES = 256 << 10
_EDGE_BYTES = 64 << 10
"""Read before and after the span's groups, for sound that lies beside its pictures."""
_KEY_SHARE = 0.4
"""Of the group after the span: its key packet is read to know that it is one."""
_FREE_HEAD_BYTES = 16
_BY_BYTES = ("flv", "mpegts", "hls")
"""Containers that are entered by a byte of the packet index, and only where no clock jumps."""


class _Stat(NamedTuple):
    st_size: int


class RemotePart:
    """Stands in for the path of one part: ``name``, ``open``, ``stat`` and ``read_bytes``."""

    def __init__(
        self,
        store: ObjectStore,
        part: RecordingPart,
        *,
        span: tuple[int, int] | None,
        blocks: Path,
        free: tuple[int, int] | None = None,
    ) -> None:
        self.name = part.name
        self._store = store
        self._part = part
        self._span = span
        self._blocks = blocks / part.sha256
        self._spool: IO[bytes] | None = None
        self._free = free
        self._size = part.size_bytes if free is None or span is None else span[1]
        self._etag = ""

    def stat(self) -> _Stat:
        """Its size; what lies behind the span of a fragmented MP4 is left out."""
        return _Stat(self._size)

    def open(self, mode: str = "rb") -> _RemoteFile:
        """Open it for reading."""
        return _RemoteFile(self)

    def read_bytes(self) -> bytes:
        """All of it: for playlists."""
        return self.open().read()

    def read(self, at: int, size: int) -> bytes:
        """Up to ``size`` bytes at a position, from whichever piece holds them."""
        size = min(size, self._size - at)
        if size <= 0:
            return b""
        if self._free is not None and self._free[0] <= at < self._free[1]:
            return _free_box(*self._free, at, min(size, self._free[1] - at, _BLOCK_BYTES))
        if self._span is not None and self._span[0] <= at < self._span[1]:
            return self._of_span(at, min(size, self._span[1] - at))
        number = at // _BLOCK_BYTES
        inside = at - number * _BLOCK_BYTES
        if self._free is not None and at < self._free[0]:
            size = min(size, self._free[0] - at)
        return self._block(number)[inside : inside + size]

    def _of_span(self, at: int, size: int) -> bytes:
        assert self._span is not None  # noqa: S101
        if self._spool is None:
            self._spool = tempfile.TemporaryFile(dir=self._blocks.parent)  # noqa: SIM115
            self._spool.write(self._get(*self._span))
        self._spool.seek(at - self._span[0])
        return self._spool.read(size)

    def close(self) -> None:
        """Drop the bytes of the span."""
        if self._spool is not None:
            self._spool.close()

    def fetch(self, low: int, high: int) -> bytes:
        """The bytes of a range: one request, and only of the version that is known.

        Which version is remembered beside the blocks. Where it has changed, the new one is
        taken: whoever asks compares the bytes with the hashes taken at ingest.
        """
        try:
            return self._get(low, high)
        except ObjectChanged:
            self._etag = ""
            self._known.unlink(missing_ok=True)
            return self._get(low, high)

    @property
    def _known(self) -> Path:
        return self._blocks / f"etag-{sha256_hex(self._part.key.encode())[:16]}"

    def _version(self) -> str:
        if not self._etag and self._known.exists():
            self._etag = self._known.read_text()
        if not self._etag:
            found = self._store.stat(self._part.key)
            self._etag = found.etag if found is not None else ""
            _kept(self._known, self._etag.encode())
        return self._etag

    def _block(self, number: int) -> bytes:
        place = self._blocks / f"{number:08d}"
        if not place.exists():
            start = number * _BLOCK_BYTES
            data = self._get(start, min(start + _BLOCK_BYTES, self._part.size_bytes))
            _kept(place, data)
        return place.read_bytes()

    def _get(self, start: int, end: int) -> bytes:
        return self._store.read(self._part.key, start=start, end=end, if_match=self._version())


def _kept(place: Path, data: bytes) -> None:
    """Write a small file whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(place)


def _free_box(start: int, end: int, at: int, size: int) -> bytes:
    """Bytes of a stretch that is declared free space (ISO/IEC 14496-12, 8.1.2)."""
    head = b"\0\0\0\x01free" + (end - start).to_bytes(8, "big")
    return head[at - start : at - start + size] or bytes(size)


class _RemoteFile(io.RawIOBase):
    """A reading position in a remote part."""

    def __init__(self, part: RemotePart) -> None:
        super().__init__()
        self._part = part
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        whole = self._part.stat().st_size
        size = whole - self._at if size < 0 else size
        found = []
        while size > 0 and (piece := self._part.read(self._at, size)):
            found.append(piece)
            self._at += len(piece)
            size -= len(piece)
        return b"".join(found)

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._at, 2: self._part.stat().st_size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at


def remote_bytes(
    store: ObjectStore, part: RecordingPart, low: int, high: int, *, cache: Path
) -> bytes:
    """A range of a stored part: one request, of the version that is known.

    Raises:
        ObjectMissing, ObjectChanged, StoreUnavailable.
    """
    return RemotePart(store, part, span=None, blocks=cache).fetch(low, high)


def can_be_remote(recording: Recording, index: PacketIndex, *, span_ms: tuple[int, int]) -> bool:
    """Whether a span can be cut without the rest: copied codecs, and no clock jumps before it."""
    copied = COPIED["video"] | COPIED["audio"]
    if any(s.kind != "other" and s.codec not in copied for s in recording.streams):
        return False
    if index.packets:
        return True
    jumps = any(jump <= span_ms[1] for jump in index.discontinuities_ms)
    return bool(index.gops) and not (jumps and recording.container in _BY_BYTES)


@contextmanager
def remote_source(
    recording: Recording,
    index: PacketIndex,
    *,
    span_ms: tuple[int, int],
    store: ObjectStore,
    cache: Path,
) -> Iterator[MediaSource]:
    """The source of a stored recording for one span of its media time.

    Raises:
        ObjectMissing, ObjectChanged, StoreUnavailable: while it is read.
    """
    spans = {} if index.packets else spans_of(index, span_ms)
    cache.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        parts: list[Any] = []
        for number, part in enumerate(recording.parts):
            span = spans.get(number)
            free = _free(index, span)
            parts.append(RemotePart(store, part, span=span, blocks=cache, free=free))
            stack.callback(parts[-1].close)
        found = cast(tuple[Path, ...], tuple(parts))
        if index.packets:  # cut from the list: what the container says is not needed
            yield MediaSource(found, recording.container, recording.file_name)
        else:
            yield source_of(found, container=recording.container, file_name=recording.file_name)


@contextmanager
def whole_source(
    store: ObjectStore, *, key: str, sha256: str, size_bytes: int, cache: Path
) -> Iterator[MediaSource]:
    """A stored MP4 read in blocks where it is looked at, or as it lies on this disk.

    Raises:
        ObjectMissing, ObjectChanged, StoreUnavailable: while it is read.
    """
    name = key.rpartition("/")[2]
    local = store.local_path(key)
    if local is not None:
        yield source_of([local], container="mp4", file_name=name)
        return
    cache.mkdir(parents=True, exist_ok=True)
    part = RecordingPart(name=name, key=key, size_bytes=size_bytes, sha256=sha256)
    found: Any = RemotePart(store, part, span=None, blocks=cache)
    yield source_of([found], container="mp4", file_name=name)


def _free(index: PacketIndex, span: tuple[int, int] | None) -> tuple[int, int] | None:
    """Fragments between the first and those of the span, through which FFmpeg would walk."""
    if index.container != "fmp4" or span is None:
        return None
    start = index.gops[0].byte_end
    return (start, span[0]) if span[0] - start >= _FREE_HEAD_BYTES else None


def spans_of(index: PacketIndex, span_ms: tuple[int, int]) -> dict[int, tuple[int, int]]:
    """The bytes of each part that a span needs: its groups, and a little beside them.

    Where a container is entered by bytes, the reader begins one group early; a fragmented MP4 is
    read by whole fragments.
    """
    gops, whole = index.gops, index.container == "fmp4"
    first = max((n for n, g in enumerate(gops) if g.start_ms <= span_ms[0]), default=0)
    last = next((n for n, g in enumerate(gops) if g.start_ms >= span_ms[1]), len(gops))
    early = index.container in _BY_BYTES or whole
    spans: dict[int, tuple[int, int]] = {}
    for gop in gops[max(0, first - early) : last + (whole and last < len(gops))]:
        low, high = spans.get(gop.part, (gop.byte_start, gop.byte_end))
        spans[gop.part] = (min(low, gop.byte_start), max(high, gop.byte_end))
    if not whole and last < len(gops) and gops[last].part in spans:
        low, high = spans[gops[last].part]
        size = gops[last].byte_end - gops[last].byte_start
        tail = gops[last].byte_start + min(size, max(_EDGE_BYTES, round(size * _KEY_SHARE)))
        spans[gops[last].part] = (low, max(high, tail))
    edge = 0 if early else _EDGE_BYTES
    return {part: (_low(low - edge), high) for part, (low, high) in spans.items()}


def _low(start: int) -> int:
    """A span that begins near the file's begin is read from there: one read and not two."""
    return 0 if start < _BLOCK_BYTES else start
