"""Cases in a real browser: an arbitrator gathers and discloses, a party sees and hears its part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.browser.test_clip_plays import FLAGS, chromium
from tests.browser.test_desk import HOSTILE, until
from tests.browser.test_desk_accessible import faults
from tests.command import evidence, short_broadcast, spoken, workspace
from tests.desks import new_key, served, sign_in

pytestmark = pytest.mark.services
WORDS = [
    (2000, 7000, "这款行李箱质保五年，坏了直接换新"),
    (8000, 14000, "铝镁合金的箱体，不是塑料的"),
]


class Given(NamedTuple):
    address: str
    keys: dict[str, str]
    claim_id: str


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=20)
    words = spoken(folder / "words.json", WORDS)
    here = workspace(tmp_path_factory.mktemp("cases") / "w")
    assert evidence("process", folder, "--transcript", words, "-w", here).code == 0
    assert evidence("orders", "import", folder / "orders.jsonl", "-w", here).code == 0
    claims = evidence("claims", "sample-zh01", "--json", "-w", here).json
    keys = {role: new_key(here, role)["key"] for role in ("arbitrator", "party")}
    with served(here) as address:
        yield Given(address, keys, claims[0]["claim_id"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()


def page_of(browser: Any, given: Given, role: str, *, width: int, said: list[str]) -> Any:
    name, value = sign_in(given.address, given.keys[role]).split("=", 1)
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_cookies([{"name": name, "value": value, "url": given.address}])
    page = context.new_page()
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    return page


@pytest.mark.parametrize(("lang", "width"), [("zh", 1280), ("en", 390)])
def test_a_case_goes_from_the_arbitrator_to_the_party(
    given: Given, browser: Any, tmp_path: Path, lang: str, width: int
):
    said: list[str] = []
    judge = page_of(browser, given, "arbitrator", width=width, said=said)
    judge.goto(f"{given.address}/cases?lang={lang}")
    judge.fill("#title", HOSTILE)
    judge.fill("#orders", "ORD-26060501")
    judge.fill("#claims", given.claim_id)
    judge.fill("#spans", "8000-14000 sample-zh01")
    assert faults(judge) == []
    judge.click("main form button")
    judge.wait_for_url(re.compile(r"/cases/[0-9a-f]{16}$"))
    place = judge.url
    kinds = judge.locator("#things tbody tr td:nth-child(2)").all_inner_texts()
    span = len(kinds)
    assert kinds[-1] == {"zh": "片段", "en": "span"}[lang]
    judge.fill("#which", f"1, {span}")
    judge.fill("#why", HOSTILE)
    judge.click("#disclose button")
    judge.wait_for_selector("#disclosures")
    assert faults(judge) == []
    judge.screenshot(path=tmp_path / "arbitrator.png", full_page=True)

    party = page_of(browser, given, "party", width=width, said=said)
    party.goto(f"{given.address}/cases?lang={lang}")
    assert faults(party) == []
    party.click(f"a[href='/cases/{place.rpartition('/')[2]}']")
    party.wait_for_selector("#things")
    numbers = party.locator("#things tbody tr td:first-child").all_inner_texts()
    assert numbers == ["1", str(span)]
    assert party.locator("form#disclose").count() == 0
    assert faults(party) == []
    party.screenshot(path=tmp_path / "party.png", full_page=True)
    party.click(f"#things a[href$='/{span}']")
    party.wait_for_selector("video")
    until(party, "document.querySelector('video').readyState > 2")
    assert abs(8 - party.evaluate("v = document.querySelector('video'), "
               "v.dataset.startMs / 1000 + v.currentTime")) <= 0.5  # fmt: skip
    party.evaluate("document.querySelector('video').play()")
    until(party, "document.querySelector('video').dataset.startMs / 1000 + "
          "document.querySelector('video').currentTime > 8.5")  # fmt: skip
    assert party.locator(".lines li").all_inner_texts()[0].endswith(WORDS[1][2])
    assert faults(party) == []
    party.screenshot(path=tmp_path / "thing.png", full_page=True)
    assert party.evaluate("document.documentElement.scrollWidth <= innerWidth")
    party.goto(f"{place}/1")
    assert faults(party) == []
    assert party.locator("main script, main img, main [onerror]").count() == 0

    judge.fill("#disclosures input[name=why]", "the wrong party")
    judge.click("#disclosures button")
    judge.wait_for_selector("#disclosures tr.struck")
    assert said == []
    party.goto(place)
    assert party.locator("#things").count() == 0
