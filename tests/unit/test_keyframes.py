"""Picture measures, selection, reading plan, tracking and colours on drawn pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from pipeline.errors import NoVideo
from pipeline.keyframes.colours import dominant_colours
from pipeline.keyframes.pixels import hash_distance, measure, perceptual_hash, sharpness
from pipeline.keyframes.run import run
from pipeline.keyframes.select import Selector, change_spans
from pipeline.keyframes.tracks import same_text
from pipeline.model import Broadcast, ClockMap, ClockSpan, ScheduleEntry, Screen
from pipeline.settings import KeyframeSettings
from tests.fakes import BlockReader


class Drawn(NamedTuple):
    media_ms: int
    bgr: np.ndarray


def room(seed: int = 1, *, width: int = 640, height: int = 360, shelf: bool = True) -> np.ndarray:
    """A soft, structured scene."""
    rng = np.random.default_rng(seed)
    small = rng.integers(60, 200, (height // 20, width // 20, 3), dtype=np.uint8)
    scene = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    if shelf:  # stands still and keeps the sharpness alike
        scene[32:96, 64:320] = (
            np.kron(np.indices((8, 32)).sum(axis=0) % 2, np.ones((8, 8)))[..., None] * 255
        )
    return scene


def block(bgr: np.ndarray, x: int, y: int, w: int, h: int = 20) -> np.ndarray:
    """A black plate with a red block that the block reader reads as ``w<width>``."""
    bgr = bgr.copy()
    cv2.rectangle(bgr, (x - 6, y - 6), (x + w + 5, y + h + 5), (255, 255, 255), -1)
    cv2.rectangle(bgr, (x, y), (x + w - 1, y + h - 1), (0, 0, 255), -1)
    return bgr


def clock_map(*spans: tuple[int, int, int]) -> ClockMap:
    """Spans ``(recording, start_ms, end_ms)``, media time from 0."""
    return ClockMap(
        spans=tuple(
            ClockSpan(
                recording_index=n, start_ms=a, end_ms=b, media_start_ms=0,
                wall_start_utc_ms=None, source="media_only", uncertainty_ms=0,
            )
            for n, a, b in spans
        )
    )  # fmt: skip


def go(
    frames: list[np.ndarray],
    *,
    reader: BlockReader | None,
    every_ms: int = 2000,
    **schedule: object,
) -> tuple[Screen, list[bytes]]:
    end_ms = len(frames) * every_ms
    broadcast = Broadcast(broadcast_id="b", **schedule)
    images: list[bytes] = []
    screen = run(
        broadcast,
        clock_map=clock_map((0, 0, end_ms)),
        pictures=lambda _: (Drawn(n * every_ms, f) for n, f in enumerate(frames)),
        reader=reader,
        settings=KeyframeSettings(),
        keep=images.append,
    )
    return screen, images


def test_hash_survives_brightness_and_sees_another_scene() -> None:
    grey = cv2.cvtColor(room(1, shelf=False), cv2.COLOR_BGR2GRAY)
    brighter = cv2.convertScaleAbs(grey, alpha=1.0, beta=20)
    other = cv2.cvtColor(room(2, shelf=False), cv2.COLOR_BGR2GRAY)
    assert hash_distance(perceptual_hash(grey), perceptual_hash(brighter)) <= 4
    assert hash_distance(perceptual_hash(grey), perceptual_hash(other)) > 16


def test_sharpness_falls_with_blur() -> None:
    grey = cv2.cvtColor(block(room(), 100, 100, 80), cv2.COLOR_BGR2GRAY)
    assert sharpness(cv2.GaussianBlur(grey, (15, 15), 0)) * 3 < sharpness(grey)


def test_a_standing_text_is_read_once_while_the_room_moves() -> None:
    reader = BlockReader()
    frames = [block(room(n, shelf=False), 400, 280, 90) for n in range(7)]
    screen, _ = go(frames, reader=reader)
    lines = [x for x in screen.lines if x.text == "w90"]
    assert [(x.start_ms, x.end_ms) for x in lines] == [(0, 14_000)]
    assert reader.calls <= 2


def test_a_changed_text_is_a_new_line_from_the_picture_that_first_shows_it() -> None:
    frames = [block(room(1), 400, 280, 90)] * 4 + [block(room(1), 400, 280, 120)] * 4
    screen, _ = go(frames, reader=BlockReader())
    assert [(x.text, x.start_ms, x.end_ms) for x in screen.lines] == [
        ("w90", 0, 8_000),
        ("w120", 8_000, 16_000),
    ]
    assert screen.keyframes[screen.lines[1].keyframe].at_ms >= 8_000


def test_a_text_that_goes_ends_at_the_first_picture_without_it() -> None:
    frames = [block(room(1), 400, 280, 90)] * 3 + [room(1)] * 4
    screen, _ = go(frames, reader=BlockReader())
    assert [(x.text, x.end_ms) for x in screen.lines] == [("w90", 6_000)]


def test_a_new_text_is_dated_back_to_the_picture_that_first_shows_it() -> None:
    frames = [room(n) for n in range(3)] + [block(room(n + 9), 400, 280, 90) for n in range(5)]
    screen, _ = go(frames, reader=BlockReader())
    assert [(x.text, x.start_ms) for x in screen.lines] == [("w90", 6_000)]


def test_every_picture_is_kept_or_skipped_with_a_reason() -> None:
    frames = [room(1)] * 40
    screen, images = go(frames, reader=BlockReader())
    assert len(screen.keyframes) + len(screen.skipped) == 40
    assert len(images) == len(screen.keyframes)
    assert [k.at_ms for k in screen.keyframes] == [0, 60_000]
    assert [k.reason for k in screen.keyframes] == ["first", "interval"]
    assert {s.reason for s in screen.skipped} == {"same"}


def test_blurred_flat_and_broken_pictures_are_skipped_with_their_reason() -> None:
    sharp = block(room(1), 100, 100, 80)
    grey = np.full_like(sharp, 128)
    frames = [sharp] * 5 + [
        cv2.GaussianBlur(sharp, (31, 31), 0),
        grey,
        np.zeros((0, 0, 3), np.uint8),
    ]
    screen, _ = go(frames, reader=None)
    assert [(s.at_ms, s.reason) for s in screen.skipped if s.reason != "same"] == [
        (10_000, "blurred"),
        (12_000, "corrupt"),
        (14_000, "corrupt"),
    ]


def test_pictures_closer_than_the_gap_are_passed_over_except_near_a_product_change() -> None:
    frames = [room(1)] * 60
    entry = ScheduleEntry(sku_id="s", start_ms=50_000, end_ms=600_000)
    far, _ = go(frames, reader=None, every_ms=1000)
    near, _ = go(frames, reader=None, every_ms=1000, product_schedule=(entry,))
    assert sum(s.reason == "budget" for s in far.skipped) == 30
    assert {s.at_ms for s in near.skipped if s.reason == "budget"} < {n * 1000 for n in range(6)}
    assert change_spans([entry])[0] == (5_000, 60_000)


def test_a_failing_reader_is_recorded_and_the_picture_kept() -> None:
    screen, images = go([block(room(1), 400, 280, 90)] * 3, reader=BlockReader(fails=True))
    assert screen.keyframes[0].read is False
    assert len(images) >= 1
    assert "unread" in {s.reason for s in screen.skipped}
    assert screen.lines == ()


def test_decisions_are_causal_and_the_same_twice() -> None:
    frames = [block(room(n // 3), 300, 280, 60 + 10 * (n // 4)) for n in range(16)]
    whole, images = go(frames, reader=BlockReader())
    again, images_again = go(frames, reader=BlockReader())
    half, _ = go(frames[:8], reader=BlockReader())
    assert (whole, images) == (again, images_again)
    assert [k for k in whole.keyframes if k.at_ms < 16_000] == list(half.keyframes)


def test_the_reading_cost_has_a_ceiling_whatever_changes() -> None:
    """Text that changes in every picture of ten minutes."""
    reader = BlockReader()
    frames = [block(room(n), 300, 280, 60 + n % 50) for n in range(300)]
    go(frames, reader=reader)
    assert reader.calls <= 300 // 2


def test_two_recordings_lie_on_one_timeline_and_lines_end_before_the_gap() -> None:
    frames = [block(room(1), 400, 280, 90)] * 5
    screen = run(
        Broadcast(broadcast_id="b"),
        clock_map=clock_map((0, 0, 10_000), (1, 100_000, 110_000)),
        pictures=lambda _: (Drawn(n * 2000, f) for n, f in enumerate(frames)),
        reader=BlockReader(),
        settings=KeyframeSettings(),
        keep=lambda _: None,
    )
    assert [(x.start_ms, x.end_ms) for x in screen.lines] == [(0, 10_000), (100_000, 110_000)]
    assert [(k.at_ms, k.recording_index, k.media_ms) for k in screen.keyframes] == [
        (0, 0, 0),
        (100_000, 1, 0),
    ]


def test_a_recording_without_video_gives_an_empty_screen() -> None:
    def none(_: int) -> Iterator[Drawn]:
        raise NoVideo("no picture")
        yield

    images: list[bytes] = []
    screen = run(
        Broadcast(broadcast_id="b"),
        clock_map=clock_map((0, 0, 10_000)),
        pictures=none,
        reader=BlockReader(),
        settings=KeyframeSettings(),
        keep=images.append,
    )
    assert (screen.keyframes, screen.lines, images) == ((), (), [])


def test_stored_pictures_are_scaled_and_boxes_stay_in_picture_pixels() -> None:
    frame = block(room(1, width=1920, height=1080), 1500, 900, 200, 40)
    screen, images = go([frame], reader=BlockReader())
    stored = cv2.imdecode(np.frombuffer(images[0], np.uint8), cv2.IMREAD_COLOR)
    assert stored.shape[:2] == (720, 1280)
    assert (screen.keyframes[0].width_px, screen.keyframes[0].height_px) == (1280, 720)
    assert screen.lines[0].box.x_px == 1500


def test_an_early_blur_does_not_break_the_interval() -> None:
    selector = Selector(KeyframeSettings(), ())
    sharp, soft = measure(block(room(1), 99, 99, 80)), measure(cv2.blur(room(1), (31, 31)))
    for at_ms in (0, 2000, 4000):
        assert not selector.blurred(sharp, at_ms=at_ms)
        selector.decide(sharp, at_ms=at_ms, new_text=False)
    assert selector.blurred(soft, at_ms=6000)
    assert not selector.blurred(soft, at_ms=60_000)


@pytest.mark.parametrize(
    ("bgr", "name"),
    [
        ((64, 26, 15), "navy"), ((0, 0, 230), "red"), ((255, 255, 255), "white"),
        ((0, 0, 0), "black"), ((128, 128, 128), "grey"), ((60, 200, 60), "green"),
        ((0, 128, 255), "orange"), ((32, 0, 120), "burgundy"),
    ],
)  # fmt: skip
def test_colour_families(bgr: tuple[int, int, int], name: str) -> None:
    picture = np.full((90, 160, 3), bgr, np.uint8)
    picture[:, 120:] = (0, 230, 255)
    colours = dominant_colours(picture)
    assert colours[0].name == name
    assert 700 <= colours[0].share_pm <= 800
    assert colours == dominant_colours(picture)


def test_what_stays_soft_is_no_longer_called_blurred() -> None:
    sharp = block(room(1), 100, 100, 80)
    soft = cv2.GaussianBlur(sharp, (31, 31), 0)
    screen, _ = go([sharp] * 5 + [soft] * 6, reader=None)
    assert [s.reason for s in screen.skipped].count("blurred") == 2


def test_same_text_forgives_a_glyph_but_no_digit() -> None:
    assert same_text("旅者铝框行李箱24寸", "旅者铝框行李箱 24寸")
    assert same_text("Orbitron Pulse watch", "Orbitron Pulse walch")
    assert not same_text("¥459", "¥499")
    assert not same_text("15:00:50", "15:00:52")
