"""The answer to one order: what the host said that bears on the dispute.

A pure function of stored values; neither an index nor a store is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.cases.coverage import Heard, heard, missing_gaps, with_touching
from pipeline.cases.ranking import Ranked, rank
from pipeline.cases.reasons import Inquiry, Reader, inquire
from pipeline.cases.sentences import Findings, sentence
from pipeline.cases.standing import standing
from pipeline.model import (
    Broadcast,
    Candidate,
    Claim,
    ClaimSet,
    ClockMap,
    Coverage,
    Dossier,
    Moment,
    Order,
    Transcript,
    Verdict,
)
from pipeline.timeline import Span, union

MOMENT_MAX_MS = 30_000
"""Longest moment; it starts at the claim."""
_MOMENT_TAIL_MS = 8_000
_MAX_MOMENTS = 12
_ROOM_TYPES = frozenset(
    [
        "returns",
        "shipping_time",
        "freight",
        "authenticity",
        "price_guarantee",
        "after_sales",
        "warranty",
    ]
)


class Bounds(NamedTuple):
    """The stated bounds below which *not said* is not claimed."""

    viewer_latency_ms: int = 10_000
    """How late viewers see the stream, at most."""
    min_coverage_pm: int = 900
    """Least listened share of the SKU's windows."""
    min_prob_pm: int = 350
    """Least mean recognition probability in them."""
    max_gap_ms: int = 60_000
    """Longest missing stretch inside them: a promise takes less than a minute."""


def answer(
    order: Order,
    *,
    broadcast: Broadcast,
    transcript: Transcript | None,
    claims: ClaimSet,
    clock_map: ClockMap,
    bounds: Bounds = Bounds(),  # noqa: B008
    candidates: Sequence[Candidate] = (),
    read: Reader | None = None,
) -> Dossier:
    """The dossier of an order, from one broadcast.

    Args:
        order: The order, with its dispute's reason code or words, or both.
        broadcast: The broadcast answered from.
        transcript: What was heard; None where nothing was transcribed.
        claims: Claims and product windows.
        clock_map: Ties the timeline to wall-clock time.
        bounds: Below these the answer is *cannot say* rather than *not said*.
        candidates: Where the order named no single broadcast: the ranked ones.
        read: Claim types in the buyer's words by the claim rules; asked only without a code.
    """
    inquiry = inquire(order.reason_code, order.reason_text, read=read)
    ranked = rank(claims.claims, inquiry, sku_id=order.sku_id)
    moments = tuple(_moment(r, order, clock_map, bounds) for r in _apart(ranked)[:_MAX_MOMENTS])
    windows = union(w.span for w in claims.windows if w.sku_id == order.sku_id)
    asked = _asked(windows, inquiry, transcript)
    listened = heard(asked, transcript)
    verdict, why = _verdict(moments, inquiry, windows, listened, bounds)
    found = Findings(order, broadcast, verdict, why, inquiry, moments, listened.coverage, clock_map)
    return Dossier(
        order_id=order.order_id,
        broadcast_id=broadcast.broadcast_id,
        sku_id=order.sku_id,
        verdict=verdict,
        sentence=sentence(found),
        looked_for=inquiry.first,
        moments=moments,
        coverage=listened.coverage,
        windows=tuple((w.start_ms, w.end_ms) for w in windows),
        candidates=tuple(candidates),
        warnings=tuple(_warnings(order, broadcast, claims, inquiry)),
    )


def unanswered(order: Order, *, why: str, candidates: Sequence[Candidate] = ()) -> Dossier:
    """The answer where no broadcast is known for the order."""
    inquiry = inquire(order.reason_code, order.reason_text)
    return Dossier(
        order_id=order.order_id,
        sku_id=order.sku_id,
        verdict="cannot_say",
        sentence={
            "zh": f"无法断定：没有找到订单 {order.order_id} 所属的直播。",
            "en": f"Cannot say: no broadcast is known for order {order.order_id}.",
        },
        looked_for=inquiry.first,
        coverage=Coverage(start_ms=0, end_ms=0, listened_ms=0, speech_ms=0, mean_prob_pm=0),
        candidates=tuple(candidates),
        warnings=(why,),
    )


def _apart(ranked: Sequence[Ranked]) -> list[Ranked]:
    """One entry a claim: a screen claim that only repeats a spoken one is left to it."""
    spoken = {r.claim.claim_id for r in ranked if r.claim.source == "speech"}
    return [
        r
        for r in ranked
        if r.claim.source == "speech" or not spoken.intersection(r.claim.corroborated_by)
    ]


def _moment(ranked: Ranked, order: Order, clock_map: ClockMap, bounds: Bounds) -> Moment:
    claim: Claim = ranked.claim
    wall = clock_map.wall_utc_ms(claim.start_ms)
    end_ms = max(claim.end_ms + _MOMENT_TAIL_MS, claim.start_ms + 1)
    return Moment(
        start_ms=claim.start_ms,
        end_ms=min(end_ms, claim.start_ms + MOMENT_MAX_MS),
        claim_id=claim.claim_id,
        standing=standing(
            claim, order.ordered_at, clock_map, viewer_latency_ms=bounds.viewer_latency_ms
        ),
        score=ranked.score,
        reasons=ranked.reasons,
        wall_utc_ms=wall[0] if wall else None,
        wall_uncertainty_ms=wall[1] if wall else None,
        claim=claim,
    )


def _asked(windows: Sequence[Span], inquiry: Inquiry, transcript: Transcript | None) -> list[Span]:
    """Where the words would have been: the SKU's windows, and all the talk for house rules."""
    if not windows:
        return []
    asked = with_touching(windows, missing_gaps(transcript))
    if transcript and _ROOM_TYPES.intersection(inquiry.first):
        last = max([transcript.duration_ms, *(s.end_ms for s in transcript.segments[-1:])])
        asked = union([*asked, Span(0, last)])
    return asked


def _verdict(
    moments: Sequence[Moment],
    inquiry: Inquiry,
    windows: Sequence[Span],
    listened: Heard,
    bounds: Bounds,
) -> tuple[Verdict, str]:
    """The verdict and, for *cannot say*, a code for the reason."""
    if moments:
        return "found", ""
    if inquiry.nothing:
        return "not_said", "nothing"
    if not inquiry.understood:
        return "cannot_say", "reason"
    if not windows:
        return "cannot_say", "no_window"
    if listened.share_pm < bounds.min_coverage_pm or listened.longest_gap_ms >= bounds.max_gap_ms:
        return "cannot_say", "coverage"
    if listened.coverage.speech_ms and listened.coverage.mean_prob_pm < bounds.min_prob_pm:
        return "cannot_say", "recognition"
    return "not_said", ""


def _warnings(order: Order, broadcast: Broadcast, claims: ClaimSet, inquiry: Inquiry) -> list[str]:
    out = []
    if broadcast.product(order.sku_id) is None:
        out.append(f"SKU {order.sku_id!r} is not on the broadcast's product list")
    if order.reason_code and order.reason_code.strip().lower() not in inquiry.codes:
        out.append(f"reason code {order.reason_code!r} is unknown; the buyer's words were used")
    if broadcast.start_utc_ms is None:
        out.append("the broadcast has no wall clock: before and after cannot be told")
    unsure = [w for w in claims.windows if w.sku_id == order.sku_id and w.confidence_pm < 700]
    if unsure:
        out.append("when the product was on stage is uncertain")
    return out
