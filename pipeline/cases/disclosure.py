"""Cases: what belongs to a dispute, and to whom which of it was disclosed.

    cases/<case>/steps/000001.json    opened, widened, disclosed, withdrawn, closed; never replaced

A case is named by the content id of its opening. What belongs to it is numbered in the order of
being added and never taken out. A party sees what was disclosed to its key, until the disclosure
is withdrawn or the case is closed. The steps hold no names of parties and of an order only its
keyed hash: they stay when a person is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from pipeline.cases.numbered import Book, Numbered
from pipeline.errors import InputError, NotFound
from pipeline.model import Frozen
from pipeline.ports import ObjectStore
from pipeline.provenance import content_id

ROOM = "cases"
LONGEST_TITLE, LONGEST_WHY = 300, 2000
MOST_THINGS, MOST_KEYS = 500, 50
"""Of one case; that one step names."""
_SHORTEST_WHY = 3
_CASE_ID = re.compile(r"[0-9a-f]{16}")
ThingKind = Literal["order", "claim", "span", "broadcast"]
PartyRole = Literal["buyer", "merchant", "host", "agency", "platform", "other"]
CaseAction = Literal["open", "add", "disclose", "withdraw", "close"]


class Party(Frozen):
    """Someone a case is about: by role and key, so that no name stays in the store."""

    role: PartyRole
    """Buyer, merchant, host, agency, platform, other."""
    key_id: str = Field(default="", max_length=40)
    """Its key at the desk, or the record of the person; empty for one without."""


class Thing(Frozen):
    """Something that belongs to a case."""

    kind: ThingKind
    """An order's answer, a claim, a span of a broadcast, or a whole broadcast."""
    ref: str
    """Claim id, broadcast id, or the keyed hash of the order's id."""
    prefix: str = ""
    """Where its broadcast lies; empty for an order that no broadcast answers."""
    broadcast_id: str = ""
    """Its broadcast."""
    release: int = 0
    """For a span or a broadcast: the release meant, for ever."""
    start_ms: int = 0
    """Start on the broadcast's timeline; 0 for an order."""
    end_ms: int = 0
    """End, exclusive; 0 for an order."""


class CaseStep(Numbered):
    """One step of a case, as stored."""

    case_id: str = ""
    """Which; empty in the content that the id is made of."""
    action: CaseAction
    """What was done."""
    title: str = Field(default="", max_length=LONGEST_TITLE)
    """Of an opening."""
    parties: tuple[Party, ...] = ()
    """Of an opening."""
    things: tuple[Thing, ...] = ()
    """Of an opening, or added."""
    to: tuple[str, ...] = ()
    """Of a disclosure: key ids."""
    numbers: tuple[int, ...] = ()
    """Of a disclosure: which things, by number."""
    disclosure: int = 0
    """Of a withdrawal: the number of the disclosure's step."""
    why: str = Field(default="", max_length=LONGEST_WHY)
    """Why; needed save for an opening or adding."""
    by_id: str
    """Key of whoever did it."""
    by_name: str
    """Their name."""
    at_utc_ms: int
    """When."""

    def named(self) -> CaseStep:
        """An opening under the id that its content gives it."""
        return self.model_copy(update={"case_id": content_id(self.model_dump(mode="json"))[:16]})


class Disclosure(Frozen):
    """What was disclosed at once, to whom and why."""

    number: int
    """Names it within the case."""
    to: tuple[str, ...]
    """Key ids."""
    things: tuple[int, ...]
    """Numbers of things."""
    why: str
    """Why."""
    by_name: str
    """Who disclosed."""
    at_utc_ms: int
    """When."""
    ended_utc_ms: int | None = None
    """When it was withdrawn, or the case closed; null while it holds."""


class Case(Frozen):
    """A case as its steps leave it."""

    case_id: str
    """Names it."""
    title: str
    """What it is called; hostile text."""
    opened_utc_ms: int
    """When it was opened."""
    opened_by: str
    """By whom."""
    closed_utc_ms: int | None = None
    """When it was closed; null while it is open."""
    closed_why: str = ""
    """Why it was closed."""
    parties: tuple[Party, ...] = ()
    """Whom it is about."""
    things: tuple[Thing, ...] = ()
    """What belongs to it; the first is number 1."""
    disclosures: tuple[Disclosure, ...] = ()
    """All of them, ended ones too."""

    def disclosed_to(self, key_id: str) -> frozenset[int]:
        """Numbers of the things that a key may see now."""
        held = [d for d in self.disclosures if key_id in d.to and d.ended_utc_ms is None]
        return frozenset(number for one in held for number in one.things)

    def thing(self, number: int) -> Thing | None:
        """A thing by its number."""
        return self.things[number - 1] if 0 < number <= len(self.things) else None

    def new(self, things: Iterable[Thing]) -> tuple[Thing, ...]:
        """Those that do not belong to it yet, each once."""
        return tuple(t for t in dict.fromkeys(things) if t not in self.things)


def case_of(steps: Sequence[CaseStep]) -> Case:
    """A case from its steps."""
    first, *later = steps
    case = Case(
        case_id=first.case_id,
        title=first.title,
        opened_utc_ms=first.at_utc_ms,
        opened_by=first.by_name,
        parties=first.parties,
        things=tuple(dict.fromkeys(first.things)),
    )
    for step in later:
        case = case.model_copy(update=_changed(case, step))
    return case


def _changed(case: Case, step: CaseStep) -> dict[str, object]:
    if step.action == "add":
        return {"things": (*case.things, *case.new(step.things))}
    if step.action == "disclose":
        made = Disclosure(
            number=step.number,
            to=step.to,
            things=step.numbers,
            why=step.why,
            by_name=step.by_name,
            at_utc_ms=step.at_utc_ms,
        )
        return {"disclosures": (*case.disclosures, made)}
    ended = tuple(
        d.model_copy(update={"ended_utc_ms": step.at_utc_ms})
        if d.ended_utc_ms is None and (step.action == "close" or d.number == step.disclosure)
        else d
        for d in case.disclosures
    )
    if step.action == "withdraw":
        return {"disclosures": ended}
    return {"disclosures": ended, "closed_utc_ms": step.at_utc_ms, "closed_why": step.why}


class CaseBook:
    """Reads and writes the cases of a store."""

    def __init__(self, store: ObjectStore) -> None:
        self._book = Book(store, "steps", CaseStep, _check)

    def every(self) -> Iterator[Case]:
        """Every case, by id: one listing, and each step is read once a process."""
        yield from map(case_of, self._book.below(ROOM))

    def get(self, case_id: str) -> Case:
        """A case by its id.

        Raises:
            NotFound: there is none.
        """
        steps = self._book.records(f"{ROOM}/{case_id}") if _CASE_ID.fullmatch(case_id) else ()
        if not steps:
            raise no_case(case_id)
        return case_of(steps)

    def open(self, step: CaseStep, *, retain_until: datetime) -> Case:
        """Open a case.

        Raises:
            InputError: it has no title, or too much belongs to it.
        """
        named = step.named()
        self._book.add(f"{ROOM}/{named.case_id}", named, retain_until=retain_until)
        return self.get(named.case_id)

    def add(self, step: CaseStep, *, retain_until: datetime) -> CaseStep:
        """Write a further step; as it was written.

        Raises:
            InputError: it does not fit how the case stands. NotFound: there is no such case.
        """
        self.get(step.case_id)
        return self._book.add(f"{ROOM}/{step.case_id}", step, retain_until=retain_until)


def no_case(case_id: str) -> NotFound:
    """The same words for a case that is hidden and for one that does not exist."""
    return NotFound(f"no case {case_id!r} in this workspace", hint="`evidence cases list`")


def _check(record: CaseStep, records: Sequence[CaseStep], *, after: int | None) -> None:
    step, steps = record, records
    if after is not None and after != (steps[-1].number if steps else 0):
        raise InputError("this case changed meanwhile", hint="look at it again first")
    if step.action == "open":
        _check_opening(step, steps)
        return
    case = case_of(steps)
    if case.closed_utc_ms is not None:
        raise InputError("this case is closed", hint="open a new one")
    if step.action != "add" and len(step.why.strip()) < _SHORTEST_WHY:
        raise InputError("this is not done without a reason", hint="say why, in a few words")
    if step.action == "add":
        _check_adding(step, case)
    elif step.action == "disclose":
        _check_disclosing(step, case)
    elif step.action == "withdraw":
        _check_withdrawing(step, case)


def _check_opening(step: CaseStep, steps: Sequence[CaseStep]) -> None:
    if steps:
        raise InputError("this case was opened already", hint="`evidence cases list`")
    if not step.title.strip():
        raise InputError("a case without a title", hint="say what it is about, without names")
    _check_size(len(step.things))


def _check_adding(step: CaseStep, case: Case) -> None:
    new = case.new(step.things)
    if not new:
        raise InputError("all of this belongs to the case already", hint="name something else")
    _check_size(len(case.things) + len(new))


def _check_size(count: int) -> None:
    if count > MOST_THINGS:
        raise InputError(f"{count} things in one case", hint=f"at most {MOST_THINGS}")


def _check_disclosing(step: CaseStep, case: Case) -> None:
    wrong = [n for n in step.numbers if case.thing(n) is None]
    if wrong or not step.numbers:
        raise InputError(
            f"there is no thing {wrong[0]} in this case" if wrong else "nothing is to be disclosed",
            hint=f"give numbers from 1 to {len(case.things)}",
        )
    if not 0 < len(step.to) <= MOST_KEYS:
        raise InputError("disclosed to nobody, or too many", hint=f"1 to {MOST_KEYS} key ids")


def _check_withdrawing(step: CaseStep, case: Case) -> None:
    open_ = [d.number for d in case.disclosures if d.ended_utc_ms is None]
    if step.disclosure not in open_:
        raise InputError(
            f"no disclosure {step.disclosure} holds in this case",
            hint=f"these hold: {', '.join(map(str, open_)) or 'none'}",
        )
