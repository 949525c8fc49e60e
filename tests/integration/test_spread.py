"""Two broadcasts spread over three worker processes: one Prefect server, the real S3 server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.archive import Archive
from pipeline.media.audio import audio_blocks
from pipeline.media.source import open_source
from pipeline.transcribe.chunks import Chunk, cut
from pipeline.transcribe.vad import SileroVad
from tests.command import PROGRAM, env, evidence, short_broadcast, workspace
from tests.services import s3_environment, s3_settings, s3_store

pytestmark = [pytest.mark.slow, pytest.mark.services, pytest.mark.timeout(1500)]
SECONDS, PART_S, SPAN_MS = 32, 16, 16_000


@pytest.fixture(scope="module")
def remote() -> dict[str, str]:
    settings = s3_settings(bucket=f"evidence-{uuid.uuid4().hex[:12]}")
    return {
        **s3_environment(settings),
        "EVIDENCE_KEYFRAMES__SPAN_MS": str(SPAN_MS),
        "EVIDENCE_KEYFRAMES__OCR": "true",
        "EVIDENCE_TRANSCRIBE__CPU_THREADS": "1",
    }


@pytest.fixture(scope="module")
def workers(prefect: dict[str, str], remote: dict[str, str]) -> Iterator[None]:
    """Three of them, one thing at a time each."""
    process = subprocess.Popen(
        [*PROGRAM, "flows", "work", "--workers", "3"],
        env=env(**prefect, **remote),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    yield
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_three_workers_share_the_parts_of_two_broadcasts_and_do_nothing_twice(
    workers: None, remote: dict[str, str], prefect: dict[str, str], tmp_path: Path
):
    names = ("zh01", "zh02")
    places = {n: short_broadcast(tmp_path / n, example=n, seconds=SECONDS) for n in names}
    here = tmp_path / "w"
    assert evidence("init", here, **remote).code == 0
    options = ("--part-s", str(PART_S), "--json")
    asked = {
        name: subprocess.Popen(
            [*PROGRAM, "flows", "spread", str(place), "-w", str(here), *options],
            env=env(**remote, **prefect),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, place in places.items()
    }
    spread = {}
    for name, process in asked.items():
        out, err = process.communicate(timeout=900)
        assert process.returncode == 0, err
        spread[name] = json.loads(out[out.index("{") :])

    store = s3_store(s3_settings(bucket=remote["EVIDENCE_STORE__BUCKET"]))
    done_by: Counter[str] = Counter()
    for name, place in places.items():
        prefix = Archive(store).prefix(f"sample-{name}")
        keys = [s.key for s in store.list(f"{prefix}/")]
        assert len([k for k in keys if "/media/" not in k]) <= 40
        parts = [json.loads(store.read(k)) for k in keys if "/parts/" in k]
        assert len(parts) == SECONDS // PART_S + SECONDS * 1000 // SPAN_MS
        done_by.update(part["by"] for part in parts)
        print(name, [(part["by"], len(part["readings"])) for part in parts])
        sounds = [json.loads(store.read(k)) for k in keys if "/parts/transcribe-" in k]
        heard = [digest for part in sounds for digest in part["readings"]]
        assert len(heard) == len(set(heard)) == chunks(place)  # none twice, none left out
    print("each worker's parts:", dict(done_by))
    assert len(done_by) >= 2

    plain = workspace(tmp_path / "plain")
    for name, place in places.items():
        reading = {"EVIDENCE_KEYFRAMES__SPAN_MS": str(SPAN_MS), "EVIDENCE_KEYFRAMES__OCR": "true"}
        ran = evidence("process", place, "-w", plain, "--json", **reading)
        assert ran.json["outputs"] == spread[name]["outputs"]


def chunks(place: Path) -> int:
    """How many chunks the sound of a recording is cut into."""
    source = open_source(next(place.glob("recording.*")))
    found = cut(audio_blocks(source), vad=SileroVad())
    return sum(isinstance(one, Chunk) for one in found)


def test_without_workers_the_flow_does_the_parts_itself(tmp_path: Path, prefect: dict[str, str]):
    place = short_broadcast(tmp_path / "in", example="zh02", seconds=12)
    here = workspace(tmp_path / "w")
    assert evidence("flows", "deploy", "--pool", "nobody", **prefect).code == 0
    spread = ("flows", "spread", place, "-w", here, "--part-s", "6", "--stall-s", "1", "--json")
    assert evidence("flows", "pause", **prefect).code == 0
    ran = evidence(*spread, **prefect)
    assert evidence("flows", "pause", "--off", **prefect).code == 0
    assert ran.code == 0, ran.err
    assert evidence("process", place, "-w", here, "--json").json["release"] == 1
