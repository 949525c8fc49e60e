"""Disposal of broadcasts whose retention has ended: by a plan alone, and leaving a signed record.

    disposals/<plan>/begun.json     the whole plan, signed, before anything is removed
    disposals/<plan>/done.json      what was removed, with hashes, signed, after everything is

A broadcast's custody (its events, rolls and proofs) is never removed: it shows what there was, and
every bundle that was sealed before still verifies. This is the only module that removes objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from pipeline.archive import Archive
from pipeline.errors import PlanOutdated, UnderHold
from pipeline.evidence import custody, holds
from pipeline.evidence.disposal_plan import (
    Doomed,
    KeepDays,
    Leaving,
    Plan,
    held_by,
    kept_until,
    leaving_of,
    plain,
    read_plan,
    stats_of,
)
from pipeline.evidence.signed import opened, signed
from pipeline.evidence.signing import Signer
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes, content_id
from pipeline.timeline import utc_ms

PREFIX = "disposals/"


class Desk(NamedTuple):
    """What carrying out a plan needs."""

    archive: Archive
    signer: Signer
    drop: Callable[[str], int]
    """Removes a broadcast's documents from the index."""
    keep_days: KeepDays
    by: str
    writer: str
    now: datetime
    retain_until: datetime
    """For the records of the disposal itself."""


class Disposed(NamedTuple):
    """What was done."""

    plan_id: str
    broadcasts: tuple[str, ...]
    objects: int
    size_bytes: int
    record: str
    """Key of the signed record."""
    new: bool
    """False: everything had been done before."""


def carry_out(plan: Plan, desk: Desk) -> Disposed:
    """Remove exactly what the plan says; run again, it finishes what was interrupted.

    Raises:
        PlanOutdated: something is no longer as planned; nothing was removed.
        UnderHold: a case holds one of the broadcasts, or its retention was lengthened.
        ConfigError: there is no key to sign with; nothing was removed.
    """
    store, room = desk.archive.store, f"{PREFIX}{plan.plan_id}"
    whole = Disposed(
        plan.plan_id,
        tuple(item.broadcast_id for item in plan.broadcasts),
        sum(len(item.objects) for item in plan.broadcasts),
        plan.size_bytes,
        f"{room}/done.json",
        new=False,
    )
    if not plan.broadcasts or store.stat(whole.record) is not None:
        return whole
    begun = f"{room}/begun.json"
    resumed = store.stat(begun) is not None
    for item in plan.broadcasts:
        _require_same(item, desk, resumed=resumed)
    _put_signed(desk, begun, _record(plan, desk, "begun"))
    for item in plan.broadcasts:
        _dispose(item, plan, desk)
    _put_signed(desk, whole.record, _record(plan, desk, "done"))
    return whole._replace(new=True)


def _require_same(item: Leaving, desk: Desk, *, resumed: bool) -> None:
    store = desk.archive.store
    holds.refuse_held(store, item.prefix)
    there = list(stats_of(desk.archive, item.prefix, _days(item)))
    planned = {(one.key, one.size_bytes, one.etag) for one in item.objects}
    found = {(stat.key, stat.size_bytes, stat.etag) for stat in there}
    if found - planned or (not resumed and found != planned):
        raise _outdated(item, len(found ^ planned))
    if resumed:
        return
    until = kept_until(desk.archive, item.prefix, desk.keep_days)
    if until is None or until > utc_ms(desk.now):
        raise UnderHold(
            f"{item.broadcast_id}: is to be kept longer than when the plan was made",
            hint="make a new plan: evidence dispose --plan plan.json",
        )
    if leaving_of(desk.archive, item.prefix, item.retain_until_utc_ms) != item:
        raise _outdated(item, 1)
    held = held_by(store, item, desk.now)
    if held:
        raise UnderHold(f"{item.broadcast_id}: is held by {', '.join(held)}", hint="see the plan")


def _days(item: Leaving) -> set[str]:
    keys = (one.key for one in item.objects if one.key.startswith("catalogue/"))
    return {key.split("/")[1] for key in keys}


def _outdated(item: Leaving, count: int) -> PlanOutdated:
    return PlanOutdated(
        f"{item.broadcast_id}: {count} objects are not as they were when the plan was made",
        hint="make a new plan and read it: evidence dispose --plan plan.json",
    )


def _dispose(item: Leaving, plan: Plan, desk: Desk) -> None:
    """Documents, objects, the custody event; the place in the catalogue last."""
    store = desk.archive.store
    desk.drop(item.broadcast_id)
    catalogue = [one for one in item.objects if one.key.startswith("catalogue/")]
    for one in item.objects:
        if one not in catalogue:
            _remove(store, item, one)
    _note(item, plan, desk)
    for one in catalogue:
        _remove(store, item, one)


def _remove(store: ObjectStore, item: Leaving, one: Doomed) -> None:
    """The only place at which an object is removed: no case may hold its broadcast."""
    holds.refuse_held(store, item.prefix)
    store.dispose(one.key, if_match=one.etag)


def _note(item: Leaving, plan: Plan, desk: Desk) -> None:
    store = desk.archive.store
    events = custody.events_of(store, item.prefix)
    if any(e.body.get("about", {}).get("plan") == plan.plan_id for e in events):
        return
    about = {
        "plan": plan.plan_id,
        "record": f"{PREFIX}{plan.plan_id}/done.json",
        "why": plan.why,
        "objects": len(item.objects),
        "size_bytes": sum(one.size_bytes for one in item.objects),
        "recordings": list(item.recordings),
        "listed": content_id(plain(item)),
    }
    where = (item.prefix, item.broadcast_id)
    custody.record_at(
        store,
        where,
        "disposed",
        writer=desk.writer,
        by=desk.by,
        about=about,
        retain_until=desk.retain_until,
    )


def _record(plan: Plan, desk: Desk, state: str) -> dict[str, Any]:
    return {
        "format": "replay-evidence-disposal",
        "schema_version": 1,
        "state": state,
        "plan_id": plan.plan_id,
        "plan": plain(plan),
        "by": desk.by,
        "writer": desk.writer,
        "at_utc_ms": utc_ms(desk.now),
    }


def _put_signed(desk: Desk, key: str, record: dict[str, Any]) -> None:
    body = signed(record, desk.signer)
    desk.archive.store.put_if_absent(key, body, retain_until=desk.retain_until)


# --- what was disposed of -------------------------------------------------------------------------


def disposals(store: ObjectStore) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every record of a disposal: its key, the record, and the key that signed it.

    Raises:
        HashMismatch: a signature does not fit. UnknownFormat.
    """
    for stat in store.list(PREFIX):
        record, signer = opened(store.read(stat.key), name=stat.key)
        yield stat.key, record, signer


def disposed(store: ObjectStore) -> Iterator[Leaving]:
    """The broadcasts that were, or are being, disposed of: of them nothing but custody is left."""
    for stat in store.list(PREFIX):
        if stat.key.endswith("/begun.json"):
            record, _ = opened(store.read(stat.key), name=stat.key)
            plan = read_plan(canonical_bytes(record["plan"]), name=stat.key)
            yield from plan.broadcasts
