"""How the sound of a broadcast on air comes in: as segments that land (a growing file: live_stream.py)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from pipeline.errors import EvidenceError, InputError, ObjectMissing, UnreadableMedia
from pipeline.ingest.landing import Event, Landing, Taken
from pipeline.ingest.places import Place
from pipeline.live_lag import Landed, Pace
from pipeline.media import run as media
from pipeline.model import Frozen

PLAYLIST = "recording.m3u8"
"""Name of the playlist that is written where the place has none."""


class TookLate(EvidenceError):
    """Something came after its place had been passed: everything is read once more."""

    transient = True


class Intake(Protocol):
    """What a session listens to."""

    @property
    def name(self) -> str:
        """Name of the recording."""

    def restore(self, taken: Sequence[Taken], events: Sequence[Event]) -> None:
        """Take up what sealed parts tell of, and what lies here from before.

        Raises:
            InputError: something that was sealed is no longer there.
        """

    def sound(self, landed: Landed) -> media.Growing:
        """The sound from the first to the end, waiting for what comes; ``landed`` gets when it came.

        Raises:
            TookLate: while it is read, something came whose place had been passed.
        """

    def fresh(self) -> tuple[tuple[Taken, ...], tuple[Event, ...]]:
        """What no seal has told of yet."""

    def tell(self, taken: Sequence[Taken], events: Sequence[Event]) -> None:
        """A seal has told of these."""

    def recording(self) -> Path:
        """The finished recording, as it is taken in.

        Raises:
            InputError: nothing came at all.
        """

    def close(self) -> None:
        """Stop looking."""


class _Log(Frozen):
    """What a session had taken, kept beside its copies: sources forget segments."""

    taken: tuple[Taken, ...] = ()
    events: tuple[Event, ...] = ()


class SegmentIntake:
    """Segments of a playlist, or numbered ones, as they land in a place."""

    def __init__(self, place: Place, folder: Path, pace: Pace, say: Callable[[str], None]) -> None:
        self._place, self._folder, self._pace, self._say = place, folder, pace, say
        self._copies = folder / "segments"
        self._copies.mkdir(parents=True, exist_ok=True)
        settle_s = pace.settle_s if place.files.settles else 0.0
        copier = place.copy_to(self._copies)
        self._landing = Landing(copier, patience_s=pace.patience_s, settle_s=settle_s)
        self._looked_s = float("-inf")
        self._told: set[Taken | Event] = set()

    @property
    def name(self) -> str:
        """The place's playlist, or ours."""
        return self._place.playlist or PLAYLIST

    def sound(self, landed: Landed) -> media.Growing:
        """See :class:`Intake`."""
        return media.Growing(map(self._piece, self._pieces(landed)), name=self.name)

    def close(self) -> None:
        """Nothing is left running."""

    # --- segments ---------------------------------------------------------------------------

    def _pieces(self, landed: Landed) -> Iterator[Taken]:
        """Segments in order, waiting for each."""
        given = 0
        while True:
            fresh = list(islice(self._landing.ordered(), given, None))
            for one in fresh:
                landed.begin(self._landing.arrived_s.get(one.sequence))
                yield one
                given += 1
                self._look()
            if fresh:
                continue
            if self._landing.ended:
                return
            self._pace.alive()
            wait_s = self._looked_s + self._pace.every_s - time.monotonic()
            time.sleep(max(0.0, wait_s))
            self._look()

    def _look(self) -> None:
        """Look at the place, unless that was done just now.

        Raises:
            TookLate: a segment was taken whose place had been passed.
        """
        now_s = time.monotonic()
        if now_s < self._looked_s + self._pace.every_s:
            return
        self._looked_s = now_s
        before, known = len(self._landing.taken), len(self._landing.events)
        try:
            late = self._landing.look(self._place.look(now_s=now_s), now_s=now_s)
        except EvidenceError as error:
            half_written = isinstance(error, UnreadableMedia) and before > 0
            if not error.transient and not half_written:
                raise
            self._say(f"the place cannot be looked at now: {error.message}")
            return
        if (len(self._landing.taken), len(self._landing.events)) != (before, known):
            self._keep_log()
        for event in self._landing.events[known:]:
            self._say(f"segment {event.sequence} {event.name}: {event.kind}")
        if late:
            raise TookLate("a segment came late")

    def _piece(self, one: Taken) -> media.Piece:
        """A segment that was taken, as the media room reads it."""
        return media.Piece(
            self._copies / one.name,
            self._copies / one.init_name if one.init_name else None,
            one.discontinuity,
            one.program_utc_ms,
            one.claimed_ms,
        )

    # --- what is known ----------------------------------------------------------------------

    def _keep_log(self) -> None:
        taken = tuple(self._landing.taken[n] for n in sorted(self._landing.taken))
        write_log(self._folder / "log.json", _Log(taken=taken, events=tuple(self._landing.events)))

    def restore(self, taken: Sequence[Taken], events: Sequence[Event]) -> None:
        """See :class:`Intake`."""
        file = self._folder / "log.json"
        self._told = {*taken, *events}
        here = _Log.model_validate_json(file.read_bytes()) if file.exists() else _Log()
        known = {one.sequence: one for one in (*taken, *here.taken)}
        self._landing.restore(
            [known[n] for n in sorted(known)], list(dict.fromkeys([*events, *here.events]))
        )
        copy = self._place.copy_to(self._copies)
        for one in known.values():
            found = copy(one.name)
            if found is None or found.sha256 != one.sha256:
                raise gone(one.name)
            if one.init_name:
                copy(one.init_name)

    def fresh(self) -> tuple[tuple[Taken, ...], tuple[Event, ...]]:
        """See :class:`Intake`."""
        taken = [self._landing.taken[n] for n in sorted(self._landing.taken)]
        events = tuple(e for e in self._landing.events if e not in self._told)
        return tuple(one for one in taken if one not in self._told), events

    def tell(self, taken: Sequence[Taken], events: Sequence[Event]) -> None:
        """See :class:`Intake`."""
        self._told |= {*taken, *events}

    def recording(self) -> Path:
        """The playlist: the place's own where it says the same."""
        entries = [one.entry for one in self._landing.ordered()]
        if not entries:
            raise InputError("not one segment landed", hint="check the place and its playlist")
        file = self._copies / self.name
        text = media.closed(entries)
        own = self._own_playlist()
        if own:
            named = media.listing(own, name=self.name)
            if named.ended and [e.uri for e in named.entries] == [e.uri for e in entries]:
                text = own
        file.write_bytes(text)
        return file

    def _own_playlist(self) -> bytes:
        """The place's playlist; empty where it has none, or has it no more."""
        try:
            return self._place.files.read(self._place.playlist) if self._place.playlist else b""
        except ObjectMissing:
            return b""


def gone(name: str) -> InputError:
    """What was sealed cannot be found again."""
    return InputError(
        f"{name}: the segment that was sealed is no longer there",
        hint="go on in the workspace that took it, or put the segment back",
        file=name,
    )


def write_log(file: Path, log: Frozen) -> None:
    """Keep a log whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(log.model_dump_json(), encoding="utf-8")
    part.replace(file)
