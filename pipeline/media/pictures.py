"""Pictures on the media clock: key pictures of a recording, and the picture at an instant.

PyAV gives times and pixels, OpenCV turns them upright. OpenCV's own clock is not used:
it reports 0 for a first frame that is late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import NoVideo
from pipeline.media.clock import to_ms
from pipeline.media.packets import Reader, Timed
from pipeline.media.source import MediaSource
from pipeline.model import Hole
from pipeline.timeline import Span

if TYPE_CHECKING:
    from pipeline.ports import Image

_LOOK_AHEAD_US = 500_000


class Picture(NamedTuple):
    """One upright picture."""

    media_ms: int
    """Exact presentation time, media milliseconds."""
    bgr: Image
    """Height x width x 3, rotation applied."""


def key_pictures(
    source: MediaSource,
    *,
    min_gap_ms: int,
    spans: Sequence[Span] | None = None,
    report: list[Hole] | None = None,
) -> Iterator[Picture]:
    """Key pictures at least ``min_gap_ms`` apart, in order of time.

    Only key packets are decoded. ``spans`` limits them to some media spans. ``report``
    collects those that could not be decoded (``corrupt``).

    Raises:
        NoVideo: the recording has no pictures. UnreadableMedia: it cannot be opened.
    """
    holes = [] if report is None else report
    decoder = _Decoder(holes, key_only=True)
    next_us: int | None = None
    seen = False
    for timed in Reader(source, kinds=frozenset({"video"})):
        seen = True
        if not timed.packet.is_keyframe or timed.packet.is_discard:
            continue
        if next_us is not None and timed.pts_us < next_us:
            continue
        if spans is not None and not any(s.holds(to_ms(timed.pts_us)) for s in spans):
            continue
        next_us = timed.pts_us + min_gap_ms * 1000
        yield from decoder.key(timed)
    if not seen:
        raise _no_video(source)


def picture_at(source: MediaSource, *, media_ms: int) -> Picture:
    """The picture on screen at an instant: the last one shown at or before it.

    Before the first picture, the first one.

    Raises:
        NoVideo: the recording has no pictures (that can be decoded).
    """
    at_us = media_ms * 1000 + 500
    group: list[Timed] = []
    for timed in Reader(source, kinds=frozenset({"video"})).read(from_us=at_us):
        starts = timed.packet.is_keyframe and not timed.packet.is_discard
        if group and timed.dts_us > at_us:
            break
        if starts and (timed.pts_us <= at_us or not group):
            group = []
        if group or starts:
            group.append(timed)
    best: Picture | None = None
    for picture in _Decoder([], key_only=False).all(group):
        if best is None or best.media_ms < picture.media_ms <= media_ms:
            best = picture
    if best is None:
        raise _no_video(source)
    return best


def _no_video(source: MediaSource) -> NoVideo:
    return NoVideo(
        f"{source.file_name}: no picture in the recording",
        hint="sound is processed; there are no keyframes and no picture for a clip",
    )


class _Decoder:
    """Packets to upright pictures."""

    def __init__(self, holes: list[Hole], *, key_only: bool) -> None:
        self._holes = holes
        self._key_only = key_only

    def key(self, timed: Timed) -> Iterator[Picture]:
        """The picture of one key packet, decoded by itself."""
        import av.error

        context = timed.stream.codec_context
        context.skip_frame = "NONKEY"
        frames: list[Any] = []
        try:
            frames = [*context.decode(timed.packet), *context.decode(None)]
        except (av.error.FFmpegError, ValueError):
            frames = []
        context.flush_buffers()
        good = [f for f in frames if not f.is_corrupt]
        if not good:
            self._note(timed)
            return
        yield Picture(max(0, to_ms(timed.pts_us)), _upright(good[0]))

    def all(self, group: Sequence[Timed]) -> Iterator[Picture]:
        """Every picture of a group of packets, in order of presentation."""
        import av.error

        for timed in [*group, None]:
            if not group:
                return
            context = group[0].stream.codec_context
            try:
                frames = context.decode(timed.packet if timed is not None else None)
            except (av.error.FFmpegError, ValueError):
                continue
            base, shift_us = group[0].packet.time_base, group[0].epoch.shift_us
            for frame in frames:
                stamp = frame.pts if frame.pts is not None else frame.dts
                if stamp is None:
                    continue
                at_us = stamp * 1_000_000 * base.numerator // base.denominator + shift_us
                yield Picture(to_ms(at_us), _upright(frame))

    def _note(self, timed: Timed) -> None:
        self._holes.append(
            Hole(
                start_ms=max(0, to_ms(timed.pts_us)),
                end_ms=max(0, to_ms(timed.end_us)),
                reason="corrupt",
                detail="the key picture cannot be decoded",
                stream="video",
            )
        )


def _upright(frame: Any) -> Image:
    import cv2

    image: Image = frame.to_ndarray(format="bgr24")
    turns = rotation_deg(frame)
    codes = {
        90: cv2.ROTATE_90_CLOCKWISE,
        180: cv2.ROTATE_180,
        270: cv2.ROTATE_90_COUNTERCLOCKWISE,
    }
    return cv2.rotate(image, codes[turns]) if turns in codes else image  # type: ignore[return-value]


def rotation_deg(frame: Any) -> int:
    """Clockwise degrees by which a decoded frame must be turned to stand upright."""
    return round(-(frame.rotation or 0) / 90) * 90 % 360
