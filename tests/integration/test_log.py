"""The log of real runs as JSON lines: of the command, and of flows with the processes they start."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import PROGRAM, env, evidence, short_broadcast, workspace
from tests.machines import kill_all
from tests.prefects import server

pytestmark = [pytest.mark.slow]
JSON = {"EVIDENCE_LOG_FORMAT": "json", "EVIDENCE_KEYFRAMES__OCR": "false"}
NAME = "sample-zh01"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("in")
    short_broadcast(root / "a-zh01", seconds=8)
    return root


def lines(text: str) -> list[dict[str, Any]]:
    """Every line, each of which is a JSON object with what every line has."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    for row in rows:
        assert {"time", "level", "event", "broadcast", "worker"} <= row.keys(), row
    return rows


def of(rows: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["event"] == event]


def test_process_says_everything_as_lines(place: Path, tmp_path: Path):
    here = workspace(tmp_path / "w")
    ran = evidence("process", place / "a-zh01", "-w", here, "--json", **JSON)
    assert ran.code == 0
    assert ran.json["broadcast_id"] == NAME
    rows = lines(ran.err)
    assert {row["broadcast"] for row in rows} == {NAME}
    stages = [row["stage"] for row in of(rows, "stage_done")]
    assert stages == ["transcribe", "keyframes", "claims"]
    heard = of(rows, "chunk_heard")
    assert heard
    assert all(row["chunk"] and row["stage"] == "transcribe" for row in heard)
    assert [row["stage"] for row in of(rows, "taken_in")] == ["ingest"]
    assert of(rows, "released")[0]["release"] == 1
    assert of(rows, "indexed")[0]["documents"] > 0
    assert of(rows, "warning")  # the description lists products of a longer recording
    again = lines(evidence("process", place / "a-zh01", "-w", here, **JSON).err)
    assert len(of(again, "stage_found")) == 3
    assert of(again, "chunk_heard") == []
    broken = tmp_path / "rec.mp4"
    broken.write_text("not a recording")
    (failed,) = lines(evidence("process", broken, "-w", here, **JSON).err)
    assert (failed["event"], failed["level"], failed["error"]) == (
        "failed", "error", "unreadable_media"
    )  # fmt: skip
    assert failed["place"] == str(broken)
    (outside,) = lines(evidence("process", broken, "-w", tmp_path, **JSON).err)
    assert outside["error"] == "config"
    plain = evidence("process", broken, "-w", here)
    assert plain.err.startswith("error: ")  # off unless asked for


def test_flows_say_the_lines_of_all_their_processes(place: Path, tmp_path: Path):
    with server(tmp_path / "prefect") as prefect:
        here = workspace(tmp_path / "w")
        (here / "evidence.toml").write_text('log_format = "json"\n[keyframes]\nocr = false\n')
        ran = evidence("flows", "backfill", place, "-w", here, "--json", **prefect)
        assert ran.json["tried"][0]["outcome"] == "done"
        rows = lines(ran.err)
        assert of(rows, "plan")
        chunks = of(rows, "chunk_heard")  # said in a process of the broadcast's own
        assert {row["broadcast"] for row in chunks} == {NAME}
        (run,) = {row["flow_run"] for row in rows if "flow_run" in row}
        assert {row["flow_run"] for row in chunks} == {run}
        assert len({row["worker"] for row in rows}) == 2
        assert [row["broadcast"] for row in of(rows, "arrival")] == [NAME]
        ran = evidence("flows", "process", place / "a-zh01", "-w", here, "--json", **prefect)
        rows = lines(ran.err)
        assert {row["broadcast"] for row in of(rows, "stage_found")} == {NAME}
        assert all("task_run" in row for row in of(rows, "stage_found"))
        last = [row for row in rows if row.get("message", "").endswith("documents")]
        assert last[0]["broadcast"] == NAME


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """A server and a worker; where what the worker says goes."""
    said = tmp_path / "said"
    with server(tmp_path / "prefect") as prefect, said.open("wb") as log:
        worker = subprocess.Popen(
            [*PROGRAM, "flows", "work"],
            env=env(**JSON, **prefect),
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield prefect, said
        finally:
            kill_all([worker])


def test_parts_on_a_worker_name_their_part_and_their_run(
    pool: tuple[dict[str, str], Path], place: Path, tmp_path: Path
):
    prefect, said = pool
    here = workspace(tmp_path / "w")
    ran = evidence("flows", "spread", place / "a-zh01", "-w", here, **JSON, **prefect)
    assert ran.code == 0, ran.err
    rows = lines(ran.err)
    assert of(rows, "stage_done")[0]["broadcast"] == NAME
    end = time.monotonic() + 60
    while len(done := of(lines(said.read_text()), "part_done")) < 2:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert {row["chunk"] for row in done} == {"transcribe 1/1", "keyframes 1/1"}
    assert {row["broadcast"] for row in done} == {NAME}
    assert all(row["flow_run"] and row["task_run"] and row["worker"] for row in done)
    heard = of(lines(said.read_text()), "chunk_heard")
    assert {row["part"] for row in heard} == {"transcribe 1/1"}
