"""Pictures on the media clock: key pictures of a recording, and the picture at an instant.

PyAV gives times and pixels, OpenCV turns them upright. OpenCV's own clock is not used:
it reports 0 for a first frame that is late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import NoVideo
from pipeline.media.clock import to_ms
from pipeline.media.packets import Kind, Reader, Timed
from pipeline.media.source import MediaSource
from pipeline.model import Hole, PacketIndex
from pipeline.timeline import Span

if TYPE_CHECKING:
    from pipeline.ports import Image

_PICTURES: frozenset[Kind] = frozenset({"video"})


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
    anew_ms: Sequence[int] = (),
    report: list[Hole] | None = None,
) -> Iterator[Picture]:
    """Key pictures at least ``min_gap_ms`` apart, in order of time.

    Only key packets are decoded, each by itself. ``spans`` limits them to some media
    spans; ``anew_ms`` are instants from which on the gap counts anew, as at the start of a
    span. ``report`` collects those that could not be decoded (``corrupt``).

    Raises:
        NoVideo: the recording has no pictures. UnreadableMedia: it cannot be opened.
    """
    holes = [] if report is None else report
    next_us: int | None = None
    seen = False
    marks = sorted(anew_ms)
    from_us = min((s.start_ms for s in spans), default=0) * 1000 if spans is not None else 0
    for timed in Reader(source, kinds=_PICTURES).read(from_us=from_us):
        seen = True
        if not timed.packet.is_keyframe or timed.packet.is_discard:
            continue
        while marks and to_ms(timed.pts_us) >= marks[0]:
            del marks[0]
            next_us = None
        if next_us is not None and timed.pts_us < next_us:
            continue
        if spans is not None and not any(s.holds(to_ms(timed.pts_us)) for s in spans):
            continue
        frame = _key_frame(timed)
        if frame is None:
            holes.append(_undecodable(timed))
            continue
        next_us = timed.pts_us + min_gap_ms * 1000
        yield Picture(max(0, to_ms(timed.pts_us)), upright(frame))
    if not seen:
        raise _no_video(source)


def picture_at(source: MediaSource, *, media_ms: int, index: PacketIndex | None = None) -> Picture:
    """The picture on screen at an instant: the last one shown at or before it.

    Before the first picture, the first one. ``index`` saves reading from the start.

    Raises:
        NoVideo: the recording has no pictures, or none near it that can be decoded.
    """
    at_us = media_ms * 1000 + 499
    best: tuple[int, Any] | None = None
    for shown_us, frame in _decoded(_group_at(Reader(source, kinds=_PICTURES, index=index), at_us)):
        if best is None or best[0] < shown_us <= at_us or shown_us < best[0] > at_us:
            best = shown_us, frame
    if best is None:
        raise _no_video(source)
    return Picture(max(0, to_ms(best[0])), upright(best[1]))


def frames(source: MediaSource, *, from_us: int) -> Iterator[tuple[int, Any]]:
    """Every decoded frame with its media microseconds, from a key picture at or before."""
    yield from _decoded(Reader(source, kinds=_PICTURES).read(from_us=from_us))


def upright(frame: Any) -> Image:
    """A frame's pixels, turned as a player would show them."""
    import cv2

    image: Image = frame.to_ndarray(format="bgr24")
    codes = {
        90: cv2.ROTATE_90_CLOCKWISE,
        180: cv2.ROTATE_180,
        270: cv2.ROTATE_90_COUNTERCLOCKWISE,
    }
    turns = rotation_deg(frame)
    turned: Image = cv2.rotate(image, codes[turns]) if turns in codes else image  # type: ignore[assignment]
    return turned


def jpeg_bytes(picture: Image, *, quality: int = 90) -> bytes:
    """A BGR picture as JPEG; the same picture gives the same bytes on one OpenCV build."""
    import cv2

    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)


def rotation_deg(frame: Any) -> int:
    """Clockwise degrees by which a decoded frame must be turned to stand upright."""
    return round(-(frame.rotation or 0) / 90) * 90 % 360


def _no_video(source: MediaSource) -> NoVideo:
    return NoVideo(
        f"{source.file_name}: no picture in the recording",
        hint="sound is processed; there are no keyframes and no picture for a clip",
    )


def _key_frame(timed: Timed) -> Any | None:
    """The frame of one key packet; None when it cannot be decoded."""
    import av.error

    context = timed.stream.codec_context
    context.skip_frame = "NONKEY"
    try:
        found = [*context.decode(timed.packet), *context.decode(None)]
    except (av.error.FFmpegError, ValueError):
        found = []
    context.flush_buffers()
    return next((frame for frame in found if not frame.is_corrupt), None)


def _group_at(reader: Reader, at_us: int) -> list[Timed]:
    """The packets from the key picture at or before an instant up to it."""
    group: list[Timed] = []
    for timed in reader.read(from_us=at_us):
        if group and timed.dts_us > at_us:
            break
        starts = timed.packet.is_keyframe and not timed.packet.is_discard
        if starts and (timed.pts_us <= at_us or not group):
            group = []
        if group or starts:
            group.append(timed)
    return group


def _decoded(packets: Iterator[Timed] | Sequence[Timed]) -> Iterator[tuple[int, Any]]:
    """Frames with media microseconds; the decoder is emptied where the clock changes."""
    last: Timed | None = None
    context: Any = None
    for timed in packets:
        if last is not None and (last.epoch, last.stream) != (timed.epoch, timed.stream):
            yield from _frames(context, None, last)
            context.flush_buffers()
            context = None
        context = context or timed.stream.codec_context
        yield from _frames(context, timed, timed)
        last = timed
    if last is not None:
        yield from _frames(context, None, last)


def _frames(context: Any, timed: Timed | None, by: Timed) -> Iterator[tuple[int, Any]]:
    import av.error

    try:
        found = context.decode(timed.packet if timed is not None else None)
    except (av.error.FFmpegError, ValueError):
        return
    base = by.packet.time_base
    for frame in found:
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is not None:
            raw_us = stamp * 1_000_000 * base.numerator // base.denominator
            yield raw_us + by.epoch.shift_us, frame


def _undecodable(timed: Timed) -> Hole:
    return Hole(
        start_ms=max(0, to_ms(timed.pts_us)),
        end_ms=max(0, to_ms(timed.end_us)),
        reason="corrupt",
        detail="the key picture cannot be decoded",
        stream="video",
    )
