"""A broadcast on air: its segments become words that can be searched while it goes on.

Segments are taken as they land (``ingest/landing.py``) and run through the very code that reads
a finished recording: decoded, cut at pauses, recognised chunk by chunk. Parts of a minute or more
are sealed in the store (``journal.py``); lines and provisional claims are put into the index. A segment that comes
late makes the whole run again from the first segment: what was heard is known by its sound,
so only the chunks that the late segment changes are recognised, and sealed as new versions.
At the end the recording goes the ordinary way (:mod:`pipeline.plan`), which hears nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pipeline import logs
from pipeline.archive import prefix_of
from pipeline.bootstrap import Application
from pipeline.errors import EvidenceError, NoAudio
from pipeline.ingest.formats import parse_broadcast
from pipeline.ingest.places import Place
from pipeline.ingest.range_tail import RangeTail
from pipeline.ingest.tails import Tail, required
from pipeline.journal import Journal, Seal, Stretch, stretch_of, taken_in
from pipeline.live_index import Shown
from pipeline.live_intake import Intake, SegmentIntake, TookLate
from pipeline.live_lag import Lag, Landed, Pace
from pipeline.live_stream import StreamIntake
from pipeline.media import run as media
from pipeline.model import Broadcast, ClockMap
from pipeline.patience import STORE, Standing
from pipeline.provenance import sha256_hex
from pipeline.transcribe.chunks import Chunk
from pipeline.transcribe.readings import Item
from pipeline.transcribe.run import Listening


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


class Session:
    """One broadcast that is followed; made anew after a kill, it continues.

    Args:
        app: The workspace.
        place: Where segments land, or what grows.
        broadcast_file: Its description, where none lies in the place.
        pace: How it is followed.
        say: Tells the operator.
    """

    def __init__(
        self,
        app: Application,
        place: Place | Tail,
        *,
        broadcast_file: Path | None = None,
        pace: Pace | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.app, self._place, self.pace, self.say = app, place, pace or Pace(), say
        described = broadcast_file.read_bytes() if broadcast_file else place.description()
        self._description = required(described)
        self.broadcast, _ = parse_broadcast(self._description, file_name="broadcast.json")
        self.prefix = _prefix(self.broadcast)
        # A day more than from now on: when it will end is not known yet.
        days = app.settings.keep_days(self.broadcast.merchant_id) + 1
        until = datetime.now(UTC) + timedelta(days=days)
        self.journal = Journal(app.store, self.prefix, retain_until=until)
        self.folder = app.scratch / f"live-{sha256_hex(self.prefix.encode())[:24]}"
        self.intake: Intake
        self._lags: list[Lag] = []
        self._behind: list[Seal] = []
        self._wait = Standing(app.scratch, STORE, self.broadcast.broadcast_id)

    @property
    def heard(self) -> Path:
        """Where readings are kept until the broadcast is finished."""
        return self.folder / "heard"

    def follow(self) -> Followed:
        """Listen until the broadcast has ended and every part is sealed.

        Raises:
            InputError: nothing came at all. StoreUnavailable: the place is away.
        """
        amends = self.journal.ended()
        name = self.broadcast.broadcast_id
        with self.app.working_on(name), logs.about(broadcast=name, stage="live"):
            self.intake = self._taken_up()
            try:
                while not self._passed():
                    self.say("something came late: read again from the first")
            finally:
                self.intake.close()
                self._wait.end()
            recording = self.intake.recording()
        file = self.folder / "broadcast.json"
        file.write_bytes(self._description)
        return Followed(recording, file, amends, tuple(self._lags))

    def _taken_up(self) -> Intake:
        """What is listened to, where an earlier session stopped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        intake = self._intake()
        intake.restore(*taken_in(self.journal.seals()))
        return intake

    def _intake(self) -> Intake:
        place = self._place
        if not isinstance(place, Place):
            return StreamIntake(place, self.folder, self.pace, self.say)
        while (ranges := place.names_ranges()) is None:
            self.pace.alive()
            time.sleep(self.pace.every_s)
        if not ranges:
            return SegmentIntake(place, self.folder, self.pace, self.say)
        tail = RangeTail(
            place.files,
            playlist=place.playlist,
            marker=place.marker,
            patience_s=self.pace.patience_s,
        )
        return StreamIntake(tail, self.folder, self.pace, self.say)

    def _passed(self) -> bool:
        try:
            _Pass(self).run()
        except TookLate:
            return False
        return True

    # --- sealing and searching --------------------------------------------------------------

    def seal(self, seal: Seal) -> None:
        """Seal a part; where the store is away it is done with the next one."""
        self._behind.append(seal)
        try:
            while self._behind:
                self._put(self._behind[0])
                self._behind.pop(0)
            self._wait.end()
        except EvidenceError as error:
            if not error.transient or seal.last:
                raise
            self._wait.begin(error.message)
            self.say(f"part {seal.number} waits for the store: {error.message}")

    def _put(self, seal: Seal) -> None:
        """Write a seal, with the segments and events that no seal has told of yet."""
        with logs.about(chunk=f"part {seal.number}"):
            self._write(seal)

    def _write(self, seal: Seal) -> None:
        taken, events = self.intake.fresh()
        kept = self.journal.put(seal.model_copy(update={"taken": taken, "events": events}))
        if kept.at_utc_ms != seal.at_utc_ms:
            return  # the part stood as it is: what is new is told with the next one
        logs.line("part_sealed", version=kept.version, last=kept.last)
        self.intake.tell(taken, events)
        if kept.version > 1:
            self.say(f"part {kept.number}: version {kept.version}")

    def searchable(self, lag: Lag | None) -> None:
        """Note that a chunk can be searched now."""
        if lag is not None:
            self._lags.append(lag)
            at, behind = lag.media_end_ms / 1000, lag.after_landing_ms / 1000
            self.say(f"searchable to {at:.1f} s, {behind:.1f} s after its segment landed")


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
        self._shown = Shown(app, session.broadcast, session.say)
        self._end_ms = 0
        self._sound = session.intake.sound(self._landed)

    def run(self) -> None:
        """Hear everything; seal and index on the way."""
        try:
            self._hear()
            self._seal(last=True)
        finally:
            self._shown.rest()

    def _hear(self) -> None:
        try:
            for items in self._listening.hear(self._sound.audio(), step=1):
                for item in items:
                    self._take(item)
        except NoAudio as error:
            self._session.say(error.message)

    def _take(self, item: Item) -> None:
        what = item.what
        clock = self._clock(what.end_ms)
        self._listening.place(item, [s for s in clock.spans if s.recording_index == 0])
        sound = self._listening.cache.digest(what) if isinstance(what, Chunk) else ""
        self._stretches.append(stretch_of(item, sound=sound))
        self._end_ms = what.end_ms
        if sound and self._show(detect=False):
            self._session.searchable(self._landed.lag(what.end_ms))
        if what.end_ms >= self._next_ms:
            self._seal(last=False)

    def _seal(self, *, last: bool) -> None:
        """Seal what was heard since the seal before, and look what is claimed by now."""
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
        if self._end_ms:
            self._show(detect=True)

    def _clock(self, end_ms: int) -> ClockMap:
        """The clock map of what was read so far."""
        broadcast = self._session.broadcast
        starts = {one.file: one.started_at for one in broadcast.recordings}
        recording = media.RecordingClock(
            duration_ms=end_ms,
            started_at=starts.get(self._session.intake.name),
            holes=self._sound.holes,
            program_dates=self._sound.program_dates,
        )
        return media.build(
            [recording],
            broadcast_started_at=broadcast.started_at,
            uncertainty_ms=broadcast.started_at_uncertainty_ms,
            zone_minutes=broadcast.zone_minutes,
        )

    def _show(self, *, detect: bool) -> bool:
        """Make what was heard so far searchable; whether that worked now."""
        clock = self._clock(self._end_ms)
        end_ms = max((s.end_ms for s in clock.spans), default=0)
        transcript = self._listening.transcript(end_ms)
        if detect and not self._shown.detect(transcript):
            return True  # it was shown with its last chunk
        return self._shown.show(transcript, clock, end_ms)


def _prefix(broadcast: Broadcast) -> str:
    return prefix_of(
        broadcast.broadcast_id, platform=broadcast.platform, merchant_id=broadcast.merchant_id
    )
