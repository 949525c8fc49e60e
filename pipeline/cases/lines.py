"""Corrections of transcript lines: layers over the machine's words, which stay as they are.

    <prefix>/lines/000001.json    one record each, numbered by conditional put, never replaced

Both are citable. The machine's line is ``<h4>-<12 digits of the transcript's work key>-s<n>``,
whatever version is current; its correction has that id, a full stop and its own number. A
correction is carried over to a later version where the machine wrote the same words again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import Field

from pipeline.cases.numbered import Book, Numbered
from pipeline.errors import InputError
from pipeline.model import Output, Segment
from pipeline.ports import ObjectStore
from pipeline.text.normal import normal_text

LONGEST_TEXT = 2000
_SHORTEST_REASON = 3


class LineCorrection(Numbered):
    """What a person wrote over a line, as stored."""

    number: int = 0
    """In the order of writing, over all lines of the broadcast."""
    line_id: str
    """The machine's line that the person saw."""
    start_ms: int
    """Start of the line on the broadcast's timeline."""
    end_ms: int
    """Its end, exclusive."""
    machine_text: str
    """What the machine wrote, verbatim."""
    text: str = Field(max_length=LONGEST_TEXT)
    """What was said, in the person's ear."""
    reason: str = Field(max_length=LONGEST_TEXT)
    """Why."""
    by_id: str
    """Key of the person."""
    by_name: str
    """Name of the person."""
    at_utc_ms: int
    """When."""

    @property
    def correction_id(self) -> str:
        """The id to cite."""
        return f"{self.line_id}.{self.number}"


class Line(NamedTuple):
    """A line of the machine's, and what stands over it now."""

    line_id: str
    """The id to cite."""
    number: int
    """Place in the transcript."""
    segment: Segment
    """The machine's."""
    correction: LineCorrection | None
    """The last correction of these words; null without one."""


class LineBook(Book[LineCorrection]):
    """Reads and writes the corrections of broadcasts in a store."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store, "lines", LineCorrection, _check)


def line_id_of(output: Output, number: int) -> str:
    """The id of a line of a transcript."""
    return f"{output.key[:4]}-{output.work_key[:12]}-s{number}"


def corrected(
    output: Output,
    segments: Iterable[tuple[int, Segment]],
    records: Sequence[LineCorrection],
) -> list[Line]:
    """Numbered lines of a transcript with what stands over them."""
    found = []
    for number, segment in segments:
        line_id = line_id_of(output, number)
        over = history(records, line_id, segment)
        found.append(Line(line_id, number, segment, over[-1] if over else None))
    return found


def history(
    records: Iterable[LineCorrection], line_id: str, segment: Segment
) -> list[LineCorrection]:
    """Every correction of a line, of whatever version of it."""
    return [record for record in records if _same_words(record, line_id, segment)]


def _same_words(record: LineCorrection, line_id: str, segment: Segment) -> bool:
    """The same line, or the same words at the same time in another version."""
    if record.line_id == line_id:
        return True
    apart = record.end_ms <= segment.start_ms or segment.end_ms <= record.start_ms
    return not apart and normal_text(record.machine_text) == normal_text(segment.text)


def _check(record: LineCorrection, records: Sequence[LineCorrection], *, after: int | None) -> None:
    if not record.text.strip():
        raise InputError("a correction without words", hint="write what was said")
    if len(record.reason.strip()) < _SHORTEST_REASON:
        raise InputError("a line is not corrected without a reason", hint="say why, in a few words")
    segment = Segment(start_ms=record.start_ms, end_ms=record.end_ms, text=record.machine_text)
    known = history(records, record.line_id, segment)
    last = known[-1].number if known else 0
    standing = known[-1].text if known else record.machine_text
    if after is not None and after != last:
        raise InputError(
            "someone else corrected this line meanwhile", hint="look at their correction first"
        )
    if record.text == standing:
        raise InputError("these are the words that stand already", hint="write what was said")
