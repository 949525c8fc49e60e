"""A worker's disk: fetched is only what there is room for; the rest is parked and seen."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.bootstrap import Application, init
from pipeline.budget import Budget
from pipeline.errors import NoRoom
from pipeline.ingest.fetch import resolve
from pipeline.ledger import TRIES, Ledger, Try
from pipeline.patience import ROOM, STORE, Wait, waits
from pipeline.runner import awaited
from pipeline.serve.backlog import metrics
from pipeline.standing import standings
from tests.command import ROOT
from tests.disks import grow, small_disk
from tests.fakes import MemoryStore

MIB = 1 << 20


def bucket(*names: str, mib: int = 3) -> MemoryStore:
    store = MemoryStore()
    for name in names:
        store.put(f"{name}/rec.flv", name.encode() * (mib * MIB // len(name)))
    return store


def fetch(budget: Budget, scratch: Path, store: MemoryStore, name: str) -> Path:
    def admit(need_bytes: int, folder: Path) -> None:
        budget.admit(need_bytes, folder=folder, what=name)

    uri = f"s3://replays/{name}"
    return resolve(uri, scratch=scratch / "inputs", s3=lambda _: store, admit=admit).recordings[0]


def test_nothing_is_fetched_that_does_not_fit_and_idle_copies_make_room(tmp_path: Path):
    settings, store = {"budget_mb": 7}, bucket("a", "b", "c")
    first = Budget(tmp_path, **settings)
    fetch(first, tmp_path, store, "a")
    fetch(first, tmp_path, store, "b")
    with pytest.raises(NoRoom, match="of 7 MiB of the budget are used") as refused:
        fetch(Budget(tmp_path, **settings), tmp_path, store, "c")
    assert refused.value.transient
    assert refused.value.exit_code == 11
    assert len(list((tmp_path / "inputs").iterdir())) == 2
    del first  # those two are done
    fetch(Budget(tmp_path, **settings), tmp_path, store, "c")
    assert len(list((tmp_path / "inputs").iterdir())) == 2  # the oldest copy made room
    assert first_of(tmp_path) == {b"b", b"c"}


def first_of(scratch: Path) -> set[bytes]:
    return {p.read_bytes()[:1] for p in (scratch / "inputs").glob("*/rec.flv")}


def holding(scratch: Path) -> subprocess.Popen[bytes]:
    """A process that was let in for six of seven MiB, and goes on."""
    program = (
        "import os, sys; from pathlib import Path; from pipeline.budget import Budget;"
        "here = Path(sys.argv[1]);"
        "budget = Budget(here, budget_mb=7);"
        "budget.admit(6 << 20, folder=here / 'inputs' / 'x', what='x');"
        "print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(scratch)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"in\n"
    return other


def test_a_killed_process_holds_no_room(tmp_path: Path):
    other = holding(tmp_path)
    budget = Budget(tmp_path, budget_mb=7)
    assert budget.taken().promised_bytes == 6 * MIB
    with pytest.raises(NoRoom):
        budget.admit(2 * MIB, folder=tmp_path / "inputs" / "y", what="y")
    other.kill()
    other.wait()
    budget.admit(2 * MIB, folder=tmp_path / "inputs" / "y", what="y")


def test_a_small_disk_keeps_its_reserve(tmp_path: Path):
    settings, store = {"reserve_mb": 4}, bucket("a", "b")
    with small_disk(tmp_path / "disk", mib=8) as scratch:
        one = Budget(scratch, **settings)
        fetch(one, scratch, store, "a")
        with pytest.raises(NoRoom, match="MiB are free, 4 must stay so"):
            fetch(one, scratch, store, "b")
        grow(scratch, mib=16)
        assert fetch(one, scratch, store, "b").stat().st_size == 3 * MIB


@pytest.fixture
def app(tmp_path: Path) -> Application:
    return init(tmp_path / "w")


def test_a_step_of_a_flow_waits_for_room_and_is_seen_to(app: Application):
    other, budget = holding(app.scratch), Budget(app.scratch, budget_mb=7)
    seen: list[Wait] = []
    said: list[str] = []

    def tell(text: str) -> None:
        said.append(text)
        if len(said) == 2:  # its second look in vain: now it is known to wait
            seen.extend(waits(app.scratch))
            other.kill()
            other.wait()

    need = partial(budget.admit, 2 * MIB, folder=app.scratch / "inputs" / "y", what="s3://r/y")
    awaited(app, need, what="s3://r/y", tell=tell, services=(STORE, ROOM))
    (wait,) = seen
    assert (wait.service, wait.what) == ("room", "s3://r/y")
    assert "of 7 MiB of the budget are used" in wait.message
    assert said[-1] == "room in the scratch folder is back; going on"
    assert waits(app.scratch) == []


def test_what_is_parked_is_seen_and_never_set_aside(app: Application):
    ledger = Ledger(app.store)
    for n in range(TRIES + 2):
        parked = Try(
            place="s3://replays/a",
            outcome="failed",
            at_utc_ms=n + 1,
            error="parked",
            message="no room",
            transient=True,
        )
        sheet = ledger.add("d", parked)
    assert sheet.parked
    assert len(sheet.tries) == 1  # being parked again is no news
    (item,) = standings(app)
    assert (item.standing, item.error, item.message) == ("parked", "parked", "no room")
    samples = {
        (s.name, *s.labels.values()): s.value
        for family in text_string_to_metric_families(metrics(app))
        for s in family.samples
    }
    assert samples["evidence_work", "parked"] == 1
    assert samples["evidence_work", "waiting"] == 0
    assert samples["evidence_scratch_free_bytes",] > 0
    done = Try(place="s3://replays/a", outcome="done", at_utc_ms=9)
    assert not ledger.add("d", done).parked
