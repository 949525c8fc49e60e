"""A host's claim, the line it was heard or seen in, and the product windows."""

from __future__ import annotations

from typing import Literal, get_args

from pipeline.model.base import Frozen, PerMille
from pipeline.model.screen import Box, ScreenRole
from pipeline.timeline import Span

ClaimType = Literal[
    "colour",
    "size",
    "style",
    "material",
    "ingredient",
    "quantity",
    "net_content",
    "price",
    "price_guarantee",
    "gift",
    "warranty",
    "returns",
    "after_sales",
    "shipping_time",
    "freight",
    "origin",
    "authenticity",
    "certification",
    "efficacy",
    "performance",
    "suitability",
    "shelf_life",
    "condition",
]
CLAIM_TYPES: tuple[ClaimType, ...] = get_args(ClaimType)
"""The 23 types, in the order in which they are documented."""

SET_TYPES = frozenset({"colour", "size", "material", "ingredient", "gift"})
"""Types whose value is a list, compared as a set."""

Polarity = Literal["affirm", "negate"]
Source = Literal["speech", "screen"]
Speaker = Literal["host", "viewer", "quoted", "unknown"]
Agreement = Literal["agrees", "contradicts", "not_stated", "needs_review"]
Value = str | tuple[str, ...] | None


class Line(Frozen):
    """One line a claim may come from: a spoken segment or a line on the screen."""

    line_id: str
    """``s<segment>`` or ``f<screen line>``, unique in the broadcast."""
    source: Source
    """Heard or seen."""
    index: int
    """Segment number, or screen line number."""
    start_ms: int
    """On the broadcast's timeline."""
    end_ms: int
    """Exclusive."""
    text: str
    """Verbatim."""
    char_start_ms: tuple[int, ...] = ()
    """Start of each character and the end of the last; empty means linear."""
    char_prob_pm: tuple[int, ...] = ()
    """Probability of each character, per mille; empty when all are certain."""
    prob_pm: PerMille = 1000
    """Mean probability, per mille."""
    role: ScreenRole | None = None
    """For a screen line: what kind of text."""
    box: Box | None = None
    """For a screen line: where."""

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)

    def span_of(self, char_start: int, char_end: int) -> Span:
        """The time of characters ``[char_start, char_end)`` of ``text``.

        Exact where character times are known, else linear over the characters.
        """
        if len(self.char_start_ms) == len(self.text) + 1:
            return Span(self.char_start_ms[char_start], self.char_start_ms[char_end])
        total = max(1, len(self.text))
        length = self.end_ms - self.start_ms
        return Span(
            self.start_ms + round(length * char_start / total),
            self.start_ms + round(length * char_end / total),
        )


class Window(Frozen):
    """A span in which one SKU was being presented."""

    sku_id: str | None
    """The SKU; null where it is unknown."""
    start_ms: int
    """On the broadcast's timeline."""
    end_ms: int
    """Exclusive."""
    source: Literal["schedule", "corrected", "inferred"]
    """The platform's event as it came, an event that speech moved, or speech alone."""
    confidence_pm: PerMille
    """How sure, per mille."""
    reasons: tuple[str, ...] = ()
    """Why, in words a person reads."""

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)


class Cue(Frozen):
    """The words that caused a flag."""

    flag: str
    """``negate``, ``hedge``, ``condition``, ``viewer``, ``comparison``, ``correction`` …"""
    words: str
    """As they stand in the verbatim text."""


class ListingCheck(Frozen):
    """A claim beside what the listing said."""

    agreement: Agreement
    """Verdict; ``needs_review`` when leaving the listing out would change the claim."""
    field: str = ""
    """Listing field compared with; empty when none fits."""
    listed: str = ""
    """The listing's own text."""
    reason: str = ""
    """Why, in words; ``circular`` among them."""


class Verification(Frozen):
    """What an optional language model said about a claim."""

    answer: Literal["confirmed", "rejected", "unsure", "unverified"]
    """Its verdict; ``unverified`` when there is none that can be used."""
    reason: str = ""
    """Why there is none: ``timeout``, ``unreachable``, ``http_500``, ``not_an_answer`` …"""
    model: str = ""
    """The model asked, as the settings name it; empty when none was asked."""
    prompt_digest: str = ""
    """SHA-256 over the prompt that all claims share."""
    question_digest: str = ""
    """SHA-256 over the messages sent about this claim; empty when none was."""


class Claim(Frozen):
    """One statement a buyer could check, tied to its moment."""

    claim_id: str
    """``<h4>-<first 12 digits of the work key>-<number>``; resolves for ever."""
    schema_version: int = 1
    """Version of this form."""
    broadcast_id: str
    """Where it was said."""
    claim_type: ClaimType
    """One of the 23 types."""
    start_ms: int
    """Start of the quote on the broadcast's timeline."""
    end_ms: int
    """End, exclusive."""
    quote: str
    """The words as heard or read: an exact part of the line's verbatim text."""
    resolved: str = ""
    """The quote with recognition errors resolved; empty when nothing was changed."""
    resolved_reason: str = ""
    """Why it was resolved so."""
    value: Value
    """Normal form; a list for set-valued types."""
    polarity: Polarity = "affirm"
    """``negate`` when the host denies the value."""
    hedged: bool = False
    """Softened by 差不多, 大概, "about" …"""
    condition: str = ""
    """The words of a condition (前五十单, 会员); empty when there is none."""
    source: Source = "speech"
    """Heard or seen."""
    segment_index: int
    """Index of the segment (or screen line)."""
    char_start: int
    """Start in the line's verbatim text."""
    char_end: int
    """End, exclusive."""
    sku_id: str | None
    """The SKU meant; null for the whole room or unknown."""
    sku_confidence_pm: PerMille = 0
    """How sure the link is, per mille."""
    sku_reasons: tuple[str, ...] = ()
    """Why this SKU, in words."""
    speaker: Speaker = "host"
    """Whose words; co-hosts count as host."""
    cues: tuple[Cue, ...] = ()
    """The words behind each flag."""
    corrects: str | None = None
    """The earlier claim this one corrects."""
    corrected_by: str | None = None
    """The later claim that corrects this one; a corrected claim stays."""
    corroborated_by: tuple[str, ...] = ()
    """Claims of the other source that say the same at the same time."""
    needs_review: bool = False
    """A person should hear it before relying on it."""
    review_reasons: tuple[str, ...] = ()
    """Why: ``doubtful_recognition``, ``unsure_sku``, ``circular``, ``speaker`` …"""
    risk_flags: tuple[str, ...] = ()
    """``absolute_term``, ``medical_claim``; never part of what a claim is."""
    listing: ListingCheck | None = None
    """The comparison with the listing; null without a listing."""
    verification: Verification | None = None
    """What a language model said about it; null when none is set up."""
    prob_pm: PerMille = 1000
    """Mean recognition probability of the quote, per mille."""
    box: Box | None = None
    """Where it stood, for a screen claim."""
    keyframe: int | None = None
    """Keyframe that shows it, or the nearest one."""
    rule_id: str
    """The rule that made it."""
    producer: str = ""
    """Rule set name and digest."""
    host_id: str = ""
    """Who spoke."""
    merchant_id: str = ""
    """Who sells."""
    room_operator_id: str = ""
    """Who runs the room."""
    mcn_id: str = ""
    """The host's agency."""

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)


class ClaimSet(Frozen):
    """Everything the claims stage says about a broadcast."""

    schema_version: int = 1
    """Version of this form."""
    broadcast_id: str
    """Whose claims."""
    claims: tuple[Claim, ...] = ()
    """In order of time."""
    windows: tuple[Window, ...] = ()
    """Product windows, in order."""
    producer: str = ""
    """Rule set name and digest."""
    warnings: tuple[str, ...] = ()
    """What was odd about the input, in words."""
