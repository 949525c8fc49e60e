"""Records of work: producers, stage outputs, revisions, releases, the catalogue."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from pipeline.model.base import Frozen
from pipeline.model.broadcast import Broadcast
from pipeline.model.media import ClockMap, Recording
from pipeline.timeline import from_utc_ms

StageName = Literal["ingest", "transcribe", "keyframes", "claims", "viewing"]


class Producer(Frozen):
    """What made an output; enough to make it again."""

    stage: StageName
    """Which stage."""
    version: str
    """Version of the stage's code that can change bytes."""
    model: str = ""
    """Model or rule set name."""
    model_digest: str = ""
    """SHA-256 of the model or the rules."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """Every setting that can change bytes."""


class Output(Frozen):
    """The pointer from a work key to the bytes that came out."""

    stage: StageName
    """Which stage."""
    work_key: str
    """What was asked for."""
    content: str
    """SHA-256 of the pack."""
    key: str
    """Key of the pack in the object store."""
    size_bytes: int
    """Of the pack."""
    records: int
    """Records in the pack."""
    producer: Producer
    """What made it."""


class Revision(Frozen):
    """One version of a broadcast's input."""

    schema_version: int = 1
    """Version of this form."""
    number: int
    """1 for the first."""
    input_id: str
    """Hash over everything given: description, recordings, transcript."""
    broadcast: Broadcast
    """As parsed."""
    recordings: tuple[Recording, ...] = ()
    """As stored; empty when processed from a transcript alone."""
    clock_map: ClockMap
    """Timeline to media and wall clock."""
    duration_ms: int
    """End of the timeline."""
    given_transcript: str = ""
    """Content id of a supplied transcript; empty when recognised."""
    warnings: tuple[str, ...] = ()
    """What was odd about the input."""
    retain_until_utc_ms: int | None = None
    """Nothing of this broadcast may be deleted before."""

    @property
    def retain_until(self) -> datetime | None:
        """The same as an instant."""
        until_ms = self.retain_until_utc_ms
        return None if until_ms is None else from_utc_ms(until_ms)


class Release(Frozen):
    """Which outputs together are the state of a broadcast; the highest number is current."""

    schema_version: int = 1
    """Version of this form."""
    number: int
    """1 for the first."""
    revision: int
    """The revision it was made from."""
    outputs: tuple[Output, ...]
    """One for each stage that ran."""


class CatalogueEntry(Frozen):
    """One broadcast in its day's catalogue."""

    broadcast_id: str
    """Which."""
    prefix: str
    """Where its objects lie."""
    day: str
    """Broadcast day in the broadcast's own offset, ``YYYY-MM-DD``; ``undated`` without one."""
    release: int
    """Current release."""
    digest: str
    """Content id of the release."""
    counts: dict[str, int]
    """Segments, keyframes, screen lines, claims, gaps, milliseconds."""
