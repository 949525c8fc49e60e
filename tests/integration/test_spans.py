"""Links to spans name the release: they show the same words and the same clip for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.bootstrap import open_workspace
from pipeline.provenance import sha256_hex
from pipeline.serve.service import Service
from tests import broadcasts
from tests.command import evidence, processed, spoken, workspace
from tests.desks import ask, new_key, served

BEFORE, AFTER = "保修五年", "保修六年"
WORDS = ("家人们好", "这件是藏青色的", AFTER, "七天无理由退换", "江浙沪包邮")
SPAN = "10000-14000"


class Given(NamedTuple):
    address: str
    keys: dict[str, str]

    def page(self, path: str, role: str = "agent", **headers: str) -> tuple[int, str]:
        said = ask(self.address + path, key=self.keys[role], **headers)
        return said.status, said.text


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """A broadcast whose words were amended, before a desk that then opened."""
    here = workspace(tmp_path_factory.mktemp("spans") / "w")
    folder, works = tmp_path_factory.mktemp("in"), Service(open_workspace(here))
    broadcasts.processed(works, folder, "zb-1", day="2026-06-05")
    broadcasts.processed(works, folder, "zb-1", day="2026-06-05", words=WORDS, amend=True)
    keys = {"agent": new_key(here, "agent")["key"]}
    for shop in ("shop-1", "shop-2"):
        keys[shop] = new_key(here, "merchant", "--merchant", shop)["key"]
    with served(here) as address:
        yield Given(address, keys)


def test_each_release_keeps_its_words_and_says_when_there_is_a_newer_one(given: Given):
    status, first = given.page(f"/s/{SPAN}-r1/zb-1?lang=en")
    assert status == 200
    assert BEFORE in first
    assert AFTER not in first
    assert "This is how it stood in release 1" in first
    assert f'href="/s/{SPAN}-r2/zb-1"' in first
    assert f'data-copy="/s/{SPAN}-r1/zb-1"' in first
    status, second = given.page(f"/s/{SPAN}-r2/zb-1?lang=en")
    assert status == 200
    assert AFTER in second
    assert BEFORE not in second
    assert "how it stood" not in second


def test_a_link_without_a_release_leads_to_the_one_that_stays(given: Given):
    said = ask(f"{given.address}/s/{SPAN}/zb-1", key=given.keys["agent"])
    assert (said.status, said.headers["location"]) == (303, f"/s/{SPAN}-r2/zb-1")
    _, found = given.page("/?q=kind:line")
    links = re.findall(r'href="(/s/[^"]+)"', found)
    assert links
    assert all(re.fullmatch(r"/s/\d+-\d+-r2/zb-1", link) for link in links)


def test_what_is_not_there_or_not_theirs_answers_alike(given: Given):
    for path in (f"/s/{SPAN}-r3/zb-1", f"/s/{SPAN}-r0/zb-1", f"/s/{SPAN}-r1/none"):
        assert given.page(path)[0] == 404
        assert given.page(f"/api/v1/spans{path[2:]}/clip.mp4")[0] == 404
    assert given.page(f"/s/{SPAN}-r1/zb-1", "shop-1")[0] == 200
    hidden = given.page(f"/s/{SPAN}-r1/zb-1?lang=en", "shop-2")
    nowhere = given.page(f"/s/{SPAN}-r1/none?lang=en", "shop-2")
    assert (hidden[0], nowhere[0]) == (404, 404)
    assert hidden[1].replace("zb-1", "none") == nowhere[1]
    assert given.page(f"/s/{SPAN}/zb-1", "shop-2")[0] == 404
    assert given.page(f"/s/{SPAN}-rx/zb-1")[0] == 422


def test_the_clip_of_a_release_is_the_one_that_was_cut_then(tmp_path: Path):
    here = workspace(tmp_path / "w")
    rows = [(2000, 7000, "这款行李箱质保五年"), (8000, 14000, "铝镁合金的箱体")]
    processed(tmp_path / "in", here, rows)
    with served(here) as address:
        clips = f"{address}/api/v1/spans"
        first = ask(f"{clips}/2000-7000-r1/sample-zh01/clip.mp4")
        assert first.status == 200
        now = ask(f"{clips}/2000-7000/sample-zh01/clip.mp4")
        assert sha256_hex(first.body) == sha256_hex(now.body)
        words = ask(f"{clips}/2000-7000-r1/sample-zh01/clip.srt").text
        other = spoken(tmp_path / "other.json", [(2000, 7000, "这款行李箱质保六年")])
        folder = ("process", tmp_path / "in", "--transcript", other, "--amend", "-w", here)
        done = evidence(*folder)
        assert done.code == 0, done.err
        assert ask(f"{clips}/2000-7000-r1/sample-zh01/clip.mp4").body == first.body
        assert ask(f"{clips}/2000-7000-r1/sample-zh01/clip.srt").text == words
        assert "六年" in ask(f"{clips}/2000-7000-r2/sample-zh01/clip.srt").text
        assert "五年" in words
