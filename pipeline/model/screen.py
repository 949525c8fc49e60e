"""What was seen: keyframes and the text on them."""

from __future__ import annotations

from typing import Literal

from pipeline.model.base import Frozen, PerMille
from pipeline.timeline import Span

ScreenRole = Literal["card", "comment", "banner", "clock", "other"]


class Box(Frozen):
    """A rectangle in pixels of the displayed (rotated) frame, origin top left."""

    x_px: int
    """Left."""
    y_px: int
    """Top."""
    w_px: int
    """Width."""
    h_px: int
    """Height."""


class ScreenLine(Frozen):
    """A line of text that stood on the screen for a span."""

    start_ms: int
    """First keyframe that shows it, timeline milliseconds."""
    end_ms: int
    """Until when it is known to have stood, exclusive."""
    text: str
    """As read; never altered."""
    box: Box
    """Where, on the first keyframe that shows it."""
    confidence_pm: PerMille
    """The reader's confidence, per mille."""
    role: ScreenRole
    """What kind of text; a claim never comes from a ``comment``."""
    keyframe: int
    """Index of the first keyframe that shows it."""

    @property
    def span(self) -> Span:
        """Where it lies on the timeline."""
        return Span(self.start_ms, self.end_ms)


class ColourShare(Frozen):
    """One dominant colour of a frame."""

    name: str
    """Colour family in English (``navy``, ``red`` …)."""
    rgb: str
    """``#rrggbb`` of the cluster's centre."""
    share_pm: PerMille
    """Share of the pixels, per mille."""


class Keyframe(Frozen):
    """A picture kept as evidence."""

    index: int
    """Number within the broadcast."""
    at_ms: int
    """Presentation time on the broadcast's timeline."""
    recording_index: int
    """Which recording it comes from."""
    media_ms: int
    """Media time within that recording."""
    width_px: int
    """Width of the stored picture."""
    height_px: int
    """Height of the stored picture."""
    image: int
    """Record number in the image pack."""
    image_sha256: str
    """SHA-256 of the JPEG bytes."""
    phash: str
    """64-bit perceptual (DCT) hash, 16 hex digits."""
    sharpness: int
    """Variance of the Laplacian, rounded."""
    colours: tuple[ColourShare, ...] = ()
    """Dominant colours, largest first."""
    reason: str
    """Why it was kept: ``first``, ``novel``, ``product_change``, ``interval``."""
    read: bool = False
    """Whether its text was read (distinct states only)."""


class SkippedFrame(Frozen):
    """A decoded key picture that was not kept."""

    at_ms: int
    """Timeline milliseconds."""
    reason: str
    """``same``, ``blurred``, ``corrupt``, ``budget``; ``unread``: kept, but its text could not be read."""


class Screen(Frozen):
    """Everything seen in a broadcast."""

    schema_version: int = 1
    """Version of this form."""
    broadcast_id: str
    """Whose pictures."""
    keyframes: tuple[Keyframe, ...] = ()
    """In order."""
    lines: tuple[ScreenLine, ...] = ()
    """In order of their start."""
    skipped: tuple[SkippedFrame, ...] = ()
    """Frames looked at and not kept."""
    producer: str = ""
    """Reader's name and version."""
    warnings: tuple[str, ...] = ()
    """What was odd, in words: a clock in the picture that contradicts the broadcast's."""
