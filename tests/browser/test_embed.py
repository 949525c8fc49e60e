"""A claim's card in the pages of other sites: one that may frame it, and one that may not."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.browser.test_clip_plays import FLAGS, chromium
from tests.browser.test_desk import HOSTILE, until
from tests.command import evidence, short_broadcast, spoken, workspace
from tests.desks import Said, ask, new_key, served, sign_in

WORDS = [(2000, 7000, f"这款行李箱质保五年 {HOSTILE}"), (8000, 14000, "铝镁合金的箱体，不是塑料的")]


class Given(NamedTuple):
    desk: str
    console: str
    """An origin that may frame cards."""
    elsewhere: str
    """One that may not."""
    key: str
    claims: list[str]
    pages: dict[str, str]
    """What both origins serve, by path."""
    asked: list[tuple[str, str]]
    """``(path, cookie)`` of every request to them."""

    def card(self, claim_id: str, key: str = "") -> Said:
        return ask(
            f"{self.desk}/api/v1/embeds",
            method="POST",
            key=key or self.key,
            body=json.dumps({"claim_id": claim_id}).encode(),
            Content_Type="application/json",
        )


@contextmanager
def site(pages: dict[str, str], asked: list[tuple[str, str]]) -> Iterator[str]:
    """A web site of an origin of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Cookie", "")))
            body = pages.get(self.path, "").encode()
            kind = "application/json" if self.path.startswith("/card") else "text/html"
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=30)
    words = spoken(folder / "words.json", WORDS)
    here = workspace(tmp_path_factory.mktemp("embed") / "w")
    done = evidence("process", folder, "--transcript", words, "-w", here)
    assert done.code == 0, done.err
    claims = [c["claim_id"] for c in evidence("claims", "sample-zh01", "--json", "-w", here).json]
    assert len(claims) > 1
    key = new_key(here, "agent")["key"]
    pages: dict[str, str] = {}
    asked: list[tuple[str, str]] = []
    with (
        site(pages, asked) as console,
        site(pages, asked) as elsewhere,
        served(here, EVIDENCE_SERVE__EMBED_ORIGINS=json.dumps([console])) as desk,
    ):
        yield Given(desk, console, elsewhere, key, claims, pages, asked)


@pytest.fixture(scope="module")
def page(given: Given) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser.new_page(viewport={"width": 900, "height": 900}, locale="zh-CN")
        browser.close()


def shown(given: Given, page: Any, origin: str, element: str) -> Any:
    """The frame that the one script makes of an element; None when it makes none."""
    script = f'<script src="{given.desk}/static/embed.js"></script>'
    given.pages["/"] = f"<!doctype html><title>console</title>{script}{element}"
    page.goto(origin + "/")
    page.wait_for_timeout(300)
    return next((f for f in page.frames if f != page.main_frame), None)


@pytest.mark.services
def test_a_console_that_may_shows_the_card_and_it_plays(
    given: Given, page: Any, tmp_path: Path
) -> None:
    claim = given.claims[0]
    url = given.card(claim).json["url"]
    element = f'<replay-evidence claim="{claim}" signed="{url.replace("&", "&amp;")}" lang="zh"></replay-evidence>'
    frame = shown(given, page, given.console, element)
    until(
        frame,
        "!!document.querySelector('#player') && document.querySelector('#player')?.readyState >= 2",
    )
    assert "质保五年" in frame.locator("h1").inner_text()
    assert frame.locator("main script, main img, main [onerror]").count() == 0
    assert page.title() == "console"
    assert (
        frame.evaluate(
            "document.querySelector('.lines a').target || document.querySelector('base').target"
        )
        == "_blank"
    )
    begun = frame.evaluate("document.querySelector('#player').currentTime")
    claim_ms, start_ms = frame.evaluate(
        "[+document.querySelector('#player').dataset.claimMs, +document.querySelector('#player').dataset.startMs]"
    )
    assert abs(begun * 1000 - (claim_ms - start_ms)) <= 500
    frame.evaluate(
        "document.querySelector('#player').muted = true; document.querySelector('#player').play()"
    )
    until(frame, f"document.querySelector('#player').currentTime > {begun + 0.5}")
    assert page.context.cookies() == []
    page.screenshot(path=tmp_path / "embed.png")
    assert (tmp_path / "embed.png").stat().st_size > 5000


@pytest.mark.services
def test_the_page_may_ask_its_own_backend_for_the_link(given: Given, page: Any) -> None:
    claim = given.claims[1]
    given.pages[f"/card?claim={claim}"] = json.dumps({"url": given.card(claim).json["url"]})
    frame = shown(
        given,
        page,
        given.console,
        f'<replay-evidence claim="{claim}" from="/card"></replay-evidence>',
    )
    until(frame, "!!document.querySelector('#player')")
    assert (f"/card?claim={claim}", "") in given.asked


@pytest.mark.services
def test_a_site_that_may_not_gets_a_refused_frame(given: Given, page: Any) -> None:
    claim = given.claims[0]
    url = given.card(claim).json["url"].replace("&", "&amp;")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for element in (
        f'<replay-evidence claim="{claim}" signed="{url}"></replay-evidence>',
        f'<iframe src="{given.desk}{url}"></iframe>',
    ):
        said.clear()
        frame = shown(given, page, given.elsewhere, element)
        assert frame is not None
        page.wait_for_timeout(500)
        assert frame.url.startswith("chrome-error:")
        assert any("frame-ancestors" in line for line in said), said


@pytest.mark.services
def test_the_script_frames_this_claim_of_this_desk_only(given: Given, page: Any) -> None:
    claim, other = given.claims[:2]
    for signed in ("https://evil.example/embed/" + claim, f"/embed/{other}", "javascript:alert(1)"):
        element = f'<replay-evidence claim="{claim}" signed="{signed}"></replay-evidence>'
        assert shown(given, page, given.console, element) is None


def test_a_card_is_bound_to_its_claim_its_time_and_its_origins(given: Given) -> None:
    claim, other = given.claims[:2]
    made = given.card(claim)
    assert (made.status, made.json["claim_id"]) == (201, claim)
    assert made.json["origins"] == [given.console]
    path, _, query = made.json["url"].partition("?")
    seen = ask(f"{given.desk}{path}?{query}")
    assert seen.status == 200
    policy = seen.headers["content-security-policy"]
    assert f"frame-ancestors {given.console}" in policy
    assert "unsafe" not in policy
    assert "x-frame-options" not in seen.headers
    assert "set-cookie" not in ask(f"{given.desk}{path}?{query}&lang=zh").headers
    for wrong in (f"/embed/{other}?{query}", f"/m/{claim}?{query}", f"{path}?{query[:-1]}x", path):
        assert ask(given.desk + wrong).status == 303
    late = query.replace("until=", "until=1")
    assert ask(f"{given.desk}{path}?{late}").status == 303


def test_no_cookie_opens_a_card_and_other_pages_stay_unframed(given: Given) -> None:
    cookie = sign_in(given.desk, given.key)
    claim = given.claims[0]
    assert ask(f"{given.desk}/m/{claim}", Cookie=cookie).status == 200
    assert ask(f"{given.desk}/embed/{claim}", Cookie=cookie).status == 303
    moment = ask(f"{given.desk}/m/{claim}", Cookie=cookie).headers
    assert moment["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in moment["content-security-policy"]


def test_without_origins_there_are_no_cards(tmp_path: Path) -> None:
    here = workspace(tmp_path / "w")
    with served(here) as desk:
        assert ask(f"{desk}/embed/none").status == 404
        refused = ask(
            f"{desk}/api/v1/embeds",
            method="POST",
            body=b'{"claim_id": "x"}',
            Content_Type="application/json",
        )
        assert (refused.status, "embed_origins" in refused.json["hint"]) == (404, True)
    for wrong in ("*", "https://a.example; script-src *", "https://a.example/path", "a.example"):
        failed = evidence("status", "-w", here, EVIDENCE_SERVE__EMBED_ORIGINS=json.dumps([wrong]))
        assert failed.code == 3, wrong
