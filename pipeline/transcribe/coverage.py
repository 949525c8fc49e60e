"""How much of a span was listened to, and how well."""

from __future__ import annotations

from pipeline.model import Coverage, Transcript
from pipeline.timeline import Span, covered_ms, subtract


def coverage(transcript: Transcript, span: Span) -> Coverage:
    """The coverage of a span: what is beyond the transcript's end counts as not listened to."""
    missing = [g for g in transcript.gaps if g.missing and g.span.overlap_ms(span)]
    end = max([transcript.duration_ms, *(s.end_ms for s in transcript.segments[-1:])])
    heard = span.clipped(Span(0, end))
    spoken = [s for s in transcript.segments if s.span.overlap_ms(span)]
    weights = [s.span.overlap_ms(span) for s in spoken]
    total = sum(s.prob_pm * w for s, w in zip(spoken, weights, strict=True))
    return Coverage(
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        listened_ms=sum(s.length_ms for s in subtract(heard, (g.span for g in missing))),
        speech_ms=covered_ms(span, (s.span for s in spoken)),
        mean_prob_pm=total // sum(weights) if sum(weights) else 0,
        gaps=tuple(missing),
    )
