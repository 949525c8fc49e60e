"""From a real recording to a clip, with the real model, reader and FFmpeg; killed, and doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.command import READING, begin, env, evidence, short_broadcast, workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=60)


@pytest.fixture(scope="module")
def clean(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the broadcast was processed without being disturbed."""
    here = workspace(tmp_path_factory.mktemp("clean") / "w")
    done = evidence("process", folder, "-w", here, "--json", **READING)
    assert done.code == 0, done.err
    return here


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=20)


@pytest.fixture(scope="module")
def made(brief: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What processing it makes."""
    here = workspace(tmp_path_factory.mktemp("made") / "w")
    assert evidence("process", brief, "-w", here, **READING).code == 0
    return outputs(here)


def outputs(here: Path) -> dict[str, str]:
    shown = evidence("show", "sample-zh01", "-w", here, "--json")
    assert shown.code == 0, shown.err
    return {o["stage"]: o["content"] for o in shown.json["outputs"]}


def test_words_pictures_and_claims_are_found(clean: Path):
    shown = evidence("show", "sample-zh01", "-w", clean, "--json").json
    assert shown["coverage"]["share_pm"] == 1000
    assert len(shown["keyframes"]) >= 2
    assert any(line["role"] == "card" and "459" in line["text"] for line in shown["screen_lines"])
    spoken = {c["claim_type"] for c in shown["claims"] if c["source"] == "speech"}
    assert len(spoken) >= 3


def test_a_broadcast_is_a_handful_of_objects(clean: Path):
    root = clean / "objects"
    files = [p.relative_to(root).parts for p in root.rglob("*") if p.is_file()]
    made = [parts for parts in files if ".evidence" not in parts and "media" not in parts]
    assert 0 < len(made) <= 40


def test_words_are_where_they_were_said(clean: Path):
    answer = evidence("search", "铝框", "-w", clean, "--json").json
    lines = [h for h in answer["hits"] if h["document"]["kind"] == "line"]
    assert lines
    assert abs(lines[0]["document"]["start_ms"] - 10_280) < 2_000


def test_a_claim_opens_as_a_clip_with_its_words(clean: Path, tmp_path: Path):
    claims = evidence("claims", "sample-zh01", "-w", clean, "--json").json
    claim = next(c for c in claims if c["source"] == "speech")
    clip = evidence("clip", claim["claim_id"], "-w", clean, "--out", tmp_path, "--json").json
    info = json.loads(Path(clip["sidecar"]).read_text())
    assert info["claim_id"] == claim["claim_id"]
    assert Path(clip["video"]).stat().st_size > 10_000
    assert Path(clip["picture"]).read_bytes().startswith(b"\xff\xd8")
    assert claim["quote"][:2] in Path(clip["subtitles"]).read_text()


def test_a_viewing_copy_is_cut_to_the_instant_and_says_what_it_is(clean: Path, tmp_path: Path):
    import av

    asked = ["--from", "21", "--to", "24", "--margin", "1", "--exact"]
    made = evidence("clip", "sample-zh01", *asked, "-w", clean, "--out", tmp_path, "--json").json
    copy = made["viewing_copy"]
    assert (copy["kind"], copy["start_ms"], copy["end_ms"]) == ("viewing_copy", 20_000, 25_000)
    assert copy["of_sha256"] == made["info"]["files"][copy["of"]]
    with av.open(str(tmp_path / copy["file"])) as media:
        assert abs(media.duration / 1000 - 5000) <= 60


def test_screen_claims_carry_their_box(clean: Path):
    claims = evidence("claims", "sample-zh01", "-w", clean, "--json").json
    seen = [c for c in claims if c["source"] == "screen"]
    assert seen
    assert all(c["box"]["w_px"] > 0 for c in seen)


def test_a_killed_run_is_continued_to_the_same_bytes(
    brief: Path, made: dict[str, str], tmp_path: Path
):
    here = workspace(tmp_path / "w")
    moments = random.Random(5)
    for _ in range(3):
        run = begin("process", brief, "-w", here, **READING)
        time.sleep(moments.uniform(0.5, 9))
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert evidence("process", brief, "-w", here, **READING).code == 0
    assert outputs(here) == made


def test_two_runs_at_once_do_the_work_once(brief: Path, made: dict[str, str], tmp_path: Path):
    here = workspace(tmp_path / "w")
    runs = [begin("process", brief, "-w", here, **READING) for _ in range(2)]
    assert [run.wait(300) for run in runs] == [0, 0]
    assert outputs(here) == made
    assert not list((here / "objects").rglob("*diverged*"))
    assert evidence("show", "sample-zh01", "-w", here, "--json").json["release"] == 1


def test_the_flow_makes_what_the_command_makes(brief: Path, made: dict[str, str], tmp_path: Path):
    here = workspace(tmp_path / "w")
    quiet = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    flow = ("flows", "process", brief, "-w", here, "--json")
    done = evidence(*flow, DO_NOT_TRACK="1", **quiet, **READING)
    assert done.code == 0, done.err
    assert outputs(here) == made


def test_a_blanked_stretch_is_named_and_turns_not_said_into_cannot_say(
    folder: Path, tmp_path: Path
):
    from pipeline.media.run import ffmpeg_path

    blanked = tmp_path / "zh01"
    blanked.mkdir()
    for name in ("broadcast.json", "orders.jsonl"):
        (blanked / name).write_bytes((folder / name).read_bytes())
    silence = ["-af", "volume=enable='between(t,12,50)':volume=0", "-c:v", "copy"]
    source = next(folder.glob("recording.*"))
    cut = [str(ffmpeg_path()), "-nostdin", "-i", str(source), *silence]
    subprocess.run([*cut, str(blanked / source.name)], check=True, capture_output=True, env=env())
    here = workspace(tmp_path / "w")
    assert evidence("process", blanked, "-w", here).code == 0
    order = tmp_path / "o.jsonl"
    asked = {
        "order_id": "X1",
        "broadcast_id": "sample-zh01",
        "sku_id": "LZ-LUG-01",
        "ordered_at": "2026-06-05T15:00:59+08:00",
        "reason_code": "shelf_life_issue",
        "reason_text": "保质期不对",
    }
    order.write_text(json.dumps(asked))
    answer = evidence("order", "--file", order, "-w", here, "--json").json
    assert answer["verdict"] == "cannot_say"
    assert answer["moments"] == []
    gap = max(answer["coverage"]["gaps"], key=lambda g: g["end_ms"] - g["start_ms"])
    assert abs(gap["start_ms"] - 12_000) < 1_500
    assert abs(gap["end_ms"] - 50_000) < 1_500
    assert gap["reason"] == "blank"


def test_not_said_is_said_where_everything_was_heard(clean: Path, tmp_path: Path):
    order = tmp_path / "o.jsonl"
    asked = {
        "order_id": "X2",
        "broadcast_id": "sample-zh01",
        "sku_id": "LZ-LUG-01",
        "ordered_at": "2026-06-05T15:00:59+08:00",
        "reason_code": "shelf_life_issue",
        "reason_text": "保质期不对",
    }
    order.write_text(json.dumps(asked))
    assert evidence("order", "--file", order, "-w", clean, "--json").json["verdict"] == "not_said"
