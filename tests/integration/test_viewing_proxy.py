"""The viewing proxy: its times are the recording's, and it is what one sees while that is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.media import proxy as media_proxy
from pipeline.media import run as media
from pipeline.model import Output
from tests import media as made
from tests.bundles import BROADCAST, described, desk
from tests.cellars import BROADCAST as BROADCAST_ID
from tests.cellars import Cellar, cellar
from tests.command import evidence

RATES = media_proxy.Rates(short_side_px=120, max_fps=15, video_kbit_s=160, audio_kbit_s=40)
KINDS = ["folder", pytest.param("s3", marks=pytest.mark.services)]


def made_of(recording: Path, out: Path) -> tuple[media_proxy.Proxy, media.MediaSource]:
    source = media.open_source(recording)
    proxy = media_proxy.viewing_proxy(source, out, rates=RATES, report=lambda _: None)
    return proxy, media.open_source(out)


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.master(tmp_path_factory.mktemp("master") / "master.mp4")


@pytest.mark.parametrize("form", ["mp4", "flv", "mpegts", "hls", "matroska"])
def test_pictures_and_sound_keep_their_media_time(form: str, master: Path, tmp_path: Path) -> None:
    recording = made.contained(master, tmp_path / "in", form)
    source = media.open_source(recording)
    proxy, small = made_of(recording, tmp_path / "small.mp4")
    for at_ms in (500, 2_000, 5_040, 9_000):
        shown = media.picture_at(small, media_ms=at_ms - proxy.media_start_ms)
        assert made.code_ms(shown.bgr) == shown.media_ms + proxy.media_start_ms
        assert at_ms - 80 <= shown.media_ms + proxy.media_start_ms <= at_ms
    heard = [
        made.beep_ms(np.concatenate([b.samples for b in media.audio_blocks(one)]))
        for one in (source, small)
    ]
    assert heard[0] == heard[1] != []


@pytest.mark.parametrize("without", ["late_audio", "hole"])
def test_what_is_missing_stays_missing(without: str, master: Path, tmp_path: Path) -> None:
    recording = made.remux(
        master, tmp_path / "in.mkv", form="matroska", keep=getattr(made, without)
    )
    proxy, small = made_of(recording, tmp_path / "small.mp4")
    source = media.open_source(recording)
    for at_ms in (1_000, 6_000, 10_000):
        one = media.picture_at(source, media_ms=at_ms).media_ms
        other = media.picture_at(small, media_ms=at_ms - proxy.media_start_ms).media_ms
        assert 0 <= one - other - proxy.media_start_ms <= 80
    heard = [
        made.beep_ms(np.concatenate([b.samples for b in media.audio_blocks(one)]))
        for one in (source, small)
    ]
    assert heard[0] == heard[1] != []


def test_its_index_stands_first_and_it_is_always_the_same(master: Path, tmp_path: Path) -> None:
    for name in ("one.mp4", "two.mp4"):
        made_of(master, tmp_path / name)
    data = (tmp_path / "one.mp4").read_bytes()
    assert data == (tmp_path / "two.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert {s.codec for s in media.probe(media.open_source(tmp_path / "one.mp4")).streams} == {
        "h264",
        "aac",
    }


def test_a_portrait_picture_stands_upright(tmp_path: Path) -> None:
    tall = made.master(tmp_path / "tall.mp4", portrait=True)
    proxy, small = made_of(tall, tmp_path / "small.mp4")
    assert proxy.width_px == 120 < proxy.height_px
    shown = media.picture_at(small, media_ms=3_000)
    assert made.code_ms(shown.bgr) == shown.media_ms


# --- in the plan ----------------------------------------------------------------------------------

ON = "[viewing]\nenabled = true\nshort_side_px = 120\n"


def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    assert desk(tmp_path).app.archive.state(BROADCAST_ID).output("viewing") is None


@pytest.fixture(scope="module", params=KINDS)
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cellar]:
    folder = tmp_path_factory.mktemp(request.param)
    with cellar(request.param, folder, settings=ON, form="flv") as one:
        yield one


def output_of(stored: Cellar) -> Output:
    found = stored.desk.app.archive.state(BROADCAST_ID).output("viewing")
    assert found is not None
    return found


def test_it_has_a_work_key_and_a_producer(stored: Cellar) -> None:
    output = output_of(stored)
    assert output.producer.parameters["short_side_px"] == 120
    assert output.records == 1
    assert len(output.work_key) == 64
    store = stored.desk.app.store
    keys = [s.key for s in store.list(stored.desk.app.archive.prefix(BROADCAST_ID) + "/viewing/")]
    assert len(keys) == 1


def test_while_the_recording_is_away_its_viewing_copy_is_given(
    stored: Cellar, tmp_path: Path
) -> None:
    stored.chill()
    works, root = stored.desk.works, stored.desk.app.root
    claim = next(c for c in works.claims(BROADCAST_ID) if c.source == "speech")
    done = evidence("clip", claim.claim_id, "-w", root, "--out", tmp_path, "--json")
    assert done.code == 0, done.err
    assert done.json["recording"]["state"] == "cold"
    assert done.json["recording"]["viewing_proxy"] is True
    (copy,) = done.json["viewing"]
    assert Path(copy["video"]).name.endswith(".viewing.mp4")
    kept = json.loads(Path(copy["sidecar"]).read_text(encoding="utf-8"))
    assert kept["kind"] == "viewing_copy"
    assert "不是证据" in kept["said"]["zh"]
    recording = stored.desk.app.archive.state(BROADCAST_ID).revision.recordings[0]
    assert kept["recording_sha256"] == recording.sha256
    start = kept["start"]["media_ms"]
    assert start <= claim.start_ms
    shown = media.picture_at(media.open_source(Path(copy["video"])), media_ms=1_000)
    assert made.code_ms(shown.bgr) == start + shown.media_ms
    assert "质保" in Path(copy["subtitles"]).read_text(encoding="utf-8")
    bundle = evidence("order", "ORD-1", "--bundle", tmp_path / "b", "-w", root, "--json").json
    assert bundle["bundle"]["folder"] is None
    assert bundle["bundle"]["viewing"]


def test_turning_it_off_keeps_what_was_made(stored: Cellar) -> None:
    before, root = output_of(stored), stored.desk.app.root
    given = described(root.parent / "again", stored.desk.recording)
    inputs = [given / stored.desk.recording.name, "--broadcast", given / "broadcast.json"]
    off = {"EVIDENCE_VIEWING__ENABLED": "false"}
    words = ["--transcript", given / "transcript.json", "-w", root, "--json"]
    done = evidence("process", *inputs, *words, **off)
    assert done.code == 0, done.err
    assert done.json["release"] == 1
    assert output_of(stored) == before
    assert BROADCAST["broadcast_id"] == BROADCAST_ID
