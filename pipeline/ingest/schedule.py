"""Product events of live platforms into ``product_schedule``.

A platform posts a small JSON object to a callback address whenever a product is put on
stage or taken off. The file read here holds such objects as they arrived, one a line (JSON
Lines) or in one JSON array, in any order; repeated deliveries are recognised by
``RequestUuid``. Two shapes, as the platforms document them:

``byteplus``
    BytePlus Live, *ActivityExplainProductCallBack*
    (docs.byteplus.com/en/docs/byteplus-livesaas/activityexplainproductcallBack):
    ``ExplainExternalProductId`` (else ``ExplainProductId``) goes on stage,
    ``CancelExplain…`` leaves it, ``Timestamp`` is Unix seconds as text.
``volcengine``
    Volcengine Enterprise Live, *ProductCardModifyCallBack* and *ExplainProduct*
    (www.volcengine.com/docs/3019/1722722 and …/1253474): in ``Products[].After``, or
    ``Before`` where the card was removed, ``ExplainStatus`` or ``FloatingStatus`` is 1 on
    stage, anything else off it.

Callback times are whole seconds of the platform's clock, taken when the message was sent:
expect a second or two after the host pressed the button.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from pipeline.errors import InputError
from pipeline.ingest.fields import Fields
from pipeline.ingest.jsontext import parse_json
from pipeline.model import ScheduleEntry
from pipeline.timeline import utc_ms

Shape = Literal["byteplus", "volcengine"]
SHAPES: tuple[Shape, ...] = get_args(Shape)


class _Event(NamedTuple):
    at_utc_ms: int
    on: bool
    product: str


def read_events(
    payload: bytes,
    *,
    shape: str,
    started_at: datetime,
    end_ms: int,
    skus: Mapping[str, str] | None = None,
    file_name: str = "events",
) -> tuple[ScheduleEntry, ...]:
    """The schedule that a file of product events tells.

    Args:
        payload: JSON Lines, or a JSON array, of callbacks.
        shape: One of ``SHAPES``.
        started_at: Zero of the broadcast's timeline.
        end_ms: Its end; closes what was never taken off stage.
        skus: The platform's product ids to SKUs; an id that is not there is the SKU itself.
        file_name: For complaints.

    Raises:
        InputError: unknown shape, or a line that is not such a callback; names the line.
    """
    if shape not in SHAPES:
        raise InputError(
            f"{shape!r} is no known shape of product events",
            hint=f"use one of: {', '.join(SHAPES)}",
            where="shape",
        )
    read = _byteplus if shape == "byteplus" else _volcengine
    events = sorted({e for item in _callbacks(payload, file_name) for e in read(item)})
    zero = utc_ms(started_at)
    return tuple(_entries(events, zero=zero, end_ms=end_ms, skus=skus or {}))


def _callbacks(payload: bytes, file_name: str) -> Iterator[Fields]:
    """Each callback once, however often it was delivered."""
    seen: set[str] = set()
    for place, value in _values(payload, file_name):
        fields = Fields(value, file=file_name, path=place)
        uuid = fields.text("RequestUuid")
        if not uuid or uuid not in seen:
            seen.add(uuid)
            yield fields


def _values(payload: bytes, file_name: str) -> Iterator[tuple[str, Any]]:
    if payload.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        values, _ = parse_json(payload, file_name=file_name)
        yield from ((f"[{n}]", value) for n, value in enumerate(values))
        return
    for n, line in enumerate(payload.splitlines(), start=1):
        if line.strip():
            value, _ = parse_json(line, file_name=f"{file_name} line {n}")
            yield f"line {n}", value


def _time(fields: Fields) -> int:
    seconds = fields.whole("Timestamp")
    if seconds is None or not 0 < seconds < 10**11:
        raise fields.wrong("Timestamp", "is not a time in Unix seconds")
    return seconds * 1000


def _byteplus(fields: Fields) -> Iterator[_Event]:
    at = _time(fields)
    off = fields.text("CancelExplainExternalProductId") or fields.text("CancelExplainProductId")
    on = fields.text("ExplainExternalProductId") or fields.text("ExplainProductId")
    if not on and not off:
        raise fields.wrong("ExplainProductId", "is missing; not a callback of this shape")
    if off:
        yield _Event(at, False, off)
    if on:
        yield _Event(at, True, on)


def _volcengine(fields: Fields) -> Iterator[_Event]:
    at = _time(fields)
    products = fields.items("Products")
    if not products:
        raise fields.wrong("Products", "is missing; not a callback of this shape")
    for path, item in products:
        change = Fields(item, file=fields.file, path=path)
        after = change.get("After")
        card = Fields(after or change.get("Before"), file=fields.file, path=f"{path}.After")
        shown = 1 in (card.whole("ExplainStatus"), card.whole("FloatingStatus"))
        yield _Event(at, after is not None and shown, card.needed("Id"))


def _entries(
    events: list[_Event], *, zero: int, end_ms: int, skus: Mapping[str, str]
) -> list[ScheduleEntry]:
    """Spans on stage, in order of their start. Several products may be on stage at once."""
    open_since: dict[str, int] = {}
    found: list[ScheduleEntry] = []

    def close(product: str, at_ms: int) -> None:
        start = open_since.pop(product, None)
        if start is not None and at_ms > start:
            sku = skus.get(product, product)
            found.append(ScheduleEntry(sku_id=sku, start_ms=start, end_ms=at_ms))

    for event in events:
        if event.on:
            open_since.setdefault(event.product, event.at_utc_ms - zero)
        else:
            close(event.product, event.at_utc_ms - zero)
    for product in list(open_since):
        close(product, end_ms)
    return sorted(found, key=lambda e: (e.start_ms, e.end_ms, e.sku_id))
