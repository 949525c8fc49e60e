"""A clip of every container plays in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.evidence.clip import make_clip
from pipeline.ingest import run as ingest
from pipeline.media import run as media
from tests.command import EXAMPLES

pytestmark = pytest.mark.services
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
PLAY = """async url => {
  const video = document.createElement('video');
  video.muted = true; video.src = url; document.body.append(video);
  await new Promise((ok, no) => { video.oncanplay = ok; video.onerror = () => no(video.error.message); });
  await video.play();
  for (let n = 0; n < 100 && video.currentTime <= 0.5; n++) await new Promise(ok => setTimeout(ok, 100));
  return {at: video.currentTime, length: video.duration, wide: video.videoWidth, error: video.error};
}"""


def chromium() -> str:
    path = os.environ.get("EVIDENCE_TEST_CHROMIUM", "")
    if not path:
        pytest.skip("EVIDENCE_TEST_CHROMIUM is not set: no chromium on this machine")
    return path


@pytest.mark.parametrize("name", ["zh01", "zh02", "zh03", "zh04", "zh05", "zh06", "en01", "en02"])
def test_the_clip_plays(name: str, tmp_path: Path):
    from playwright.sync_api import sync_playwright

    program = chromium()
    recording = next(p for p in sorted((EXAMPLES / name).glob("recording.*")))
    source = media.open_source(recording)
    looked = ingest._Looked(source, media.inspect(source))
    clock = media.build(
        [media.RecordingClock(duration_ms=looked.seen.probed.duration_ms)],
        broadcast_started_at=None,
    )
    clip = make_clip(
        source=source,
        recording=ingest._recording("p", looked),
        clock_map=clock,
        broadcast_id=name,
        span_ms=(61_000, 66_000),
        margin_ms=2000,
        transcript=None,
        out_dir=tmp_path,
        name="clip",
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page()
        page.goto(tmp_path.as_uri())
        seen = page.evaluate(PLAY, clip.video.as_uri())
        browser.close()
    assert seen["error"] is None
    assert seen["at"] > 0.5
    assert seen["length"] >= 8.9
    assert (seen["wide"] > 0) == (name != "zh06")
