"""Archived objects of a folder: a marker beside the object says that it lies on a slow medium.

``.evidence/cold/<key>`` is JSON: ``storage_class`` (a word for people), ``takes_s`` (how long it
takes to come back), and once it was asked for ``ready_utc_ms`` and ``until_utc_ms``. Whoever moves
files to tape or to a disk on a shelf writes it (beside it, then renamed over it, so that nobody
reads half of one), and removes it for good when they are back.
"""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from pipeline.errors import ObjectArchived, UnknownFormat
from pipeline.ingest.disk import translated
from pipeline.ingest.keys import checked
from pipeline.model import Frozen
from pipeline.ports import Tier, Warmth
from pipeline.timeline import utc_ms

_DAY_MS = 86_400_000
_SHARE = {"expedited": 10, "standard": 1, "bulk": 1}
"""A folder has one medium; in haste it is fetched before the others."""


class _Mark(Frozen):
    storage_class: str = "ARCHIVED"
    takes_s: int = 0
    ready_utc_ms: int | None = None
    until_utc_ms: int | None = None


class ColdMarks:
    """The markers of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def warmth(self, key: str) -> Warmth:
        """By the marker and the clock."""
        mark = self._read(key)
        if mark is None:
            return Warmth()
        now = utc_ms(datetime.now(UTC))
        if mark.ready_utc_ms is None or mark.until_utc_ms is None or now >= mark.until_utc_ms:
            return Warmth("cold", mark.storage_class, takes_s=mark.takes_s)
        if now < mark.ready_utc_ms:
            return Warmth("restoring", mark.storage_class)
        return Warmth("restored", mark.storage_class, mark.until_utc_ms)

    def require(self, key: str) -> None:
        """See that the object can be read.

        Raises:
            ObjectArchived: it cannot.
        """
        warmth = self.warmth(key)
        if not warmth.readable:
            raise ObjectArchived(
                f"{key}: lies in {warmth.storage_class} ({warmth.state})",
                hint="it is archived; ask for it: evidence restore BROADCAST",
            )

    def mark(self, key: str, *, storage_class: str, takes_s: int) -> None:
        """Say that an object is away."""
        self._write(key, _Mark(storage_class=storage_class, takes_s=takes_s))

    def ask(self, key: str, *, days: int, tier: Tier) -> bool:
        """Ask for it; whether this call did."""
        mark, warmth = self._read(key), self.warmth(key)
        if mark is None or warmth.state == "restoring":
            return False
        now = utc_ms(datetime.now(UTC))
        ready = now if warmth.readable else now + mark.takes_s * 1000 // _SHARE[tier]
        until = ready + days * _DAY_MS
        self._write(key, mark.model_copy(update={"ready_utc_ms": ready, "until_utc_ms": until}))
        return True

    def _read(self, key: str) -> _Mark | None:
        place = self._folder / checked(key)
        with translated(key):
            try:
                return _Mark.model_validate_json(place.read_bytes())
            except (FileNotFoundError, NotADirectoryError):
                return None
            except ValidationError as error:
                raise UnknownFormat(
                    f"{place}: is no marker of an archived object", hint="correct or remove it"
                ) from error

    def _write(self, key: str, mark: _Mark) -> None:
        place = self._folder / checked(key)
        with translated(key):
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.with_name(f".{os.getpid()}-{uuid.uuid4().hex[:8]}")
            draft.write_text(json.dumps(mark.model_dump(exclude_none=True)), encoding="utf-8")
            draft.replace(place)
