"""What was sealed while a broadcast was on air: parts of it, each heard once, in the store.

    live/<prefix>/<number>-v<version>.json    a part, numbered by conditional put
    live/<prefix>/end-<release>.json          what became of the whole

A part is sealed at the first pause after each minute and never altered. A segment that came
after that makes the next version of its part, beside the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from pipeline.archive import parsed
from pipeline.ingest.landing import Event, Taken
from pipeline.model import Frozen, Hole
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes, content_id
from pipeline.transcribe.chunks import Chunk, Quiet
from pipeline.transcribe.readings import Item, decoded, encoded


class Stretch(Frozen):
    """A chunk that was heard, or a quiet, in media time of the broadcast's one recording."""

    start_ms: int
    """Start."""
    end_ms: int
    """End, exclusive."""
    kind: Literal["chunk", "silence", "no_speech", "music_or_noise", "blank"]
    """What it is."""
    sound: str = ""
    """For a chunk: under what its reading is kept (a hash of its samples and pauses)."""
    pauses: tuple[tuple[int, int], ...] = ()
    """For a chunk: unvoiced stretches, from its start."""
    reading: JsonValue = None
    """For a chunk: what was heard."""
    loudness_db: int = 0
    """For a quiet."""
    prob_pm: int = 0
    """For a quiet: highest speech probability."""


class Seal(Frozen):
    """One version of one part."""

    schema_version: int = 1
    """Version of this form."""
    number: int
    """1 for the first part."""
    version: int = 1
    """1 unless segments came late."""
    stretches: tuple[Stretch, ...]
    """What it is made of, in order."""
    last: bool = False
    """Whether the broadcast ended with it."""
    holes: tuple[Hole, ...] = ()
    """With the last part: stretches of the whole that could not be decoded."""
    taken: tuple[Taken, ...] = ()
    """Segments taken since the part before was sealed."""
    events: tuple[Event, ...] = ()
    """What went wrong since then."""
    at_utc_ms: int = 0
    """When it was sealed."""

    @property
    def content(self) -> str:
        """Hash of what was heard, apart from when and how it came."""
        heard = self.model_dump(mode="json", include={"stretches", "last", "holes"})
        return content_id(heard)


class Ending(Frozen):
    """The end of a broadcast on air, compared with what the batch makes of the same segments."""

    schema_version: int = 1
    """Version of this form."""
    release: int
    """Release that was made from it."""
    segments: int
    """Segments taken."""
    parts: int
    """Parts sealed."""
    versions: int
    """Versions of parts beyond the first."""
    transcript: str
    """Content id of the released transcript."""
    sealed_transcript: str
    """Content id of the transcript that the sealed parts add up to."""
    events: tuple[Event, ...]
    """Everything that went wrong."""
    at_utc_ms: int
    """When."""

    @property
    def agrees(self) -> bool:
        """Whether live and batch came to the same bytes."""
        return self.transcript == self.sealed_transcript


def stretch_of(item: Item, *, sound: str) -> Stretch:
    """An item for the record; its samples are left out."""
    what = item.what
    if isinstance(what, Quiet):
        return Stretch(
            start_ms=what.start_ms,
            end_ms=what.end_ms,
            kind=what.reason,
            loudness_db=what.loudness_db,
            prob_pm=what.prob_pm,
        )
    heard = encoded(item.reading).decode() if item.reading is not None else None
    return Stretch(
        start_ms=what.start_ms,
        end_ms=what.end_ms,
        kind="chunk",
        sound=sound,
        pauses=what.pauses,
        reading=heard,
    )


def item_of(stretch: Stretch) -> Item:
    """An item back from the record, without its samples."""
    import numpy as np

    low, high = stretch.start_ms, stretch.end_ms
    if stretch.kind != "chunk":
        return Item(Quiet(low, high, stretch.kind, stretch.loudness_db, stretch.prob_pm), None)
    chunk = Chunk(low, high, np.zeros(0, dtype=np.float32), stretch.pauses)
    return Item(chunk, decoded(str(stretch.reading).encode()))


class Journal:
    """The sealed parts of one broadcast."""

    def __init__(
        self, store: ObjectStore, prefix: str, *, retain_until: datetime | None = None
    ) -> None:
        """``retain_until``: parts written from now on are kept as long."""
        self._store, self._room, self._until = store, f"live/{prefix}", retain_until

    def seals(self) -> list[Seal]:
        """Every version of every part, in order."""
        found = [s.key for s in self._store.list(f"{self._room}/")]
        keys = [k for k in found if not k.rpartition("/")[2].startswith("end-")]
        return [parsed(self._store.read(key), Seal, name=key) for key in keys]

    def sealed_at(self, name: str) -> int:
        """When the part of this object name was sealed, UTC milliseconds."""
        key = f"{self._room}/{name}"
        return parsed(self._store.read(key), Seal, name=key).at_utc_ms

    def ended(self) -> bool:
        """Whether this broadcast has been finished once."""
        return next(iter(self._store.list(f"{self._room}/end-")), None) is not None

    def put(self, seal: Seal) -> Seal:
        """Seal a part, unless its newest version says the same; the one that stands."""
        while True:
            key = f"{self._room}/{seal.number:06d}-v{seal.version:03d}.json"
            if self._store.put_if_absent(key, _body(seal), retain_until=self._until):
                return seal
            other = parsed(self._store.read(key), Seal, name=key)
            if other.content == seal.content and not self._later(other):
                return other
            seal = seal.model_copy(update={"version": seal.version + 1})

    def _later(self, seal: Seal) -> bool:
        key = f"{self._room}/{seal.number:06d}-v{seal.version + 1:03d}.json"
        return self._store.stat(key) is not None

    def end(self, ending: Ending) -> None:
        """Record how it ended; the same ending twice is one."""
        key = f"{self._room}/end-{ending.release:06d}.json"
        self._store.put_if_absent(key, _body(ending), retain_until=self._until)

    def endings(self) -> list[Ending]:
        """All endings."""
        keys = [s.key for s in self._store.list(f"{self._room}/end-")]
        return [parsed(self._store.read(key), Ending, name=key) for key in keys]


def newest(seals: Iterable[Seal]) -> list[Seal]:
    """The newest version of each part, in order, up to the newest last one."""
    latest: dict[int, Seal] = {}
    for seal in seals:
        if seal.number not in latest or seal.version > latest[seal.number].version:
            latest[seal.number] = seal
    parts = [latest[n] for n in sorted(latest)]
    end = next((n for n, seal in enumerate(parts, start=1) if seal.last), len(parts))
    return parts[:end]


def taken_in(seals: Sequence[Seal]) -> tuple[list[Taken], list[Event]]:
    """Every segment and every event that seals speak of."""
    taken = {one.sequence: one for seal in seals for one in seal.taken}
    events = list(dict.fromkeys(e for seal in seals for e in seal.events))
    return [taken[n] for n in sorted(taken)], events


def _body(record: Frozen) -> bytes:
    return canonical_bytes(record.model_dump(mode="json"))
