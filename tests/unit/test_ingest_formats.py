"""broadcast.json, version 1: everything optional, unknown fields kept, places in complaints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.ingest.formats import bare_broadcast, clip_schedule, parse_broadcast
from pipeline.model import Broadcast
from pipeline.provenance import canonical_bytes

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/broadcast.json"))
FULL: dict[str, Any] = {
    "broadcast_id": "b/../1 <script>",
    "host_id": "h",
    "merchant_id": 7123456789012345678901,
    "platform": "p",
    "language": "zh",
    "started_at": "2026-06-05T15:00:00+08:00",
    "ended_at": "2026-06-05T16:00:00+08:00",
    "title": "<script>alert(1)</script> ../../etc",
    "currency": "CNY",
    "room_operator_id": "r",
    "mcn_id": "m",
    "seller_name": "s",
    "home_region": "CN",
    "recorded_by": "x",
    "received_at": "2026-06-06T00:00:00Z",
    "clock_source": "ntp",
    "external_ids": {"room": 99},
    "recordings": [{"file": "a.flv", "started_at": "2026-06-05T15:00:01+08:00"}, "b.flv"],
    "products": [
        {
            "sku_id": "A",
            "link_number": 3,
            "name": "n",
            "aliases": ["x", 5],
            "listing": {"price": 459.00, "colour": ["红", "蓝"], "warranty": "5年", "none": None},
            "variants": [{"colour": "红", "weight": 1.5}, "大"],
            "listings": [
                {"captured_at": "2026-06-05T00:00:00Z", "source": "page", "values": {"price": 1}}
            ],
        }
    ],
    "product_schedule": [{"sku_id": "A", "start_ms": 0, "end_ms": 1000.0}],
}


def parsed(value: Any) -> tuple[Broadcast, tuple[str, ...]]:
    return parse_broadcast(json.dumps(value).encode(), file_name="b.json")


def changed(**fields: Any) -> dict[str, Any]:
    return {**FULL, **fields}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.parent.name)
def test_examples_are_read_without_a_warning(path: Path) -> None:
    broadcast, warnings = parse_broadcast(path.read_bytes(), file_name=path.name)
    assert warnings == ()
    assert broadcast.broadcast_id == f"sample-{path.parent.name}"
    assert broadcast.products
    assert broadcast.start_utc_ms is not None


def test_every_field_arrives() -> None:
    broadcast, warnings = parsed(FULL)
    assert warnings == ()
    assert broadcast.extra == {}
    assert broadcast.broadcast_id == "b/../1 <script>"
    assert broadcast.merchant_id == "7123456789012345678901"
    assert broadcast.title == FULL["title"]
    assert broadcast.external_ids == {"room": "99"}
    assert [r.file for r in broadcast.recordings] == ["a.flv", "b.flv"]
    product = broadcast.products[0]
    assert product.aliases == ("x", "5")
    assert product.listing == {"price": "459.0", "colour": "红,蓝", "warranty": "5年"}
    assert product.variants == ({"colour": "红", "weight": "1.5"}, {"name": "大"})
    assert product.listings[0].values == {"price": "1"}
    assert broadcast.product_schedule[0].span == (0, 1000)
    canonical_bytes(broadcast.model_dump(mode="json"))


def test_least_that_is_needed() -> None:
    broadcast, warnings = parsed({"broadcast_id": "x"})
    assert broadcast == Broadcast(broadcast_id="x")
    assert len(warnings) == 1
    assert "no started_at" in warnings[0]


def test_unknown_fields_are_kept_and_reported_once() -> None:
    products = [{"sku_id": s, "shelf": 1.25, "listings": [{"by": "z"}]} for s in "AB"]
    schedule = [{"sku_id": "A", "start_ms": 0, "end_ms": 1, "why": "pin"}]
    broadcast, warnings = parsed(changed(mood="good", products=products, product_schedule=schedule))
    assert broadcast.extra == {"mood": "good", "product_schedule[0].why": "pin"}
    assert broadcast.products[1].extra == {"shelf": "1.25", "listings[0].by": "z"}
    told = [w for w in warnings if "not part of format version 1" in w]
    assert len(told) == 4
    assert any("'products[].shelf'" in w and "2 times" in w for w in told)
    canonical_bytes(broadcast.model_dump(mode="json"))


def test_unknown_sku_is_kept_and_reported() -> None:
    schedule = [{"sku_id": "ZZ", "start_ms": 0, "end_ms": 5}]
    broadcast, warnings = parsed(changed(product_schedule=schedule))
    assert broadcast.product_schedule[0].sku_id == "ZZ"
    assert any("'ZZ'" in w for w in warnings)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({}, "broadcast_id"),
        ({"broadcast_id": "  "}, "broadcast_id"),
        ({"broadcast_id": "x" * 201}, "broadcast_id"),
        ({"broadcast_id": ["x"]}, "broadcast_id"),
        ({"broadcast_id": True}, "broadcast_id"),
        (changed(schema_version=2), "schema_version"),
        (changed(started_at="2026-06-05T15:00:00"), "started_at"),
        (changed(started_at=1780000000), "started_at"),
        (changed(products={}), "products"),
        (changed(products=["A"]), "products[0]"),
        (changed(products=[{"name": "x"}]), "products[0].sku_id"),
        (changed(products=[{"sku_id": "A", "aliases": [{}]}]), "products[0].aliases[0]"),
        (changed(products=[{"sku_id": "A", "link_number": "three"}]), "products[0].link_number"),
        (changed(products=[{"sku_id": "A", "listing": []}]), "products[0].listing"),
        (changed(product_schedule=[{"sku_id": "A", "start_ms": 1}]), "product_schedule[0].end_ms"),
        (
            changed(product_schedule=[{"sku_id": "A", "start_ms": 0.5, "end_ms": 1}]),
            "product_schedule[0].start_ms",
        ),
        (changed(recordings=[{"file": "../a.mp4"}]), "recordings[0].file"),
        (changed(recordings=["/a.mp4"]), "recordings[0].file"),
        (changed(recordings=["http://h/a.mp4"]), "recordings[0].file"),
    ],
)
def test_complaint_names_file_and_field(value: Any, where: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(value)
    assert caught.value.where == where
    assert caught.value.file == "b.json"
    assert caught.value.message.startswith("b.json: ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        (b'{"broadcast_id": "x",\n "title": }', "line 2, column 11"),
        (b'{"broadcast_id": "x"', "line 1, column 21"),
        (b'{\n"title": "\xff"}', "line 2"),
        (b"", ""),
        (b" \n", ""),
        (b'{"broadcast_id": NaN}', ""),
        (b"[" * 100_000, ""),
        (b"[1]", "the file's content"),
        (b"not json", "line 1, column 1"),
    ],
)
def test_broken_json_names_the_line(payload: bytes, where: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_broadcast(payload, file_name="b.json")
    assert caught.value.where == where
    assert caught.value.file == "b.json"


def test_doubled_fields_and_broken_characters_are_reported() -> None:
    payload = b'\xef\xbb\xbf{"broadcast_id": "x", "title": "a", "title": "b\\ud800"}'
    broadcast, warnings = parse_broadcast(payload, file_name="b.json")
    assert broadcast.title == "b�"
    assert any("'title' is given twice" in w for w in warnings)
    assert any("U+FFFD" in w for w in warnings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(name=st.sampled_from(sorted(FULL)), value=JSON)
def test_any_value_in_any_field_is_read_or_refused(name: str, value: Any) -> None:
    try:
        broadcast, _ = parsed(changed(**{name: value}))
    except InputError:
        return  # and by no other error
    canonical_bytes(broadcast.model_dump(mode="json"))


def test_schedule_is_clipped_to_the_recording() -> None:
    spans = [(-500, 100), (100, 200), (900, 5000), (2000, 3000), (300, 250), (1000, 1000)]
    schedule = [{"sku_id": "A", "start_ms": a, "end_ms": b} for a, b in spans]
    broadcast, _ = parsed(changed(product_schedule=schedule))
    clipped, warnings = clip_schedule(broadcast, duration_ms=1000)
    assert [e.span for e in clipped.product_schedule] == [(0, 100), (100, 200), (900, 1000)]
    assert len(warnings) == 5
    assert clip_schedule(clipped, duration_ms=1000) == (clipped, ())
    whole, _ = clip_schedule(broadcast, duration_ms=0)
    assert [e.span for e in whole.product_schedule][-1] == (2000, 3000)


def test_bare_recording() -> None:
    assert bare_broadcast("0123456789abcdef" * 4).broadcast_id == "rec-0123456789abcdef"
