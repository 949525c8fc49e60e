"""A supplied transcript: JSON of format version 1, SubRip or WebVTT."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pipeline.errors import InputError
from pipeline.model import Segment, Transcript
from pipeline.text.normal import normalise

STAGE_VERSION = "1"
"""Changes whenever the same file could give another transcript."""
_KNOWN = frozenset({"schema_version", "broadcast_id", "language", "segments"})
_KNOWN_OF_SEGMENT = frozenset({"start_ms", "end_ms", "text"})
_NAMED = 5
"""Unknown fields named in warnings; of more, only the number is told."""
_HINT = 'give JSON {"segments": [{"start_ms", "end_ms", "text"}]}, SubRip or WebVTT'


def from_given(
    payload: bytes, *, file_name: str, broadcast_id: str, duration_ms: int | None
) -> Transcript:
    """The transcript in a file, sorted by time, with the normal form of each text.

    Args:
        payload: The file's bytes.
        file_name: For messages only.
        broadcast_id: Whose words they are.
        duration_ms: Length of the timeline; None: where the words end.

    Raises:
        InputError: names the file, the line or segment and the field.
    """
    language, rows = _rows(_decoded(payload, file_name), file_name)
    segments = tuple(_segment(start, end, words) for start, end, words in sorted(rows))
    last = max((s.end_ms for s in segments), default=0)
    return Transcript(
        broadcast_id=broadcast_id,
        language=language,
        segments=segments,
        duration_ms=max(last, duration_ms or 0),
        producer="given",
    )


def given_warnings(payload: bytes, *, file_name: str) -> tuple[str, ...]:
    """What a person should know about a supplied transcript that can be used.

    Fields this version does not know (they stay in the stored file and are not used),
    segments that overlap, and segments without a word.

    Raises:
        InputError: as :func:`from_given`.
    """
    text = _decoded(payload, file_name)
    _, rows = _rows(text, file_name)
    found = [*_unknown(json.loads(text))] if _is_json(text) else []
    return tuple(f"{file_name}: {what}" for what in [*found, *_overlaps(sorted(rows))])


def _unknown(value: Any) -> Iterable[str]:
    value = {"segments": value} if isinstance(value, list) else value
    for names, known, where in (
        (Counter(value), _KNOWN, ""),
        (Counter(n for row in value["segments"] for n in row), _KNOWN_OF_SEGMENT, " of segments"),
    ):
        strange = [n for n in names if n not in known]
        for name in strange[:_NAMED]:
            often = f" ({names[name]} times)" if where else ""
            yield f"unknown field {name[:60]!r}{where}{often}: kept in the stored file, not used"
        if len(strange) > _NAMED:
            yield f"{len(strange) - _NAMED} more unknown fields{where}"


def _overlaps(rows: list[tuple[int, int, str]]) -> Iterable[str]:
    """About rows in order of their start."""
    count, first, reach = 0, "", -1
    for start, end, _ in rows:
        if start < reach:
            first = first or f"{start} to {min(end, reach)} ms"
            count += 1
        reach = max(reach, end)
    if count:
        yield f"{count} segments begin before an earlier one ends (first: {first}): all are kept"
    empty = sum(not text.strip() for _, _, text in rows)
    if empty:
        yield f"{empty} segments hold no text"


def _segment(start_ms: int, end_ms: int, text: str) -> Segment:
    normal = normalise(text)
    return Segment(
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        normal_text=normal.text,
        normal_offsets=normal.offsets,
    )


def _decoded(payload: bytes, file_name: str) -> str:
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(file_name, f"byte {error.start}", "is not UTF-8", "save it as UTF-8") from None
    if not text.strip():
        raise _wrong(file_name, "", "is empty", _HINT)
    return text


def _is_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "["))


def _rows(text: str, file_name: str) -> tuple[str, list[tuple[int, int, str]]]:
    """The language and ``(start, end, text)`` of each segment."""
    if _is_json(text):
        return _from_json(text, file_name)
    return "", _from_subtitles(text, file_name)


def _from_json(text: str, file_name: str) -> tuple[str, list[tuple[int, int, str]]]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _wrong(file_name, where, f"is not JSON: {error.msg}", "correct it there") from None
    except (RecursionError, ValueError) as error:
        raise _wrong(file_name, "", f"cannot be read as JSON: {error}", _HINT) from None
    if isinstance(value, list):
        value = {"segments": value}
    version = value.get("schema_version", 1)
    if version != 1:
        raise _wrong(file_name, "schema_version", f"is {version!r}", "version 1 is read")
    rows = value.get("segments")
    if not isinstance(rows, list):
        raise _wrong(file_name, "segments", "is missing or not a list", _HINT)
    language = value.get("language")
    found = [_row(row, f"segments[{n}]", file_name) for n, row in enumerate(rows)]
    return (language if isinstance(language, str) else ""), found


def _row(row: Any, where: str, file_name: str) -> tuple[int, int, str]:
    if not isinstance(row, dict):
        raise _wrong(file_name, where, "is not an object", _HINT)
    start, end = (_time(row, name, where, file_name) for name in ("start_ms", "end_ms"))
    text = row.get("text")
    if not isinstance(text, str):
        raise _wrong(file_name, f"{where}.text", "is missing or not text", _HINT)
    if end < start:
        raise _wrong(file_name, where, f"ends ({end}) before it starts ({start})", "swap them")
    return start, end, text.encode("utf-8", "replace").decode()


def _time(row: dict[str, Any], name: str, where: str, file_name: str) -> int:
    value = row.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise _wrong(
            file_name,
            f"{where}.{name}",
            f"is {value!r}, not a time",
            "give whole milliseconds from the broadcast's start, 0 or more",
        )
    return value


def _from_subtitles(text: str, file_name: str) -> list[tuple[int, int, str]]:
    import pysubs2
    from pysubs2.exceptions import Pysubs2Error

    kind = "vtt" if text.lstrip().startswith("WEBVTT") else "srt"
    try:
        events = pysubs2.SSAFile.from_string(text, format_=kind).events
    except (Pysubs2Error, ValueError) as error:
        raise _wrong(file_name, "", f"cannot be read as {kind}: {error}", _HINT) from error
    if not events:
        raise _wrong(file_name, "", "holds no cue", _HINT)
    for number, event in enumerate(events, 1):
        if event.end < event.start or event.start < 0:
            raise _wrong(file_name, f"cue {number}", "ends before it starts", "correct its times")
    return [(e.start, e.end, e.plaintext.strip()) for e in events if e.plaintext.strip()]


def _wrong(file_name: str, where: str, what: str, hint: str) -> InputError:
    place = f"{file_name}: {where}".rstrip(": ")
    return InputError(
        f"{place}: {what}" if where else f"{place} {what}", hint=hint, file=file_name, where=where
    )
