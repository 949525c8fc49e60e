"""Cases within a viewer's limits: a party sees what was disclosed to its key, and nothing beside it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.archive import State
from pipeline.cases.disclosure import Case, Thing, no_case
from pipeline.cases.lines import Line
from pipeline.cases.review import Layer
from pipeline.cases.review import words_of as review_words
from pipeline.errors import InputError, NotFound
from pipeline.evidence.clip import Clip
from pipeline.evidence.cold import Availability
from pipeline.model import Claim, ClockMap, Dossier
from pipeline.serve import media_cache
from pipeline.serve.access.keys import ApiKey
from pipeline.serve.cases import CaseWanted, ThingsWanted
from pipeline.serve.desk import Desk
from pipeline.serve.lines import lines_of


class Seen(NamedTuple):
    """A case as a viewer sees it."""

    case: Case
    """Without what is not for the viewer; numbers of things stay as they are."""
    numbers: tuple[int, ...]
    """Things that the viewer may see."""
    whole: bool
    """Whether that is all of it."""


class ThingSeen(NamedTuple):
    """A thing of a case, with what it shows."""

    seen: Seen
    number: int
    thing: Thing
    claim: Claim | None = None
    """Of a claim."""
    layer: Layer | None = None
    """The decision that stands over it."""
    dossier: Dossier | None = None
    """Of an order: its answer, with the moments that the viewer may see."""
    withheld: int = 0
    """Moments of the answer that it may not."""
    lines: tuple[Line, ...] = ()
    """Of a span or a broadcast: the lines that touch it."""
    claims: tuple[Claim, ...] = ()
    """Of a span or a broadcast: the claims within it."""
    title: str = ""
    """The broadcast's; hostile text."""
    clock_map: ClockMap | None = None
    """Of its broadcast."""


class CaseDesk(Desk):
    """The desk, for cases."""

    # --- read -----------------------------------------------------------------------------

    def cases(self) -> list[Seen]:
        """The cases that the viewer may see, the newest first."""
        self.viewer.require("cases")
        found = [self._sight(case) for case in self._works.cases.every()]
        return [seen for seen in found if seen.whole or seen.numbers]

    def case(self, case_id: str) -> Seen:
        """A case, with what of it the viewer may see.

        Raises:
            NotFound: there is none, or nothing of it is disclosed to the viewer.
        """
        seen = self._seen(case_id)
        self._wrote("viewed", "case", case=case_id, shown=list(seen.numbers))
        return seen

    def order_id(self, thing: Thing) -> str:
        """The order's id; empty once the buyer's key is destroyed."""
        order = self._works.book.kept_as(thing.ref)
        return order.order_id if order else ""

    def thing(self, case_id: str, number: int) -> ThingSeen:
        """A thing of a case, with what it shows.

        Raises:
            NotFound: the case or the thing is not there, or not disclosed to the viewer.
        """
        seen, thing = self._found(case_id, number)
        told = self._told(seen, number, thing)
        self._note_thing("viewed", case_id, number, thing)
        return told

    def clip_of_thing(self, case_id: str, number: int) -> Clip:
        """The clip of a claim or a span, made when first asked for.

        Raises:
            NotFound: not there, not disclosed, or nothing was recorded. InputError: it has none.
        """
        _, thing = self._found(case_id, number)
        if thing.kind == "claim":
            return media_cache.clip_of(self._works, thing.ref)
        if thing.kind == "span":
            state = self._state(thing)
            return media_cache.clip_of_span(self._works, state, (thing.start_ms, thing.end_ms))
        raise InputError(f"thing {number} has no clip", hint="claims and spans have one")

    def recording_of_thing(self, case_id: str, number: int) -> Availability:
        """Whether the recording behind a thing can be read now."""
        from pipeline.evidence.cold import availability

        _, thing = self._found(case_id, number)
        return availability(self._works.app.store, self._state(thing))

    def fetched_of_case(self, case_id: str, number: int, clip: Clip, path: Path) -> None:
        """Write down that a file of a clip leaves, once for the many pieces a player takes."""
        digest = clip.info.files.get(path.name, "")
        event = self._event("exported", path.suffix.lstrip("."), case=case_id, thing=number)
        event |= {"broadcast_id": clip.info.broadcast_id, "claim_id": clip.info.claim_id or ""}
        event |= {"sha256": digest}
        self._office.log.add_once(event, self.viewer.key_id, case_id, path.name, digest)

    # --- done by whoever runs the case ----------------------------------------------------

    def keys_known(self) -> list[ApiKey]:
        """Keys and people that open something now, for whoever chooses to whom to disclose."""
        self.viewer.require("disclose")
        now = time.time_ns() // 1_000_000
        return [key for key in self._works.cases.keys.every() if key.live(now)]

    def open_case(self, wanted: CaseWanted) -> str:
        """Open a case; its id."""
        self.viewer.require("disclose")
        case = self._works.cases.open(wanted, self._reviewer)
        self._wrote("opened", "case", case=case.case_id, things=len(case.things))
        return case.case_id

    def add_to_case(self, case_id: str, wanted: ThingsWanted) -> Seen:
        """Let more belong to a case."""
        self.viewer.require("disclose")
        case = self._works.cases.add(case_id, wanted, self._reviewer)
        self._wrote("widened", "case", case=case_id, things=len(case.things))
        return self._sight(case)

    def disclose(
        self, case_id: str, *, to: Sequence[str], numbers: Sequence[int], why: str
    ) -> Seen:
        """Let keys see things of a case."""
        self.viewer.require("disclose")
        who = self._reviewer
        case = self._works.cases.disclose(case_id, to=to, numbers=numbers, why=why, who=who)
        made = case.disclosures[-1]
        shown, keys = list(made.things), list(made.to)
        self._wrote("disclosed", "case", case=case_id, number=made.number, to=keys, shown=shown)
        return self._sight(case)

    def withdraw(self, case_id: str, disclosure: int, *, why: str) -> Seen:
        """End a disclosure."""
        self.viewer.require("disclose")
        case = self._works.cases.withdraw(case_id, disclosure, why=why, who=self._reviewer)
        self._wrote("undisclosed", "case", case=case_id, number=disclosure)
        return self._sight(case)

    def close_case(self, case_id: str, *, why: str) -> Seen:
        """Close a case, and end all of its disclosures."""
        self.viewer.require("disclose")
        case = self._works.cases.close(case_id, why=why, who=self._reviewer)
        self._wrote("closed", "case", case=case_id)
        return self._sight(case)

    # --- the parts of it ------------------------------------------------------------------

    def _seen(self, case_id: str) -> Seen:
        self.viewer.require("cases")
        seen = self._sight(self._works.cases.get(case_id))
        if not seen.whole and not seen.numbers:
            raise no_case(case_id)
        return seen

    def _sight(self, case: Case) -> Seen:
        if self.viewer.every_case:
            return Seen(case, tuple(range(1, len(case.things) + 1)), whole=True)
        numbers = case.disclosed_to(self.viewer.key_id)
        mine = [d for d in case.disclosures if self.viewer.key_id in d.to]
        hidden = {
            "disclosures": tuple(
                d.model_copy(update={"to": (self.viewer.key_id,)})
                for d in mine
                if d.ended_utc_ms is None
            ),
            "parties": tuple(
                p if p.key_id == self.viewer.key_id else p.model_copy(update={"key_id": ""})
                for p in case.parties
            ),
        }
        return Seen(case.model_copy(update=hidden), tuple(sorted(numbers)), whole=False)

    def _found(self, case_id: str, number: int) -> tuple[Seen, Thing]:
        seen = self._seen(case_id)
        thing = seen.case.thing(number)
        if thing is None or number not in seen.numbers:
            raise NotFound(f"no thing {number} in case {case_id!r}", hint="the case lists them")
        return seen, thing

    def _state(self, thing: Thing) -> State:
        archive = self._works.app.archive
        if thing.release:
            return archive.state_of(thing.prefix, thing.release)
        if not thing.prefix:
            raise NotFound("no broadcast is known for it", hint="process the broadcast")
        return archive.state_at(thing.prefix)

    def _told(self, seen: Seen, number: int, thing: Thing) -> ThingSeen:
        if thing.kind == "order":
            return self._answered(ThingSeen(seen, number, thing))
        state = self._state(thing)
        told = ThingSeen(
            seen,
            number,
            thing,
            title=state.revision.broadcast.title,
            clock_map=state.revision.clock_map,
        )
        if thing.kind == "claim":
            _, claim = self._works.claim(thing.ref)
            over = self._works.reviews.over(thing.prefix, [review_words(claim)])
            return told._replace(claim=claim, layer=over.get(claim.claim_id))
        return self._within(told, state)

    def _within(self, told: ThingSeen, state: State) -> ThingSeen:
        start, end = span = (told.thing.start_ms, told.thing.end_ms)
        parts = self._office.shelf.parts(state, screen=False)
        claims = parts.claims.claims if parts.claims else ()
        return told._replace(
            lines=tuple(lines_of(parts, span, self._works.lines.written(parts))),
            claims=tuple(c for c in claims if start <= c.start_ms and c.end_ms <= end),
        )

    def _answered(self, told: ThingSeen) -> ThingSeen:
        order_id = self.order_id(told.thing)
        if not order_id:
            raise NotFound(
                "the data of this order was deleted: its key is destroyed",
                hint="nothing can bring it back",
            )
        dossier = self._works.order(order_id)
        if told.seen.whole:
            return told._replace(dossier=dossier)
        things = [told.seen.case.thing(number) for number in told.seen.numbers]
        claims = {thing.ref for thing in things if thing and thing.kind == "claim"}
        kept = tuple(moment for moment in dossier.moments if moment.claim_id in claims)
        withheld = len(dossier.moments) - len(kept)
        return told._replace(dossier=_narrowed(dossier, kept, withheld), withheld=withheld)

    def _note_thing(self, event: str, case_id: str, number: int, thing: Thing) -> None:
        self._wrote(
            event,
            "case_thing",
            case=case_id,
            thing=number,
            kind=thing.kind,
            ref=thing.ref,
            broadcast_id=thing.broadcast_id,
            prefix=thing.prefix,
        )


def _narrowed(dossier: Dossier, kept: tuple[object, ...], withheld: int) -> Dossier:
    """An answer without what was not disclosed: other broadcasts, and moments told in its sentence."""
    others = {candidate.broadcast_id for candidate in dossier.candidates} - {dossier.broadcast_id}
    said = tuple(w for w in dossier.warnings if not any(other in w for other in others))
    update: dict[str, object] = {"moments": kept, "candidates": (), "warnings": said}
    if withheld:
        update["sentence"] = {
            "zh": f"该答复中有 {withheld} 个时刻未向您披露。",
            "en": f"{withheld} moments of this answer are not disclosed to you.",
        }
        update["warnings"] = ()
    return dossier.model_copy(update=update)
