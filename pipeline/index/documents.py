"""What the index holds: one flat document per claim, spoken line and screen line.

A further document per broadcast (kind ``broadcast``) carries what an answer's coverage
is made of; it is never a hit itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pydantic import Field

from pipeline.index.amounts import amounts_of
from pipeline.model import (
    Broadcast,
    Claim,
    ClaimSet,
    Frozen,
    Gap,
    Keyframe,
    Revision,
    Screen,
    ScreenLine,
    Segment,
    Transcript,
    Window,
)
from pipeline.timeline import Span, from_utc_ms, union

Kind = Literal["claim", "line", "screen", "broadcast"]
UNDATED = "undated"
CORRECTED = "corrected"
"""Role of a line as a person wrote it."""


@lru_cache(maxsize=4096)
def day_number(day: str) -> int:
    """A day as a number that sorts; 0 for ``undated``."""
    return 0 if day == UNDATED else date.fromisoformat(day).toordinal()


class Document(Frozen):
    """One findable thing. Times are milliseconds on the broadcast's timeline."""

    doc_id: str
    """The claim id, or ``<broadcast>/s<segment>``, ``<broadcast>/f<screen line>``; ``<broadcast>/c<segment>``
    for a person's words over a segment."""
    kind: Kind
    """What it is."""
    broadcast_id: str
    """Where it was said or seen."""
    day: str = UNDATED
    """Broadcast day in the broadcast's own offset, ``YYYY-MM-DD``; ``undated`` without one."""
    host_id: str = ""
    """Who speaks."""
    merchant_id: str = ""
    """Who sells."""
    platform: str = ""
    """Where it was shown."""
    sku_id: str = ""
    """The SKU meant or on stage; empty when unknown."""
    product: str = ""
    """The SKU's name on the page."""
    source: str = "speech"
    """``speech`` or ``screen``."""
    role: str = ""
    """For screen text: ``card``, ``comment`` (a viewer's, never a claim), ``banner`` …; ``corrected`` for
    a person's words over a spoken line."""
    claim_type: str = ""
    """For a claim: one of the 23 types."""
    value: tuple[str, ...] = ()
    """For a claim: its value."""
    polarity: str = ""
    """For a claim: ``affirm`` or ``negate``."""
    needs_review: bool = False
    """For a claim: a person should hear it first."""
    start_ms: int = 0
    """Start."""
    end_ms: int = 0
    """End, exclusive."""
    wall_utc_ms: int | None = None
    """UTC of the start; null without a wall clock."""
    wall_uncertainty_ms: int | None = None
    """± of it."""
    zone_minutes: int = 0
    """Offset in which wall times are shown, minutes east of Greenwich."""
    text: str = ""
    """Verbatim: the quote, the spoken line or the screen line."""
    also: tuple[str, ...] = ()
    """Further words it is found by: a resolved quote, a value."""
    prob_pm: int = 1000
    """Recognition probability, per mille."""
    keyframe: int | None = None
    """Keyframe that shows it, or the nearest one before."""
    claim_id: str = ""
    """For a claim: its id."""
    line_id: str = ""
    """``s<segment>`` or ``f<screen line>``: the line it stands in."""
    release: int = 0
    """Release it was read from."""
    pack: str = ""
    """Key of the pack that holds it."""
    amounts: tuple[tuple[str, float], ...] = ()
    """For a claim: ``(unit, number)`` pairs in its value; units as in ``pipeline.index.amounts``."""
    summary: Summary | None = None
    """For a broadcast: what was listened to."""

    @property
    def day_number(self) -> int:
        """The day as a number that sorts; 0 when undated."""
        return day_number(self.day)

    @property
    def local_ms(self) -> int | None:
        """The wall time as the broadcast's own clock shows it, as if it were UTC."""
        return None if self.wall_utc_ms is None else self.wall_utc_ms + self.zone_minutes * 60_000


class Summary(Frozen):
    """How much of one broadcast an answer rests on."""

    duration_ms: int
    """Length of the timeline."""
    listened_ms: int
    """Of it, listened to without loss."""
    speech_ms: int = 0
    """Recognised speech."""
    gaps: tuple[Gap, ...] = Field(default_factory=tuple)
    """Spans in which words may be missing."""
    documents: int = 0
    """Documents that the broadcast has in an index, this one included."""

    @property
    def listened_pm(self) -> int:
        """Listened share, per mille; 1000 for an empty broadcast."""
        return self.listened_ms * 1000 // self.duration_ms if self.duration_ms else 1000


Document.model_rebuild()


class Given(NamedTuple):
    """Everything the documents of one broadcast are made from."""

    revision: Revision
    transcript: Transcript | None
    screen: Screen | None
    claims: ClaimSet | None
    release: int
    packs: Mapping[str, str]
    corrected: Mapping[int, str]


def documents_of(
    revision: Revision,
    *,
    transcript: Transcript | None,
    screen: Screen | None,
    claims: ClaimSet | None,
    release: int = 0,
    packs: Mapping[str, str] | None = None,
    corrected: Mapping[int, str] | None = None,
) -> Iterator[Document]:
    """All documents of a broadcast, its summary first.

    ``packs`` maps a stage name to its pack's key, kept on every document. ``corrected`` holds what
    people wrote over spoken lines, by the line's number; it stands beside the machine's words.
    """
    given = Given(revision, transcript, screen, claims, release, packs or {}, corrected or {})
    yield _broadcast_document(given)
    for claim in claims.claims if claims else ():
        yield _claim_document(given, claim)
    for number, segment in enumerate(transcript.segments if transcript else ()):
        if segment.text.strip():
            yield _line_document(given, number, segment)
        if number in given.corrected:
            yield _corrected_document(given, number, segment)
    for number, line in enumerate(screen.lines if screen else ()):
        if line.text.strip():
            yield _screen_document(given, number, line)


def _common(given: Given, span: Span, sku_id: str | None) -> dict[str, Any]:
    """The fields that every document of the broadcast shares, and its times."""
    broadcast = given.revision.broadcast
    wall = given.revision.clock_map.wall_utc_ms(span.start_ms)
    product = broadcast.product(sku_id) if sku_id else None
    return {
        "broadcast_id": broadcast.broadcast_id,
        "day": broadcast_day(broadcast),
        "host_id": broadcast.host_id,
        "merchant_id": broadcast.merchant_id,
        "platform": broadcast.platform,
        "sku_id": sku_id or "",
        "product": product.name if product else "",
        "start_ms": span.start_ms,
        "end_ms": span.end_ms,
        "wall_utc_ms": wall[0] if wall else None,
        "wall_uncertainty_ms": wall[1] if wall else None,
        "zone_minutes": broadcast.zone_minutes,
        "release": given.release,
    }


def broadcast_day(broadcast: Broadcast) -> str:
    """The day of the broadcast in its own offset, or ``undated``."""
    start = broadcast.start_utc_ms
    if start is None:
        return UNDATED
    return from_utc_ms(start, offset_minutes=broadcast.zone_minutes).date().isoformat()


def _claim_document(given: Given, claim: Claim) -> Document:
    value = (claim.value,) if isinstance(claim.value, str) else (claim.value or ())
    also = (*((claim.resolved,) if claim.resolved else ()), *value)
    fields = _common(given, claim.span, claim.sku_id)
    return Document(
        **fields,
        doc_id=claim.claim_id,
        kind="claim",
        source=claim.source,
        claim_type=claim.claim_type,
        value=value,
        polarity=claim.polarity,
        needs_review=claim.needs_review,
        text=claim.quote,
        also=also,
        prob_pm=claim.prob_pm,
        keyframe=_nearest(given, claim.start_ms) if claim.keyframe is None else claim.keyframe,
        claim_id=claim.claim_id,
        line_id=f"{'s' if claim.source == 'speech' else 'f'}{claim.segment_index}",
        pack=given.packs.get("claims", ""),
        amounts=amounts_of(claim.claim_type, value),
    )


def _line_document(given: Given, number: int, segment: Segment) -> Document:
    fields = _common(given, segment.span, _on_stage(given, segment.span))
    return Document(
        **fields,
        doc_id=f"{given.revision.broadcast.broadcast_id}/s{number}",
        kind="line",
        source="speech",
        text=segment.text,
        prob_pm=segment.prob_pm,
        keyframe=_nearest(given, segment.start_ms),
        line_id=f"s{number}",
        pack=given.packs.get("transcribe", ""),
    )


def _corrected_document(given: Given, number: int, segment: Segment) -> Document:
    """A person's words over a line: a document of its own, told apart by its role."""
    line = _line_document(given, number, segment)
    changed = {"doc_id": f"{line.broadcast_id}/c{number}", "role": CORRECTED, "prob_pm": 1000}
    return line.model_copy(update={"text": given.corrected[number]} | changed)


def _screen_document(given: Given, number: int, line: ScreenLine) -> Document:
    fields = _common(given, line.span, _on_stage(given, line.span))
    return Document(
        **fields,
        doc_id=f"{given.revision.broadcast.broadcast_id}/f{number}",
        kind="screen",
        source="screen",
        role=line.role,
        text=line.text,
        prob_pm=line.confidence_pm,
        keyframe=line.keyframe,
        line_id=f"f{number}",
        pack=given.packs.get("keyframes", ""),
    )


def _broadcast_document(given: Given) -> Document:
    broadcast = given.revision.broadcast
    span = Span(0, max(0, given.revision.duration_ms))
    fields = _common(given, span, None)
    return Document(
        **fields,
        doc_id=f"{broadcast.broadcast_id}/broadcast",
        kind="broadcast",
        text=broadcast.title,
        summary=_summary(given, span),
    )


def _count(given: Given) -> int:
    """How many documents :func:`documents_of` gives."""
    texts = [segment.text for segment in (given.transcript.segments if given.transcript else ())]
    texts += [line.text for line in (given.screen.lines if given.screen else ())]
    claims = len(given.claims.claims) if given.claims else 0
    return 1 + claims + len(given.corrected) + sum(bool(text.strip()) for text in texts)


def _summary(given: Given, span: Span) -> Summary:
    """Listened to: everything but the gaps in which words may be missing."""
    transcript, documents = given.transcript, _count(given)
    if transcript is None:
        return Summary(duration_ms=span.length_ms, listened_ms=0, documents=documents)
    missing = tuple(g for g in transcript.gaps if g.missing)
    lost = sum(span.overlap_ms(hole) for hole in union(g.span for g in missing))
    unseen = span.length_ms - span.overlap_ms(Span(0, transcript.duration_ms or span.end_ms))
    speech = sum(s.length_ms for s in union(s.span for s in transcript.segments))
    return Summary(
        duration_ms=span.length_ms,
        listened_ms=max(0, span.length_ms - lost - unseen),
        speech_ms=speech,
        gaps=missing,
        documents=documents,
    )


def _on_stage(given: Given, span: Span) -> str | None:
    """The SKU whose window shares most of the span; None when there is none."""
    windows = given.claims.windows if given.claims else ()
    best: Window | None = max(windows, key=lambda w: w.span.overlap_ms(span), default=None)
    return best.sku_id if best is not None and best.span.overlap_ms(span) > 0 else None


def _nearest(given: Given, at_ms: int) -> int | None:
    """The last keyframe at or before an instant, else the first after it."""
    frames: tuple[Keyframe, ...] = given.screen.keyframes if given.screen else ()
    if not frames:
        return None
    at = bisect_right(frames, at_ms, key=lambda frame: frame.at_ms)
    return frames[max(0, at - 1)].index
