"""The arbitrator's desk in a real browser and over plain HTTP, with hostile words throughout."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_clip_plays import FLAGS, chromium
from tests.command import evidence, short_broadcast, spoken, workspace
from tests.desks import served

pytestmark = pytest.mark.services
HOSTILE = '<script>document.title="owned"</script><img src=x onerror="document.title=1">'
WORDS = [
    (2000, 7000, "这款行李箱质保五年，坏了直接换新"),
    (8000, 14000, f"五年{HOSTILE}这是观众发来的"),
    (15000, 20000, "铝镁合金的箱体，不是塑料的"),
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a desk over one broadcast whose title and words are hostile."""
    folder = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=30)
    described = json.loads((folder / "broadcast.json").read_text(encoding="utf-8"))
    described["title"] = HOSTILE
    (folder / "broadcast.json").write_text(json.dumps(described), encoding="utf-8")
    words = spoken(folder / "words.json", WORDS)
    here = workspace(tmp_path_factory.mktemp("desk") / "w")
    done = evidence("process", folder, "--transcript", words, "-w", here)
    assert done.code == 0, done.err
    assert evidence("orders", "import", folder / "orders.jsonl", "-w", here).code == 0
    with served(here) as address:
        yield address


def get(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers, body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
            return (
                response.status,
                dict(response.headers),
                response.read().decode("utf-8", "replace"),
            )
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


@pytest.fixture(scope="module")
def page(desk: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser.new_page(viewport={"width": 1280, "height": 900}, locale="zh-CN")
        browser.close()


def until(page: Any, condition: str) -> None:
    """Ask until it holds, for 20 s at most (the page's policy lets no waiting code in)."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {condition}")


def warranty(desk: str) -> dict[str, Any]:
    """The hit for the warranty, by the API."""
    status, _, body = get(f"{desk}/api/v1/search?q=type:warranty")
    assert status == 200
    return next(h["document"] for h in json.loads(body)["hits"] if h["document"]["claim_id"])


def test_errors_are_problems_with_what_to_do_next(desk: str):
    for path, status, code in (
        ("claims/none", 404, "not_found"),
        ("search?q=(", 400, "query"),
        ("orders/none", 404, "not_found"),
        ("broadcasts/none", 404, "not_found"),
    ):
        seen, headers, body = get(f"{desk}/api/v1/{path}")
        assert (seen, json.loads(body)["title"]) == (status, code)
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["hint"]


def test_the_answers_of_the_api_are_those_of_the_command(desk: str):
    claim_id = warranty(desk)["claim_id"]
    claim = json.loads(get(f"{desk}/api/v1/claims/{claim_id}")[2])
    assert (claim["claim_type"], claim["value"]) == ("warranty", "P5Y")
    shown = json.loads(get(f"{desk}/api/v1/broadcasts/sample-zh01")[2])
    assert claim in shown["claims"]
    clip = json.loads(get(f"{desk}/api/v1/claims/{claim_id}/clip")[2])["info"]
    assert clip["start"]["timeline_ms"] <= claim["start_ms"] < clip["end"]["timeline_ms"]
    status, headers, _ = get(f"{desk}/api/v1/claims/{claim_id}/clip.mp4", Range="bytes=0-99")
    assert (status, headers["content-length"]) == (206, "100")


def test_pages_are_shut_to_scripts_and_to_other_names(desk: str):
    for path in ("/", "/b/sample-zh01", "/status", "/api/v1/status", "/static/desk.js", "/m/none"):
        _, headers, _ = get(desk + path)
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert get(f"{desk}/", Host="elsewhere.example")[0] == 400


def test_the_desk_is_not_opened_to_other_machines(tmp_path: Path):
    here = workspace(tmp_path / "w")
    refused = evidence("serve", "--host", "0.0.0.0", "-w", here)
    assert refused.code == 3
    assert "other machines" in refused.err


def test_hostile_words_stay_words(desk: str, page: Any):
    for path in (
        "/?q=五年",
        "/b/sample-zh01",
        f"/m/{warranty(desk)['claim_id']}",
        "/s/8000-14000-r1/sample-zh01",
    ):
        page.goto(desk + path)
        assert page.title() not in ("owned", "1")
        assert page.locator("main script, main img:not(.frames img), main [onerror]").count() == 0
    assert "<script>" in page.locator("h1").inner_text()


def test_a_hit_opens_the_player_at_the_moment(desk: str, page: Any):
    page.goto(f"{desk}/")
    page.keyboard.press("/")
    page.keyboard.type("type:warranty")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.locator(".hits a").first.click()
    page.wait_for_url(re.compile(r"/[ms]/"))
    until(page, "document.querySelector('#player')?.readyState >= 2")
    player = page.locator("#player")
    start_ms = int(player.get_attribute("data-start-ms"))
    claim_ms = int(player.get_attribute("data-claim-ms"))
    at = page.evaluate("document.querySelector('#player').currentTime")
    assert abs(start_ms + at * 1000 - claim_ms) <= 500
    page.keyboard.press(" ")
    until(page, f"document.querySelector('#player').currentTime > {at + 0.5}")
    assert "质保五年" in page.locator(".lines .now").inner_text()
    assert re.fullmatch(r"\d:\d\d:\d\d\.\d{3}", page.locator("#clock").inner_text())


def test_a_spoken_line_opens_too_and_keys_go_from_claim_to_claim(desk: str, page: Any):
    page.goto(f"{desk}/s/2000-7000-r1/sample-zh01")
    until(page, "document.querySelector('#player')?.readyState >= 1")
    page.goto(f"{desk}/m/{warranty(desk)['claim_id']}")
    first = page.url
    page.keyboard.press("n")
    page.wait_for_url(lambda url: url != first)
    page.keyboard.press("p")
    page.wait_for_url(first)


def test_an_order_is_answered_with_one_sentence_first(desk: str, page: Any):
    page.goto(f"{desk}/")
    page.locator("input[name=order_id]").fill("ORD-26060501")
    page.locator("input[name=order_id]").press("Enter")
    assert "ORD-26060501" in page.locator("h1").inner_text()
    assert len(page.locator(".verdict").inner_text()) > 20


@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_their_screen_in_both_languages(desk: str, page: Any, width: int):
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/?q=五年", "/b/sample-zh01", f"/m/{warranty(desk)['claim_id']}", "/status"):
        for lang in ("zh", "en"):
            page.goto(f"{desk}{path}{'&' if '?' in path else '?'}lang={lang}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert page.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[lang]


def test_results_change_in_place(desk: str, page: Any):
    page.goto(f"{desk}/?q=")
    page.evaluate("window.kept = true")
    before = page.locator("[role=status] strong").inner_text()
    page.locator("aside a", has_text="warranty").first.click()
    until(page, "location.search.includes('warranty')")
    until(page, f"document.querySelector('[role=status] strong').innerText !== '{before}'")
    page.locator("#q").fill("行李箱")
    until(page, "new URLSearchParams(location.search).get('q') === '行李箱'")
    until(page, "document.querySelector('.hits mark')?.innerText.includes('行李箱')")
    page.go_back()
    until(page, "document.querySelector('#q').value.includes('warranty')")
    assert page.evaluate("window.kept") is True


def test_the_moment_has_its_timeline_pictures_range_and_link(desk: str, page: Any):
    claim_id = warranty(desk)["claim_id"]
    page.goto(f"{desk}/m/{claim_id}")
    until(page, "document.querySelector('#player')?.readyState >= 2")
    assert page.locator(f'.lanes a[aria-current][href="/m/{claim_id}"]').count() == 1
    until(page, "document.querySelector('.frames img').naturalWidth > 0")
    until(page, "/^\\d{4}-\\d\\d-\\d\\d \\d\\d:/.test(document.querySelector('#wall').value)")
    start = float(page.locator("#playhead").get_attribute("x1"))
    page.keyboard.press("i")
    page.evaluate("document.querySelector('#player').currentTime += 2")
    until(page, f"Number(document.querySelector('#playhead').getAttribute('x1')) > {start}")
    page.keyboard.press("o")
    assert page.locator("#marked").is_visible()
    found = re.search(
        r"/s/(\d+)-(\d+)-r1/sample-zh01$", page.locator("#marked").get_attribute("href")
    )
    assert found is not None
    assert abs(int(found[2]) - int(found[1]) - 2000) <= 300
    page.keyboard.press("c")
    until(page, f"document.querySelector('#said').value.includes('/m/{claim_id}')")
    page.locator("#marked").click()
    until(page, "document.querySelector('#player')?.readyState >= 1")


def test_what_the_browser_says_about_the_pages(desk: str, page: Any):
    """No page breaks its own policy, and no script fails."""
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    claim_id = warranty(desk)["claim_id"]
    for path in ("/", "/?q=五年", "/b", "/b/sample-zh01", f"/m/{claim_id}", "/review", "/status"):
        page.goto(desk + path)
        page.wait_for_timeout(200)
    sku = page.goto(f"{desk}/sku/LZ-LUG-01")
    assert sku.status == 200
    assert [line for line in said if line.startswith(("error", "warning"))] == []
