"""The claim timeline: a lane for each type over the windows of the products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.cases.review import Layer
from pipeline.model import Claim
from pipeline.runner import Parts
from pipeline.timeline import Span, clock

LEFT, WIDTH, ROW = 120, 880, 20
"""Room for the names of types, for the time, and for a lane."""
WHOLE_MS = 40 * 60_000
"""A broadcast up to this long is shown whole around a moment; of a longer one, the twenty minutes."""
_AROUND_MS = 10 * 60_000
_MOST_FRAMES = 600


class Dot(NamedTuple):
    """A claim."""

    claim: Claim
    x: str
    y: int
    shade: str
    """Class of its colour: what a person decided, else doubt, else its polarity."""
    current: bool


class Band(NamedTuple):
    """A span: a product's window, or what was not heard."""

    x: str
    width: str
    text: str


class Lanes(NamedTuple):
    """What is drawn."""

    from_ms: int
    length_ms: int
    names: list[tuple[str, int]]
    """Types and the height of their lanes."""
    dots: list[Dot]
    windows: list[Band]
    gaps: list[Band]
    height: int
    frames: str = ""
    """Keyframes of the time shown, ``number:ms`` each, with spaces between."""

    def at(self, at_ms: int) -> str:
        """Where an instant lies."""
        return f"{LEFT + WIDTH * (at_ms - self.from_ms) / self.length_ms:.1f}"


def lanes_of(
    parts: Parts, layers: Mapping[str, Layer], *, current: Claim | None = None, at_ms: int = -1
) -> Lanes:
    """The timeline of a broadcast, or of the part around an instant."""
    shown = _shown(parts.state.revision.duration_ms, at_ms)
    claims = [
        claim
        for claim in (parts.claims.claims if parts.claims else ())
        if shown.start_ms <= claim.start_ms < shown.end_ms
    ]
    heights = {kind: ROW * (n + 1) for n, kind in enumerate({c.claim_type: 0 for c in claims})}
    empty = Lanes(shown.start_ms, shown.length_ms, list(heights.items()), [], [], [], 0)
    here = current.claim_id if current else ""
    dots = [
        Dot(
            claim,
            empty.at(claim.start_ms),
            heights[claim.claim_type],
            _shade(claim, layers.get(claim.claim_id)),
            claim.claim_id == here,
        )
        for claim in claims
    ]
    windows, gaps = _bands(parts, empty, shown)
    height = ROW * (len(heights) + 1)
    frames = _frames(parts, shown)
    return empty._replace(dots=dots, windows=windows, gaps=gaps, height=height, frames=frames)


def _shown(duration_ms: int, at_ms: int) -> Span:
    if at_ms < 0 or duration_ms <= WHOLE_MS:
        return Span(0, max(1, duration_ms))
    start = max(0, min(at_ms - _AROUND_MS, duration_ms - 2 * _AROUND_MS))
    return Span(start, start + 2 * _AROUND_MS)


def _frames(parts: Parts, shown: Span) -> str:
    found = [f for f in (parts.screen.keyframes if parts.screen else ()) if shown.holds(f.at_ms)]
    thin = found[:: 1 + len(found) // _MOST_FRAMES]
    return " ".join(f"{frame.index}:{frame.at_ms}" for frame in thin)


def _shade(claim: Claim, layer: Layer | None) -> str:
    if layer is not None:
        return layer.verdict
    return "doubt" if claim.needs_review else claim.polarity


def _bands(parts: Parts, lanes: Lanes, shown: Span) -> tuple[list[Band], list[Band]]:
    windows = [
        _band(lanes, shown, w.span, f"{w.sku_id or '–'} {clock(w.start_ms)} ({w.source})")
        for w in (parts.claims.windows if parts.claims else ())
        if shown.overlap_ms(w.span) > 0
    ]
    gaps = [
        _band(lanes, shown, gap.span, gap.reason)
        for gap in (parts.transcript.gaps if parts.transcript else ())
        if gap.missing and shown.overlap_ms(gap.span) > 0
    ]
    return windows, gaps


def _band(lanes: Lanes, shown: Span, span: Span, text: str) -> Band:
    start, end = max(shown.start_ms, span.start_ms), min(shown.end_ms, span.end_ms)
    return Band(lanes.at(start), f"{WIDTH * (end - start) / lanes.length_ms:.1f}", text)
