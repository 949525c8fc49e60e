"""What was heard, what was not, and how sure that is."""

from __future__ import annotations

from pipeline.model.base import Frozen, PerMille
from pipeline.timeline import Span


class Segment(Frozen):
    """A stretch of heard speech."""

    start_ms: int
    """On the broadcast's timeline."""
    end_ms: int
    """Exclusive."""
    text: str
    """Verbatim, as recognised or given; never altered."""
    normal_text: str = ""
    """Simplified, half-width, folded text for search and rules."""
    normal_offsets: tuple[int, ...] = ()
    """For each character of ``normal_text`` (and its end) the index in ``text``."""
    char_start_ms: tuple[int, ...] = ()
    """Start of each character of ``text`` and the end of the last; empty means linear."""
    char_prob_pm: tuple[int, ...] = ()
    """Recognition probability of each character, per mille; empty for a given transcript."""
    prob_pm: PerMille = 1000
    """Mean probability, per mille; 1000 for a given transcript."""
    no_speech_pm: PerMille = 0
    """The model's own belief that nobody spoke, per mille."""
    chunk: int = -1
    """Which chunk produced it; -1 for a given transcript."""
    flags: tuple[str, ...] = ()
    """Guards that fired: ``redecoded``, ``repeat``, ``fast``, ``compressed`` …"""

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)


class Gap(Frozen):
    """A span that was not processed, and why. Nothing is dropped without one."""

    stage: str
    """``ingest``, ``transcribe``, ``keyframes``, ``claims``."""
    start_ms: int
    """On the broadcast's timeline."""
    end_ms: int
    """Exclusive."""
    reason: str
    """A code: ``no_recording``, ``no_audio``, ``silence``, ``corrupt``, ``vad``, ``guard`` …"""
    detail: str = ""
    """Words for a person."""
    missing: bool = True
    """Whether words may be missing; False for silence that was listened to."""

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)


class Coverage(Frozen):
    """How much of a span an answer rests on."""

    start_ms: int
    """Span asked about."""
    end_ms: int
    """Exclusive."""
    listened_ms: int
    """Milliseconds in which every word there was would have been heard."""
    speech_ms: int
    """Milliseconds of recognised speech."""
    mean_prob_pm: PerMille
    """Mean recognition probability over the speech, per mille."""
    gaps: tuple[Gap, ...] = ()
    """What is missing, and why."""

    @property
    def share_pm(self) -> int:
        """Listened share of the span, per mille; 0 for an empty span."""
        total = self.end_ms - self.start_ms
        return 0 if total <= 0 else min(1000, self.listened_ms * 1000 // total)


class Transcript(Frozen):
    """All segments of a broadcast in order, with everything that was left out."""

    schema_version: int = 1
    """Version of this form."""
    broadcast_id: str
    """Whose words."""
    language: str = ""
    """``zh``, ``en`` or empty when mixed or unknown."""
    segments: tuple[Segment, ...] = ()
    """In order of time."""
    gaps: tuple[Gap, ...] = ()
    """Dropped and silent spans with their reasons."""
    duration_ms: int = 0
    """End of the timeline that was looked at."""
    producer: str = ""
    """Model name and digest, or ``given`` for a supplied transcript."""
