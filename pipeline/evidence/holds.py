"""Legal holds by case: what they cover stays until the last case that covers it is lifted.

    holds/<case>/000001.json     one step of a case: held, held wider, lifted; never altered

The highest number of a case says how it stands. While a case holds, nothing of its broadcasts is
disposed of and no key of its orders' buyers is destroyed; where the store has legal holds of its
own they are set on every object as well, so that the server refuses by itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import Field

from pipeline.archive import encoded, parsed
from pipeline.errors import ConfigError, NotFound, UnderHold
from pipeline.model import Frozen
from pipeline.ports import ObjectStore
from pipeline.provenance import VERSION, canonical_bytes

PREFIX = "holds/"


class HeldBroadcast(Frozen):
    """A broadcast that a case covers."""

    broadcast_id: str
    """Its id."""
    prefix: str
    """Where its objects lie."""


class HeldOrder(Frozen):
    """An order that a case covers; only keyed hashes, so that forgetting later leaves no name."""

    order: str
    """Keyed hash of the order id."""
    subject: str
    """Keyed hash of the person whose key must stay."""


class Covered(Frozen):
    """What a case covers."""

    broadcasts: tuple[HeldBroadcast, ...] = ()
    """Broadcasts, also those that its orders lead to."""
    orders: tuple[HeldOrder, ...] = ()
    """Orders."""

    def and_also(self, other: Covered) -> Covered:
        """Both together, each thing once."""
        return Covered(
            broadcasts=tuple(dict.fromkeys((*self.broadcasts, *other.broadcasts))),
            orders=tuple(dict.fromkeys((*self.orders, *other.orders))),
        )


class Step(Frozen):
    """One step of a case."""

    schema_version: int = 1
    """Version of this form."""
    case: str
    """The case's name, as given; hostile text."""
    number: int
    """1 for the first step of the case."""
    action: Literal["hold", "lift"]
    """What was done."""
    covers: Covered = Field(default=Covered())
    """Everything the case covers after this step; of a lift, what it covered before."""
    by: str
    """Who did it."""
    why: str
    """Why."""
    at_utc_ms: int
    """When."""
    writer: str
    """The workspace."""
    program: str = f"replay-evidence {VERSION}"
    """What wrote it."""

    @property
    def key(self) -> str:
        """Where it lies."""
        return f"{PREFIX}{encoded(self.case)}/{self.number:06d}.json"


class Hand(NamedTuple):
    """Who does something about a case, why, and when."""

    by: str
    why: str
    at_utc_ms: int
    writer: str
    retain_until: datetime


def cases(store: ObjectStore) -> list[Step]:
    """The newest step of every case, by name.

    Raises:
        UnknownFormat: a step cannot be read. SourceError.
    """
    newest = {stat.key.rpartition("/")[0]: stat.key for stat in store.list(PREFIX)}
    return [parsed(store.read(key), Step, name=key) for key in newest.values()]


def holding(store: ObjectStore) -> list[Step]:
    """The cases that hold now."""
    return [step for step in cases(store) if step.action == "hold"]


def case_of(store: ObjectStore, case: str) -> Step | None:
    """How a case stands; None for one that never was."""
    keys = [stat.key for stat in store.list(f"{PREFIX}{encoded(case)}/")]
    return parsed(store.read(max(keys)), Step, name=max(keys)) if keys else None


def refuse_held(store: ObjectStore, prefix: str) -> None:
    """Refuse where a case covers a broadcast.

    Raises:
        UnderHold: names the cases.
    """
    _refuse(prefix.rpartition("/")[2], covering(store, prefix))


def refuse_held_subject(
    store: ObjectStore, subject: str, *, broadcast_ids: Collection[str] = ()
) -> None:
    """Refuse where a case covers a person (by keyed hash), or a broadcast of one of their orders.

    Raises:
        UnderHold: names the cases.
    """
    found = [
        step.case
        for step in holding(store)
        if any(order.subject == subject for order in step.covers.orders)
        or any(b.broadcast_id in broadcast_ids for b in step.covers.broadcasts)
    ]
    _refuse("this person's data", found)


def covering(store: ObjectStore, prefix: str) -> list[str]:
    """The cases that hold a broadcast now."""
    return [s.case for s in holding(store) if any(b.prefix == prefix for b in s.covers.broadcasts)]


def _refuse(what: str, found: Sequence[str]) -> None:
    if found:
        raise UnderHold(
            f"{what}: is under the legal hold of {', '.join(map(repr, found))}",
            hint="`evidence holds` lists it; only `evidence hold --lift` ends it",
        )


def place(store: ObjectStore, case: str, covers: Covered, hand: Hand) -> tuple[Step, bool]:
    """Hold, or hold more; the step that stands, and whether it is new."""
    while True:
        last = case_of(store, case)
        known = last.covers if last and last.action == "hold" else Covered()
        wider = known.and_also(covers)
        if last is not None and last.action == "hold" and wider == known:
            return last, False
        step = _step(case, "hold", last, wider, hand)
        if store.put_if_absent(step.key, _body(step), retain_until=hand.retain_until):
            return step, True


def lift(store: ObjectStore, case: str, hand: Hand) -> tuple[Step, bool]:
    """End a case's hold; the step that stands, and whether it is new.

    Raises:
        NotFound: there never was such a case.
    """
    while True:
        last = case_of(store, case)
        if last is None:
            raise NotFound(f"no case {case!r} holds anything", hint="`evidence holds` lists them")
        if last.action == "lift":
            return last, False
        step = _step(case, "lift", last, last.covers, hand)
        if store.put_if_absent(step.key, _body(step), retain_until=hand.retain_until):
            return step, True


def _step(
    case: str, action: Literal["hold", "lift"], last: Step | None, covers: Covered, hand: Hand
) -> Step:
    return Step(
        case=case,
        number=1 if last is None else last.number + 1,
        action=action,
        covers=covers,
        by=hand.by,
        why=hand.why,
        at_utc_ms=hand.at_utc_ms,
        writer=hand.writer,
    )


def _body(step: Step) -> bytes:
    return canonical_bytes(json.loads(step.model_dump_json()))


# --- the store's own holds ------------------------------------------------------------------------


class Marked(NamedTuple):
    """What the store itself was told."""

    objects: int
    """Objects whose hold was set or lifted."""
    reason: str = ""
    """Why the store holds nothing itself; empty: it does."""


def keys_of(store: ObjectStore, covers: Covered) -> Iterator[str]:
    """Every object there is of what a case covers."""
    for broadcast in covers.broadcasts:
        for room in (f"{broadcast.prefix}/", f"live/{broadcast.prefix}/"):
            yield from (stat.key for stat in store.list(room))
    for order in covers.orders:
        room = f"orders/{order.order[:4]}/{order.order}/"
        yield from (stat.key for stat in store.list(room))


def mark(store: ObjectStore, step: Step) -> Marked:
    """Set the store's own hold on everything a case covers; again is no harm."""
    count = 0
    try:
        for key in (step.key, *keys_of(store, step.covers)):
            store.hold(key, on=True)
            count += 1
    except ConfigError as error:  # the record still holds: every removal asks it first
        return Marked(count, error.message)
    return Marked(count)


def unmark(store: ObjectStore, step: Step) -> Marked:
    """Lift the store's own holds of a lifted case, save where another case holds."""
    others = _together(holding(store))
    stay = set(keys_of(store, others))
    records = [stat.key for stat in store.list(f"{PREFIX}{encoded(step.case)}/")]
    count = 0
    for key in (*records, *keys_of(store, step.covers)):
        if key not in stay and store.held(key):
            store.hold(key, on=False)
            count += 1
    _mark_late(store, others)
    return Marked(count)


def _mark_late(store: ObjectStore, known: Covered) -> None:
    """A hold that was placed while another was lifted is never undone by that."""
    for step in holding(store):
        if known.and_also(step.covers) != known:
            mark(store, step)


def _together(steps: Iterable[Step]) -> Covered:
    whole = Covered()
    for step in steps:
        whole = whole.and_also(step.covers)
    return whole
