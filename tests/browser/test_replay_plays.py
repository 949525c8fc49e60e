"""The recording itself plays at the claim in a real browser, whatever its container."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests import media as made
from tests.browser.test_clip_plays import FLAGS, chromium
from tests.command import evidence, workspace
from tests.desks import ask, served

pytestmark = pytest.mark.services
FORMS = ("mp4", "fmp4", "flv", "mpegts", "matroska", "hls")
SECONDS = 100
SAID_MS = 70_000
WORDS = [(SAID_MS, SAID_MS + 4000, "这款行李箱质保五年，坏了直接换新")]
STARTED = "2026-06-05T20:00:00+08:00"
BITS = """() => {
  const video = document.querySelector('#replay');
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [320, 180];
  const pen = canvas.getContext('2d');
  pen.drawImage(video, 0, 0, 320, 180);
  const bits = [];
  for (let n = 0; n < 20; n++) bits.push(pen.getImageData(n * 16 + 8, 7, 1, 1).data[0] > 128 ? 1 : 0);
  return {bits: bits.join(''), at: video.currentTime, wall: document.querySelector('#wall').value,
          said: document.querySelector('#said').value, src: video.currentSrc};
}"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A desk over the same broadcast in every container; its pictures say what time it is."""
    folder = tmp_path_factory.mktemp("in")
    master = made.master(folder / "master.mp4", seconds=SECONDS)
    here = workspace(tmp_path_factory.mktemp("desk") / "w")
    words = folder / "words.json"
    segments = [{"start_ms": a, "end_ms": b, "text": text} for a, b, text in WORDS]
    words.write_text(json.dumps({"language": "zh", "segments": segments}), encoding="utf-8")
    for form in FORMS:
        recording = made.contained(master, folder / form, form)
        about = {"broadcast_id": f"房间 {form}?", "started_at": STARTED, "language": "zh"}
        described = folder / form / "broadcast.json"
        described.write_text(json.dumps(about), encoding="utf-8")
        done = evidence(
            "process",
            recording,
            "--broadcast",
            described,
            "--transcript",
            words,
            "-w",
            here,
            EVIDENCE_KEYFRAMES__OCR="false",
        )
        assert done.code == 0, done.err
    with served(here) as address:
        yield address


@pytest.fixture(scope="module")
def page(desk: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser.new_page(locale="zh-CN")
        browser.close()


def claim_of(desk: str, form: str) -> str:
    hits = ask(f"{desk}/api/v1/search?q=type:warranty&size=50").json["hits"]
    return next(
        str(h["document"]["claim_id"])
        for h in hits
        if h["document"]["broadcast_id"] == f"房间 {form}?" and h["document"]["claim_id"]
    )


@pytest.mark.parametrize("form", FORMS)
def test_it_plays_at_the_claim(desk: str, page: Any, form: str) -> None:
    claim_id = claim_of(desk, form)
    claim_ms = ask(f"{desk}/api/v1/claims/{claim_id}").json["start_ms"]
    assert SAID_MS <= claim_ms < SAID_MS + 4000
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.goto(f"{desk}/w/{claim_id}")
    page.evaluate("document.querySelector('#replay').muted = true")
    begun = wait(page, "document.querySelector('#replay').readyState >= 2")
    assert begun, errors
    first = page.evaluate(BITS)
    assert first["src"].startswith("blob:"), first
    assert (first["bits"][:2], first["bits"][-2:]) == ("10", "01"), first
    shown_ms = int(first["bits"][2:-2], 2) * made.TICK_MS
    assert abs(shown_ms - claim_ms) <= 500
    page.evaluate("document.querySelector('#replay').play()")
    assert wait(page, f"document.querySelector('#replay').currentTime > {first['at'] + 0.5}")
    second = page.evaluate(BITS)
    moved_ms = int(second["bits"][2:-2], 2) * made.TICK_MS - claim_ms
    assert 300 <= moved_ms <= 20_000
    assert second["wall"].startswith("2026-06-05 12:01:")


def wait(page: Any, condition: str) -> bool:
    for _ in range(200):
        if page.evaluate(condition):
            return True
        page.wait_for_timeout(100)
    return False


@pytest.mark.parametrize("form", FORMS)
def test_the_playlist_names_bytes_and_the_wall_clock(desk: str, form: str) -> None:
    said = ask(f"{desk}/api/v1/claims/{claim_of(desk, form)}/replay.m3u8")
    assert said.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    dates = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)", said.text)
    lengths = [float(n) for n in re.findall(r"#EXTINF:([\d.]+)", said.text)]
    assert len(dates) == len(lengths) > 5
    assert dates[0].startswith("2026-06-05T12:00:1")
    begin = float(re.findall(r"TIME-OFFSET=([\d.]+)", said.text)[0])
    assert 58 <= begin <= 66
    assert 85 <= sum(lengths) <= 95
    ranges = re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\S+)", said.text)
    assert bool(ranges) == (form in ("mpegts", "hls", "fmp4"))
    for size, at, address in ranges[:2]:
        end = int(at) + int(size) - 1
        piece = ask(desk + address, Range=f"bytes={at}-{end}")
        assert (piece.status, len(piece.body)) == (206, int(size))
        whole = ask(desk + address)
        assert whole.status == 416
        beyond = int(address.rpartition("-")[2])
        assert ask(desk + address, Range=f"bytes={beyond}-{beyond}").status == 416
    for address in re.findall(r"^/\S+m4s\S*", said.text, re.M)[:2]:
        assert ask(desk + address).body[4:8] == b"moof"


def test_a_range_of_nothing_is_not_there(desk: str) -> None:
    for path in ("media/1-0/x/header.mp4", "claims/none/replay.m3u8", "media/1-9/x/part-0-0-1"):
        assert ask(f"{desk}/api/v1/{path}").status == 404
