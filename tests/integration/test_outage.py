"""The store or the index goes away in the middle of a run for longer than the client's own tries."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.ledger import Ledger
from pipeline.patience import waits
from tests.command import PROGRAM, env, evidence, short_broadcast
from tests.desks import ask, served
from tests.faults import FaultProxy, Reset
from tests.machines import Left, Shared, keys, shared
from tests.services import needed, s3_settings

pytestmark = [pytest.mark.slow, pytest.mark.services, pytest.mark.timeout(900)]
OUTAGE_S = 12
"""Six times what a request is tried for."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("in")
    short_broadcast(root / "zh01", seconds=8)
    return root


@pytest.fixture(scope="module")
def undisturbed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Left:
    here = room(tmp_path_factory.mktemp("whole"))
    assert evidence("process", place / "zh01", "-w", here.folder, **keys()).code == 0
    return here.left()


def room(folder: Path) -> Shared:
    url, bucket = needed("EVIDENCE_TEST_ELASTICSEARCH_URL"), f"away-{uuid.uuid4().hex[:8]}"
    return shared(folder / "w", bucket=bucket, url=url, ocr=False, span_ms=8_000)


class Line:
    """A workspace's ways to its store and its index, each of which can be cut."""

    def __init__(self, here: Shared) -> None:
        self.store = FaultProxy(s3_settings().endpoint_url)
        self.index = FaultProxy(here.url)
        self.environment = {
            **keys(),
            "EVIDENCE_STORE__ENDPOINT_URL": self.store.url,
            "EVIDENCE_STORE__MAX_ATTEMPTS": "2",
            "EVIDENCE_INDEX__URL": self.index.url,
            "EVIDENCE_INDEX__TIMEOUT_S": "5",
        }


@pytest.mark.parametrize("away", ["store", "index"])
@pytest.mark.parametrize("command", ["process", "flow", "backfill"])
def test_a_run_waits_for_what_is_away_says_so_and_goes_on_where_it_was(
    command: str,
    away: str,
    place: Path,
    undisturbed: Left,
    prefect: dict[str, str],
    tmp_path: Path,
):
    here, said = room(tmp_path), tmp_path / "said"
    line = Line(here)
    words: dict[str, tuple[str | Path, ...]] = {
        "process": ("process", place / "zh01"),
        "flow": ("flows", "process", place / "zh01"),
        "backfill": ("flows", "backfill", place),
    }
    named = {"EVIDENCE_LOG_FORMAT": "json"} if command == "flow" else {}
    with line.store as store, line.index as index, said.open("wb") as log:
        cut = {"store": store, "index": index}[away]
        named |= {**line.environment, **prefect}
        running = begun(*words[command], "-w", here.folder, log=log, **named)
        if away == "store":
            until(lambda: any("/packs/" in path for _, path, _ in store.seen), running)
        cut.fail(Reset(), times=1_000_000)
        gone_s = time.monotonic()
        until(lambda: bool(serving(here)), running)
        (wait,) = waiting(here)
        assert (wait["service"], running.poll()) == (away, None)
        if away == "store":  # who cannot ask the store is told who waits for it
            told = evidence("status", "-w", here.folder, "--json", **line.environment)
            assert told.code == 6
            assert "has waited for the store" in told.error["hint"]
        desk_tells(here, away, {**keys(), **(line.environment if away == "index" else {})})
        time.sleep(max(0.0, OUTAGE_S - (time.monotonic() - gone_s)))
        cut.clear()
        assert running.wait(300) == 0, said.read_text()
    text = said.read_text()
    if command == "flow":
        rows = [json.loads(row) for row in text.splitlines() if row.startswith("{")]
        waits = [row for row in rows if row["event"] == "waiting"]
        assert {(row["waits_for"], row["broadcast"]) for row in waits} == {(away, "sample-zh01")}
    name = {"store": "the object store", "index": "the search index"}[away]
    assert f"waiting for {name}" in text
    assert f"{name} is back" in text
    assert waiting(here) == []
    objects, documents = here.left()
    tries = [sheet.tries for sheet in Ledger(here.store).sheets()]
    assert [len(t) for t in tries] == ([1] if command == "backfill" else [])
    done = {key: digest for key, digest in objects.items() if not key.startswith("arrivals/")}
    assert (done, documents) == undisturbed


def test_upkeep_waits_too(place: Path, prefect: dict[str, str], tmp_path: Path):
    here, said = room(tmp_path), tmp_path / "said"
    assert evidence("process", place / "zh01", "-w", here.folder, **keys()).code == 0
    line = Line(here)
    with line.store as store, line.index as index, said.open("wb") as log:
        store.fail(Reset(), times=1_000_000)
        index.fail(Reset(), times=1_000_000)
        asked = ("flows", "maintain", "-w", here.folder, "--json")
        running = begun(*asked, log=log, **line.environment, **prefect)
        for away, cut in (("store", store), ("index", index)):
            until(lambda away=away: away in serving(here), running)
            (wait,) = waiting(here)
            assert (wait["service"], wait["what"]) == (away, "maintain")
            cut.clear()
        assert running.wait(300) == 0, said.read_text()
    assert waiting(here) == []
    assert '"findings": []' in said.read_text()


def test_the_plan_of_a_backfill_waits_too(place: Path, tmp_path: Path):
    here, said = room(tmp_path), tmp_path / "said"
    line = Line(here)
    with line.store as store, line.index, said.open("wb") as log:
        store.fail(Reset(), times=1_000_000)
        asked = ("flows", "backfill", place, "-w", here.folder, "--json", "--dry-run")
        running = begun(*asked, log=log, **line.environment)
        until(lambda: bool(serving(here)), running)
        (wait,) = waiting(here)
        assert (wait["service"], wait["what"]) == ("store", str(place))
        store.clear()
        assert running.wait(100) == 0, said.read_text()
    assert json.loads(said.read_text().splitlines()[-1])["plan"]["to_try"] == 1


def desk_tells(here: Shared, away: str, environment: dict[str, str]) -> None:
    """The desk names the wait; it does so while it cannot ask the index itself."""
    with served(here.folder, **environment) as desk:
        told = ask(f"{desk}/api/v1/operations").json
        (wait,) = told["waits"]
        assert (wait["service"], bool(wait["message"])) == (away, True)
        assert bool(told["index_error"]) == (away == "index")
        page = ask(f"{desk}/ops?lang=en").text
        assert {"store": "the object store", "index": "the search index"}[away] in page
        assert ('id="index-away"' in page) == (away == "index")
        assert f'evidence_waits{{service="{away}"}} 1.0' in ask(f"{desk}/metrics").text


def begun(*words: str | Path, log: Any, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, *map(str, words)], env=env(**environment), stdout=log, stderr=log
    )


def serving(here: Shared) -> list[str]:
    """What is waited for, as often asked as one likes."""
    return [wait.service for wait in waits(here.folder / "scratch")]


def waiting(here: Shared) -> list[dict[str, Any]]:
    """Who waits, asked past what is cut."""
    told = evidence("status", "-w", here.folder, "--json", **keys())
    found: list[dict[str, Any]] = json.loads(told.out)["waits"]
    return found


def until(true: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 200
    while not true():
        assert running.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
