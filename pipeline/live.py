"""A broadcast on air: its segments become words that can be searched while it goes on.

Segments are taken as they land (``ingest/landing.py``) and run through the very code that reads
a finished recording: decoded, cut at pauses, recognised chunk by chunk. Parts of a minute or more
are sealed in the store (``journal.py``) and their lines put into the index. A segment that comes
late makes the whole run again from the first segment: what was heard is known by its sound,
so only the chunks that the late segment changes are recognised, and sealed as new versions.
At the end the recording goes the ordinary way (:mod:`pipeline.plan`), which hears nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pipeline.archive import prefix_of
from pipeline.bootstrap import Application
from pipeline.errors import EvidenceError, InputError, NoAudio, ObjectMissing, UnreadableMedia
from pipeline.index import run as index_room
from pipeline.index.documents import documents_of
from pipeline.ingest.formats import parse_broadcast
from pipeline.ingest.landing import Event, Landing, Taken
from pipeline.ingest.places import Place
from pipeline.journal import Journal, Seal, Stretch, stretch_of, taken_in
from pipeline.live_lag import Lag, Landed, Pace
from pipeline.media import run as media
from pipeline.model import Broadcast, ClockMap, Frozen, Revision
from pipeline.provenance import sha256_hex
from pipeline.transcribe.chunks import Chunk
from pipeline.transcribe.readings import Item
from pipeline.transcribe.run import Listening

PLAYLIST = "recording.m3u8"
"""Name of the playlist that is written where the place has none."""


class Followed(NamedTuple):
    """What following a broadcast gave."""

    playlist: Path
    """The finished recording, its segments beside it."""
    broadcast_file: Path
    """Its description."""
    amends: bool
    """Whether the broadcast was finished before and has grown since."""
    lags: tuple[Lag, ...]
    """One for each chunk recognised now."""


class _TookLate(EvidenceError):
    """A segment came after its place had been passed: everything is read once more."""

    transient = True


class _Log(Frozen):
    """What a session had taken, kept beside its copies: sources forget segments."""

    taken: tuple[Taken, ...] = ()
    events: tuple[Event, ...] = ()


class Session:
    """One broadcast that is followed; made anew after a kill, it continues."""

    def __init__(
        self,
        app: Application,
        place: Place,
        *,
        broadcast_file: Path | None = None,
        pace: Pace | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._app, self._place, self._pace, self._say = app, place, pace or Pace(), say
        described = broadcast_file.read_bytes() if broadcast_file else place.description()
        self._description = _required(described)
        self.broadcast, _ = parse_broadcast(self._description, file_name="broadcast.json")
        self.prefix = _prefix(self.broadcast)
        self.journal = Journal(app.store, self.prefix)
        self.folder = app.scratch / f"live-{sha256_hex(self.prefix.encode())[:24]}"
        self._copies = self.folder / "segments"
        self._copies.mkdir(parents=True, exist_ok=True)
        settle_s = self._pace.settle_s if place.files.settles else 0.0
        copier = place.copy_to(self._copies)
        self._landing = Landing(copier, patience_s=self._pace.patience_s, settle_s=settle_s)
        self._looked_s = float("-inf")
        self._told: set[Taken | Event] = set()
        self._restore()
        self._lags: list[Lag] = []
        self._behind: list[Seal] = []

    @property
    def heard(self) -> Path:
        """Where readings are kept until the broadcast is finished."""
        return self.folder / "heard"

    def follow(self) -> Followed:
        """Listen until the broadcast has ended and every part is sealed.

        Raises:
            InputError: no description, or no segment at all. StoreUnavailable: the place is away.
        """
        amends = self.journal.ended()
        with self._app.working_on(self.broadcast.broadcast_id):
            while not self._passed():
                self._say("a segment came late: read again from the first one")
        file = self.folder / "broadcast.json"
        file.write_bytes(self._description)
        return Followed(self._write_playlist(), file, amends, tuple(self._lags))

    def _passed(self) -> bool:
        try:
            _Pass(self).run()
        except _TookLate:
            return False
        return True

    # --- segments ---------------------------------------------------------------------------

    def pieces(self, landed: Landed) -> Iterator[Taken]:
        """Segments in order, waiting for each; ``landed`` gets when each came."""
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
            wait_s = self._looked_s + self._pace.every_s - time.monotonic()
            time.sleep(max(0.0, wait_s))
            self._look()

    def _look(self) -> None:
        """Look at the place, unless that was done just now.

        Raises:
            _TookLate: a segment was taken whose place had been passed.
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
            raise _TookLate("a segment came late")

    def piece(self, one: Taken) -> media.Piece:
        """A segment that was taken, as the media room reads it."""
        return media.Piece(
            self._copies / one.name,
            self._copies / one.init_name if one.init_name else None,
            one.discontinuity,
            one.program_utc_ms,
            one.claimed_ms,
        )

    def _keep_log(self) -> None:
        taken = tuple(self._landing.taken[n] for n in sorted(self._landing.taken))
        body = _Log(taken=taken, events=tuple(self._landing.events)).model_dump_json()
        part = self.folder / "log.part"
        part.write_text(body, encoding="utf-8")
        part.replace(self.folder / "log.json")

    def _restore(self) -> None:
        file = self.folder / "log.json"
        sealed, events = taken_in(self.journal.seals())
        self._told = {*sealed, *events}
        here = _Log.model_validate_json(file.read_bytes()) if file.exists() else _Log()
        taken = {one.sequence: one for one in (*sealed, *here.taken)}
        self._landing.restore(
            [taken[n] for n in sorted(taken)], list(dict.fromkeys([*events, *here.events]))
        )
        copy = self._place.copy_to(self._copies)
        for one in taken.values():
            found = copy(one.name)
            if found is None or found.sha256 != one.sha256:
                raise InputError(
                    f"{one.name}: the segment that was sealed is no longer there",
                    hint="go on in the workspace that took it, or put the segment back",
                    file=one.name,
                )
            if one.init_name:
                copy(one.init_name)

    def _write_playlist(self) -> Path:
        """The recording as it is taken in: the place's own playlist where it says the same."""
        entries = [one.entry for one in self._landing.ordered()]
        if not entries:
            raise InputError("not one segment landed", hint="check the place and its playlist")
        file = self._copies / self.playlist
        text = media.closed(entries)
        own = self._own_playlist()
        if own:
            named = media.listing(own, name=self.playlist)
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

    # --- sealing and searching --------------------------------------------------------------

    def seal(self, seal: Seal) -> None:
        """Seal a part; where the store is away it is done with the next one."""
        self._behind.append(seal)
        try:
            while self._behind:
                self._put(self._behind[0])
                self._behind.pop(0)
        except EvidenceError as error:
            if not error.transient or seal.last:
                raise
            self._say(f"part {seal.number} waits for the store: {error.message}")

    def _put(self, seal: Seal) -> None:
        """Write a seal, with the segments and events that no seal has told of yet."""
        taken = [self._landing.taken[n] for n in sorted(self._landing.taken)]
        fresh = tuple(one for one in taken if one not in self._told)
        events = tuple(e for e in self._landing.events if e not in self._told)
        asked = seal.model_copy(update={"taken": fresh, "events": events})
        kept = self.journal.put(asked)
        if kept.at_utc_ms != seal.at_utc_ms:
            return  # the part stood as it is: what is new is told with the next one
        self._told |= {*fresh, *events}
        if kept.version > 1:
            self._say(f"part {kept.number}: version {kept.version}")

    def searchable(self, lag: Lag | None) -> None:
        """Note that a chunk can be searched now."""
        if lag is not None:
            self._lags.append(lag)
            at, behind = lag.media_end_ms / 1000, lag.after_landing_ms / 1000
            self._say(f"searchable to {at:.1f} s, {behind:.1f} s after its segment landed")

    @property
    def app(self) -> Application:
        """The workspace."""
        return self._app

    @property
    def playlist(self) -> str:
        """Name of the recording's playlist."""
        return self._place.playlist or PLAYLIST

    @property
    def pace(self) -> Pace:
        """How it is followed."""
        return self._pace

    def say(self, text: str) -> None:
        """Tell the operator."""
        self._say(text)


class _Pass:
    """One reading of the segments from the first to the end of the broadcast."""

    def __init__(self, session: Session) -> None:
        self._session, app = session, session.app
        self._listening = Listening(
            session.broadcast, app.transcriber, app.settings.transcribe, session.heard
        )
        self._landed = Landed(lambda: self._sound.read_ms)
        self._stretches: list[Stretch] = []
        self._number, self._next_ms = 1, session.pace.seal_ms
        self._indexed = -1
        pieces = session.pieces(self._landed)
        self._sound = media.Growing(map(session.piece, pieces), name=session.playlist)

    def run(self) -> None:
        """Hear everything; seal and index on the way."""
        try:
            for items in self._listening.hear(self._sound.audio(), step=1):
                for item in items:
                    self._take(item)
        except NoAudio as error:
            self._session.say(error.message)
        self._seal(last=True)

    def _take(self, item: Item) -> None:
        what = item.what
        clock = self._clock(what.end_ms)
        self._listening.place(item, [s for s in clock.spans if s.recording_index == 0])
        sound = self._listening.cache.digest(what) if isinstance(what, Chunk) else ""
        self._stretches.append(stretch_of(item, sound=sound))
        if sound and self._index(clock):
            self._session.searchable(self._landed.lag(what.end_ms))
        if what.end_ms >= self._next_ms:
            self._seal(last=False)

    def _seal(self, *, last: bool) -> None:
        self._session.seal(
            Seal(
                number=self._number,
                stretches=tuple(self._stretches),
                last=last,
                holes=tuple(self._sound.holes) if last else (),
                at_utc_ms=time.time_ns() // 1_000_000,
            )
        )
        end_ms = self._stretches[-1].end_ms if self._stretches else 0
        step = self._session.pace.seal_ms
        self._number, self._next_ms = self._number + 1, (end_ms // step + 1) * step
        self._stretches = []

    def _clock(self, end_ms: int) -> ClockMap:
        """The clock map of what was read so far."""
        broadcast = self._session.broadcast
        starts = {one.file: one.started_at for one in broadcast.recordings}
        recording = media.RecordingClock(
            duration_ms=end_ms,
            started_at=starts.get(self._session.playlist),
            holes=self._sound.holes,
            program_dates=self._sound.program_dates,
        )
        return media.build(
            [recording],
            broadcast_started_at=broadcast.started_at,
            uncertainty_ms=broadcast.started_at_uncertainty_ms,
            zone_minutes=broadcast.zone_minutes,
        )

    def _index(self, clock: ClockMap) -> bool:
        """Make what was heard so far searchable; whether that worked now."""
        end_ms = max((s.end_ms for s in clock.spans), default=0)
        transcript = self._listening.transcript(end_ms)
        revision = Revision(
            number=0,
            input_id="live",
            broadcast=self._session.broadcast,
            clock_map=clock,
            duration_ms=end_ms,
        )
        made = documents_of(revision, transcript=transcript, screen=None, claims=None)
        summary, *lines = made
        index = self._session.app.index
        try:
            if self._indexed < 0:
                index_room.index_broadcast(
                    index, revision, transcript=transcript, screen=None, claims=None
                )
            else:
                index.put([*lines[self._indexed :], summary])
        except EvidenceError as error:
            if not error.transient:
                raise
            self._session.say(f"the index is away: {error.message}")
            return False
        self._indexed = len(lines)
        return True


def _prefix(broadcast: Broadcast) -> str:
    return prefix_of(
        broadcast.broadcast_id, platform=broadcast.platform, merchant_id=broadcast.merchant_id
    )


def _required(described: bytes | None) -> bytes:
    if described is None:
        raise InputError(
            "a broadcast on air needs a description",
            hint="put broadcast.json beside the segments, or name it with --broadcast",
        )
    return described
