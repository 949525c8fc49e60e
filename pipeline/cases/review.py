"""What people decided about claims: layers over the machine's output, which stays as it is.

    <prefix>/review/000001.json    one record each, numbered by conditional put, never replaced

A review has two steps. First the reviewer writes down what was heard, without the listing in
sight; only then is the claim confirmed, corrected or rejected, with a reason. A decision is
carried over to a later version of the claims where the same words were found again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from pipeline.cases.numbered import Book, Numbered
from pipeline.errors import InputError
from pipeline.model import Claim, ClaimType, Dossier, Frozen, Polarity, Value
from pipeline.ports import ObjectStore
from pipeline.text.normal import normal_text

ReviewVerdict = Literal["confirmed", "corrected", "rejected"]
LONGEST_TEXT = 2000


class Correction(Frozen):
    """What a person puts beside what the machine found; a null leaves that as it is."""

    claim_type: ClaimType | None = None
    """The right type."""
    value: Value = None
    """The right value, in the normal form of its type."""
    polarity: Polarity | None = None
    """Whether it was affirmed or denied."""
    sku_id: str | None = Field(default=None, max_length=300)
    """The SKU meant; empty: none."""

    @property
    def changes(self) -> bool:
        """Whether it says anything at all."""
        return self != Correction()


class ReviewRecord(Numbered):
    """One step of a review, as stored."""

    number: int = 0
    """In the order of writing, over all claims of the broadcast."""
    step: Literal["heard", "decided"]
    """What was heard, or what was decided after that."""
    claim: Claim
    """The machine's claim as the reviewer had it; its listing comparison is left out of *heard*."""
    heard: str = Field(default="", max_length=LONGEST_TEXT)
    """The words the reviewer heard; empty when they could not be made out."""
    verdict: ReviewVerdict | None = None
    """For *decided*."""
    correction: Correction | None = None
    """For a corrected claim."""
    reason: str = Field(default="", max_length=LONGEST_TEXT)
    """Why, in the reviewer's words."""
    by_id: str
    """Key of the reviewer."""
    by_name: str
    """Name of the reviewer."""
    at_utc_ms: int
    """When."""


class Layer(Frozen):
    """What stands over a claim now: the last decision about its words."""

    verdict: ReviewVerdict
    """Confirmed, corrected or rejected."""
    heard: str
    """What the reviewer heard before seeing the listing."""
    correction: Correction | None
    """What is right instead; null unless corrected."""
    reason: str
    """Why."""
    by_name: str
    """Who decided."""
    at_utc_ms: int
    """When."""
    number: int
    """Number of the decision among the broadcast's records."""
    decided_on: str
    """The claim it was made on; another id where it was carried over from an older version."""


class Words(NamedTuple):
    """What a claim must share with another to be the same words."""

    claim_id: str
    claim_type: str
    source: str
    quote: str
    start_ms: int
    end_ms: int
    value: tuple[str, ...]
    polarity: str


def words_of(claim: Claim) -> Words:
    """The words of a claim."""
    value = (claim.value,) if isinstance(claim.value, str) else (claim.value or ())
    return Words(
        claim.claim_id,
        claim.claim_type,
        claim.source,
        claim.quote,
        claim.start_ms,
        claim.end_ms,
        value,
        claim.polarity,
    )


class ReviewBook(Book[ReviewRecord]):
    """Reads and writes the review records of broadcasts in a store."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store, "review", ReviewRecord, _check)


def about(records: Iterable[ReviewRecord], words: Words) -> list[ReviewRecord]:
    """The records about a claim, of whatever version of it."""
    return [record for record in records if _same_words(words_of(record.claim), words)]


def last_decision(records: Sequence[ReviewRecord], words: Words) -> int:
    """The number of the last decision about a claim; 0 without one."""
    decided = (r.number for r in about(records, words) if r.step == "decided")
    return max(decided, default=0)


def has_heard(records: Iterable[ReviewRecord], words: Words, by_id: str) -> bool:
    """Whether someone has written down what was heard."""
    return any(r.step == "heard" and r.by_id == by_id for r in about(records, words))


def layers(records: Sequence[ReviewRecord], claims: Iterable[Words]) -> dict[str, Layer]:
    """By claim id, the decision that stands over each claim that has one."""
    decided = [record for record in records if record.step == "decided"]
    found = {}
    for words in claims:
        standing = [r for r in decided if _holds(r, words)]
        if standing:
            found[words.claim_id] = _layer(standing[-1])
    return found


def with_reviews(dossier: Dossier, found: dict[str, Layer]) -> Dossier:
    """A dossier that warns where a person did not let one of its moments stand."""
    said = [
        f"moment {number}: {layer.verdict} by {layer.by_name}: {layer.reason}"
        for number, moment in enumerate(dossier.moments, 1)
        if (layer := found.get(moment.claim_id)) and layer.verdict != "confirmed"
    ]
    rejected = [
        m
        for m in dossier.moments
        if m.claim_id in found and found[m.claim_id].verdict == "rejected"
    ]
    if dossier.moments and len(rejected) == len(dossier.moments):
        said.insert(0, "every moment found was rejected on review")
    return dossier.model_copy(update={"warnings": (*dossier.warnings, *said)})


def _layer(record: ReviewRecord) -> Layer:
    assert record.verdict is not None  # noqa: S101 - checked when it was written
    return Layer(
        verdict=record.verdict,
        heard=record.heard,
        correction=record.correction,
        reason=record.reason,
        by_name=record.by_name,
        at_utc_ms=record.at_utc_ms,
        number=record.number,
        decided_on=record.claim.claim_id,
    )


def _same_words(a: Words, b: Words) -> bool:
    """The same claim, or the same words at the same time in another version."""
    if a.claim_id == b.claim_id:
        return True
    if (a.claim_type, a.source) != (b.claim_type, b.source):
        return False
    apart = a.end_ms <= b.start_ms or b.end_ms <= a.start_ms
    return not apart and normal_text(a.quote) == normal_text(b.quote)


def _holds(record: ReviewRecord, words: Words) -> bool:
    """Whether a decision stands over a claim; a confirmation only over the value confirmed."""
    decided = words_of(record.claim)
    if decided.claim_id == words.claim_id:
        return True
    if not _same_words(decided, words):
        return False
    same_value = (decided.value, decided.polarity) == (words.value, words.polarity)
    return same_value or record.verdict != "confirmed"


def _check(record: ReviewRecord, records: Sequence[ReviewRecord], *, after: int | None) -> None:
    words = words_of(record.claim)
    if record.step == "heard":
        return
    if record.verdict is None:
        raise InputError("a decision confirms, corrects or rejects", hint="say which")
    if record.verdict != "confirmed" and len(record.reason.strip()) < 3:
        raise InputError(
            f"a claim is not {record.verdict} without a reason", hint="say why, in a few words"
        )
    corrects = record.correction is not None and record.correction.changes
    if (record.verdict == "corrected") != corrects:
        raise InputError(
            "a correction says what is right instead, and nothing else does",
            hint="give a value, a type, a SKU or a polarity, or reject the claim",
        )
    last = last_decision(records, words)
    if after is not None and after != last:
        raise InputError(
            "someone else decided this claim meanwhile", hint="look at their decision first"
        )
    if not has_heard(records, words, record.by_id):
        raise InputError(
            "write down what you heard before you decide", hint="the listing is shown after that"
        )
