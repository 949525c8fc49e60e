"""Pictures read in stretches: elsewhere, in any order, then joined with the same result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.keyframes.ocr import RapidReader
from pipeline.keyframes.readings import KeptReader
from pipeline.keyframes.run import read_stretch, run
from pipeline.keyframes.spans import Stretch, share, starts, stretches
from pipeline.media.pictures import key_pictures
from pipeline.media.source import open_source
from pipeline.model import Broadcast, ClockMap, ClockSpan, Screen
from pipeline.ports import SeenText
from pipeline.settings import KeyframeSettings
from pipeline.timeline import Span
from tests.command import short_broadcast
from tests.fakes import BlockReader
from tests.unit.test_keyframes import Drawn, block, clock_map, room

SECONDS, SPAN_MS = 48, 12_000
ASKED = KeyframeSettings(span_ms=SPAN_MS)
HERE = Broadcast(broadcast_id="b")


class NeverAsked:
    """A reader that must not be needed."""

    def __init__(self, producer: str) -> None:
        self.producer = producer

    def read(self, image: Any) -> Sequence[SeenText]:
        raise AssertionError("a picture was read that no part had read")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=SECONDS)
    return next(place.glob("recording.*"))


@pytest.fixture(scope="module")
def clocks() -> ClockMap:
    span = ClockSpan(
        recording_index=0, start_ms=0, end_ms=SECONDS * 1000, media_start_ms=0,
        wall_start_utc_ms=None, source="media_only", uncertainty_ms=0,
    )  # fmt: skip
    return ClockMap(spans=(span,))


def whole(recording: Path, clocks: ClockMap, reader: Any) -> tuple[Screen, list[bytes]]:
    source, images = open_source(recording), list[bytes]()
    anew = starts(stretches(clocks, span_ms=SPAN_MS), 0)
    screen = run(
        HERE,
        clock_map=clocks,
        pictures=lambda _: key_pictures(source, min_gap_ms=1000, anew_ms=anew),
        reader=reader,
        settings=ASKED,
        keep=images.append,
    )
    return screen, images


def test_parts_read_in_any_order_leave_nothing_to_read_for_the_join(
    recording: Path, clocks: ClockMap, tmp_path: Path
) -> None:
    reader = RapidReader()
    undivided, pictures = whole(recording, clocks, reader)
    parts = stretches(clocks, span_ms=SPAN_MS)
    assert len(parts) == SECONDS * 1000 // SPAN_MS
    for one in reversed(parts):
        span = Span(one.low_ms, one.high_ms)
        kept = read_stretch(
            HERE,
            one,
            clock_map=clocks,
            pictures=key_pictures(open_source(recording), min_gap_ms=1000, spans=[span]),
            reader=KeptReader(reader, tmp_path),
            settings=ASKED,
        )
        assert kept > 0
    joined, again = whole(recording, clocks, KeptReader(NeverAsked(reader.producer), tmp_path))
    assert (joined, again) == (undivided, pictures)
    assert any(line.end_ms - line.start_ms > SPAN_MS for line in joined.lines)


def test_a_line_that_stands_across_seams_is_one_line() -> None:
    screen = _drawn([90] * 24)
    assert [(x.text, x.start_ms, x.end_ms) for x in screen.lines] == [("w90", 0, 48_000)]


def test_a_line_replaced_at_a_seam_ends_there() -> None:
    screen = _drawn([90] * 6 + [120] * 18)
    assert [(x.text, x.start_ms, x.end_ms) for x in screen.lines] == [
        ("w90", 0, 12_000),
        ("w120", 12_000, 48_000),
    ]


def _drawn(widths: list[int]) -> Screen:

    frames = [block(room(1), 400, 280, w) for w in widths]
    return run(
        HERE,
        clock_map=clock_map((0, 0, len(frames) * 2000)),
        pictures=lambda _: (Drawn(n * 2000, f) for n, f in enumerate(frames)),
        reader=BlockReader(),
        settings=ASKED,
        keep=lambda data: None,
    )


def test_stretches_cover_every_recording_and_are_shared_out_once(clocks: ClockMap) -> None:
    short = clocks.spans[0].model_copy(
        update={"recording_index": 1, "start_ms": 50_000, "end_ms": 55_000}
    )
    found = stretches(ClockMap(spans=(clocks.spans[0], short)), span_ms=20_000)
    assert [(s.recording, s.low_ms) for s in found] == [(0, 0), (0, 24_000), (1, 0)]
    assert [s for n in (1, 2) for s in share(found, number=n, count=2)] == found
    assert found[-1] == Stretch(1, 0, 1 << 62)
