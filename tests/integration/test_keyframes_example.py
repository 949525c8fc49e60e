"""The bundled Mandarin example, 30 s around its first product card, with the real reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.keyframes.clocks import clock_readings, clock_warning, confirm_clock
from pipeline.keyframes.ocr import RapidReader
from pipeline.keyframes.run import run
from pipeline.media.pictures import key_pictures
from pipeline.media.source import open_source
from pipeline.model import Broadcast, ClockMap, ClockSpan, Screen
from pipeline.settings import KeyframeSettings
from pipeline.timeline import Span

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "zh01"
SPAN = Span(0, 30_000)


@pytest.fixture(scope="module")
def broadcast() -> Broadcast:
    raw = json.loads((EXAMPLE / "broadcast.json").read_text(encoding="utf-8"))
    return Broadcast(
        broadcast_id=raw["broadcast_id"],
        started_at=raw["started_at"],
        product_schedule=raw["product_schedule"],
    )


@pytest.fixture(scope="module")
def clocks(broadcast: Broadcast) -> ClockMap:
    span = ClockSpan(
        recording_index=0, start_ms=0, end_ms=SPAN.end_ms, media_start_ms=0,
        wall_start_utc_ms=broadcast.start_utc_ms, source="broadcast", uncertainty_ms=1000,
    )  # fmt: skip
    return ClockMap(spans=(span,), zone_minutes=broadcast.zone_minutes)


@pytest.fixture(scope="module")
def screen(broadcast: Broadcast, clocks: ClockMap) -> Screen:
    source = open_source(EXAMPLE / "recording.mp4")
    images: list[bytes] = []
    found = run(
        broadcast,
        clock_map=clocks,
        pictures=lambda _: key_pictures(source, min_gap_ms=1000, spans=[SPAN]),
        reader=RapidReader(),
        settings=KeyframeSettings(),
        keep=images.append,
    )
    assert len(images) == len(found.keyframes)
    return found


def test_the_card_is_read_with_its_role_and_time(screen: Screen) -> None:
    card = json.loads((EXAMPLE / "cards.json").read_text(encoding="utf-8"))[0]
    for text in (card["name"], f"¥{card['price']}", f"{card['link']}号链接"):
        line = next(x for x in screen.lines if x.text.replace(" ", "") == text)
        assert line.role == "card", text
        assert 0 <= line.start_ms - card["start"] * 1000 <= 2000, text
        assert line.end_ms == SPAN.end_ms


def test_viewers_words_are_comments(screen: Screen) -> None:
    chat = [x for x in screen.lines if "：" in x.text]
    assert len(chat) >= 5
    assert {x.role for x in chat} == {"comment"}
    assert not [x for x in screen.lines if x.role == "card" and x.box.x_px < 480]


def test_the_clock_confirms_the_clock_map(
    screen: Screen, broadcast: Broadcast, clocks: ClockMap
) -> None:
    readings = clock_readings(screen.lines, broadcast)
    offset_ms, agreeing, total = confirm_clock(clocks, readings)
    assert total >= 3
    assert agreeing == total
    assert -1500 <= offset_ms <= 500
    assert clock_warning(clocks, readings) == ""


def test_most_pictures_are_not_kept_and_each_says_why(screen: Screen) -> None:
    assert len(screen.keyframes) + len(screen.skipped) == 15
    assert all(k.colours and len(k.phash) == 16 for k in screen.keyframes)
    assert screen.producer.startswith("rapidocr")
