"""Corrections of transcript lines as the façade offers them, and within a viewer's limits."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import NamedTuple

from pipeline import runner
from pipeline.archive import State
from pipeline.bootstrap import Application
from pipeline.cases.lines import Line, LineBook, LineCorrection, corrected, history, line_id_of
from pipeline.errors import IndexingError, NotFound
from pipeline.index import run as index_room
from pipeline.model import Output, Segment
from pipeline.outputs import transcript_of
from pipeline.packs import parse_pack
from pipeline.runner import Parts
from pipeline.serve.desk import Desk, Office
from pipeline.serve.reviews import Reviewer

_LINE_ID = re.compile(r"([0-9a-f]{4})-([0-9a-f]{12})-s(\d{1,9})(?:\.(\d{1,9}))?")


class Told(NamedTuple):
    """A line with everything people wrote over it."""

    state: State
    """Its broadcast."""
    line: Line
    """The machine's line and the correction that stands."""
    history: list[LineCorrection]
    """Every correction of these words, of whatever version."""
    cited: LineCorrection | None
    """The correction that the id names; null where it names the machine's line."""

    @property
    def after(self) -> int:
        """Number of the last correction."""
        return self.history[-1].number if self.history else 0


class Lines:
    """The transcript lines of one workspace, with what people wrote over them."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._book = LineBook(app.store)

    def written(self, parts: Parts) -> tuple[LineCorrection, ...]:
        """What people wrote over a broadcast's lines."""
        return self._book.records(parts.state.prefix)

    def told(self, cited_id: str) -> Told:
        """A line, or a correction, by its id, of whatever version.

        Raises:
            NotFound: there is none.
        """
        match = _LINE_ID.fullmatch(cited_id.strip())
        output = match and self._app.archive.work_of(match[1], match[2], stage="transcribe")
        if not match or not output:
            raise no_line(cited_id)
        prefix, number = output.key.partition("/packs/")[0], int(match[3])
        segments = self._segments(output)
        if number >= len(segments):
            raise no_line(cited_id)
        line_id = line_id_of(output, number)
        over = history(self._book.records(prefix), line_id, segments[number])
        cited = next((r for r in over if r.correction_id == cited_id.strip()), None)
        if match[4] and cited is None:
            raise no_line(cited_id)
        line = Line(line_id, number, segments[number], over[-1] if over else None)
        return Told(self._app.archive.state_at(prefix), line, over, cited)

    def at(self, state: State, start_ms: int) -> str:
        """The id of the line that is spoken at an instant.

        Raises:
            NotFound: nobody speaks then.
        """
        output = state.output("transcribe")
        for number, segment in enumerate(self._segments(output) if output else ()):
            if output and segment.start_ms <= start_ms < segment.end_ms:
                return line_id_of(output, number)
        raise NotFound(
            f"no line is spoken at {start_ms} ms",
            hint="`evidence transcript BROADCAST` lists lines with their times",
        )

    def correct(
        self, told: Told, reviewer: Reviewer, *, text: str, reason: str, after: int | None
    ) -> LineCorrection:
        """Write down what was said, beside the machine's words.

        Raises:
            InputError: words or a reason are missing, or another was faster.
        """
        segment = told.line.segment
        record = LineCorrection(
            line_id=told.line.line_id,
            start_ms=segment.start_ms,
            end_ms=segment.end_ms,
            machine_text=segment.text,
            text=text.strip(),
            reason=reason.strip(),
            by_id=reviewer.by_id,
            by_name=reviewer.by_name,
            at_utc_ms=time.time_ns() // 1_000_000,
        )
        until = told.state.revision.retain_until
        return self._book.add(told.state.prefix, record, after=after, retain_until=until)

    def publish(self, state: State) -> bool:
        """Make the corrections of a broadcast findable; false while the index is away.

        What the index could not take it takes with the next rebuild, from the store.
        """
        try:
            made = list(runner.documents(self._app, state))
            index_room.index_documents(self._app.index, made)
        except IndexingError:
            return False
        return True

    def _segments(self, output: Output) -> tuple[Segment, ...]:
        pack = parse_pack(self._app.archive.pack(output), name=output.key)
        return transcript_of(pack).segments


def lines_of(
    parts: Parts, span: tuple[int, int] | None, records: Sequence[LineCorrection]
) -> list[Line]:
    """The lines of a broadcast, or those that touch a span, with what stands over them."""
    output = parts.state.output("transcribe")
    if output is None or parts.transcript is None:
        return []
    start, end = span or (-1, 1 << 53)
    touching = [
        (number, segment)
        for number, segment in enumerate(parts.transcript.segments)
        if segment.start_ms < end and segment.end_ms > start
    ]
    return corrected(output, touching, records)


def written(office: Office, parts: Parts) -> tuple[LineCorrection, ...]:
    """What people wrote over the lines of a broadcast that the viewer was let into."""
    return office.works.lines.written(parts)


class LineDesk(Desk):
    """The desk, for lines."""

    def line(self, cited_id: str) -> Told:
        """A line or a correction of one, by the id it is cited by."""
        self.viewer.require("read")
        told = self._told(cited_id)
        self._wrote("viewed", "line", state=told.state, line_id=cited_id.strip())
        return told

    def correct(self, line_id: str, *, text: str, reason: str, after: int | None) -> LineCorrection:
        """Put words over a line; the machine's stay."""
        self.viewer.require("review")
        told, lines = self._told(line_id), self._works.lines
        record = lines.correct(told, self._reviewer, text=text, reason=reason, after=after)
        lines.publish(told.state)
        self._wrote("reviewed", "line", state=told.state, line_id=record.correction_id)
        return record

    def transcript_lines(self, broadcast_id: str) -> tuple[Parts, list[Line]]:
        """Everything about a broadcast, and its lines with what stands over them."""
        parts = self.broadcast(broadcast_id, what="transcript", screen=False)
        return parts, lines_of(parts, None, self._works.lines.written(parts))

    def _told(self, cited_id: str) -> Told:
        told = self._works.lines.told(cited_id)
        if not self.viewer.sees(told.state.revision.broadcast):
            raise no_line(cited_id)
        return told


def no_line(cited_id: str) -> NotFound:
    """The same words for what is hidden and for what does not exist."""
    return NotFound(
        f"no line {cited_id!r} in this workspace",
        hint="ids stand beside the lines of a broadcast's transcript",
    )
