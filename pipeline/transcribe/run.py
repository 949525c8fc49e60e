"""The transcribe room's door: the sound of all recordings to one transcript.

For each recording: sound in blocks → chunks at pauses → recognition in batches → guards
(a failing chunk is decoded once more) → utterances on the timeline. Whatever is not
recognised leaves a gap with its reason. A finished chunk is kept in ``scratch`` under the
hash of its sound, so that a killed run continues and ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import logs
from pipeline.errors import NoAudio, TranscriptionFailed
from pipeline.model import Broadcast, ClockMap, ClockSpan, Gap, Hole, Recording, Segment, Transcript
from pipeline.ports import Heard, Transcriber
from pipeline.settings import TranscribeSettings
from pipeline.timeline import Span, subtract
from pipeline.transcribe.chunks import SAMPLES_PER_MS, AudioLike, Chunk, Quiet, cut
from pipeline.transcribe.guards import GRAVE, Verdict, droppable, judge, unheard
from pipeline.transcribe.readings import Item, Reading, Readings, salt_of
from pipeline.transcribe.utterances import segments
from pipeline.transcribe.vad import SileroVad, vad_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

STAGE_VERSION = "1"
"""Changes whenever the same sound and model could give another transcript."""
_DOUBT_PM = 150
"""Speech probability at which loud sound without detected speech may still hide words."""
_LOST = frozenset({"blank"})
"""Quiet in which words may be missing: a room is never without any signal."""


def parameters(settings: TranscribeSettings) -> dict[str, object]:
    """What can change a transcript beside the model: part of the work key."""
    return {"chunk_max_ms": settings.chunk_max_ms, "vad": vad_digest()}


def run(
    broadcast: Broadcast,
    *,
    clock_map: ClockMap,
    audio: Callable[[int, list[Hole]], Iterable[AudioLike]],
    recordings: Sequence[Recording],
    transcriber: Transcriber,
    settings: TranscribeSettings,
    progress: Callable[[int, int], None] | None = None,
    scratch: Path | None = None,
) -> Transcript:
    """Recognise a broadcast's speech.

    Args:
        broadcast: Whose words; its language (empty: decided chunk by chunk).
        clock_map: Where each recording lies on the timeline.
        audio: The sound of a recording (by index) in media time; it appends the stretches
            it could not decode to the list it is given.
        recordings: The recordings, in the order of the clock map's indexes.
        transcriber: Recognises chunks.
        settings: Longest chunk, chunks decoded together.
        progress: Called with timeline milliseconds done and in all.
        scratch: Where finished chunks are kept until the whole is done.
    """
    work = Listening(broadcast, transcriber, settings, scratch)
    total = max((s.end_ms for s in clock_map.spans), default=0)
    for number, recording in enumerate(recordings):
        spans = [s for s in clock_map.spans if s.recording_index == number]
        holes: list[Hole] = []
        try:
            for done_ms in work.listen(audio(number, holes), spans):
                if progress is not None:
                    progress(done_ms, total)
        except NoAudio as error:
            work.gaps += [_gap(s.start_ms, s.end_ms, "no_audio", error.message) for s in spans]
        work.lose([*recording.holes, *holes], spans)
    return work.finish(clock_map, total)


class Listening:
    """A transcript in the making: items are heard once, then placed on the timeline."""

    def __init__(
        self,
        broadcast: Broadcast,
        transcriber: Transcriber,
        settings: TranscribeSettings,
        scratch: Path | None,
    ) -> None:
        self.broadcast, self.transcriber, self.settings = broadcast, transcriber, settings
        self.cache = Readings(scratch, salt_of(transcriber.digest, broadcast.language))
        self.segments: list[Segment] = []
        self.gaps: list[Gap] = []
        self.holes: list[Gap] = []
        self.heard: list[Span] = []
        self.chunks = 0

    def hear(self, blocks: Iterable[AudioLike], *, step: int) -> Iterator[list[Item]]:
        """What one recording's sound is made of, at most ``step`` stretches at a time."""
        found = cut(blocks, vad=SileroVad(), max_ms=self.settings.chunk_max_ms)
        while batch := list(islice(found, step)):
            readings = iter(self._read([one for one in batch if isinstance(one, Chunk)]))
            yield [Item(one, next(readings) if isinstance(one, Chunk) else None) for one in batch]

    def hear_chunks(self, chunks: Iterable[Chunk]) -> list[str]:
        """Recognise chunks and keep their readings; the digests of their sounds, in order."""
        wanted, digests = iter(chunks), list[str]()
        while batch := list(islice(wanted, self.settings.batch_chunks)):
            self._read(batch)
            digests += [self.cache.digest(chunk) for chunk in batch]
        return digests

    def listen(self, blocks: Iterable[AudioLike], spans: Sequence[ClockSpan]) -> Iterator[int]:
        """Recognise one recording; yields the timeline millisecond reached after each batch."""
        for items in self.hear(blocks, step=2 * self.settings.batch_chunks):
            for item in items:
                self.place(item, spans)
            yield max([_place(items[-1].what.end_ms - 1, spans) + 1, 0])

    def place(self, item: Item, spans: Sequence[ClockSpan]) -> None:
        """Put a heard stretch, or a quiet one, on the timeline."""
        if isinstance(item.what, Quiet):
            self._quiet(item.what, spans)
        elif item.reading is not None:
            self._spoken(item.what, item.reading, spans)

    def _read(self, chunks: Sequence[Chunk]) -> list[Reading]:
        readings = {n: self.cache.get(chunk) for n, chunk in enumerate(chunks)}
        fresh = [n for n, reading in readings.items() if reading is None]
        for n, reading in zip(fresh, self._recognised([chunks[n] for n in fresh]), strict=True):
            readings[n] = reading
            self.cache.put(chunks[n], reading)
            self._log(chunks[n], reading)
        return [reading for reading in readings.values() if reading is not None]

    def _log(self, chunk: Chunk, reading: Reading) -> None:
        """A line a chunk; never its words."""
        if not logs.wanted():
            return
        with logs.about(chunk=self.cache.digest(chunk)[:16], stage="transcribe"):
            logs.line(
                "chunk_failed" if reading.failed else "chunk_heard",
                reading.failed,
                start_ms=chunk.start_ms,
                end_ms=chunk.end_ms,
                flags=reading.flags,
            )

    def _recognised(self, chunks: Sequence[Chunk]) -> list[Reading]:
        first = self._attempt(chunks, retry=False)
        failing = [n for n, reading in enumerate(first) if reading.flags or reading.failed]
        again = self._attempt([chunks[n] for n in failing], retry=True)
        for n, second in zip(failing, again, strict=True):
            first[n] = _better(chunks[n], first[n], second)
            if first[n].failed or GRAVE.intersection(first[n].flags):
                first[n] = _better(chunks[n], first[n], self._by_halves(chunks[n]))
        return first

    def _by_halves(self, chunk: Chunk) -> Reading:
        """The chunk heard in two parts; worth a third decoding only where two went wrong."""
        halves = _halves(chunk)
        parts = [self._attempt([half], retry=True)[0] for half in halves]
        heard = tuple(
            _shifted(h, half.start_ms - chunk.start_ms)
            for half, part in zip(halves, parts, strict=True)
            for h in part.heard
        )
        failed = parts[0].failed if parts[0].failed and parts[1].failed else ""
        return Reading(heard, _verdict(chunk, heard).flags, failed)

    def _attempt(self, chunks: Sequence[Chunk], *, retry: bool) -> list[Reading]:
        """One decoding of each chunk; where the batch fails, each by itself."""
        if not chunks:
            return []
        language = self.broadcast.language.partition("-")[0].lower()
        language = language if language in ("zh", "en") else ""
        try:
            heard = self.transcriber.transcribe(
                [c.samples for c in chunks], language=language, retry=retry
            )
        except TranscriptionFailed as error:
            if len(chunks) == 1:
                return [Reading((), (), str(error))]
            return [self._attempt([chunk], retry=retry)[0] for chunk in chunks]
        return [
            Reading(tuple(h), _verdict(chunk, h).flags, "")
            for chunk, h in zip(chunks, heard, strict=True)
        ]

    def _quiet(self, quiet: Quiet, spans: Sequence[ClockSpan]) -> None:
        detail = f"{quiet.loudness_db} dB, voice at most {quiet.prob_pm / 10:.0f} %"
        for start, end in _places(quiet.start_ms, quiet.end_ms, spans):
            missing = quiet.reason in _LOST or _doubtful(quiet)
            self.gaps.append(_gap(start, end, quiet.reason, detail, missing=missing))

    def _spoken(self, chunk: Chunk, reading: Reading, spans: Sequence[ClockSpan]) -> None:
        number, self.chunks = self.chunks, self.chunks + 1
        places = _places(chunk.start_ms, chunk.end_ms, spans)
        self.heard += [Span(start, end) for start, end in places]
        if reading.failed or "empty" in reading.flags:
            reason = "failed" if reading.failed else "guard"
            detail = reading.failed or "there is a voice, and no words were recognised"
            self.gaps += [_gap(start, end, reason, detail) for start, end in places]
            return
        kept = [h for h in reading.heard if not droppable(h)]
        dropped = [h for h in reading.heard if droppable(h)]
        origin = _place(chunk.start_ms, spans)
        self.gaps += [
            _gap(origin + h.start_ms, origin + max(h.end_ms, h.start_ms + 1), "guard", h.text)
            for h in dropped
        ]
        self.gaps += [
            _gap(origin + low, origin + high, "guard", "there is a voice, and hardly a word")
            for low, high in (_skipped(chunk, reading) if kept else [])
        ]
        self.segments += segments(
            kept, pauses=chunk.pauses, origin_ms=origin, chunk=number, flags=reading.flags
        )

    def lose(self, holes: Sequence[Hole], spans: Sequence[ClockSpan]) -> None:
        """Note the stretches of a recording that hold no sound or cannot be decoded."""
        self.holes += list(_hole_gaps(holes, spans))

    def finish(self, clock_map: ClockMap, total_ms: int) -> Transcript:
        """The transcript, with what no recording holds."""
        self.holes += _unrecorded(clock_map, total_ms)
        return self.transcript(total_ms)

    def transcript(self, total_ms: int) -> Transcript:
        """Everything in order of time."""
        return Transcript(
            broadcast_id=self.broadcast.broadcast_id,
            language=self.broadcast.language,
            segments=tuple(sorted(self.segments, key=lambda s: (s.start_ms, s.end_ms))),
            gaps=tuple(self._all_gaps(total_ms)),
            duration_ms=total_ms,
            producer=self.transcriber.producer,
        )

    def _all_gaps(self, total_ms: int) -> list[Gap]:
        """Every gap in order: the silence that stands for a hole is told once, as the hole."""
        told = [g.span for g in self.holes]
        quiet = [
            gap.model_copy(update={"start_ms": part.start_ms, "end_ms": part.end_ms})
            for gap in self.gaps
            for part in subtract(gap.span, told)
        ]
        known = [*told, *self.heard, *(g.span for g in quiet)]
        rest = subtract(Span(0, total_ms), known)
        silent = [_gap(s.start_ms, s.end_ms, "no_audio", "no sound here") for s in rest]
        order = sorted([*self.holes, *quiet, *silent], key=lambda g: (g.start_ms, g.end_ms))
        return _joined(order)


def _doubtful(quiet: Quiet) -> bool:
    """Loud sound under which the voice detector was not sure: words may hide in it."""
    return quiet.reason == "music_or_noise" and quiet.prob_pm >= _DOUBT_PM


def _halves(chunk: Chunk) -> tuple[Chunk, Chunk]:
    """The chunk cut at the pause nearest to its middle, for a last try with less to say."""
    length_ms = chunk.end_ms - chunk.start_ms
    inner = [(low + high) // 2 for low, high in chunk.pauses]
    inner = [at for at in inner if length_ms // 4 < at < length_ms * 3 // 4]
    at = min(inner, key=lambda ms: abs(2 * ms - length_ms), default=length_ms // 2)
    cut_at, cut_ms = at * SAMPLES_PER_MS, chunk.start_ms + at
    left = Chunk(chunk.start_ms, cut_ms, chunk.samples[:cut_at], _within(chunk.pauses, 0, at))
    pauses = _within(chunk.pauses, at, length_ms)
    return left, Chunk(cut_ms, chunk.end_ms, chunk.samples[cut_at:], pauses)


def _within(pauses: Sequence[tuple[int, int]], low: int, high: int) -> tuple[tuple[int, int], ...]:
    cut_to = [(max(a, low) - low, min(b, high) - low) for a, b in pauses if a < high and b > low]
    return tuple(cut_to)


def _shifted(heard: Heard, by_ms: int) -> Heard:
    return heard._replace(
        start_ms=heard.start_ms + by_ms,
        end_ms=heard.end_ms + by_ms,
        char_start_ms=tuple(at + by_ms for at in heard.char_start_ms),
    )


def _verdict(chunk: Chunk, heard: Sequence[Heard]) -> Verdict:
    return judge(heard, length_ms=chunk.end_ms - chunk.start_ms, pauses=chunk.pauses)


def _skipped(chunk: Chunk, reading: Reading) -> list[tuple[int, int]]:
    length_ms = chunk.end_ms - chunk.start_ms
    return unheard(reading.heard, length_ms=length_ms, pauses=chunk.pauses)


def _better(chunk: Chunk, first: Reading, second: Reading) -> Reading:
    """The better of two readings, flagged as decoded again."""
    if first.failed or second.failed:
        best = first if second.failed else second
    else:
        ranks = [_verdict(chunk, one.heard).rank for one in (first, second)]
        best = first if ranks[0] >= ranks[1] else second
    return best._replace(flags=tuple(dict.fromkeys([*best.flags, "redecoded"])))


# --- media time to the timeline -------------------------------------------------------------


def _places(start_ms: int, end_ms: int, spans: Sequence[ClockSpan]) -> list[tuple[int, int]]:
    """The parts of a media span that lie on the timeline."""
    found = []
    for span in spans:
        low = max(start_ms, span.media_start_ms)
        high = min(end_ms, span.media_start_ms + span.end_ms - span.start_ms)
        if low < high:
            shift = span.start_ms - span.media_start_ms
            found.append((low + shift, high + shift))
    return found


def _place(media_ms: int, spans: Sequence[ClockSpan]) -> int:
    """An instant of media time on the timeline, by the last span that had begun."""
    begun = [s for s in spans if s.media_start_ms <= media_ms] or list(spans[:1])
    return begun[-1].start_ms + media_ms - begun[-1].media_start_ms if begun else media_ms


def _gap(start: int, end: int, reason: str, detail: str, *, missing: bool = True) -> Gap:
    return Gap(
        stage="transcribe",
        start_ms=start,
        end_ms=end,
        reason=reason,
        detail=detail,
        missing=missing,
    )


def _hole_gaps(holes: Sequence[Hole], spans: Sequence[ClockSpan]) -> Iterator[Gap]:
    seen = set()
    for hole in holes:
        if hole.stream == "video":
            continue
        for start, end in _places(hole.start_ms, hole.end_ms, spans):
            if (start, end, hole.reason) not in seen:
                seen.add((start, end, hole.reason))
                yield _gap(start, end, hole.reason, hole.detail)


def _unrecorded(clock_map: ClockMap, total_ms: int) -> list[Gap]:
    """What no recording holds, from zero to the end of the timeline."""
    holes = subtract(Span(0, total_ms), (s.span for s in clock_map.spans))
    return [_gap(h.start_ms, h.end_ms, "no_recording", "nothing was recorded") for h in holes]


def _joined(gaps: Sequence[Gap]) -> list[Gap]:
    """Quiet given out in pieces is one gap again where the pieces touch and say the same."""
    out: list[Gap] = []
    for gap in gaps:
        last = out[-1] if out else None
        if (
            last
            and last.end_ms == gap.start_ms
            and (last.reason, last.missing)
            == (
                gap.reason,
                gap.missing,
            )
        ):
            out[-1] = last.model_copy(update={"end_ms": gap.end_ms})
        else:
            out.append(gap)
    return out
