"""The pages by axe-core in a real browser, WCAG 2.2 A and AA, both languages, wide and narrow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_desk import desk, page, warranty
from tests.desks import ask

__all__ = ["desk", "page"]
pytestmark = pytest.mark.services
AXE = Path(__file__).parents[1] / "assets" / "axe" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def faults(page: Any) -> list[str]:
    """What axe finds wrong with the page as it stands."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    options = json.dumps({"runOnly": {"type": "tag", "values": TAGS}})
    told = "n => n.target + ' ' + n.failureSummary"
    found = page.evaluate(
        f"axe.run(document, {options}).then(r => r.violations"
        f".map(v => v.id + ': ' + v.nodes.map({told}).join(' | ')))"
    )
    return [str(line) for line in found]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(desk: str, page: Any, width: int, scheme: Any):
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    claim_id = warranty(desk)["claim_id"]
    lang = {"light": "zh", "dark": "en"}[scheme]
    for path in (
        "/?q=五年",
        "/?q=(",
        "/b",
        "/b/sample-zh01",
        f"/m/{claim_id}",
        f"/review/{claim_id}",
        "/review",
        "/sku/LZ-LUG-01",
        "/o/ORD-26060501",
        "/login",
        "/status",
        "/m/none",
    ):
        page.goto(f"{desk}{path}{'&' if '?' in path else '?'}lang={lang}")
        assert faults(page) == [], path


def test_a_fault_is_noticed(desk: str, page: Any):
    assert ask(f"{desk}/login").status == 200
    page.goto(f"{desk}/login")
    page.evaluate("document.querySelector('label').remove()")
    assert any(line.startswith("label:") for line in faults(page))
