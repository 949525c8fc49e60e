"""Forgetting a person: the key of their orders is destroyed, and a signed record says so.

    forgotten/<subject>/000001.json     keyed hash of the person, and hashes of what became unreadable

The encrypted objects stay where they are and can never be read again; whatever was sealed before,
and every other hash in the store, stays as it was.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from pipeline.cases.orders import OrderBook
from pipeline.errors import NotFound
from pipeline.evidence.signed import opened, signed
from pipeline.evidence.signing import Signer
from pipeline.ports import ObjectStore
from pipeline.provenance import VERSION, sha256_hex
from pipeline.timeline import utc_ms

PREFIX = "forgotten/"


class Ask(NamedTuple):
    """Who asks, why, and when."""

    by: str
    why: str
    writer: str
    now: datetime
    retain_until: datetime


class Forgotten(NamedTuple):
    """What was done."""

    subject: str
    """Keyed hash of the person."""
    objects: int
    """Stored versions of orders that nobody can read any more."""
    record: str
    """Key of the signed record."""
    new: bool
    """False: it had been done before."""


def forget(
    book: OrderBook, store: ObjectStore, hashed_subject: str, *, signer: Signer, ask: Ask
) -> Forgotten:
    """Destroy a person's key; run again, it writes the record that an interrupted run left out.

    Raises:
        NotFound: nothing is kept under this person. UnderHold: a case forbids it.
        ConfigError: the key file cannot be removed, or there is no key to sign with.
    """
    kept = list(book.of_subject(hashed_subject))
    if not kept:
        raise NotFound(
            "nothing is kept under this person",
            hint="give the buyer's id as imported, or one of their orders with --order",
        )
    known = {key: sha256_hex(data) for key, data, _ in kept}
    destroyed = book.erase(hashed_subject)
    number, last = _newest(store, hashed_subject)
    if not destroyed and last is not None and known.keys() <= _listed(last):
        return Forgotten(hashed_subject, len(known), _key(hashed_subject, number), new=False)
    body = signed(_record(hashed_subject, known, ask), signer)
    while not store.put_if_absent(
        _key(hashed_subject, number + 1), body, retain_until=ask.retain_until
    ):
        number += 1
    return Forgotten(hashed_subject, len(known), _key(hashed_subject, number + 1), new=True)


def _key(hashed_subject: str, number: int) -> str:
    return f"{PREFIX}{hashed_subject}/{number:06d}.json"


def _newest(store: ObjectStore, hashed_subject: str) -> tuple[int, dict[str, Any] | None]:
    keys = [stat.key for stat in store.list(f"{PREFIX}{hashed_subject}/")]
    if not keys:
        return 0, None
    return int(max(keys)[-11:-5]), opened(store.read(max(keys)), name=max(keys))[0]


def _listed(record: dict[str, Any]) -> set[str]:
    return {row["key"] for row in record["objects"]}


def _record(hashed_subject: str, known: dict[str, str], ask: Ask) -> dict[str, Any]:
    return {
        "format": "replay-evidence-forgotten",
        "schema_version": 1,
        "subject": hashed_subject,
        "key": "destroyed",
        "objects": [{"key": key, "sha256": known[key]} for key in sorted(known)],
        "by": ask.by,
        "why": ask.why,
        "at_utc_ms": utc_ms(ask.now),
        "writer": ask.writer,
        "program": f"replay-evidence {VERSION}",
    }
