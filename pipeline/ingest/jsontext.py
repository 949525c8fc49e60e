"""JSON a stranger wrote: errors with a place, numbers that keep their digits, clean text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from pydantic import JsonValue

from pipeline.errors import InputError

SAFE_INTEGER = 2**53 - 1
"""Largest integer that canonical JSON can hold (RFC 8785, section 3.2.2.3)."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Number(str):
    """A JSON number that is no safe integer, in the digits of the file.

    Hashed bodies hold no floats, and ids longer than 2⁵³ would lose digits.
    """

    __slots__ = ()


def parse_json(payload: bytes, *, file_name: str) -> tuple[Any, tuple[str, ...]]:
    """The JSON value and what was odd about it (fields given twice, broken characters).

    Raises:
        InputError: not UTF-8 or not JSON; names the file, the line and what to do.
    """
    text = _decoded(payload, file_name)
    doubled: list[str] = []

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a JSON value")

    try:
        value = json.loads(
            text,
            parse_float=Number,
            parse_int=_integer,
            parse_constant=refuse,
            object_pairs_hook=lambda pairs: _object(pairs, doubled),
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(
            f"{file_name}: {where}: {error.msg}",
            hint="correct the JSON at this place",
            file=file_name,
            where=where,
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{file_name}: not usable as JSON ({error})",
            hint="write plain JSON without NaN, Infinity or very deep nesting",
            file=file_name,
        ) from error
    warnings = [f"{file_name}: field {name!r} is given twice; the last one counts"
                for name in dict.fromkeys(doubled)]  # fmt: skip
    if _LONE_SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        value = _without_surrogates(value)
        warnings.append(f"{file_name}: broken characters were replaced by U+FFFD")
    return value, tuple(warnings)


def as_json(value: Any) -> JsonValue:
    """The value in plain types only, numbers that are no safe integers as text."""
    if isinstance(value, dict):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [as_json(v) for v in value]
    return str(value) if isinstance(value, Number) else value


def as_text(value: Any) -> str:
    """A listing value as text: lists joined by commas, numbers in their own digits."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list):
        return ",".join(as_text(v) for v in value)
    if isinstance(value, (bool, dict)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return "" if value is None else str(value)


def _decoded(payload: bytes, file_name: str) -> str:
    if not payload.strip():
        raise InputError(
            f"{file_name}: the file is empty",
            hint="see docs/formats.md for what belongs in it",
            file=file_name,
        )
    try:
        return payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = payload.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{file_name}: line {line}: not UTF-8 text",
            hint="save the file as UTF-8",
            file=file_name,
            where=f"line {line}",
        ) from error


def _integer(digits: str) -> int | Number:
    if len(digits) > len(str(SAFE_INTEGER)) + 1 or abs(int(digits)) > SAFE_INTEGER:
        return Number(digits)
    return int(digits)


def _object(pairs: Iterable[tuple[str, Any]], doubled: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            doubled.append(name)
        made[name] = value
    return made


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(v) for v in value]
    if isinstance(value, Number) or not isinstance(value, str):
        return value
    return _LONE_SURROGATE.sub("�", value)
