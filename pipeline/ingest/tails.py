"""What is being written while a broadcast is on air, copied as it grows: a file.

A tail brings the bytes that are new into a folder of ours and says how far each part goes. A part
is one file; a recorder that begins its file anew begins the next part. Bytes once copied
are never replaced. (A stream over HTTP and byte ranges are tails too:
``http_tail.py``, ``range_tail.py``.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from pipeline.errors import InputError, ObjectMissing
from pipeline.ingest.disk import BLOCK_BYTES, translated
from pipeline.ingest.fetch import BROADCAST_FILE
from pipeline.ingest.landing import Event, EventKind
from pipeline.media.run import Entry
from pipeline.model import Frozen

_HEAD_BYTES = 1 << 16
"""Recorders write length and duration into the beginning of a file when they finish it."""


class Part(Frozen):
    """One file that grows, or has grown."""

    number: int
    """Its place in the broadcast."""
    name: str
    """Its name among the copies."""
    size_bytes: int = 0
    """How much of it is here."""
    init_name: str = ""
    """The header that must be read first."""
    discontinuity: bool = False
    """Clocks restart here."""
    program_utc_ms: int | None = None
    """EXT-X-PROGRAM-DATE-TIME."""
    claimed_ms: int = 0
    """EXTINF of what was named of it first."""

    @property
    def entry(self) -> Entry:
        """As a playlist names the whole file."""
        return Entry(
            self.number,
            self.name,
            self.init_name,
            self.discontinuity,
            self.program_utc_ms,
            self.claimed_ms,
        )


class Grown(NamedTuple):
    """How far everything goes now."""

    parts: tuple[Part, ...]
    """In order; only the last one still grows."""
    ended: bool
    """Nothing will follow."""


class Tail(Protocol):
    """Something that grows."""

    name: str
    """Name of the recording it becomes."""
    events: list[Event]
    """What did not go as it should, so far."""

    def begin(self, folder: Path, parts: Sequence[Part]) -> None:
        """Copies go into this folder; ``parts`` are those that lie there from before."""

    def take(self, *, now_s: float) -> Grown:
        """Bring what is new; may wait for it about a second.

        Raises:
            StoreUnavailable, AccessDenied, DiskShort.
        """

    def description(self) -> bytes | None:
        """``broadcast.json`` beside it; None where there is none."""

    def own_playlist(self) -> bytes:
        """The finished playlist that names the parts; empty where there is none."""


class Ending:
    """Whether something that grows has ended: by its marker, or when nothing came for a while.

    Args:
        marker: Asks whether the marker is there; None where only quiet counts.
        quiet_s: Nothing new for so long is the end, where no marker is asked for.
    """

    def __init__(self, *, marker: Callable[[], bool] | None, quiet_s: float) -> None:
        self._marker, self._quiet_s = marker, quiet_s
        self._since: float | None = None

    def grew(self, now_s: float) -> None:
        """Something came."""
        self._since = now_s

    def quiet(self, now_s: float) -> bool:
        """Whether it has ended, nothing having come now."""
        if self._marker is not None:
            return self._marker()
        return self._since is not None and now_s - self._since >= self._quiet_s


class FileTail:
    """A file that a recorder is writing (FLV, MPEG-TS, fragmented MP4).

    Args:
        path: The file; it may not be there yet.
        marker: Name of the file beside it that says it has ended; empty: quiet does.
        quiet_s: It has ended when it did not grow for so long.
    """

    def __init__(self, path: Path, *, marker: str = "", quiet_s: float = 120) -> None:
        self._path, self.name = path, path.name
        self.events: list[Event] = []
        self._asks = (path.parent / marker).exists if marker else None
        self._ending = Ending(marker=self._asks, quiet_s=quiet_s)
        self._inode = 0

    def begin(self, folder: Path, parts: Sequence[Part]) -> None:
        """See :class:`Tail`."""
        self._folder, self._parts = folder, list(parts)

    def take(self, *, now_s: float) -> Grown:
        """See :class:`Tail`."""
        ended = self._asks is not None and self._asks()  # asked before the last bytes are read
        try:
            with translated(self._path.name), self._path.open("rb") as file:
                grew = self._copy(file.fileno())
        except ObjectMissing:
            grew = False
            self._gone()
        if grew:
            self._ending.grew(now_s)
        ended = ended or (not grew and self._asks is None and self._ending.quiet(now_s))
        if ended:
            self._compare()
        return Grown(tuple(self._parts), ended)

    def description(self) -> bytes | None:
        """See :class:`Tail`."""
        file = self._path.parent / BROADCAST_FILE
        return file.read_bytes() if file.is_file() else None

    def own_playlist(self) -> bytes:
        """None."""
        return b""

    def _copy(self, handle: int) -> bool:
        """Append what is new; whether there was any."""
        seen = os.fstat(handle)
        first, self._inode = not self._inode, self._inode or seen.st_ino
        if not self._parts:
            self._parts.append(Part(number=1, name=self.name))
        elif self._other(handle, seen, first=first):
            self._anew()
        self._inode = seen.st_ino
        part = self._parts[-1]
        copy = self._folder / part.name
        copied = append(copy, handle, part.size_bytes, seen.st_size)
        self._parts[-1] = part.model_copy(update={"size_bytes": part.size_bytes + copied})
        return copied > 0

    def _other(self, handle: int, seen: os.stat_result, *, first: bool) -> bool:
        """Whether this is another file than the one copied so far."""
        part = self._parts[-1]
        if seen.st_size < part.size_bytes:
            return True
        if not first and seen.st_ino == self._inode:
            return False
        where = differing(self._folder / part.name, handle, part.size_bytes)
        return where is not None and where[1] > _HEAD_BYTES

    def _anew(self) -> None:
        number = len(self._parts) + 1
        path = PurePosixPath(self.name)
        name = f"{path.stem}-{number:03d}{path.suffix}"
        self._parts.append(Part(number=number, name=name, discontinuity=True))
        note(self.events, "restarted", number, name)

    def _gone(self) -> None:
        if self._parts:
            note(self.events, "removed", len(self._parts), self.name)

    def _compare(self) -> None:
        """Whether what was copied still stands so in the file; recorders finish its header late."""
        part = self._parts[-1] if self._parts else None
        if part is None or not self._path.is_file():
            return
        with translated(self.name), self._path.open("rb") as file:
            if differing(self._folder / part.name, file.fileno(), part.size_bytes) is not None:
                note(self.events, "changed", part.number, part.name)


def note(events: list[Event], kind: EventKind, number: int, name: str) -> None:
    """Record an event once."""
    event = Event(kind=kind, sequence=number, name=name)
    if event not in events:
        events.append(event)


def append(copy: Path, handle: int, start: int, end: int) -> int:
    """Append bytes ``[start, end)`` of an open file to its copy; how many there were."""
    at = start
    while at < end:
        data = os.pread(handle, min(BLOCK_BYTES, end - at), at)
        if not data:
            break
        at += write_at(copy, at, data)
    return at - start


def write_at(copy: Path, at: int, data: bytes) -> int:
    """Write bytes at a position, past any torn end that a crash left; how many."""
    with translated(copy.name), copy.open("r+b" if copy.exists() else "w+b") as file:
        file.seek(at)
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    return len(data)


def differing(copy: Path, handle: int, size: int) -> tuple[int, int] | None:
    """From where to where the first ``size`` bytes differ, by blocks; None where they do not."""
    first: int | None = None
    last = at = 0
    with copy.open("rb") as file:
        while at < size:
            ours = file.read(min(_HEAD_BYTES, size - at))
            if not ours:
                break
            if ours != os.pread(handle, len(ours), at):
                first = at if first is None else first
                last = at + len(ours)
            at += len(ours)
    return None if first is None else (first, last)


def required(description: bytes | None) -> bytes:
    """The description, which a broadcast on air must have.

    Raises:
        InputError: there is none.
    """
    if description is None:
        raise InputError(
            "a broadcast on air needs a description",
            hint="put broadcast.json beside the segments, or name it with --broadcast",
        )
    return description
