"""A buyer's photo on the order page, in a real browser: chosen, compared, seen side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_clip_plays import FLAGS, chromium
from tests.integration.test_likeness import ORDER, Given, altered, given

pytestmark = pytest.mark.services
__all__ = ["given"]
SEEN = "n => [...document.images].filter(i => i.complete && i.naturalWidth > 0).length >= n"


def test_a_photo_is_seen_beside_the_pictures_like_it(given: Given, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    number = given.numbers[-1]
    (tmp_path / "photo.png").write_bytes(altered(given.frames[number], kind=".png"))
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page: Any = browser.new_page(viewport={"width": 1280, "height": 900}, locale="zh-CN")
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.goto(f"{given.address}/o/{ORDER}")
        page.set_input_files("input[name=photo]", str(tmp_path / "photo.png"))
        page.click("form[enctype] button")
        page.wait_for_selector(".beside")
        pairs = page.locator(".beside").count()
        assert 1 < pairs <= 6
        for _ in range(100):
            if page.evaluate(f"({SEEN})({2 * pairs})"):
                break
            page.wait_for_timeout(100)
        assert page.evaluate(f"({SEEN})({2 * pairs})"), faults
        first = page.locator(".beside").first.locator("img")
        assert first.nth(1).get_attribute("src").endswith(f"/keyframes/{number}.jpg")
        left, right = (first.nth(n).bounding_box() for n in (0, 1))
        assert left["x"] + left["width"] <= right["x"]
        assert abs(left["y"] - right["y"]) < 2
        assert "不构成证据" in page.locator("main .note").inner_text()
        assert faults == []
        page.screenshot(path=tmp_path / "likeness.png")
        browser.close()
