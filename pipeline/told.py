"""Recordings that a message told of: which are new and complete, and when a message is dealt with.

    messages/<sha256 of its body>.json    a message set aside, with its reason

A message is deleted from its queue when what it tells of is done or set aside in the ledger, when it tells of nothing
that is waited for, or when it was itself set aside. Until then it may come again, here or on another machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pipeline.archive import parsed
from pipeline.bootstrap import Application
from pipeline.errors import EvidenceError, InputError
from pipeline.ingest.arrivals import Arrival, arrivals
from pipeline.ingest.fetch import BROADCAST_FILE, MEDIA, PLAYLISTS
from pipeline.ingest.messages import Letter, Mailbox, Written, folders, within, written
from pipeline.ledger import Ledger
from pipeline.model import Frozen
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes, sha256_hex

_KEPT_CHARS = 4000


class SetAside(Frozen):
    """A message that cannot be understood, or tells of something that is not watched."""

    reason: str
    """Why."""
    body: str
    """How it began."""
    at_utc_ms: int
    """When."""


class Waiting(NamedTuple):
    """A message and the places it tells of."""

    letter: Letter
    places: frozenset[str]


class Told:
    """Follows the messages of one mailbox.

    Args:
        app: The workspace.
        mailbox: Where they come from.
        places: Watched ``s3://`` places; what lies elsewhere is none of ours.
        marker: Name of the file a recorder writes last; empty where there is none.
        s3: Opens a bucket.
    """

    def __init__(
        self,
        app: Application,
        mailbox: Mailbox,
        places: Sequence[str],
        *,
        marker: str,
        s3: Callable[[str], ObjectStore],
    ) -> None:
        self._store, self._ledger = app.store, Ledger(app.store)
        self._mailbox, self._places, self._marker, self._s3 = mailbox, places, marker, s3
        self._waiting: dict[str, Waiting] = {}

    def arrivals(self, *, wait_s: float) -> list[Arrival]:
        """What the messages that wait tell of and the ledger does not know as done.

        Raises:
            StoreUnavailable, AccessDenied, ConfigError.
        """
        for letter in self._mailbox.receive(wait_s=wait_s):
            self._read(letter)
        places = sorted({p for one in self._waiting.values() for p in one.places})
        found = [a for place in places for a in self._at(place)]
        return [a for a in found if self._ledger.sheet(a.digest).standing == "waiting"]

    def settle(self) -> int:
        """Delete the messages whose recordings are taken: done, or set aside; how many."""
        settled = [one for one in self._waiting.values() if all(map(self._taken, one.places))]
        for one in settled:
            self._mailbox.delete(one.letter)
            del self._waiting[one.letter.letter_id]
        return len(settled)

    def _read(self, letter: Letter) -> None:
        try:
            told = [w for w in written(letter.body) if self._counts(w)]
            places = frozenset(self._place(one) for one in told)
        except InputError as error:
            set_aside(self._store, letter, f"{error.message} ({error.hint})")
            self._mailbox.delete(letter)
            self._waiting.pop(letter.letter_id, None)
            return
        if places:
            self._waiting[letter.letter_id] = Waiting(letter, places)
        else:
            self._mailbox.delete(letter)

    def _counts(self, one: Written) -> bool:
        """Whether this object says that a recording may be complete."""
        name = one.key.rpartition("/")[2]
        if self._marker:
            return name == self._marker
        suffix = f".{name.rpartition('.')[2].lower()}"
        return name == BROADCAST_FILE or suffix in MEDIA or suffix in PLAYLISTS

    def _place(self, one: Written) -> str:
        """The broadcast's folder: the highest with a description, else the object's own.

        Raises:
            InputError: it lies in no watched place.
        """
        place = within(one, self._places)
        if place is None:
            raise InputError(
                f"s3://{one.bucket}/{one.key}: lies in no watched place"[:500],
                hint="watch it, or let the bucket tell of watched prefixes alone",
            )
        store, own = self._s3(one.bucket), folders(one, place)
        described = (f for f in own if store.stat(f"{f}/{BROADCAST_FILE}") is not None)
        chosen = next(described, own[-1] if own else "")
        return f"s3://{one.bucket}/{chosen}"

    def _at(self, place: str) -> list[Arrival]:
        found = arrivals(f"{place}/", s3=self._s3, marker=self._marker)
        return [one for one in found if one.place.rstrip("/") == place.rstrip("/")]

    def _taken(self, place: str) -> bool:
        """Nothing lies there any more, or the ledger knows what became of it."""
        return all(self._ledger.sheet(a.digest).standing != "waiting" for a in self._at(place))


def set_aside(store: ObjectStore, letter: Letter, reason: str) -> None:
    """Keep a message that cannot be used, with the reason."""
    kept = SetAside(
        reason=reason[:_KEPT_CHARS],
        body=letter.body[:_KEPT_CHARS].decode("utf-8", "replace"),
        at_utc_ms=time.time_ns() // 1_000_000,
    )
    key = f"messages/{sha256_hex(letter.body)}.json"
    store.put_if_absent(key, canonical_bytes(kept.model_dump(mode="json")))


def all_set_aside(store: ObjectStore) -> Iterable[tuple[str, SetAside]]:
    """Every message that was set aside, by its name."""
    for stat in store.list("messages/"):
        try:
            yield stat.key, parsed(store.read(stat.key), SetAside, name=stat.key)
        except EvidenceError as error:
            if error.transient:
                raise
            yield stat.key, SetAside(reason=error.message, body="", at_utc_ms=0)
