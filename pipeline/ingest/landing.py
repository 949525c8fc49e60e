"""Segments of a broadcast on air as they land: which come next, which are late, lost or repeated.

The place is a folder or a prefix with a media playlist that grows, or with numbered segments
alone. A segment is taken once, in order of its number, and copied at once, since a recorder may
remove what has left its window. One that is missing is waited for; then those after it
are taken, and it is *late* if it comes after all. Nothing taken is ever replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, Protocol

from pipeline.media.run import Entry
from pipeline.model import Frozen

_LONGEST_GAP = 1000
"""Numbers further apart than this were not counted one by one."""

EventKind = Literal["missing", "late", "repeated", "changed", "reordered", "removed", "restarted"]


class Event(Frozen):
    """Something that did not go as it should, for the record."""

    kind: EventKind
    """``missing``: given up for now; ``late``: came after that; ``repeated``: the same bytes under
    another number; ``changed``: other bytes under a name already taken, left aside; ``reordered``:
    came before one that precedes it; ``removed``: gone before it could be taken; ``restarted``:
    a file or stream that grows began anew, what follows is a part of its own."""
    sequence: int
    """Number of the segment."""
    name: str = ""
    """Its file name."""
    sha256: str = ""
    """Of the bytes, where there are any."""


class Taken(Frozen):
    """A segment that was taken."""

    sequence: int
    """Its place in the broadcast."""
    name: str
    """As the playlist or the folder names it."""
    sha256: str
    """Of its bytes."""
    size_bytes: int
    """Length."""
    init_name: str = ""
    """The header that must be read first."""
    discontinuity: bool = False
    """The playlist says that clocks restart here."""
    program_utc_ms: int | None = None
    """EXT-X-PROGRAM-DATE-TIME."""
    claimed_ms: int = 0
    """EXTINF; 0 where there is no playlist."""
    offset_bytes: int | None = None
    """For a stretch of a file that grows: where in the file it begins."""

    @property
    def entry(self) -> Entry:
        """As a playlist names it."""
        return Entry(
            self.sequence,
            self.name,
            self.init_name,
            self.discontinuity,
            self.program_utc_ms,
            self.claimed_ms,
        )


class Seen(NamedTuple):
    """What a place shows at one look."""

    entries: tuple[Entry, ...]
    """Segments it names, there or not."""
    tags: Mapping[str, str]
    """Files that are there, with what changes when they change."""
    ended: bool
    """Nothing will follow."""


class Copied(NamedTuple):
    """A file of the place that is here now."""

    sha256: str
    size_bytes: int
    age_s: float
    """Seconds since it landed; 0 where the place does not say."""


class Copier(Protocol):
    """Brings a file of the place here."""

    def __call__(self, name: str, /) -> Copied | None:
        """The copy; None where the file is gone."""


class Landing:
    """Decides, look by look. Seconds are of a clock that never jumps.

    Args:
        copy: Copies a file into this session's folder.
        patience_s: How long a missing segment is waited for once a later one is there.
        settle_s: A file counts as whole when it has not changed for so long.
    """

    def __init__(self, copy: Copier, *, patience_s: float, settle_s: float = 1.0) -> None:
        self._copy, self._patience_s, self._settle_s = copy, patience_s, settle_s
        self.taken: dict[int, Taken] = {}
        self.events: list[Event] = []
        self.ended = False
        self.arrived_s: dict[int, float] = {}
        """When each segment taken in this session had landed."""
        self._last = False
        self._looked_s: float | None = None
        self._unseen_s: dict[str, float | None] = {}
        """The look before each file was seen first: it landed after that, whatever its time says."""
        self._hashes: dict[str, int] = {}
        self._tags: dict[str, tuple[str, float]] = {}
        self._used: dict[str, str] = {}
        self._named: dict[int, Entry] = {}
        self._waiting: dict[int, float] = {}
        self._overtaken: set[int] = set()

    def restore(self, taken: Sequence[Taken], events: Sequence[Event]) -> None:
        """Take up where an earlier session stopped."""
        for one in taken:
            self._keep(one)
        self.events = list(events)

    def look(self, seen: Seen, *, now_s: float) -> bool:
        """Take what can be taken; whether anything was taken late, so that one must begin anew."""
        self._remember(seen, now_s)
        late, self._last = False, seen.ended
        for sequence in sorted(self._named):
            if sequence in self.taken or self._known("repeated", sequence):
                continue
            if not self._whole(self._named[sequence], now_s):
                if not self._give_up(sequence, now_s):
                    break
                continue
            late |= self._take(self._named[sequence], now_s)
        self.ended = seen.ended and self._all_settled()
        return late

    def ordered(self) -> Iterator[Taken]:
        """What was taken, in order; a restart of clocks stated by a lost one is handed on."""
        restart = False
        for sequence in sorted({*self._named, *self.taken}):
            one = self.taken.get(sequence)
            if one is None:
                restart |= self._named[sequence].discontinuity
                continue
            yield one.model_copy(update={"discontinuity": one.discontinuity or restart})
            restart = False

    # --- looking ----------------------------------------------------------------------------

    def _remember(self, seen: Seen, now_s: float) -> None:
        for name in seen.tags.keys() - self._unseen_s.keys():
            self._unseen_s[name] = self._looked_s
        self._looked_s = now_s
        for name, tag in seen.tags.items():
            if self._tags.get(name, ("", 0.0))[0] != tag:
                self._tags[name] = (tag, now_s)
        for name in [n for n in self._tags if n not in seen.tags]:
            del self._tags[name]
        for entry in seen.entries:
            self._named.setdefault(entry.sequence, entry)
            self._look_again(entry, now_s)
        numbers = sorted(self._named)
        for low, high in pairwise(numbers):  # what was never named at all is missing as well
            if high - low <= _LONGEST_GAP:
                for gone in range(low + 1, high):
                    self._named[gone] = Entry(gone, "")

    def _look_again(self, entry: Entry, now_s: float) -> None:
        """A file already taken that has other bytes now, or another file of a number taken."""
        if not self._named[entry.sequence].uri:
            self._named[entry.sequence] = entry
        one = self.taken.get(entry.sequence)
        if one is None or not self._whole(entry, now_s):
            return
        tag, known = self._tags[entry.uri][0], self._used.get(entry.uri)
        self._used[entry.uri] = tag
        if entry.uri == one.name:
            if known not in (None, tag):
                self._note("changed", entry.sequence, entry.uri)
        elif known is None and (copied := self._copy(entry.uri)) is not None:
            kind: EventKind = "repeated" if copied.sha256 in self._hashes else "changed"
            self._note(kind, entry.sequence, entry.uri, copied.sha256)

    def _whole(self, entry: Entry, now_s: float) -> bool:
        return all(
            name in self._tags and now_s - self._tags[name][1] >= self._settle_s
            for name in (entry.uri, entry.init_uri)
            if name or name == entry.uri
        )

    def _give_up(self, sequence: int, now_s: float) -> bool:
        """Whether to go on without a segment that others have overtaken."""
        if self._known("missing", sequence):
            return True
        later = [n for n, e in self._named.items() if n > sequence and self._whole(e, now_s)]
        if not later and not self._last:
            return False
        if later:
            self._overtaken.add(sequence)
        since = self._waiting.setdefault(sequence, now_s)
        if now_s - since < self._patience_s:
            return False
        self._note("missing", sequence, self._named[sequence].uri)
        return True

    # --- taking -----------------------------------------------------------------------------

    def _take(self, entry: Entry, now_s: float) -> bool:
        copied = self._copy(entry.uri)
        if copied is None or (entry.init_uri and self._copy(entry.init_uri) is None):
            self._note("removed", entry.sequence, entry.uri)
            return False
        sha256 = copied.sha256
        self._used[entry.uri] = self._tags[entry.uri][0]
        if sha256 in self._hashes:
            self._note("repeated", entry.sequence, entry.uri, sha256)
            return False
        late = bool(self.taken) and entry.sequence < max(self.taken)
        if late:
            self._note("late", entry.sequence, entry.uri, sha256)
        elif entry.sequence in self._overtaken:
            self._note("reordered", entry.sequence, entry.uri, sha256)
        self.arrived_s[entry.sequence] = self._arrival(entry.uri, copied.age_s, now_s)
        self._keep(
            Taken(
                sequence=entry.sequence,
                name=entry.uri,
                sha256=sha256,
                size_bytes=copied.size_bytes,
                init_name=entry.init_uri,
                discontinuity=entry.discontinuity,
                program_utc_ms=entry.program_utc_ms,
                claimed_ms=entry.claimed_ms,
            )
        )
        return late

    def _arrival(self, name: str, age_s: float, now_s: float) -> float:
        """When a file landed, by its age; a wall clock that jumped cannot put it before a look
        at which it was not there."""
        unseen_s = self._unseen_s.get(name)
        return now_s - age_s if unseen_s is None else max(unseen_s, now_s - age_s)

    def _keep(self, one: Taken) -> None:
        self.taken[one.sequence] = one
        self._hashes[one.sha256] = one.sequence
        self._named.setdefault(one.sequence, one.entry)

    def _all_settled(self) -> bool:
        """At the end: everything named has been taken or given up."""
        return all(
            e.sequence in self.taken or any(v.sequence == e.sequence for v in self.events)
            for e in self._named.values()
        )

    def _known(self, kind: EventKind, sequence: int) -> bool:
        return any(e.kind == kind and e.sequence == sequence for e in self.events)

    def _note(self, kind: EventKind, sequence: int, name: str, sha256: str = "") -> None:
        event = Event(kind=kind, sequence=sequence, name=name, sha256=sha256)
        if event not in self.events:
            self.events.append(event)
