"""How much of a span an answer rests on, with every gap named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.model import Coverage, Gap, Transcript
from pipeline.timeline import Span, covered_ms, union

_TOUCHES_MS = 3_000


class Heard(NamedTuple):
    """Coverage of several spans."""

    coverage: Coverage
    """Over the hull of the spans; what lies between them is not asked about."""
    share_pm: int
    """Listened share of the spans themselves, per mille."""
    longest_gap_ms: int
    """The longest missing stretch inside them."""


def missing_gaps(transcript: Transcript | None) -> tuple[Gap, ...]:
    """The stretches in which words may be missing."""
    return tuple(g for g in transcript.gaps if g.missing) if transcript else ()


def with_touching(spans: Sequence[Span], gaps: Sequence[Gap]) -> list[Span]:
    """The spans, reaching back over a missing stretch right before them.

    A product announced inside the stretch would seem to begin only behind it.
    """
    back = (
        Span(gap.start_ms, span.start_ms)
        for gap in gaps
        for span in spans
        if 0 <= span.start_ms - gap.end_ms <= _TOUCHES_MS
    )
    return union([*spans, *back])


def heard(spans: Sequence[Span], transcript: Transcript | None) -> Heard:
    """What was heard in ``spans`` (sorted, apart)."""
    if not spans:
        return Heard(
            Coverage(start_ms=0, end_ms=0, listened_ms=0, speech_ms=0, mean_prob_pm=0), 0, 0
        )
    hull = Span(spans[0].start_ms, spans[-1].end_ms)
    total = sum(s.length_ms for s in spans)
    if transcript is None:
        gap = Gap(stage="transcribe", start_ms=hull.start_ms, end_ms=hull.end_ms,
                  reason="no_transcript", detail="the broadcast has not been transcribed")  # fmt: skip
        empty = Coverage(
            start_ms=hull.start_ms, end_ms=hull.end_ms, listened_ms=0, speech_ms=0,
            mean_prob_pm=0, gaps=(gap,),
        )  # fmt: skip
        return Heard(empty, 0, hull.length_ms)
    gaps = [g for g in missing_gaps(transcript) if covered_ms(g.span, spans) > 0]
    beyond = _beyond(hull, transcript)
    lost = union(g.span for g in [*gaps, *beyond])
    missing = sum(covered_ms(span, lost) for span in spans)
    longest = max((covered_ms(gap, spans) for gap in lost), default=0)
    speech_ms, mean = _speech(spans, transcript)
    coverage = Coverage(
        start_ms=hull.start_ms,
        end_ms=hull.end_ms,
        listened_ms=hull.length_ms - missing,
        speech_ms=speech_ms,
        mean_prob_pm=mean,
        gaps=(*gaps, *beyond),
    )
    return Heard(coverage, 1000 * (total - missing) // max(1, total), longest)


def _beyond(hull: Span, transcript: Transcript) -> list[Gap]:
    """The part of the span behind the end of what was looked at."""
    end = max([transcript.duration_ms, *(s.end_ms for s in transcript.segments[-1:])])
    if hull.end_ms <= end:
        return []
    return [
        Gap(stage="ingest", start_ms=max(end, hull.start_ms), end_ms=hull.end_ms,
            reason="no_recording", detail="behind the end of the recording")
    ]  # fmt: skip


def _speech(spans: Sequence[Span], transcript: Transcript) -> tuple[int, int]:
    """Milliseconds of speech in the spans and its mean probability, per mille."""
    total = weighted = 0
    for segment in transcript.segments:
        shared = covered_ms(segment.span, spans)
        total += shared
        weighted += shared * segment.prob_pm
    return total, weighted // total if total else 0
