"""Reading orders: CSV and JSON Lines, format version 1."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.errors import InputError
from pipeline.ingest.fields import Fields
from pipeline.ingest.jsontext import parse_json
from pipeline.model import Order

SCHEMA_VERSION = 1
"""The newest version of the format that is read."""
_MAX_FIELD_CHARS = 1 << 20
_LIST_MARKS = ";|"
_EXTERNAL = "external_ids."


class OrdersFile(NamedTuple):
    """The orders of a file and what was odd about it."""

    orders: tuple[Order, ...]
    warnings: tuple[str, ...]


def read_orders(payload: bytes, *, file_name: str) -> OrdersFile:
    """The orders in a CSV or JSON Lines file.

    The kind is told by the first character: ``{`` begins JSON Lines, anything else is
    CSV with a header line. Unknown fields are kept and reported. Of two lines for one
    order the later counts, and a warning says so.

    Raises:
        InputError: names the file, the line and the field, and says what to do.
    """
    rows = _rows(payload, file_name)
    orders: dict[str, Order] = {}
    warnings: list[str] = []
    unknown: dict[str, None] = {}
    for line, fields, odd in rows:
        order = _order(fields, line)
        warnings.extend(odd)
        unknown.update(dict.fromkeys(order.extra))
        if order.order_id in orders and orders[order.order_id] != order:
            warnings.append(
                f"{file_name}: line {line}: order {order.order_id!r} is given again; this line counts"
            )
        orders[order.order_id] = order
    if unknown:
        names = ", ".join(map(repr, unknown))
        warnings.append(f"{file_name}: fields not known to format version 1 were kept: {names}")
    return OrdersFile(tuple(orders.values()), tuple(warnings))


_Row = tuple[int, Fields, tuple[str, ...]]


def _rows(payload: bytes, file_name: str) -> Iterator[_Row]:
    if not payload.strip():
        raise InputError(
            f"{file_name}: the file is empty",
            hint="give one order a line, as JSON or as CSV with a header line",
            file=file_name,
        )
    if payload.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return _json_lines(payload, file_name)
    return _csv_lines(payload, file_name)


def _json_lines(payload: bytes, file_name: str) -> Iterator[_Row]:
    for number, line in enumerate(payload.split(b"\n"), 1):
        if not line.strip(b" \t\r\xef\xbb\xbf"):
            continue
        place = f"{file_name}: line {number}"
        try:
            value, odd = parse_json(line, file_name=place)
        except InputError as error:
            raise InputError(
                error.message,
                hint="write one whole JSON object on each line",
                file=file_name,
                where=f"line {number}",
            ) from error
        yield number, Fields(value, file=place), odd


def _csv_lines(payload: bytes, file_name: str) -> Iterator[_Row]:
    text, odd = _csv_text(payload, file_name)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, file_name)
        for row in reader:
            if any(cell.strip() for cell in row):
                place = f"{file_name}: line {reader.line_num}"
                if len(row) != len(header):
                    raise InputError(
                        f"{place}: {len(row)} cells under {len(header)} headings",
                        hint="quote cells that hold commas",
                        file=file_name,
                        where=f"line {reader.line_num}",
                    )
                yield reader.line_num, Fields(_cells(header, row), file=place), odd
                odd = ()
    except csv.Error as error:
        raise InputError(
            f"{file_name}: line {reader.line_num}: not usable as CSV ({error})",
            hint="quote cells that hold commas, quotes or line breaks",
            file=file_name,
            where=f"line {reader.line_num}",
        ) from error


def _csv_text(payload: bytes, file_name: str) -> tuple[str, tuple[str, ...]]:
    """The text: UTF-8, or GB 18030 as spreadsheets in China write it (then with a warning)."""
    try:
        return payload.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        pass  # the other encoding is tried below
    try:
        return payload.decode("gb18030"), (f"{file_name}: not UTF-8, read as GB 18030",)
    except UnicodeDecodeError as error:
        line = payload.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{file_name}: line {line}: neither UTF-8 nor GB 18030 text",
            hint="save the file as UTF-8",
            file=file_name,
            where=f"line {line}",
        ) from error


def _check_header(header: list[str], file_name: str) -> None:
    doubled = {name for name in header if header.count(name) > 1}
    missing = {"order_id", "sku_id", "ordered_at"} - set(header)
    if doubled or missing or "" in header:
        what = (
            f"lacks {', '.join(sorted(missing))}" if missing
            else f"names {', '.join(sorted(doubled))} twice" if doubled
            else "has an empty heading"
        )  # fmt: skip
        raise InputError(
            f"{file_name}: line 1: the header {what}",
            hint="the first line names the fields: order_id,broadcast_id,sku_id,ordered_at,…",
            file=file_name,
            where="line 1",
        )


def _cells(header: list[str], row: list[str]) -> dict[str, Any]:
    """The cells by name; empty ones are absent, ``external_ids.x`` go into one map."""
    out: dict[str, Any] = {}
    external = {}
    for name, cell in zip(header, row, strict=True):
        if not cell.strip():
            continue
        if name.startswith(_EXTERNAL):
            external[name.removeprefix(_EXTERNAL)] = cell
        elif name == "broadcast_id":
            out[name] = _split(cell)
        else:
            out[name] = cell.strip() if name != "reason_text" else cell
    if external:
        out["external_ids"] = external
    return out


def _split(cell: str) -> list[str]:
    for mark in _LIST_MARKS:
        cell = cell.replace(mark, "\n")
    return [part.strip() for part in cell.split("\n") if part.strip()]


def _order(fields: Fields, line: int) -> Order:
    version = fields.whole("schema_version")
    if version is not None and not 1 <= version <= SCHEMA_VERSION:
        raise fields.wrong(
            "schema_version", f"is {version}; this program reads up to {SCHEMA_VERSION}",
            hint="update the program",
        )  # fmt: skip
    ordered_at = fields.instant("ordered_at")
    if ordered_at is None:
        raise fields.wrong("ordered_at", "is missing or empty", hint="give it with its offset")
    return Order(
        order_id=fields.needed("order_id").strip(),
        broadcast_ids=fields.texts("broadcast_id"),
        sku_id=fields.needed("sku_id").strip(),
        ordered_at=ordered_at,
        paid_at=fields.instant("paid_at"),
        completed_at=fields.instant("completed_at"),
        variant=fields.text("variant"),
        price=fields.text("price"),
        reason_code=fields.text("reason_code").strip(),
        reason_text=fields.text("reason_text"),
        host_id=fields.text("host_id"),
        buyer_id=fields.text("buyer_id"),
        external_ids=fields.table("external_ids"),
        extra=fields.rest(),
    )
