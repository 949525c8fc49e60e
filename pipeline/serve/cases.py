"""Cases as the façade offers them: opened, widened, disclosed, withdrawn, closed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from pipeline.cases.disclosure import (
    LONGEST_TITLE,
    MOST_KEYS,
    MOST_THINGS,
    Case,
    CaseBook,
    CaseStep,
    Party,
    Thing,
)
from pipeline.errors import InputError, NotFound
from pipeline.evidence import custody
from pipeline.model import Frozen
from pipeline.serve.access.keys import KeyBook
from pipeline.serve.access.roles import RECEIVERS
from pipeline.serve.reviews import Reviewer
from pipeline.serve.service import Service

_LATEST_MS = 1 << 40


class SpanWanted(Frozen):
    """A span of a broadcast as it stands now."""

    broadcast_id: str = Field(min_length=1, max_length=300)
    """Of which broadcast."""
    start_ms: int = Field(ge=0, lt=_LATEST_MS)
    """Start on its timeline."""
    end_ms: int = Field(ge=0, lt=_LATEST_MS)
    """End, exclusive."""


class ThingsWanted(Frozen):
    """What is to belong to a case."""

    orders: tuple[str, ...] = Field(default=(), max_length=MOST_THINGS)
    """Orders; the claims that answer each are added with it."""
    claims: tuple[str, ...] = Field(default=(), max_length=MOST_THINGS)
    """Claims, by their ids."""
    broadcasts: tuple[str, ...] = Field(default=(), max_length=MOST_THINGS)
    """Whole broadcasts, in their current release."""
    spans: tuple[SpanWanted, ...] = Field(default=(), max_length=MOST_THINGS)
    """Spans of broadcasts, in their current release."""


class CaseWanted(ThingsWanted):
    """A case to be opened."""

    title: str = Field(min_length=1, max_length=LONGEST_TITLE)
    """What it is about; names of persons do not belong here, for it stays."""
    parties: tuple[Party, ...] = Field(default=(), max_length=MOST_KEYS)
    """Whom it is about."""


Form = TypeVar("Form", bound=ThingsWanted)


def formed(form: type[Form], values: dict[str, Any]) -> Form:
    """What was typed, as a form.

    Raises:
        InputError: it does not fit; names the field.
    """
    try:
        return form(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{place}: {first['msg']}", hint="write it otherwise") from error


class Cases:
    """The cases of one workspace; every step is also an event in its broadcasts' custody."""

    def __init__(self, works: Service) -> None:
        self._works = works
        self._app = works.app
        self._book = CaseBook(works.app.store)
        self.keys = KeyBook(works.app.keys)

    def every(self) -> Iterator[Case]:
        """Every case, the newest first."""
        yield from sorted(self._book.every(), key=lambda c: (-c.opened_utc_ms, c.case_id))

    def get(self, case_id: str) -> Case:
        """A case by its id.

        Raises:
            NotFound: there is none.
        """
        return self._book.get(case_id)

    def open(self, wanted: CaseWanted, who: Reviewer) -> Case:
        """Open a case.

        Raises:
            NotFound: something that is to belong to it is not here. InputError.
        """
        for party in wanted.parties:
            if party.key_id:
                self._known_key(party.key_id)
        about = {"title": wanted.title.strip(), "parties": wanted.parties}
        step = _step("open", who, things=self.things(wanted), **about)
        return self._book.open(step, retain_until=self._until)

    def add(self, case_id: str, wanted: ThingsWanted, who: Reviewer) -> Case:
        """Let more belong to a case.

        Raises:
            NotFound, InputError: as for opening; or the case is closed.
        """
        self.get(case_id)
        return self._done(_step("add", who, case_id=case_id, things=self.things(wanted)))

    def disclose(
        self, case_id: str, *, to: Iterable[str], numbers: Iterable[int], why: str, who: Reviewer
    ) -> Case:
        """Let keys see things of a case.

        Raises:
            NotFound: no such case or key. InputError: no such thing, a key that sees no
                disclosures, no reason, or the case is closed.
        """
        self.get(case_id)
        keys = tuple(dict.fromkeys(to))
        for key_id in keys:
            self._receiver(key_id)
        about = {"to": keys, "numbers": tuple(sorted(set(numbers))), "why": why.strip()}
        return self._done(_step("disclose", who, case_id=case_id, **about))

    def withdraw(self, case_id: str, disclosure: int, *, why: str, who: Reviewer) -> Case:
        """End a disclosure, from the next request on.

        Raises:
            NotFound: no such case. InputError: no such disclosure holds, or no reason.
        """
        about = {"disclosure": disclosure, "why": why.strip()}
        return self._done(_step("withdraw", who, case_id=case_id, **about))

    def close(self, case_id: str, *, why: str, who: Reviewer) -> Case:
        """Close a case: it stays, and all of its disclosures end.

        Raises:
            NotFound: no such case. InputError: it is closed already, or no reason.
        """
        return self._done(_step("close", who, case_id=case_id, why=why.strip()))

    def things(self, wanted: ThingsWanted) -> tuple[Thing, ...]:
        """What was named, as it will be kept.

        Raises:
            NotFound, InputError: it is not here, or is no span.
        """
        found = [thing for order_id in wanted.orders for thing in self._of_order(order_id)]
        found += [self._of_claim(claim_id) for claim_id in wanted.claims]
        for one in wanted.spans:
            found.append(self._of_broadcast(one.broadcast_id, (one.start_ms, one.end_ms)))
        found += [self._of_broadcast(broadcast_id, None) for broadcast_id in wanted.broadcasts]
        return tuple(found)

    def _of_order(self, order_id: str) -> list[Thing]:
        dossier = self._works.order(order_id)
        answered = dossier.broadcast_id
        order = Thing(
            kind="order",
            ref=self._works.book.hashed_order(order_id),
            prefix=self._app.archive.prefix(answered) if answered else "",
            broadcast_id=answered,
        )
        return [order, *(self._of_claim(moment.claim_id) for moment in dossier.moments)]

    def _of_claim(self, claim_id: str) -> Thing:
        prefix, claim = self._works.claim(claim_id)
        return Thing(
            kind="claim",
            ref=claim.claim_id,
            prefix=prefix,
            broadcast_id=claim.broadcast_id,
            start_ms=claim.start_ms,
            end_ms=claim.end_ms,
        )

    def _of_broadcast(self, broadcast_id: str, span_ms: tuple[int, int] | None) -> Thing:
        state = self._app.archive.state(broadcast_id)
        whole = (0, state.revision.duration_ms)
        start, end = span_ms or whole
        if not 0 <= start < end <= whole[1]:
            raise InputError(
                f"{broadcast_id}: {start} to {end} ms is no span of it",
                hint=f"it lasts {whole[1]} ms",
            )
        return Thing(
            kind="span" if span_ms else "broadcast",
            ref=broadcast_id,
            prefix=state.prefix,
            broadcast_id=broadcast_id,
            release=state.release.number,
            start_ms=start,
            end_ms=end,
        )

    def _known_key(self, key_id: str) -> str:
        found = self.keys.live(key_id)
        if found is None:
            raise NotFound(f"no live key {key_id!r}", hint="`evidence access list` shows their ids")
        return found.role

    def _receiver(self, key_id: str) -> None:
        role = self._known_key(key_id)
        if role not in RECEIVERS:
            raise InputError(
                f"nothing is disclosed to the role {role}",
                hint=f"to {', '.join(sorted(RECEIVERS))}; others see every case, or no content",
            )

    def _done(self, step: CaseStep) -> Case:
        written = self._book.add(step, retain_until=self._until)
        case = self.get(step.case_id)
        self._note(case, written)
        return case

    def _note(self, case: Case, step: CaseStep) -> None:
        """Into the custody of every broadcast of which something was disclosed or taken back."""
        what = {"disclose": "disclosed", "withdraw": "undisclosed", "close": "undisclosed"}
        if step.action not in what:
            return
        for (prefix, broadcast_id), numbers in _touched(case, step).items():
            custody.record_at(
                self._app.store,
                (prefix, broadcast_id),
                what[step.action],
                writer=self._app.writer,
                by=step.by_name,
                about={"case": case.case_id, "step": step.number, "things": numbers},
                retain_until=self._until,
            )

    @property
    def _until(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self._app.settings.longest_days)


def _touched(case: Case, step: CaseStep) -> dict[tuple[str, str], list[int]]:
    """By broadcast, the numbers of its things that a step discloses or takes back."""
    numbers = set(step.numbers)
    for one in case.disclosures:
        ended_now = one.ended_utc_ms == step.at_utc_ms
        if one.number == step.disclosure or (step.action == "close" and ended_now):
            numbers |= set(one.things)
    found: dict[tuple[str, str], list[int]] = {}
    for number in sorted(numbers):
        thing = case.thing(number)
        if thing is not None and thing.prefix:
            found.setdefault((thing.prefix, thing.broadcast_id), []).append(number)
    return found


def _step(action: Any, who: Reviewer, **about: Any) -> CaseStep:
    at = time.time_ns() // 1_000_000
    return CaseStep(action=action, at_utc_ms=at, by_id=who.by_id, by_name=who.by_name, **about)
