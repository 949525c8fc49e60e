"""What a browser feels on the desk: `python -m benchmarks.desk_pages [--json FILE]`.

A workspace of 100 made-up broadcasts (`tests/hall.py`) and one of four hours with a transcript of
60,000 characters and 2,000 claims is served; Chromium (`EVIDENCE_TEST_CHROMIUM`) opens pages as an
arbitrator would. Measured: bytes over the wire of the first results page and the time until its
search box takes keys (median of the rounds, warm server, empty browser cache); and, for the
four-hour transcript, the longest task on the browser's main thread while it is opened and scrolled
to its end, by `PerformanceObserver('longtask')`, which reports tasks of 50 ms or more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.rooms import put, revision_of
from pipeline import runner
from pipeline.bootstrap import Application, open_workspace
from pipeline.model import (
    Broadcast,
    Claim,
    ClaimSet,
    Segment,
    Transcript,
)
from pipeline.provenance import sha256_hex, shard
from tests import hall
from tests.browser.test_clip_plays import FLAGS
from tests.desks import served

LONG = "four-hours"
LINES, CLAIMS, LINE_MS = 2400, 2000, 6000
SAID = "这款纯棉面料保修五年全国包邮七天无理由退换今天直播间"
WATCH = """
window.tasks = [];
new PerformanceObserver(list => list.getEntries().forEach(e => window.tasks.push(e.duration)))
  .observe({ type: 'longtask', buffered: true });
"""
SCROLL = """async () => {
  const end = document.documentElement;
  let steps = 0;
  while (scrollY + innerHeight < end.scrollHeight - 2 && steps < 3000) {
    scrollBy(0, 600);
    steps += 1;
    await new Promise(next => requestAnimationFrame(next));
  }
  await new Promise(next => setTimeout(next, 300));
  return { steps, height: end.scrollHeight, at: scrollY, tasks: window.tasks };
}"""


def four_hours(app: Application) -> None:
    """A broadcast of 60,000 characters and 2,000 claims."""
    begun = datetime(2026, 5, 1, 12, tzinfo=UTC)
    broadcast = Broadcast(
        broadcast_id=LONG,
        host_id="host-1",
        merchant_id="shop-1",
        platform="taobao",
        started_at=begun,
    )
    length = LINES * LINE_MS
    revision = revision_of(broadcast, length_ms=length)
    said = tuple(
        Segment(start_ms=n * LINE_MS, end_ms=(n + 1) * LINE_MS - 500, text=SAID[:25])
        for n in range(LINES)
    )
    words = Transcript(broadcast_id=LONG, segments=said, duration_ms=length)
    claims = ClaimSet(broadcast_id=LONG, claims=tuple(_claim(n) for n in range(CLAIMS)))
    state = put(app.archive, revision, words, claims, work_key=sha256_hex(LONG.encode()))
    runner.publish(app, state)


def _claim(number: int) -> Claim:
    line = number * LINES // CLAIMS
    return Claim(
        claim_id=f"{shard(LONG)}-{sha256_hex(LONG.encode())[:12]}-{number}",
        broadcast_id=LONG,
        claim_type="warranty",
        start_ms=line * LINE_MS,
        end_ms=line * LINE_MS + 3000,
        quote="保修五年",
        value="P5Y",
        segment_index=line,
        char_start=6,
        char_end=10,
        sku_id="SKU-001",
        rule_id="made",
    )


def first_results(browser: Any, desk: str, key: str) -> dict[str, float]:
    """One opening of a results page by a browser with an empty cache."""
    page = signed_in(browser, desk, key)
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.clearBrowserCache")
    taken: list[float] = []
    wire.on("Network.loadingFinished", lambda said: taken.append(said["encodedDataLength"]))
    page.goto(f"{desk}/?q={quote('质保')}", wait_until="load")
    page.wait_for_timeout(300)
    times = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
    page.context.close()
    return {"kb": sum(taken) / 1000, "interactive_ms": times["domContentLoadedEventEnd"]}


def transcript(browser: Any, desk: str, key: str) -> dict[str, Any]:
    """The four-hour transcript opened and scrolled to its end."""
    page = signed_in(browser, desk, key)
    page.add_init_script(WATCH)
    page.goto(f"{desk}/t/{LONG}", wait_until="load")
    page.wait_for_timeout(500)
    opened = page.evaluate("window.tasks.splice(0)")
    lines = page.locator(".lines li").count()
    seen = page.evaluate(SCROLL)
    page.context.close()
    return {
        "lines": lines,
        "steps": seen["steps"],
        "reached_end": seen["at"] > 0.9 * (seen["height"] - 900),
        "longest_opening_ms": max(opened, default=0),
        "longest_scrolling_ms": max(seen["tasks"], default=0),
    }


def signed_in(browser: Any, desk: str, key: str) -> Any:
    """A page of a new browser context with a session."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{desk}/login")
    page.keyboard.type(key)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    return page


def run(root: Path, rounds: int) -> dict[str, Any]:
    """Build, serve, measure."""
    from playwright.sync_api import sync_playwright

    built = hall.build(root)
    four_hours(open_workspace(built.here))
    key, program = built.keys["arbitrator"], os.environ["EVIDENCE_TEST_CHROMIUM"]
    with served(built.here) as desk, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        first_results(browser, desk, key)
        pages = [first_results(browser, desk, key) for _ in range(rounds)]
        scrolls = [transcript(browser, desk, key) for _ in range(rounds)]
        browser.close()
    return {
        "results_kb": max(p["kb"] for p in pages),
        "interactive_ms": statistics.median(p["interactive_ms"] for p in pages),
        "transcript": scrolls,
        "longest_task_ms": max(
            max(s["longest_opening_ms"], s["longest_scrolling_ms"]) for s in scrolls
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        found = run(Path(root), asked.rounds)
    text = json.dumps(found, indent=1)
    print(text)
    if asked.json:
        asked.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
