"""Product events of live platforms into a schedule."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.ingest.schedule import read_events

ZERO = 1_739_273_100
START = datetime.fromtimestamp(ZERO, UTC)


def schedule(events: list[dict[str, Any]], shape: str, **more: Any) -> list[tuple[str, int, int]]:
    payload = "\n".join(json.dumps(e) for e in events).encode()
    found = read_events(payload, shape=shape, started_at=START, end_ms=600_000, **more)
    array = json.dumps(events).encode()
    assert found == read_events(array, shape=shape, started_at=START, end_ms=600_000, **more)
    return [(e.sku_id, e.start_ms, e.end_ms) for e in found]


def byteplus(at_s: int, on: str = "", off: str = "", uuid: str = "") -> dict[str, Any]:
    return {
        "EventType": "ActivityExplainProductCallBack",
        "ActivityId": "1823745212348678",
        "Timestamp": str(ZERO + at_s),
        "ExplainExternalProductId": on,
        "CancelExplainExternalProductId": off,
        "RequestUuid": uuid,
    }


def card(product: int, *, explain: int = 0, floating: int = 0) -> dict[str, Any]:
    return {"Id": product, "ExplainStatus": explain, "FloatingStatus": floating, "Stock": "50"}


def volcengine(at_s: int, before: Any, after: Any) -> dict[str, Any]:
    products = [{"Id": 1, "Before": before, "After": after}]
    return {"Timestamp": str(ZERO + at_s), "Products": products}


def test_byteplus_pins_in_any_order_and_twice_delivered() -> None:
    events = [
        byteplus(95, on="B", off="A", uuid="2"),
        byteplus(10, on="A", uuid="1"),
        byteplus(95, on="B", off="A", uuid="2"),
        byteplus(200, off="B", uuid="3"),
        byteplus(300, on="A", uuid="4"),
    ]
    assert schedule(events, "byteplus", skus={"A": "SKU-A"}) == [
        ("SKU-A", 10_000, 95_000),
        ("B", 95_000, 200_000),
        ("SKU-A", 300_000, 600_000),
    ]


def test_volcengine_cards() -> None:
    events = [
        volcengine(0, None, card(7)),
        volcengine(20, card(7), card(7, explain=1)),
        volcengine(30, card(7), card(7, explain=1)),
        volcengine(50, card(7, explain=1), card(7, explain=2)),
        volcengine(60, card(8), card(8, floating=1)),
        volcengine(90, card(8, floating=1), None),
    ]
    assert schedule(events, "volcengine") == [("7", 20_000, 50_000), ("8", 60_000, 90_000)]


def test_event_before_the_start_is_kept_for_clipping() -> None:
    assert schedule([byteplus(-5, on="A"), byteplus(5, off="A")], "byteplus") == [
        ("A", -5000, 5000)
    ]


@pytest.mark.parametrize(
    ("payload", "shape"),
    [
        (b"{}", "taobao"),
        (b"{}", "byteplus"),
        (b'{"Timestamp": "1739273121"}', "byteplus"),
        (b'{"Timestamp": "1739273121"}', "volcengine"),
        (b'{"Timestamp": "soon", "ExplainProductId": "1"}', "byteplus"),
        (b'{"Timestamp": 1739273121000000, "ExplainProductId": "1"}', "byteplus"),
        (b"[1]", "byteplus"),
        (b"{", "byteplus"),
        (b'{"Timestamp": "1", "Products": [{"After": 3}]}', "volcengine"),
    ],
)
def test_what_is_not_such_a_file(payload: bytes, shape: str) -> None:
    with pytest.raises(InputError):
        read_events(payload, shape=shape, started_at=START, end_ms=1)
