"""Many broadcasts at once: what waits, what is done, what is set aside, by the real command."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil  # type: ignore[import-untyped]
import pytest
from prefect.concurrency.sync import concurrency
from prefect.settings import PREFECT_API_URL, temporary_settings

from pipeline.ledger import Ledger
from tests.command import PROGRAM, ROOT, env, evidence, short_broadcast, workspace
from tests.machines import kill_all
from tests.media import master
from tests.prefects import QUIET
from tests.queues import Queue, event, speaking_sqs
from tests.services import s3_environment, s3_settings, s3_store


@pytest.fixture(scope="module")
def incoming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A broadcast, a bare recording, and a text that calls itself one."""
    root = tmp_path_factory.mktemp("incoming")
    short_broadcast(root / "a-zh01", seconds=12)
    (root / "b-bare").mkdir()
    master(root / "b-bare" / "clip.mp4", seconds=4)
    (root / "c-broken").mkdir()
    (root / "c-broken" / "rec.mp4").write_text("not a recording at all\n" * 50)
    return root


def test_backfill_goes_on_past_a_broken_one_and_sets_it_aside(
    incoming: Path, tmp_path: Path, prefect: dict[str, str]
):
    here = workspace(tmp_path / "w")
    planned = evidence("plan", incoming, "-w", here, "--json").json
    assert (planned["waiting"], planned["done"], planned["quarantined"]) == (3, 0, 0)
    assert planned["machine_hours"] <= planned["recorded_hours"]

    backfill = ("flows", "backfill", incoming, "-w", here, "--json", "--at-once", "2")
    ahead = evidence(*backfill, "--price-h", "600", "--dry-run")  # no server: nothing is run
    assert (ahead.code, ahead.json["tried"]) == (0, [])
    assert ahead.json["plan"]["to_try"] == 3
    assert ahead.json["plan"]["cost"] > 0 == planned["cost"]
    assert "3 to do" in ahead.err
    first = evidence(*backfill, **prefect)
    assert first.code == 0, first.err
    assert next(iter(first.json)) == "plan"
    assert first.json["plan"] == planned
    tried = first.json["tried"]
    assert [row["outcome"] for row in tried] == ["done", "done", "failed"]
    assert "rec.mp4" in tried[2]["message"]
    assert evidence("show", tried[0]["broadcast_id"], "-w", here).code == 0
    assert first.err.index("3 to do") < first.err.index("Beginning flow run")
    (kept,) = artifacts(prefect, "plan")
    rows = {row["what"]: row["value"] for row in json.loads(kept["data"])}
    assert (rows["to_try"], rows["machines"]) == ("3", str(planned["machines"]))

    later = [evidence(*backfill, **prefect).json["tried"] for _ in range(3)]
    assert [[row["outcome"] for row in rows] for rows in later] == [
        ["failed"],
        ["quarantined"],
        [],
    ]
    planned = evidence("plan", incoming, "-w", here, "--json").json
    assert (planned["waiting"], planned["done"], planned["quarantined"]) == (0, 2, 1)
    again = evidence(*backfill, "--again", **prefect).json
    assert again["plan"]["to_try"] == 1  # what is set aside is tried again
    assert [row["outcome"] for row in again["tried"]] == ["failed"]


@pytest.mark.slow
def test_an_automation_stops_the_pool_when_an_arrival_is_set_aside(
    incoming: Path, tmp_path: Path, prefect: dict[str, str]
):
    deploy_the_file(prefect)
    pool = f"{prefect['PREFECT_API_URL']}/work_pools/evidence"
    text = (ROOT / "infra" / "automation.yaml").read_text(encoding="utf-8")
    given = tmp_path / "automation.yaml"
    mine = text.replace("POOL_ID", asked(pool)["id"]).replace("threshold: 3", "threshold: 1")
    given.write_text(mine, encoding="utf-8")
    made = [*ASK, "automation", "create", "--from-file", str(given)]
    done = subprocess.run(made, env=env(**prefect), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not asked(pool)["is_paused"]
    here = workspace(tmp_path / "w")
    for outcome in ("failed", "failed", "quarantined"):
        backfill = ("flows", "backfill", incoming / "c-broken", "-w", here, "--json")
        (row,) = evidence(*backfill, **prefect).json["tried"]
        assert row["outcome"] == outcome
    end = time.monotonic() + 60
    while not asked(pool)["is_paused"]:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert evidence("flows", "pause", "--off", **prefect).code == 0


def test_a_merchant_has_no_more_broadcasts_at_once_than_its_limit(
    incoming: Path, tmp_path: Path, prefect: dict[str, str]
):
    place, here = incoming / "a-zh01", workspace(tmp_path / "w")
    name = f"merchant-{json.loads((place / 'broadcast.json').read_text())['merchant_id']}"
    made = [*ASK, "gcl", "create", name, "--limit", "1"]
    assert subprocess.run(made, env=env(**prefect), capture_output=True).returncode == 0
    backfill = [*PROGRAM, "flows", "backfill", str(place), "-w", str(here)]
    with (
        temporary_settings(updates={PREFECT_API_URL: prefect["PREFECT_API_URL"]}),
        concurrency([name], occupy=1, strict=True),
    ):
        running = subprocess.Popen(
            backfill, env=env(**prefect), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(60)
        assert not psutil.Process(running.pid).children()  # it waits, and has not begun
    said = running.communicate(timeout=200)[0].decode()
    assert running.returncode == 0, said
    assert "done" in said


def asked(url: str) -> Any:
    with urllib.request.urlopen(url) as reply:
        return json.load(reply)


def artifacts(prefect: dict[str, str], key: str) -> list[dict[str, Any]]:
    """What runs left on the server's page under a key."""
    words = json.dumps({"artifacts": {"key": {"any_": [key]}}}).encode()
    headers = {"Content-Type": "application/json"}
    url = f"{prefect['PREFECT_API_URL']}/artifacts/filter"
    with urllib.request.urlopen(urllib.request.Request(url, words, headers)) as reply:
        found: list[dict[str, Any]] = json.load(reply)
        return found


def test_watch_waits_for_the_marker(incoming: Path, tmp_path: Path, prefect: dict[str, str]):
    here, place = workspace(tmp_path / "w"), tmp_path / "landing"
    (place / "one").mkdir(parents=True)
    master(place / "one" / "clip.mp4", seconds=4)
    watch = (
        "flows",
        "watch",
        place,
        "-w",
        here,
        "--marker",
        "_COMPLETE",
        "--rounds",
        "1",
        "--json",
    )
    assert evidence(*watch, **prefect).json == []
    (place / "one" / "_COMPLETE").touch()
    assert [row["outcome"] for row in evidence(*watch, **prefect).json] == ["done"]
    assert evidence(*watch, **prefect).json == []


def test_plan_names_what_is_wrong_with_a_place(tmp_path: Path):
    here = workspace(tmp_path / "w")
    for place in (str(tmp_path / "none"), "ftp://x/y"):
        failed = evidence("plan", place, "-w", here, "--json")
        assert failed.code == 4
        assert place in failed.error["message"] or "ftp" in failed.error["message"]


def test_plan_tells_the_machines_for_so_many_a_day():
    found = evidence("plan", "--a-day", "1000", "--price-h", "0.5", "--json").json
    assert (found["recorded_hours"], found["machine_hours"]) == (4000, 816.33)
    assert (found["machines"], found["cost"], found["wall_hours"]) == (35, 408.16, 23.32)
    assert evidence("plan").code == 2


ASK = [sys.executable, "-m", "prefect", "--no-prompt"]


def deploy_the_file(prefect: dict[str, str]) -> None:
    for words in (
        ("work-pool", "create", "evidence", "--type", "process", "--overwrite"),
        ("deploy", "--all", "--prefect-file", "infra/prefect.yaml"),
    ):
        done = subprocess.run([*ASK, *words], env=env(**prefect), cwd=ROOT, capture_output=True)
        assert done.returncode == 0, done.stderr


def test_the_file_of_deployments_is_what_the_server_takes(prefect: dict[str, str]):
    deploy_the_file(prefect)
    listed = evidence(
        "flows", "deploy", "--json", **prefect
    ).json  # the same ones, brought up to date
    assert "part/pool" in listed
    show = subprocess.run(
        [*ASK, "deployment", "ls"],
        env=env(**prefect, COLUMNS="200"),
        capture_output=True,
        text=True,
    )
    names = ("backfill/nightly", "maintain/daily", "process-spread/pool", "live/pool")
    for name in (*names, "watch/events"):
        assert name in show.stdout
    kept = asked(f"{prefect['PREFECT_API_URL']}/deployments/name/watch/events")
    assert kept["parameters"]["events"].startswith("https://sqs.")
    assert set(kept["parameters"]) <= set(kept["parameter_openapi_schema"]["properties"])
    assert kept["global_concurrency_limit"]["limit"] == 1
    assert [one["active"] for one in kept["schedules"]] == [False]  # a person switches it on


@pytest.mark.services
@pytest.mark.slow
def test_the_deployment_of_messages_takes_what_one_tells_of(
    tmp_path: Path, prefect: dict[str, str]
):
    bucket, messages, here = f"replays-{uuid.uuid4().hex[:12]}", tmp_path / "m", tmp_path / "w"
    settings = s3_settings(bucket=f"evidence-{uuid.uuid4().hex[:12]}")
    s3_store(s3_settings(bucket=bucket)).ensure_bucket()
    place = short_broadcast(tmp_path / "in", seconds=6)
    for file in place.iterdir():
        s3_store(s3_settings(bucket=bucket), free_keys=True).put(f"on/a/{file.name}", file)
    messages.mkdir()
    (messages / "1.json").write_text(event(bucket, "on/a/broadcast.json"))
    remote = {**s3_environment(settings), "EVIDENCE_KEYFRAMES__OCR": "false"}
    assert evidence("init", here, **remote).code == 0
    deploy_the_file(prefect)
    worker = subprocess.Popen(
        [*ASK[:3], "worker", "start", "--pool", "evidence", "--limit", "1"],
        env=env(
            **prefect, **remote, EVIDENCE_WORKSPACE=str(here), PREFECT_WORKER_QUERY_SECONDS="1"
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    given = {"places": [f"s3://{bucket}/on/"], "events": str(messages), "quiet_s": 0, "rounds": 1}
    run = [*ASK, "deployment", "run", "watch/events", "--params", json.dumps(given), "--watch"]
    try:
        ran = subprocess.run(run, env=env(**prefect), capture_output=True, text=True, timeout=400)
    finally:
        kill_all([worker])
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (done,) = Ledger(s3_store(settings)).sheets()
    assert (done.standing, done.tries[0].place) == ("done", f"s3://{bucket}/on/a")
    assert list(messages.iterdir()) == []


def test_maintain_looks_after_what_was_made(
    incoming: Path, tmp_path: Path, prefect: dict[str, str]
):
    here = workspace(tmp_path / "w")
    place = incoming / "b-bare"
    assert evidence("process", place, "-w", here).code == 0
    found = evidence("flows", "maintain", "-w", here, "--json", **prefect)
    assert found.code == 0, found.err
    assert (found.json["broadcasts"], found.json["verified"], found.json["findings"]) == (1, 1, [])
    assert (found.json["past"], found.json["bundles"]) == ([], 0)
    pack = max((here / "objects").rglob("*.pack"), key=lambda p: p.stat().st_size)
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:-1])
    broken = evidence("flows", "maintain", "-w", here, "--json", **prefect)
    assert broken.code == 10
    assert [one["code"] for one in broken.json["findings"]] == ["hash_mismatch"]
    rows = artifact("upkeep", prefect)
    assert any(row["what"].startswith("hash_mismatch") for row in rows)
    assert {"broadcasts", "verified", "log_entries", "bundles"} <= {row["what"] for row in rows}


IN_A_SCRIPT = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
"""What is started with `&` by a shell script begins with SIGINT ignored."""


def at_work(*options: str, by: Sequence[str] = (), **environment: str) -> subprocess.Popen[str]:
    """Workers as an operator starts them, in a process group of their own."""
    return subprocess.Popen(
        [*by, *PROGRAM, "flows", "work", *options, "--json"],
        env=env(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def test_the_pool_and_its_workers_can_be_asked_for_as_json(prefect: dict[str, str]):
    assert evidence("flows", "deploy", "--json", **prefect).code == 0
    begun = at_work("--workers", "2", **prefect)
    try:
        assert begun.stdout is not None
        rows = [json.loads(begun.stdout.readline()) for _ in range(2)]
        assert [row["event"] for row in rows] == ["started", "started"]
        names = {row["worker"] for row in rows}
        end = time.monotonic() + 240
        while True:
            told = evidence("flows", "status", "--json", **prefect).json
            if names <= {one["name"] for one in told["workers"] if one["status"] == "ONLINE"}:
                break
            assert time.monotonic() < end, told
            time.sleep(1)
        assert (told["pool"], told["paused"]) == ("evidence", False)
        assert [queue["name"] for queue in told["queues"]]
    finally:
        begun.send_signal(signal.SIGINT)
        rest = begun.communicate(timeout=120)[0]
    ended = [json.loads(line) for line in rest.splitlines()]
    assert [row["event"] for row in ended] == ["ended", "ended"]
    assert begun.returncode == 130
    missing = evidence("flows", "status", "--pool", "nowhere", "--json", **prefect)
    assert missing.code == 3
    assert "no such pool" in missing.error["message"]


@pytest.mark.slow
def test_one_command_starts_a_server_and_a_worker_and_ends_both(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    apart = QUIET | {"PREFECT_HOME": str(tmp_path / "prefect")}
    begun = at_work("--server", "--port", str(port), by=IN_A_SCRIPT, **apart)
    try:
        assert begun.stdout is not None
        up, started = (json.loads(begun.stdout.readline()) for _ in range(2))
        assert (up["event"], up["server"]) == ("started", f"http://127.0.0.1:{port}/api")
        named = apart | {"PREFECT_API_URL": up["server"]}
        end = time.monotonic() + 240
        while True:
            told = evidence("flows", "status", "--json", **named).json
            if [one["name"] for one in told["workers"]] == [started["worker"]]:
                break
            assert time.monotonic() < end, told
            time.sleep(1)
        begun.send_signal(signal.SIGTERM)  # as a container's end
        begun.communicate(timeout=120)
    finally:
        kill_all([begun])
    assert begun.returncode == 130
    assert not psutil.pid_exists(up["pid"])
    assert not psutil.pid_exists(started["pid"])


@pytest.mark.services
def test_a_recording_is_found_by_its_message_and_the_message_deleted_when_it_is_done(
    tmp_path: Path, prefect: dict[str, str]
):
    bucket = f"replays-{uuid.uuid4().hex[:12]}"
    settings = s3_settings(bucket=f"evidence-{uuid.uuid4().hex[:12]}")
    s3_store(s3_settings(bucket=bucket)).ensure_bucket()
    recordings = s3_store(s3_settings(bucket=bucket), free_keys=True)
    place = short_broadcast(tmp_path / "in", seconds=6)
    for file in place.iterdir():
        recordings.put(f"on/zh 01/{file.name}", file)
    recordings.put("on/b/rec.mp4", b"not told of")
    remote = {**s3_environment(settings), "EVIDENCE_KEYFRAMES__OCR": "false"}
    here, queue = tmp_path / "w", Queue()
    assert evidence("init", here, **remote).code == 0
    queue.send(event(bucket, "on/zh 01/broadcast.json"))
    queue.send("not a message")
    with speaking_sqs(queue) as url:
        watch = ("flows", "watch", f"s3://{bucket}/on/", "--events", url, "--quiet-s", "0")
        ran = evidence(*watch, "--rounds", "1", "-w", here, "--json", **remote, **prefect)
    assert ran.code == 0, ran.err
    rows = json.loads(ran.out[ran.out.index("[{") :])
    assert [(r["place"], r["outcome"]) for r in rows] == [(f"s3://{bucket}/on/zh 01", "done")]
    assert len(queue.deleted) == 2
    work = evidence("status", "-w", here, "--json", **remote).json["work"]
    assert [(w["standing"], w["error"]) for w in work] == [("quarantined", "message")]


def test_a_run_leaves_its_stages_timings_coverage_and_links(
    incoming: Path, tmp_path: Path, prefect: dict[str, str]
):
    here = workspace(tmp_path / "w")
    ran = evidence("flows", "process", incoming / "b-bare", "-w", here, "--json", **prefect)
    assert ran.code == 0, ran.err
    name = json.loads(ran.out[ran.out.index("{") :])["broadcast_id"]
    plain = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")
    rows = {row["step"]: row for row in artifact(f"broadcast-{plain}", prefect)}
    assert {"ingest", "transcribe", "keyframes", "claims", "index", "whole", "coverage"} <= set(
        rows
    )
    assert rows["whole"]["seconds"] >= rows["transcribe"]["seconds"] > 0
    pack = Path(unquote(urlsplit(rows["transcribe"]["link"]).path))
    assert pack.is_file()
    assert pack.is_relative_to(here)
    assert "% listened to" in rows["coverage"]["records"]


def artifact(key: str, prefect: dict[str, str]) -> list[dict[str, Any]]:
    """The newest table of a key on the server's page."""
    newest = asked(f"{prefect['PREFECT_API_URL']}/artifacts/{key}/latest")
    rows: list[dict[str, Any]] = json.loads(newest["data"])
    return rows
