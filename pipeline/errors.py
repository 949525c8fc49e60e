"""Every error the pipeline raises, as one tree.

    EvidenceError (code, hint, transient=False)
    ├ ConfigError
    ├ InputError (file, where)          a file a person gave cannot be used as it is
    │ └ DuplicateBroadcast              same id, other content, no amendment asked for
    ├ RuleError (file, rule_id, field)
    ├ SourceError
    │ ├ ObjectMissing
    │ ├ ObjectChanged
    │ ├ ObjectArchived                  its storage class wants a restore first
    │ ├ AccessDenied
    │ └ StoreUnavailable                transient
    ├ MediaError
    │ ├ UnreadableMedia
    │ ├ NoAudio
    │ ├ NoVideo
    │ ├ TimelineBroken
    │ ├ OutsideReference                a playlist names something outside its folder
    │ ├ Hung                            its process was ended: it said nothing for too long
    │ ├ Crashed                         its process ended by itself
    │ │ └ Killed                        transient: from outside
    │ └ SetAside                        it failed so too often and waits for a person's word
    ├ ModelError
    │ ├ ModelMissing
    │ └ TranscriptionFailed
    ├ IndexingError
    │ ├ IndexUnavailable                transient
    │ ├ MappingConflict
    │ ├ QueryError                      the place in the query is marked
    │ ├ PartialWrite                    names the items that failed
    │ └ TooManyChanges                  index and store differ in too much to change it unasked
    ├ IntegrityError
    │ ├ HashMismatch
    │ ├ EntryMissing
    │ ├ EntryUnlisted
    │ └ UnknownFormat
    ├ DiskShort                         work refused before it began
    │ └ NoRoom                          transient: parked until the worker has room
    ├ MemoryShort                       work refused by a worker whose memory it does not fit
    ├ NotFound
    ├ NotAllowed                        the role of who asks lacks the right
    └ NoticeFailed                      transient: a receiver of webhooks does not take them

Adapters translate foreign exceptions at their border, so nothing above an
adapter ever sees a botocore, ffmpeg, SQLite or Elasticsearch exception.
``transient`` alone decides whether a retry makes sense. ``exit_code`` is the
command's exit status for the class and is part of the public interface.
"""

from __future__ import annotations

from typing import ClassVar


class EvidenceError(Exception):
    """An error a person can act on.

    Args:
        message: What went wrong and where, in one sentence.
        hint: What to do next, in one sentence; empty when there is nothing to add.
    """

    code: ClassVar[str] = "error"
    transient: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} — {self.hint}" if self.hint else self.message

    def as_dict(self) -> dict[str, object]:
        """The error as the JSON object that ``--json`` prints on standard error."""
        return {
            "error": self.code,
            "message": self.message,
            "hint": self.hint,
            "transient": self.transient,
        }


class ConfigError(EvidenceError):
    """A setting is missing, unknown or contradicts another."""

    code = "config"
    exit_code = 3


class InputError(EvidenceError):
    """A file a person gave cannot be used; ``where`` is a line, a field or a time."""

    code = "input"
    exit_code = 4

    def __init__(self, message: str, *, hint: str = "", file: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.where = where


class DuplicateBroadcast(InputError):
    """The broadcast id is known with other content and no amendment was asked for."""

    code = "duplicate_broadcast"


class RuleError(EvidenceError):
    """A rule file breaks its schema; names the file, the rule and the field."""

    code = "rule"
    exit_code = 5

    def __init__(
        self, message: str, *, hint: str = "", file: str = "", rule_id: str = "", field: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.rule_id = rule_id
        self.field = field


class SourceError(EvidenceError):
    """The object store could not give or take an object."""

    code = "source"
    exit_code = 6


class ObjectMissing(SourceError):
    """No object under this key (or no bucket of this name)."""

    code = "object_missing"


class ObjectChanged(SourceError):
    """The object is no longer the one that was first looked at."""

    code = "object_changed"


class ObjectArchived(SourceError):
    """The object lies in an archived storage class and must be restored before it is read."""

    code = "object_archived"


class AccessDenied(SourceError):
    """The store refused the credentials or the action."""

    code = "access_denied"


class StoreUnavailable(SourceError):
    """The store did not answer, or asked to come back later."""

    code = "store_unavailable"
    transient = True


class MediaError(EvidenceError):
    """A recording cannot be used."""

    code = "media"
    exit_code = 7


class UnreadableMedia(MediaError):
    """The bytes are not a recording that can be opened."""

    code = "unreadable_media"


class NoAudio(MediaError):
    """The recording has no audio stream."""

    code = "no_audio"


class NoVideo(MediaError):
    """The recording has no video stream."""

    code = "no_video"


class TimelineBroken(MediaError):
    """The recording's clocks cannot be brought onto one timeline."""

    code = "timeline_broken"


class OutsideReference(MediaError):
    """A playlist names a file outside its own folder or a foreign protocol."""

    code = "outside_reference"


class Hung(MediaError):
    """The process that worked on a recording was ended because nothing was heard of it."""

    code = "hung"


class Crashed(MediaError):
    """The process that worked on a recording ended by itself."""

    code = "crashed"


class Killed(Crashed):
    """The process that worked on a recording was ended from outside."""

    transient = True


class SetAside(MediaError):
    """A recording that hung or crashed its process too often is not tried unless a person says so."""

    code = "quarantined"


class ModelError(EvidenceError):
    """A recognition model cannot be used."""

    code = "model"
    exit_code = 8


class ModelMissing(ModelError):
    """The model's files are not there or are not the ones expected."""

    code = "model_missing"


class TranscriptionFailed(ModelError):
    """The model failed on a chunk although the audio could be read."""

    code = "transcription_failed"


class IndexingError(EvidenceError):
    """The search index could not do what was asked."""

    code = "index"
    exit_code = 9


class IndexUnavailable(IndexingError):
    """The index did not answer."""

    code = "index_unavailable"
    transient = True


class MappingConflict(IndexingError):
    """The index was made by another schema version."""

    code = "mapping_conflict"


class QueryError(IndexingError):
    """A query cannot be understood; ``position`` is the offending character's index."""

    code = "query"
    exit_code = 2

    def __init__(self, message: str, *, hint: str = "", position: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.position = position


class PartialWrite(IndexingError):
    """Some items of a bulk write failed; ``failed`` maps their ids to the reasons."""

    code = "partial_write"

    def __init__(
        self, message: str, *, hint: str = "", failed: dict[str, str] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.failed = failed or {}


class TooManyChanges(IndexingError):
    """Index and store differ in more than the share that may be changed unasked."""

    code = "too_many_changes"
    exit_code = 14


class IntegrityError(EvidenceError):
    """Stored bytes are not what their record says."""

    code = "integrity"
    exit_code = 10


class HashMismatch(IntegrityError):
    """Bytes do not have the hash recorded for them."""

    code = "hash_mismatch"


class EntryMissing(IntegrityError):
    """A listed entry is not there."""

    code = "entry_missing"


class EntryUnlisted(IntegrityError):
    """An entry is there that nothing lists."""

    code = "entry_unlisted"


class UnknownFormat(IntegrityError):
    """A stored object has a format version this program does not read."""

    code = "unknown_format"


class DiskShort(EvidenceError):
    """The work needs more disk than is free; nothing was begun."""

    code = "disk_short"
    exit_code = 11


class NoRoom(DiskShort):
    """This worker's disk budget is used up for now: the work is parked until there is room."""

    code = "parked"
    transient = True


class MemoryShort(EvidenceError):
    """The work does not fit the memory of this worker: another one may do it, no retry here."""

    code = "memory_short"
    exit_code = 15


class NotFound(EvidenceError):
    """No broadcast, claim or order of this id is known here."""

    code = "not_found"
    exit_code = 12


class NotAllowed(EvidenceError):
    """Whoever asks may not do this, whatever it is asked of."""

    code = "not_allowed"
    exit_code = 13


class UnderHold(NotAllowed):
    """A legal hold, or a retention that has not ended, forbids it; nobody may pass it."""

    code = "under_hold"


class PlanOutdated(EvidenceError):
    """What a plan speaks of is no longer as it was when the plan was made; nothing was done."""

    code = "plan_outdated"
    exit_code = 14


class NoticeFailed(EvidenceError):
    """A receiver of webhooks is away or refuses them."""

    code = "notice_failed"
    transient = True
