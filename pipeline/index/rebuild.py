"""Index and catalogue: made anew day by day, compared, brought into step.

The catalogue drives: what it lists belongs into the index, in the partition of its day, and
nothing else does. A broadcast is entered in the catalogue before it is indexed. So whatever
another process indexes while a partition is made anew, into the one that is about to go, is
in the catalogue by the time of the switch; the comparison that ends a rebuild finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

from pipeline.archive import Archive, Listed, State, broadcast_day
from pipeline.errors import (
    EvidenceError,
    IndexingError,
    IndexUnavailable,
    IntegrityError,
    NotFound,
    ObjectMissing,
    TooManyChanges,
)
from pipeline.index.documents import UNDATED, Document
from pipeline.model import Frozen
from pipeline.ports import EvidenceIndex, Held

Read = Callable[[State], Iterable[Document]]
"""The documents of a broadcast as it stands."""
Publish = Callable[[State], int]
"""Puts a broadcast's documents into the index and drops its other ones."""
Progress = Callable[[int, int], None]
"""Broadcasts done, broadcasts in all (as far as is known)."""

_LONGEST_LIVE_DAYS = 3
"""Words of a broadcast on air are in no catalogue; left over for longer, they are surplus."""
_UNREADABLE = (IntegrityError, NotFound, ObjectMissing)


class Change(Frozen):
    """A broadcast in which index and catalogue differ."""

    day: str
    """Partition."""
    broadcast_id: str
    """Which."""
    kind: Literal["missing", "stale", "incomplete", "surplus"]
    """Not indexed; of another release; documents lost; in the index alone."""
    catalogued: int
    """Release in the store; 0 where the store has none for this day."""
    indexed: int
    """Release in the index; 0 where it has none."""


class Problem(Frozen):
    """A broadcast that could not be indexed."""

    broadcast_id: str
    """Which."""
    error: str
    """Error code."""
    message: str
    """What is wrong and what to do."""


class Rebuilt(NamedTuple):
    """What a rebuild did."""

    documents: int
    """Written to the new partitions."""
    partitions: int
    """Made anew or dropped."""
    caught_up: int
    """Broadcasts that changed while it ran and were indexed again afterwards."""
    problems: tuple[Problem, ...]
    """Broadcasts that could not be read; everything else is indexed."""


class Reconciled(NamedTuple):
    """What a comparison found, and what was done about it."""

    compared: int
    """Broadcasts in catalogue or index."""
    changes: tuple[Change, ...]
    """Where they differ."""
    applied: int
    """Changes made; 0 in a dry run."""
    problems: tuple[Problem, ...]
    """Broadcasts that could not be read."""

    @property
    def share_pm(self) -> int:
        """Differing broadcasts per mille of all."""
        return len(self.changes) * 1000 // max(1, self.compared)


class _Difference(NamedTuple):
    """A change with what is needed to make it; no state where it is only to be removed."""

    change: Change
    state: State | None


def rebuild(
    index: EvidenceIndex,
    archive: Archive,
    *,
    read: Read,
    publish: Publish,
    days: Sequence[str] = (),
    progress: Progress | None = None,
) -> Rebuilt:
    """Make the partitions of these days (all, without any) anew from the store alone.

    Each is switched to when it is full, and the old one serves until then. Where the old index
    cannot be used at all (another schema, damage) everything is switched at once at the end.

    Raises:
        IndexUnavailable, SourceError: the old partition still serves; run it again.
        MappingConflict: single days cannot be mixed with another schema version.
    """
    work = _Rebuild(archive, read, progress)
    served, whole = ([], False) if days else _served(index)
    partitions = work.partitions(days, served)
    documents = index.swap(partitions, whole=whole)
    unreadable = {problem.broadcast_id for problem in work.problems}
    after = reconcile(index, archive, publish=publish, days=days, apply=True, skip=unreadable)
    problems = (*work.problems, *after.problems)
    return Rebuilt(documents, work.made, after.applied, problems)


def _served(index: EvidenceIndex) -> tuple[list[str], bool]:
    """The days that are served now, and whether the whole index must be replaced at once."""
    try:
        index.ensure()
        return index.partitions(), False
    except IndexUnavailable:
        raise
    except IndexingError:
        return [], True


class _Rebuild:
    """The documents of each day, with what could not be read."""

    def __init__(self, archive: Archive, read: Read, progress: Progress | None) -> None:
        self._archive = archive
        self._read = read
        self._progress = progress
        self._done = self._known = self.made = 0
        self.problems: list[Problem] = []

    def partitions(
        self, days: Sequence[str], served: Iterable[str]
    ) -> Iterator[tuple[str, Iterator[Document]]]:
        """Every day to be made, those that are no longer in the catalogue without documents."""
        asked = dict.fromkeys(days or served)
        for day in days or ("",):
            for of_day, listed in self._archive.days(day):
                asked.pop(of_day, None)
                self._known += len(listed)
                self.made += 1
                yield of_day, self._documents(of_day, listed)
        for day in asked:
            self.made += 1
            yield day, iter(())

    def _documents(self, day: str, listed: list[Listed]) -> Iterator[Document]:
        for entry in listed:
            yield from self._of_one(day, entry)
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._known)

    def _of_one(self, day: str, entry: Listed) -> Iterable[Document]:
        try:
            state = self._archive.state_at(entry.prefix)
            return list(self._read(state)) if broadcast_day(state.revision) == day else ()
        except _UNREADABLE as error:
            self.problems.append(_problem(entry.broadcast_id, error))
            return ()


def reconcile(
    index: EvidenceIndex,
    archive: Archive,
    *,
    publish: Publish,
    days: Sequence[str] = (),
    apply: bool = False,
    most_pm: int = 1000,
    skip: Iterable[str] = (),
) -> Reconciled:
    """Compare index and catalogue, by day; with ``apply`` bring the index into step.

    Raises:
        TooManyChanges: more than ``most_pm`` of a thousand broadcasts differ; nothing was done.
        IndexUnavailable, MappingConflict, SourceError.
    """
    work = _Comparison(index, archive, frozenset(skip))
    differences = [found for day in work.days(days) for found in work.of_day(day)]
    result = Reconciled(
        work.compared, tuple(d.change for d in differences), 0, tuple(work.problems)
    )
    if not apply:
        return result
    if result.share_pm > most_pm:
        raise TooManyChanges(
            f"{len(differences)} of {result.compared} broadcasts differ, "
            f"more than {most_pm / 10:g} %; nothing was changed",
            hint="look at the list (without --apply); then --force-share, or: evidence rebuild",
        )
    for difference in differences:
        _apply(index, difference, publish)
    return result._replace(applied=len(differences))


def _apply(index: EvidenceIndex, difference: _Difference, publish: Publish) -> None:
    if difference.state is None:
        index.drop(difference.change.broadcast_id)
    else:
        publish(difference.state)


class _Comparison:
    """Index against catalogue; what the listing cannot tell is asked of the store."""

    def __init__(self, index: EvidenceIndex, archive: Archive, skip: frozenset[str]) -> None:
        self._index = index
        self._archive = archive
        self._skip = skip
        self._listed: dict[str, list[Listed]] = {}
        self.compared = 0
        self.problems: list[Problem] = []

    def days(self, asked: Sequence[str]) -> Iterator[str]:
        """The days to compare: those asked for, else all of either side, one at a time."""
        rest = dict.fromkeys(asked or self._index.partitions())
        for day in asked or ("",):
            for of_day, listed in self._archive.days(day):
                rest.pop(of_day, None)
                self._listed = {of_day: listed}
                yield of_day
        for day in rest:
            self._listed = {}
            yield day

    def of_day(self, day: str) -> Iterator[_Difference]:
        """Where the two differ in one day."""
        held = {h.broadcast_id: h for h in self._index.inventory(day)}
        for entry in self._listed.get(day, ()):
            found = held.pop(entry.broadcast_id, None)
            self.compared += 1
            if entry.broadcast_id not in self._skip and not _in_step(found, entry.release):
                yield from self._confirmed(day, entry, found)
        for name, found in held.items():
            if not _on_air(day, found):
                self.compared += 1
                yield from self._surplus(day, name, found)

    def _confirmed(self, day: str, entry: Listed, found: Held | None) -> Iterator[_Difference]:
        """The state decides: the catalogue may list a release that was followed by another."""
        try:
            state = self._archive.state_at(entry.prefix)
        except _UNREADABLE as error:
            self.problems.append(_problem(entry.broadcast_id, error))
            return
        number = state.release.number if broadcast_day(state.revision) == day else 0
        if (number == 0 and found is None) or (number and _in_step(found, number)):
            return
        kind = _kind(found, number)
        yield _difference(day, entry.broadcast_id, kind, number, found, state)

    def _surplus(self, day: str, name: str, found: Held) -> Iterator[_Difference]:
        """In this day's index alone: the store has it on another day, or not at all."""
        try:
            prefixes = [p for p in self._archive.prefixes(name) if self._archive.release(p)]
            state = self._archive.state_at(prefixes[0]) if prefixes else None
        except _UNREADABLE as error:
            self.problems.append(_problem(name, error))
            return
        here = state is not None and broadcast_day(state.revision) == day
        if here and state is not None and _in_step(found, state.release.number):
            return  # its catalogue entry is about to come
        yield _difference(day, name, "surplus", 0, found, state)


def _difference(
    day: str,
    name: str,
    kind: Literal["missing", "stale", "incomplete", "surplus"],
    number: int,
    found: Held | None,
    state: State | None,
) -> _Difference:
    change = Change(
        day=day,
        broadcast_id=name,
        kind=kind,
        catalogued=number,
        indexed=found.newest_release if found else 0,
    )
    return _Difference(change, state)


def _on_air(day: str, found: Held) -> bool:
    """Whether these are words of a broadcast that goes on: no release has been made of it yet."""
    if found.newest_release or day == UNDATED:
        return False
    return date.fromisoformat(day) >= datetime.now(UTC).date() - timedelta(days=_LONGEST_LIVE_DAYS)


def _in_step(found: Held | None, release: int) -> bool:
    if found is None or found.documents != found.expected:
        return False
    return found.oldest_release == found.newest_release == release


def _kind(found: Held | None, number: int) -> Literal["missing", "stale", "incomplete", "surplus"]:
    if found is None:
        return "missing"
    if number == 0:
        return "surplus"
    return "stale" if found.newest_release != number else "incomplete"


def _problem(broadcast_id: str, error: EvidenceError) -> Problem:
    return Problem(broadcast_id=broadcast_id, error=error.code, message=str(error))
