"""A broadcast on air as a file that grows: copied by a thread of its own while it is heard."""

from __future__ import annotations

import hashlib
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from pipeline.errors import EvidenceError, InputError
from pipeline.ingest.landing import Event, Taken
from pipeline.ingest.tails import Grown, Part, Tail
from pipeline.live_intake import PLAYLIST, TookLate, gone, write_log
from pipeline.live_lag import Landed, Pace
from pipeline.media import run as media
from pipeline.model import Frozen

_WAIT_S = 0.5
_READ_BYTES = 1 << 20


class _Parts(Frozen):
    """The parts that lie in the folder, for the session that continues."""

    parts: tuple[Part, ...] = ()
    events: tuple[Event, ...] = ()


class StreamIntake:
    """What a tail brings, byte by byte. Stretches of bytes take the place of segments in seals."""

    def __init__(self, tail: Tail, folder: Path, pace: Pace, say: Callable[[str], None]) -> None:
        self._tail, self._folder, self._pace, self._say = tail, folder, pace, say
        self._copies = folder / "segments"
        self._copies.mkdir(parents=True, exist_ok=True)
        self._told_bytes: dict[str, int] = {}
        self._told: set[Event] = set()
        self._number = 0
        self._arrivals: dict[str, list[tuple[int, float | None]]] = {}
        self._now = Grown((), ended=False)
        self._change, self._stop = threading.Condition(), False
        self._failure: EvidenceError | None = None
        self._said: list[str] = []
        self._opened: list[str] = []
        self._earlier: list[Event] = []
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The file's name, or that of the playlist that joins its parts."""
        return self._tail.name if len(self._now.parts) < 2 or self._ranges else PLAYLIST

    @property
    def _ranges(self) -> bool:
        return self._tail.name.endswith((".m3u8", ".m3u"))

    # --- copying ----------------------------------------------------------------------------

    def restore(self, taken: Sequence[Taken], events: Sequence[Event]) -> None:
        """See :class:`pipeline.live_intake.Intake`."""
        file = self._folder / "parts.json"
        here = _Parts.model_validate_json(file.read_bytes()) if file.exists() else _Parts()
        self._told, self._earlier = set(events), list(here.events)
        known = [self._as_it_lies(part) for part in here.parts]
        self._tail.begin(self._copies, known)
        self._note(self._tail.take(now_s=time.monotonic()), arrived_s=None)
        for one in taken:
            self._number = max(self._number, one.sequence)
            start = one.offset_bytes or 0
            self._told_bytes[one.name] = start + one.size_bytes
            if self._hash(one.name, start, one.size_bytes) != one.sha256:
                raise gone(one.name)
        self._thread = threading.Thread(target=self._run, daemon=True, name="tail")
        self._thread.start()

    def close(self) -> None:
        """Stop copying."""
        with self._change:
            self._stop = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _as_it_lies(self, part: Part) -> Part:
        file = self._copies / part.name
        size = file.stat().st_size if file.is_file() else 0
        return part.model_copy(update={"size_bytes": size})

    def _run(self) -> None:
        """Copy what comes until it has ended; what goes wrong for good is raised by the listener."""
        while not self._stop and not self._now.ended:
            now_s = time.monotonic()
            try:
                self._note(self._tail.take(now_s=now_s), arrived_s=now_s)
            except EvidenceError as error:
                if not error.transient:
                    with self._change:
                        self._failure = error
                        self._change.notify_all()
                    return
                self._said.append(f"the place cannot be looked at now: {error.message}")
            with self._change:
                self._change.wait(self._pace.every_s)

    def _note(self, grown: Grown, *, arrived_s: float | None) -> None:
        with self._change:
            if [p.name for p in grown.parts] != [p.name for p in self._now.parts] or grown.ended:
                events = tuple(dict.fromkeys([*self._earlier, *self._tail.events]))
                write_log(self._folder / "parts.json", _Parts(parts=grown.parts, events=events))
            for part in grown.parts:
                seen = self._arrivals.setdefault(part.name, [])
                if part.size_bytes > (seen[-1][0] if seen else 0):
                    seen.append((part.size_bytes, arrived_s))
            self._now = grown
            self._change.notify_all()

    # --- listening --------------------------------------------------------------------------

    def sound(self, landed: Landed) -> media.Growing:
        """See :class:`pipeline.live_intake.Intake`."""
        self._opened = []
        return media.Growing(self._pieces(landed), name=self.name)

    def _pieces(self, landed: Landed) -> Iterator[media.Piece]:
        while True:
            with self._change:
                while len(self._opened) >= len(self._now.parts) and not self._now.ended:
                    self._pause()
                if len(self._opened) >= len(self._now.parts):
                    return
                part = self._now.parts[len(self._opened)]
                self._opened.append(part.name)
            file = self._copies / part.name
            if not self._wait(part.name, landed, 0):
                continue
            yield media.Piece(
                media.GrowingFile(file, partial(self._wait, part.name, landed)),
                self._copies / part.init_name if part.init_name else None,
                part.discontinuity,
                part.program_utc_ms,
                part.claimed_ms,
            )

    def _wait(self, name: str, landed: Landed, at: int) -> bool:
        """Wait until a part reaches beyond a position; False when it never will."""
        with self._change:
            while True:
                self._late()
                seen = self._arrivals.get(name, [])
                place = bisect_right(seen, at, key=lambda row: row[0])
                if place < len(seen):
                    landed.come(seen[place][1])
                    return True
                if self._now.ended or self._now.parts[-1].name != name:
                    return False
                self._pause()

    def _pause(self) -> None:
        """Let the copier work, and say what it has to say."""
        if self._failure is not None:
            raise self._failure
        self._pace.alive()
        self._change.wait(_WAIT_S)
        while self._said:
            self._say(self._said.pop(0))

    def _late(self) -> None:
        """Raise where a file has come that belongs before one that is being read."""
        names = [part.name for part in self._now.parts]
        if names[: len(self._opened)] != self._opened:
            raise TookLate("a file came late")

    # --- what is known ----------------------------------------------------------------------

    def fresh(self) -> tuple[tuple[Taken, ...], tuple[Event, ...]]:
        """See :class:`pipeline.live_intake.Intake`."""
        with self._change:
            parts, found = self._now.parts, [*self._earlier, *self._tail.events]
        taken: list[Taken] = []
        for part in parts:
            start = self._told_bytes.get(part.name, 0)
            if part.size_bytes > start:
                taken.append(self._stretch(part, start, self._number + len(taken) + 1))
        events = tuple(e for e in dict.fromkeys(found) if e not in self._told)
        return tuple(taken), events

    def _stretch(self, part: Part, start: int, number: int) -> Taken:
        size = part.size_bytes - start
        return Taken(
            sequence=number,
            name=part.name,
            sha256=self._hash(part.name, start, size),
            size_bytes=size,
            init_name=part.init_name,
            discontinuity=part.discontinuity and start == 0,
            program_utc_ms=part.program_utc_ms,
            claimed_ms=part.claimed_ms,
            offset_bytes=start,
        )

    def tell(self, taken: Sequence[Taken], events: Sequence[Event]) -> None:
        """See :class:`pipeline.live_intake.Intake`."""
        for one in taken:
            self._number = max(self._number, one.sequence)
            self._told_bytes[one.name] = (one.offset_bytes or 0) + one.size_bytes
        self._told |= set(events)

    def recording(self) -> Path:
        """The copy itself; several parts are joined by a playlist: the place's own where it can be."""
        parts = [part for part in self._now.parts if part.size_bytes]
        if not parts:
            raise InputError("nothing came", hint="check the place, and that it is being written")
        if len(parts) == 1 and not self._ranges:
            return self._copies / parts[0].name
        text = self._tail.own_playlist() or media.closed([part.entry for part in parts])
        file = self._copies / self.name
        file.write_bytes(text)
        return file

    def _hash(self, name: str, start: int, size: int) -> str:
        digest, left = hashlib.sha256(), size
        path = self._copies / name
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(start)
            while left and (block := file.read(min(left, _READ_BYTES))):
                digest.update(block)
                left -= len(block)
        return digest.hexdigest() if not left else ""
