"""The room's door: pictures of a broadcast's recordings to keyframes and lines of screen text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import ModelError, NoVideo
from pipeline.keyframes.colours import dominant_colours
from pipeline.keyframes.pixels import Measures, measure, usable
from pipeline.keyframes.reading import ReadPlanner, Wanted
from pipeline.keyframes.roles import assign_roles
from pipeline.keyframes.seams import Seam, joined
from pipeline.keyframes.select import Selector
from pipeline.keyframes.spans import Stretch, starts, stretches
from pipeline.keyframes.tracks import Tracker
from pipeline.keyframes.watch import TextWatch
from pipeline.model import Box, Broadcast, ClockMap, ClockSpan, Keyframe, Screen, SkippedFrame
from pipeline.ports import SeenText, TextReader
from pipeline.provenance import sha256_hex
from pipeline.settings import KeyframeSettings

if TYPE_CHECKING:
    from pipeline.ports import Image

STAGE_VERSION = "2"
"""Changes whenever the same pictures could give another result."""
JPEG_QUALITY = 85
_GAP_MS = 30_000


class Picture(Protocol):
    """One decoded picture (``pipeline.media.pictures.Picture``)."""

    @property
    def media_ms(self) -> int:
        """Presentation time within its recording, milliseconds."""

    @property
    def bgr(self) -> Image:
        """Upright pixels, height x width x 3."""


def run(
    broadcast: Broadcast,
    *,
    clock_map: ClockMap,
    pictures: Callable[[int], Iterator[Picture]],
    reader: TextReader | None,
    settings: KeyframeSettings,
    keep: Callable[[bytes], None],
    progress: Callable[[int], None] | None = None,
) -> Screen:
    """Select, read and track; ``keep`` gets the JPEG of each keyframe, in order.

    ``pictures`` gives the key pictures of a recording by its index, streamed: one is held at
    a time, with a few small grey ones. A recording without video adds nothing. ``progress``
    gets the timeline milliseconds reached. Without ``reader`` (or with ``settings.ocr`` off)
    no text is read.

    Pictures that were not kept, could not be decoded or could not be read are in
    ``Screen.skipped``; a failing reader never fails the broadcast.
    """
    work = _Work(broadcast, clock_map, reader if settings.ocr else None, settings, keep)
    parts = stretches(clock_map, span_ms=settings.span_ms)
    for recording in sorted({s.recording_index for s in clock_map.spans}):
        spans = [s for s in clock_map.spans if s.recording_index == recording]
        anew = starts(parts, recording)
        try:
            for picture in pictures(recording):
                while anew and picture.media_ms >= anew[0]:
                    del anew[0]
                    work.begin()
                at_ms = work.look(picture, spans)
                if progress is not None:
                    progress(at_ms)
        except NoVideo:
            continue
        finally:
            work.leave(spans[-1].end_ms)
    return work.screen()


def read_stretch(
    broadcast: Broadcast,
    stretch: Stretch,
    *,
    clock_map: ClockMap,
    pictures: Iterator[Picture],
    reader: TextReader,
    settings: KeyframeSettings,
) -> int:
    """Read in one stretch what :func:`run` will read in it; how many pictures were kept.

    The readings are the reader's to keep; nothing else is made here.
    """
    work = _Work(broadcast, clock_map, reader, settings, lambda image: None)
    spans = [s for s in clock_map.spans if s.recording_index == stretch.recording]
    work.begin()
    try:
        for picture in pictures:
            work.look(picture, spans)
    except NoVideo:
        return 0
    return work.kept


class _Work:
    """What is known while the pictures stream by."""

    def __init__(
        self,
        broadcast: Broadcast,
        clock_map: ClockMap,
        reader: TextReader | None,
        settings: KeyframeSettings,
        keep: Callable[[bytes], None],
    ) -> None:
        self._broadcast = broadcast
        self._clock_map = clock_map
        self._reader = reader
        self._settings = settings
        self._keep_image = keep
        self._tracker = Tracker()
        self._seams: list[Seam] = []
        self._keyframes: list[Keyframe] = []
        self._skipped: list[SkippedFrame] = []
        self._span: ClockSpan | None = None
        self._size = (0, 0)
        self._at_ms = 0
        self.begin()

    @property
    def kept(self) -> int:
        """Pictures kept so far."""
        return len(self._keyframes)

    def begin(self) -> None:
        """A new stretch: what is decided in it depends on nothing before it."""
        self._selector = Selector(self._settings, self._broadcast.product_schedule)
        self._watch = TextWatch()
        self._planner = ReadPlanner()
        self._new = True

    def look(self, picture: Picture, spans: list[ClockSpan]) -> int:
        """One picture: measure, decide, keep, read. Its timeline milliseconds."""
        span = _span_of(picture.media_ms, spans)
        at_ms = span.start_ms + picture.media_ms - span.media_start_ms
        if not usable(picture.bgr):
            return self._skip(at_ms, "corrupt")
        if self._selector.too_soon(at_ms):
            return self._skip(at_ms, "budget")
        measures = measure(picture.bgr)
        if measures.flat:
            return self._skip(at_ms, "corrupt")
        if self._selector.blurred(measures, at_ms=at_ms):
            return self._skip(at_ms, "blurred")
        self._cross_gap(span, picture.bgr, at_ms)
        if self._new:
            self._cross_seam(at_ms)
        wanted = self._wanted(measures, at_ms)
        decision = self._selector.decide(
            measures, at_ms=at_ms, new_text=bool(wanted.regions), refused=wanted.refused
        )
        if not decision.keep:
            return self._skip(at_ms, decision.skip)
        read = self._read(picture.bgr, wanted, at_ms)
        self._keep(picture, measures, at_ms, span.recording_index, decision.keep, read)
        return at_ms

    def leave(self, end_ms: int) -> None:
        """The end of a recording."""
        self._tracker.finish(end_ms)
        self._watch.reset()
        self._span = None

    def screen(self) -> Screen:
        """Everything seen, roles assigned."""
        tracks = joined(self._tracker.closed, self._seams)
        lines = assign_roles(tracks, frame_px=self._size, end_ms=self._at_ms)
        return Screen(
            broadcast_id=self._broadcast.broadcast_id,
            keyframes=tuple(self._keyframes),
            lines=lines,
            skipped=tuple(self._skipped),
            producer=self._reader.producer if self._reader is not None else "",
        )

    def _cross_gap(self, span: ClockSpan, bgr: Image, at_ms: int) -> None:
        """Close the lines before a hole: nobody knows what stood on the screen in it."""
        last = self._span
        size = (bgr.shape[1], bgr.shape[0])
        jumped = last is not None and last != span and span.start_ms - last.end_ms > _GAP_MS
        if last is not None and (jumped or size != self._size):
            self._tracker.finish(min(last.end_ms, at_ms) if jumped else at_ms)
            self._watch.reset()
        self._span, self._size, self._at_ms = span, size, at_ms

    def _cross_seam(self, at_ms: int) -> None:
        """Forget the lines at the first picture of a stretch; they may go on behind the seam."""
        self._new = False
        if self._tracker.open:
            self._seams.append(Seam(at_ms, tuple(self._tracker.open)))
        self._tracker.finish(at_ms)

    def _wanted(self, measures: Measures, at_ms: int) -> Wanted:
        change = self._watch.look(measures.edges)
        doubtful = self._tracker.look(measures.grey, measures.scale, at_ms=at_ms)
        if self._reader is None:
            return Wanted()
        return self._planner.plan(
            measures,
            change,
            at_ms=at_ms,
            near_change=self._selector.near_change(at_ms),
            doubtful=doubtful,
            lines=self._tracker.open,
        )

    def _read(self, bgr: Image, wanted: Wanted, at_ms: int) -> bool:
        if self._reader is None or not wanted.regions:
            return False
        lines = new = 0
        try:
            for region in wanted.regions:
                seen = _shifted(self._reader.read(_crop(bgr, region.box)), region.box)
                fresh = self._tracker.take(seen, region=region.box, keyframe=len(self._keyframes))
                lines, new = lines + len(seen), new + len(fresh)
                self._watch.mark_read(region.tiles)
        except ModelError:
            self._skip(at_ms, "unread")
            return False
        finally:
            self._planner.spent(wanted, at_ms=at_ms, lines=lines, new=new)
        return True

    def _keep(
        self, picture: Picture, m: Measures, at_ms: int, recording: int, reason: str, read: bool
    ) -> None:
        data, width, height = jpeg(picture.bgr, max_side_px=self._settings.max_side_px)
        index = len(self._keyframes)
        self._keyframes.append(
            Keyframe(
                index=index,
                at_ms=at_ms,
                recording_index=recording,
                media_ms=picture.media_ms,
                width_px=width,
                height_px=height,
                image=index,
                image_sha256=sha256_hex(data),
                phash=f"{m.phash:016x}",
                sharpness=m.sharpness,
                colours=dominant_colours(picture.bgr),
                reason=reason,
                read=read,
            )
        )
        self._keep_image(data)

    def _skip(self, at_ms: int, reason: str) -> int:
        self._skipped.append(SkippedFrame(at_ms=at_ms, reason=reason))
        return at_ms


def jpeg(bgr: Image, *, max_side_px: int) -> tuple[bytes, int, int]:
    """The picture as JPEG (quality 85), scaled down to ``max_side_px``: bytes, width, height."""
    import cv2

    height, width = bgr.shape[:2]
    scale = min(1.0, max_side_px / max(width, height))
    if scale < 1:
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        bgr = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes(), width, height


def _span_of(media_ms: int, spans: list[ClockSpan]) -> ClockSpan:
    """The clock span of a media time; the nearest one at its ends (rounding, last picture)."""

    def distance(span: ClockSpan) -> int:
        end_ms = span.media_start_ms + span.end_ms - span.start_ms
        return max(span.media_start_ms - media_ms, media_ms - end_ms + 1, 0)

    return min(spans, key=distance)


def _crop(bgr: Image, box: Box) -> Image:
    return bgr[box.y_px : box.y_px + box.h_px, box.x_px : box.x_px + box.w_px]


def _shifted(seen: Iterable[SeenText], region: Box) -> list[SeenText]:
    lines: list[SeenText] = []
    for line in seen:
        b = line.box
        box = Box(x_px=b.x_px + region.x_px, y_px=b.y_px + region.y_px, w_px=b.w_px, h_px=b.h_px)
        lines.append(SeenText(line.text, box, line.confidence_pm))
    return lines
