"""The claims room's door: transcript and screen to claims."""

from __future__ import annotations

from pipeline.model import Broadcast, ClaimSet, Line, Screen, Transcript
from pipeline.ports import ClaimDetector

STAGE_VERSION = "1"
"""Changes whenever the same lines and rules could give other claims."""
_UNREAD = ("comment", "clock")


def run(
    broadcast: Broadcast,
    *,
    transcript: Transcript | None,
    screen: Screen | None,
    detector: ClaimDetector,
    work_key: str,
) -> ClaimSet:
    """All claims of a broadcast, from what was said and what stood on the screen."""
    lines = lines_of(transcript, screen)
    return detector.detect(broadcast, lines, screen=screen, work_key=work_key)


def lines_of(transcript: Transcript | None, screen: Screen | None) -> tuple[Line, ...]:
    """Segments and screen lines in order of time; a viewer's comment is never a line."""
    spoken = [
        Line(
            line_id=f"s{n}",
            source="speech",
            index=n,
            start_ms=s.start_ms,
            end_ms=s.end_ms,
            text=s.text,
            char_start_ms=s.char_start_ms,
            char_prob_pm=s.char_prob_pm,
            prob_pm=s.prob_pm,
        )
        for n, s in enumerate(transcript.segments if transcript else ())
    ]
    seen = [
        Line(
            line_id=f"f{n}",
            source="screen",
            index=n,
            start_ms=s.start_ms,
            end_ms=s.end_ms,
            text=s.text,
            prob_pm=s.confidence_pm,
            role=s.role,
            box=s.box,
        )
        for n, s in enumerate(screen.lines if screen else ())
        if s.role not in _UNREAD
    ]
    return tuple(sorted([*spoken, *seen], key=lambda one: (one.start_ms, one.source, one.index)))
