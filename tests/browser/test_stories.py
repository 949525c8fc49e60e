"""What people come to the desk for, in a real browser, in a hall of a hundred broadcasts.

Each story leaves a picture in ``build/screenshots/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from tests import hall, media
from tests.browser.test_clip_plays import FLAGS, chromium
from tests.browser.test_desk import until
from tests.browser.test_desk_accessible import faults
from tests.desks import ask, served

pytestmark = pytest.mark.services
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
LARGE = {"width": 1280, "height": 900}
SMALL = {"width": 390, "height": 844}
PICTURE = """() => {
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [320, 180];
  const pen = canvas.getContext('2d');
  pen.drawImage(video, 0, 0, 320, 180);
  let bits = '';
  for (let n = 0; n < 20; n++) bits += pen.getImageData(n * 16 + 8, 7, 1, 1).data[0] > 128 ? 1 : 0;
  return {bits, at: video.currentTime};
}"""


class Desk(NamedTuple):
    """The hall, served, and a signed-in browser for each role."""

    address: str
    hall: hall.Hall
    pages: dict[str, Any]

    def api(self, path: str, role: str = "arbitrator") -> Any:
        said = ask(f"{self.address}/api/v1/{path}", key=self.hall.keys[role])
        assert said.status == 200, said
        return said.json

    def claim(self, query: str, broadcast: str) -> str:
        """The first claim of a broadcast that a query finds."""
        found = self.api(f"search?q={quote(query)}&broadcast={quote(broadcast)}&kind=claim")
        return str(found["hits"][0]["document"]["claim_id"])

    def warranty(self, form: str) -> str:
        return self.claim("type:warranty", hall.recorded_id(form))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    from playwright.sync_api import sync_playwright

    program = chromium()
    built = hall.build(tmp_path_factory.mktemp("hall"))
    SHOTS.mkdir(parents=True, exist_ok=True)
    with served(built.here) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        pages = {role: _signed_in(browser, address, key) for role, key in built.keys.items()}
        yield Desk(address, built, pages)
        browser.close()


def _signed_in(browser: Any, address: str, key: str) -> Any:
    """A browser of its own whose user typed the key into the page."""
    page = browser.new_context(viewport=LARGE, locale="zh-CN").new_page()
    page.goto(f"{address}/")
    assert page.url.startswith(f"{address}/login")
    page.keyboard.type(key)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.rstrip("/") == address
    return page


@pytest.fixture
def page(desk: Desk) -> Any:
    found = desk.pages["arbitrator"]
    found.set_viewport_size(LARGE)
    return found


def shot(page: Any, name: str) -> None:
    page.screenshot(path=str(SHOTS / f"{name}.png"))


def shown_ms(page: Any) -> int:
    """The time written in the picture that the player shows."""
    seen = page.evaluate(PICTURE)
    assert (seen["bits"][:2], seen["bits"][-2:]) == ("10", "01"), seen
    return int(seen["bits"][2:-2], 2) * media.TICK_MS


def test_search_narrows_by_facets_as_one_types(desk: Desk, page: Any):
    page.goto(f"{desk.address}/")
    covered = desk.api("search?q=&size=1")["coverage"]["broadcasts"]
    assert covered == hall.ROOMS + len(hall.FORMS) == 100
    assert desk.api("search?q=&kind=claim&size=1")["total"] >= 20_000
    page.evaluate("window.kept = true")
    page.keyboard.press("/")
    page.keyboard.type("质保")
    until(page, "document.querySelector('.hits mark')?.innerText.includes('质保')")
    total = page.locator("[role=status] strong").inner_text()
    page.locator("aside a", has_text="SKU-").first.click()
    until(page, "location.search.includes('sku')")
    until(page, f"document.querySelector('[role=status] strong').innerText !== '{total}'")
    assert page.evaluate("window.kept") is True
    shot(page, "search")
    page.set_viewport_size(SMALL)
    shot(page, "search-390")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("form", hall.FORMS)
def test_the_clip_of_a_hit_plays_at_the_claim(desk: Desk, page: Any, form: str):
    claim_id = desk.warranty(form)
    claim_ms = desk.api(f"claims/{claim_id}")["start_ms"]
    assert hall.CLAIM_MS <= claim_ms < hall.CLAIM_MS + 4000
    page.goto(
        f"{desk.address}/?q={quote('质保八年 broadcast:')}%22{quote(hall.recorded_id(form))}%22"
    )
    page.locator(f'.hits a[href="/m/{claim_id}"]').first.click()
    page.wait_for_url(re.compile(r"/m/"))
    _plays(page, claim_ms)
    shot(page, f"moment-{form}")


@pytest.mark.parametrize("form", hall.FORMS)
def test_the_recording_itself_plays_at_the_claim(desk: Desk, page: Any, form: str):
    claim_id = desk.warranty(form)
    page.goto(f"{desk.address}/m/{claim_id}")
    page.locator("#in-replay").click()
    page.wait_for_url(re.compile(r"/w/"))
    _plays(page, desk.api(f"claims/{claim_id}")["start_ms"])
    shot(page, f"replay-{form}")


def _plays(page: Any, claim_ms: int) -> None:
    """The picture is that of the claim, and time moves when it is played."""
    page.evaluate("document.querySelector('video').muted = true")
    until(page, "(v => v.readyState >= 2 && !v.seeking)(document.querySelector('video'))")
    page.wait_for_timeout(200)
    assert abs(shown_ms(page) - claim_ms) <= 500
    at = page.evaluate("document.querySelector('video').currentTime")
    page.evaluate("document.querySelector('video').play()")
    until(page, f"document.querySelector('video').currentTime > {at + 0.5}")
    page.evaluate("document.querySelector('video').pause()")
    assert shown_ms(page) > claim_ms


def test_words_follow_the_player_and_lead_it(desk: Desk, page: Any):
    page.goto(f"{desk.address}/m/{desk.warranty('mp4')}")
    until(page, "document.querySelector('#player')?.readyState >= 2")
    until(page, "document.querySelector('.lines .now')?.innerText.includes('质保八年')")
    start = page.evaluate("Number(document.querySelector('#player').dataset.startMs)")
    page.evaluate("document.querySelector('#player').currentTime = 0")
    until(page, "!document.querySelector('.lines .now')?.innerText.includes('质保八年')")
    page.locator(".lines li", has_text="质保八年").locator("time").first.click()
    until(page, "document.querySelector('.lines .now')?.innerText.includes('质保八年')")
    at = page.evaluate("document.querySelector('#player').currentTime")
    assert abs(start + at * 1000 - hall.CLAIM_MS) < 500
    wall = page.evaluate("document.querySelector('#wall').value")
    assert wall.startswith("2026-06-05 20:00:2")


def test_by_frame_by_speed_by_claim(desk: Desk, page: Any):
    claim_id = desk.warranty("mp4")
    page.goto(f"{desk.address}/m/{claim_id}")
    until(page, "(v => v.readyState >= 2 && !v.seeking)(document.querySelector('#player'))")
    before = page.evaluate("document.querySelector('#player').currentTime")
    page.keyboard.press(".")
    page.keyboard.press(".")
    page.keyboard.press(",")
    after = page.evaluate("document.querySelector('#player').currentTime")
    assert after - before == pytest.approx(media.TICK_MS / 1000, abs=0.005)
    page.locator("#speed").select_option("2")
    assert page.evaluate("document.querySelector('#player').playbackRate") == 2
    first = page.url
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("p")
    page.wait_for_url(lambda url: url != first)
    page.keyboard.press("n")
    page.wait_for_url(first)


def test_a_claim_says_why(desk: Desk, page: Any):
    page.goto(f"{desk.address}/m/{desk.warranty('mp4')}?lang=en")
    told = page.locator("dl").first.inner_text()
    for words in (
        "Why this SKU",
        "What the listing said",
        "5年",
        "contradicts",
        hall.SKU,
        "质保八年",
    ):
        assert words in told, words
    page.goto(f"{desk.address}/?lang=zh")


def test_a_range_is_marked_and_taken_away(desk: Desk, page: Any):
    page.goto(f"{desk.address}/m/{desk.warranty('flv')}")
    until(page, "(v => v.readyState >= 2 && !v.seeking)(document.querySelector('#player'))")
    page.keyboard.press("i")
    page.evaluate("document.querySelector('#player').currentTime += 2")
    until(page, "!document.querySelector('#player').seeking")
    page.keyboard.press("o")
    page.locator("#marked").click()
    page.wait_for_url(re.compile(r"/s/"))
    with page.expect_download() as waiting:
        page.locator("a[download]").first.click()
    assert Path(waiting.value.path()).read_bytes()[4:8] == b"ftyp"
    shot(page, "range")


def test_a_sku_over_all_broadcasts(desk: Desk, page: Any):
    page.goto(f"{desk.address}/sku/{hall.SKU}")
    assert "质保八年" in page.locator("main").inner_text()
    for form in hall.FORMS:
        assert page.locator("main td", has_text=hall.recorded_id(form)).count() > 0
    shot(page, "sku")
    page.goto(f"{desk.address}/sku/SKU-100")
    assert page.locator("tbody tr").count() > 5


def test_an_order_is_answered(desk: Desk, page: Any):
    page.goto(f"{desk.address}/")
    page.locator("input[name=order_id]").fill(hall.ORDER)
    with page.expect_navigation():
        page.locator("input[name=order_id]").press("Enter")
    assert hall.ORDER in page.locator("h1").inner_text()
    shot(page, "order")
    page.locator(".hits a", has_text="质保八年").first.click()
    page.wait_for_url(re.compile(r"/m/"))
    until(page, "document.querySelector('#player')?.readyState >= 2")


def test_a_claim_is_heard_then_decided(desk: Desk, page: Any):
    page.goto(f"{desk.address}/review")
    waiting = page.locator(".hits > li > a")
    assert waiting.count() >= 20
    shot(page, "queue")
    waiting.first.click()
    page.wait_for_url(re.compile(r"/review/"))
    address = page.url
    page.locator("textarea[name=heard]").fill(f"质保{hall.HOSTILE[0]}")
    with page.expect_navigation():
        page.locator("form", has=page.locator("textarea[name=heard]")).locator("button").click()
    page.locator("input[value=rejected]").check()
    page.locator("[name=reason]").fill(f"听不出{hall.HOSTILE[1]}")
    shot(page, "review")
    with page.expect_navigation():
        page.locator("form", has=page.locator("[name=reason]")).locator("button").click()
    assert page.url.endswith("/review")
    page.goto(address.replace("/review/", "/m/"))
    layer = page.locator(".layer").inner_text()
    assert hall.HOSTILE[1] in layer
    assert page.locator(".layer img").count() == 0


def test_a_line_is_corrected_beside_the_machine_s_words(desk: Desk, page: Any):
    room = quote(hall.room_id(8), safe="")
    page.goto(f"{desk.address}/b/{room}")
    page.locator(f'a[href="/t/{room}"]').click()
    page.wait_for_url(re.compile(r"/t/"))
    assert page.locator(".lines li").count() == hall.CLAIMS // 3
    assert page.locator(".lines a.tag").count() == hall.CLAIMS
    machine = page.locator("#s3").inner_text()
    page.locator("#s3 .cite").click()
    page.wait_for_url(re.compile(r"/l/"))
    page.locator("#text").fill(f"明明是纯棉两百支{hall.HOSTILE[1]}")
    page.locator("#reason").fill("听了三遍")
    with page.expect_navigation():
        page.locator("main form button").click()
    shot(page, "line")
    sides = page.locator(".sides q").all_inner_texts()
    assert sides[0] in machine
    assert sides[1].startswith("明明是纯棉两百支")
    assert page.locator(".sides img").count() == 0
    page.goto(f"{desk.address}/?q={quote('纯棉两百支')}")
    page.locator(".hits > li", has=page.locator(".tag.corrected")).locator("a").first.click()
    page.wait_for_url(re.compile(r"/s/"))
    assert "纯棉两百支" in page.locator(".lines").inner_text()
    page.goto(f"{desk.address}/t/{room}")
    shot(page, "transcript")


def test_the_timeline_shows_pictures_under_the_pointer(desk: Desk, page: Any):
    page.goto(f"{desk.address}/m/{desk.warranty('hls')}")
    assert page.locator(".lanes .window title").first.text_content().startswith(hall.SKU)
    lanes = page.locator(".lanes").bounding_box()
    page.mouse.move(lanes["x"] + lanes["width"] * 0.9, lanes["y"] + 10)
    until(page, "document.querySelector('#strip img')?.naturalWidth > 0")
    shown = page.locator("#strip img").evaluate_all("all => all.map(one => one.alt)")
    page.mouse.move(lanes["x"] + lanes["width"] * 0.2, lanes["y"] + 10)
    until(page, f"document.querySelector('#strip img').alt < '{shown[0]}'")
    page.locator(".lanes a").last.focus()
    until(page, "document.querySelector('#said').value.length > 10")
    shot(page, "timeline")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: not address.endswith(desk.warranty("hls")))


def test_the_merchant_sees_two_and_no_more(desk: Desk):
    page = desk.pages["merchant"]
    page.goto(f"{desk.address}/b")
    seen = page.locator("tbody tr td:first-child").all_inner_texts()
    assert sorted(seen) == sorted(desk.hall.theirs)
    shot(page, "merchant")
    page.goto(f"{desk.address}/?q={quote('质保')}")
    links = page.locator(".hits a[href^='/b/']").all_inner_texts()
    assert links
    assert set(links) <= set(desk.hall.theirs)
    assert desk.warranty("flv") not in page.content()
    for path in (f"/m/{desk.warranty('flv')}", f"/b/{quote(hall.room_id(1), safe='')}"):
        assert page.goto(desk.address + path).status == 404
    assert page.goto(f"{desk.address}/o/{quote(hall.ORDER)}").status == 403
    page.goto(f"{desk.address}/m/{desk.warranty('mp4')}")
    until(page, "document.querySelector('#player')?.readyState >= 2")


def _line(desk: Desk, broadcast: str) -> str:
    listed = desk.api(f"broadcasts/{quote(broadcast, safe='')}/lines?size=1")["items"]
    return str(listed[0]["line_id"])


def every_page(desk: Desk) -> list[str]:
    room, real = quote(hall.room_id(5), safe=""), quote(hall.recorded_id("mp4"), safe="")
    return [
        f"/?q={quote(hall.HOSTILE[0])}",
        f"/?q={quote('质保')}",
        "/b",
        f"/b/{room}",
        f"/b/{real}",
        f"/m/{desk.warranty('hls')}",
        f"/m/{desk.claim('type:price', hall.room_id(5))}",
        f"/s/28000-32000-r1/{real}",
        f"/t/{room}",
        f"/l/{_line(desk, hall.room_id(5))}",
        f"/sku/{hall.SKU}",
        f"/o/{quote(hall.ORDER, safe='')}",
        "/review",
    ]


@pytest.mark.parametrize("viewport", [LARGE, SMALL], ids=["1280", "390"])
def test_hostile_words_stay_words_on_accessible_pages(
    desk: Desk, page: Any, viewport: dict[str, int]
):
    page.set_viewport_size(viewport)
    said: list[str] = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    for path in every_page(desk):
        page.goto(desk.address + path)
        assert page.title() not in ("owned", "1")
        strange = "main script, main [onerror], main [onload], main svg [onload]"
        assert page.locator(strange).count() == 0, path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert faults(page) == [], path
    assert said == []
