"""Reviews as the façade offers them: the queue, one claim with its recording, the two steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pipeline import runner
from pipeline.archive import State
from pipeline.bootstrap import Application
from pipeline.cases.review import (
    Correction,
    Layer,
    ReviewBook,
    ReviewRecord,
    ReviewVerdict,
    Words,
    about,
    has_heard,
    last_decision,
    layers,
    with_reviews,
    words_of,
)
from pipeline.index.answer import Answer, Hit
from pipeline.model import Claim, Dossier
from pipeline.runner import Parts

_MOST_PAGES = 25
_TRUST_S = 3.0
"""How long a broadcast's decisions are taken for known on hits, before they are listed again."""


class Reviewer(NamedTuple):
    """Who reviews."""

    by_id: str
    by_name: str


class Sheet(NamedTuple):
    """One claim on a reviewer's table."""

    claim: Claim
    """Without the listing until the reviewer has written down what was heard."""
    parts: Parts
    history: list[ReviewRecord]
    """Every step about these words, of whatever version."""
    layer: Layer | None
    """The decision that stands."""
    heard: bool
    """Whether this reviewer may decide and see the listing."""
    after: int
    """Number of the last decision."""


class Reviews:
    """The reviews of one workspace; one object a process."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.book = ReviewBook(app.store)
        self._known: dict[str, tuple[float, tuple[ReviewRecord, ...]]] = {}

    def over(self, prefix: str, claims: Iterable[Words]) -> dict[str, Layer]:
        """The decisions over claims of one broadcast."""
        return layers(self._records(prefix), claims)

    def over_hits(self, answer: Answer) -> dict[str, Layer]:
        """The decisions over the claims on a page of hits."""
        by_prefix: dict[str, list[Words]] = {}
        for hit in answer.hits:
            prefix, _, pack = hit.document.pack.partition("/packs/")
            if hit.document.claim_id and pack:
                by_prefix.setdefault(prefix, []).append(_words_of_hit(hit))
        found: dict[str, Layer] = {}
        for prefix, words in by_prefix.items():
            found |= self.over(prefix, words)
        return found

    def over_dossier(self, dossier: Dossier) -> dict[str, Layer]:
        """The decisions over the moments of a dossier."""
        if not dossier.moments:
            return {}
        prefix = self._app.archive.prefix(dossier.broadcast_id)
        return self.over(prefix, [words_of(moment.claim) for moment in dossier.moments])

    def on_dossier(self, dossier: Dossier) -> Dossier:
        """A dossier that warns where a person did not let a moment stand."""
        return with_reviews(dossier, self.over_dossier(dossier))

    def queue(
        self, search: Callable[..., Answer], *, cursor: str = "", size: int = 20, **filters: Any
    ) -> tuple[list[Hit], str, int]:
        """Claims that wait for a person: a page of them, the next cursor, how many at most.

        ``search`` is the search of whoever asks. Decided claims are passed over; the number
        counts what the machine sent to review, decided or not. Each search asks for what is still
        missing and no more, so that its cursor is the one after the page.
        """
        found: list[Hit] = []
        total = 0
        for _ in range(_MOST_PAGES):
            wanted = size - len(found)
            answer = search("review:yes", kind="claim", size=wanted, cursor=cursor, **filters)
            decided, cursor, total = self.over_hits(answer), answer.cursor, answer.total
            found += [
                hit
                for hit in answer.hits
                if hit.document.release and hit.document.claim_id not in decided
            ]  # what is still on air is heard and decided once it has ended
            if not cursor or len(found) >= size:
                break
        return found, cursor, total

    def sheet(self, state: State, claim: Claim, reviewer: Reviewer) -> Sheet:
        """A claim as a reviewer may see it now."""
        records, words = self.book.records(state.prefix), words_of(claim)
        heard = has_heard(records, words, reviewer.by_id)
        history = about(records, words)
        return Sheet(
            claim=claim if heard else claim.model_copy(update={"listing": None}),
            parts=runner.parts_of(self._app, state, screen=False),
            history=history,
            layer=layers(records, [words]).get(claim.claim_id),
            heard=heard,
            after=last_decision(records, words),
        )

    def hear(self, state: State, claim: Claim, reviewer: Reviewer, *, heard: str) -> ReviewRecord:
        """The first step: what was heard."""
        blind = claim.model_copy(update={"listing": None})
        return self._add(state, blind, reviewer, None, {"step": "heard", "heard": heard.strip()})

    def decide(
        self,
        state: State,
        claim: Claim,
        reviewer: Reviewer,
        *,
        verdict: ReviewVerdict,
        correction: Correction | None,
        reason: str,
        after: int | None,
    ) -> ReviewRecord:
        """The second step: whether the claim stands.

        Raises:
            InputError: nothing was heard yet, something is missing, or another was faster.
        """
        mine = [
            record.heard
            for record in about(self.book.records(state.prefix), words_of(claim))
            if record.step == "heard" and record.by_id == reviewer.by_id
        ]
        what = {"step": "decided", "verdict": verdict, "correction": correction}
        what |= {"reason": reason.strip(), "heard": mine[-1] if mine else ""}
        return self._add(state, claim, reviewer, after, what)

    def _add(
        self,
        state: State,
        claim: Claim,
        reviewer: Reviewer,
        after: int | None,
        what: dict[str, Any],
    ) -> ReviewRecord:
        record = ReviewRecord(
            claim=claim, at_utc_ms=time.time_ns() // 1_000_000, **reviewer._asdict(), **what
        )
        until = state.revision.retain_until
        written = self.book.add(state.prefix, record, after=after, retain_until=until)
        self._known.pop(state.prefix, None)
        return written

    def _records(self, prefix: str) -> tuple[ReviewRecord, ...]:
        known = self._known.get(prefix)
        if known is None or time.monotonic() - known[0] > _TRUST_S:
            known = (time.monotonic(), self.book.records(prefix))
            self._known[prefix] = known
        return known[1]


def _words_of_hit(hit: Hit) -> Words:
    d = hit.document
    return Words(
        d.claim_id, d.claim_type, d.source, d.text, d.start_ms, d.end_ms, d.value, d.polarity
    )
