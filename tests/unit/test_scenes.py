"""The invented broadcasts used as a yardstick keep the shape of the labelled samples."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.make_marathon import make
from pipeline.model.claim import CLAIM_TYPES, SET_TYPES

SCENES = Path(__file__).parents[1] / "assets" / "scenes"
FILES = sorted(SCENES.glob("*/*.json"))
SPEAKERS = {"host", "cohost", "viewer_read_aloud"}
CLAIM_KEYS = [
    "claim_type",
    "quote",
    "segment_index",
    "char_start",
    "char_end",
    "start_ms",
    "end_ms",
    "value",
    "polarity",
    "hedged",
    "sku_id",
]


def load(path: Path) -> dict[str, Any]:
    scene: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return scene


@functools.cache
def marathon() -> dict[str, Any]:
    return make(seed=7)


@pytest.fixture(
    params=[*FILES, None],
    ids=lambda path: f"{path.parent.name}/{path.stem}" if path else "marathon",
)
def scene(request: pytest.FixtureRequest) -> dict[str, Any]:
    return load(request.param) if request.param else marathon()


def skus(scene: dict[str, Any]) -> set[str]:
    return {product["sku_id"] for product in scene["broadcast"]["products"]}


def test_there_are_scenes_and_their_ids_are_unique() -> None:
    ids = [load(path)["broadcast"]["broadcast_id"] for path in FILES]
    assert len(ids) >= 3
    assert len(set(ids)) == len(ids)


def test_header(scene: dict[str, Any]) -> None:
    broadcast, transcript = scene["broadcast"], scene["transcript"]
    assert transcript["broadcast_id"] == broadcast["broadcast_id"]
    assert transcript["language"] == broadcast["language"]
    assert dt.datetime.fromisoformat(broadcast["started_at"]).tzinfo is not None
    products = broadcast["products"]
    assert len(skus(scene)) == len(products)
    assert all(product["name"] for product in products)
    for window in broadcast.get("product_schedule", []):
        assert window["sku_id"] in skus(scene)
        assert 0 <= window["start_ms"] < window["end_ms"]


def test_segments_run_forward(scene: dict[str, Any]) -> None:
    segments = scene["transcript"]["segments"]
    assert all(s["text"] == s["text"].strip() != "" for s in segments)
    assert all(0 <= s["start_ms"] < s["end_ms"] for s in segments)
    pairs = itertools.pairwise(segments)
    assert all(left["end_ms"] <= right["start_ms"] for left, right in pairs)


def test_speakers_and_traps(scene: dict[str, Any]) -> None:
    labels, count = scene["labels"], len(scene["transcript"]["segments"])
    assert len(labels["speakers"]) == count
    assert set(labels["speakers"]) <= SPEAKERS
    assert all(0 <= trap["utterance_index"] < count and trap["kind"] for trap in labels["traps"])


def test_quotes_stand_where_they_are_said_to(scene: dict[str, Any]) -> None:
    segments = scene["transcript"]["segments"]
    for claim in scene["labels"]["claims"]:
        text = segments[claim["segment_index"]]["text"]
        assert text[claim["char_start"] : claim["char_end"]] == claim["quote"]
        assert text.count(claim["quote"]) == 1


def test_claims_are_sorted_and_apart(scene: dict[str, Any]) -> None:
    claims = scene["labels"]["claims"]
    places = [(c["segment_index"], c["char_start"], c["char_end"]) for c in claims]
    assert places == sorted(places)
    for left, right in itertools.pairwise(places):
        assert left[0] < right[0] or left[2] <= right[1]


def test_claim_times_lie_linearly_in_their_segment(scene: dict[str, Any]) -> None:
    segments = scene["transcript"]["segments"]
    for claim in scene["labels"]["claims"]:
        segment = segments[claim["segment_index"]]
        each = (segment["end_ms"] - segment["start_ms"]) / len(segment["text"])
        assert abs(segment["start_ms"] + each * claim["char_start"] - claim["start_ms"]) <= 1
        assert abs(segment["start_ms"] + each * claim["char_end"] - claim["end_ms"]) <= 1


def test_claim_fields(scene: dict[str, Any]) -> None:
    speakers = scene["labels"]["speakers"]
    for claim in scene["labels"]["claims"]:
        assert list(claim) == CLAIM_KEYS
        assert claim["claim_type"] in CLAIM_TYPES
        assert claim["polarity"] in {"affirm", "negate"}
        assert isinstance(claim["hedged"], bool)
        assert claim["sku_id"] is None or claim["sku_id"] in skus(scene)
        assert speakers[claim["segment_index"]] != "viewer_read_aloud"


def test_value_shapes(scene: dict[str, Any]) -> None:
    for claim in scene["labels"]["claims"]:
        value = claim["value"]
        listed = value if claim["claim_type"] in SET_TYPES else [value]
        assert isinstance(listed, list)
        assert listed
        assert all(isinstance(item, str) and item == item.strip() != "" for item in listed)


def test_orders_and_disputes_go_together(scene: dict[str, Any]) -> None:
    broadcast, orders, disputes = scene["broadcast"], scene["orders"], scene["labels"]["disputes"]
    same = ("order_id", "sku_id", "reason_code")
    assert [[o[key] for key in same] for o in orders] == [
        [d[key] for key in same] for d in disputes
    ]
    assert len({order["order_id"] for order in orders}) == len(orders)
    started = dt.datetime.fromisoformat(broadcast["started_at"])
    for order in orders:
        assert order["broadcast_id"] == broadcast["broadcast_id"]
        assert order["sku_id"] in skus(scene)
        assert order["reason_text"].strip()
        assert dt.datetime.fromisoformat(order["ordered_at"]) >= started


def test_disputes_cite_claims_on_the_ordered_product(scene: dict[str, Any]) -> None:
    claims = scene["labels"]["claims"]
    for dispute in scene["labels"]["disputes"]:
        cited = dispute["relevant_claim_indexes"]
        assert cited == sorted(set(cited))
        assert all(claims[index]["sku_id"] in (None, dispute["sku_id"]) for index in cited)
        assert dispute["reason_code"] != "other" or not cited


def test_quiet_scenes_have_nothing_to_find() -> None:
    quiet = [load(path) for path in FILES if path.parent.name == "quiet"]
    assert len(quiet) >= 3
    for scene in quiet:
        assert len(scene["transcript"]["segments"]) >= 60
        assert scene["labels"]["claims"] == scene["labels"]["disputes"] == scene["orders"] == []


def test_the_labelled_sets_cover_every_type_on_both_sides() -> None:
    for folder in sorted({path.parent.name for path in FILES} - {"quiet"}):
        claims = [
            claim
            for path in FILES
            if path.parent.name == folder
            for claim in load(path)["labels"]["claims"]
        ]
        assert {claim["claim_type"] for claim in claims} == set(CLAIM_TYPES)
        assert {claim["polarity"] for claim in claims} == {"affirm", "negate"}
        assert {claim["hedged"] for claim in claims} == {True, False}


def test_marathon_is_long_and_repeatable() -> None:
    scene = marathon()
    segments = scene["transcript"]["segments"]
    assert make(seed=7) == scene
    assert make(seed=8) != scene
    assert len(skus(scene)) == 40
    assert 3.8 < segments[-1]["end_ms"] / 3_600_000 <= 4
    assert sum(len(segment["text"]) for segment in segments) > 50_000
    assert {c["sku_id"] for c in scene["labels"]["claims"]} == skus(scene) | {None}
    empty = [d for d in scene["labels"]["disputes"] if not d["relevant_claim_indexes"]]
    assert 0 < len(empty) < len(scene["labels"]["disputes"])
