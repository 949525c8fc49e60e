"""SKU links on the labelled broadcasts: schedules as given, removed, late and swapped."""

import re
import time
from itertools import pairwise

import pytest

from pipeline.claims.products import SkuLinker
from pipeline.model import Broadcast, Line, ScheduleEntry
from tests.integration.samples import NAMES, load

LATE_MS = 30_000
NUMBERS = re.compile(r"[一二三四五六七八九十]+号(?:链接)?|(?i:link|number) (?:one|two|three|four)")


def with_schedule(broadcast: Broadcast, kind: str) -> Broadcast:
    entries = list(broadcast.product_schedule)
    if kind == "removed":
        entries = []
    elif kind == "late":
        entries = [
            ScheduleEntry(sku_id=e.sku_id, start_ms=e.start_ms + LATE_MS, end_ms=e.end_ms + LATE_MS)
            for e in entries
        ]
    elif kind.startswith("swapped") and len(entries) > 1:
        a, b = (0, 1) if kind == "swapped" else (-1, -2)
        first, second = entries[a], entries[b]
        entries[a] = first.model_copy(update={"sku_id": second.sku_id})
        entries[b] = second.model_copy(update={"sku_id": first.sku_id})
    return broadcast.model_copy(update={"product_schedule": tuple(entries)})


def accuracy(kind: str, *, blank: re.Pattern[str] | None = None) -> float:
    right = total = 0
    for name in NAMES:
        sample = load(name)
        lines = sample.lines
        if blank is not None:  # the same length, so that character places stay right
            hide = lambda m: "嗯" * len(m.group())  # noqa: E731
            lines = [x.model_copy(update={"text": blank.sub(hide, x.text)}) for x in lines]
        linker = SkuLinker(with_schedule(sample.broadcast, kind), lines, None)
        for claim in sample.claims():
            line = lines[claim.segment_index]
            link = linker.link(line, claim.char_start, claim.char_end, claim_type=claim.claim_type)
            right += link.sku_id == claim.sku_id
            total += 1
    return right / total


@pytest.mark.parametrize(
    ("kind", "floor"),
    [("given", 0.98), ("removed", 0.97), ("late", 0.97), ("swapped", 0.97), ("swapped last", 0.97)],
)
def test_sku_accuracy(kind, floor):
    assert accuracy(kind) >= floor


@pytest.mark.parametrize("kind", ["given", "removed"])
def test_sku_accuracy_when_every_link_number_was_misheard(kind):
    assert accuracy(kind, blank=NUMBERS) >= 0.93


def test_windows_are_in_order_and_apart():
    for name in NAMES:
        sample = load(name)
        for kind in ("given", "removed", "late", "swapped"):
            made = SkuLinker(with_schedule(sample.broadcast, kind), sample.lines, None).windows
            assert made
            assert all(a.end_ms <= b.start_ms for a, b in pairwise(made))
            assert all(w.start_ms < w.end_ms and w.reasons for w in made)


def many_lines(times: int) -> tuple[Broadcast, list[Line]]:
    lines: list[Line] = []
    products = []
    start_ms = 0
    for turn in range(times):
        for name in NAMES[:6]:
            sample = load(name)
            for x in sample.lines:
                n = len(lines)
                text = f"{x.text}{turn}啊{n % 7}"
                span = {"start_ms": x.start_ms + start_ms, "end_ms": x.end_ms + start_ms}
                lines.append(Line(line_id=f"s{n}", source="speech", index=n, text=text, **span))
            products += [
                p.model_copy(update={"sku_id": f"{p.sku_id}-{turn}", "link_number": len(products)})
                for p in sample.broadcast.products
            ]
            start_ms = lines[-1].end_ms
    made = Broadcast(broadcast_id="long", products=tuple(products[:40]))
    return made, lines


def test_time_grows_with_length_and_no_faster():
    broadcast, lines = many_lines(8)

    def seconds(count: int, mark: str) -> float:
        fresh = [x.model_copy(update={"text": x.text + mark}) for x in lines[:count]]
        begun = time.process_time()
        linker = SkuLinker(broadcast, fresh, None)
        for line in fresh:
            linker.link(line, 0, 2, claim_type="price")
        return time.process_time() - begun

    seconds(len(lines), "哦")  # dictionaries and caches fill once
    quarter = min(seconds(len(lines) // 4, mark) for mark in "呀呢吧")
    whole = min(seconds(len(lines), mark) for mark in "嘛哈")
    assert whole < 4 * quarter * 1.8 + 0.2
    assert whole < 3.0, "46,000 characters and 40 products take about half a second"
