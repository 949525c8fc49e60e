"""What is looked after, and what status and metrics say, on a workspace with a real broadcast."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline import upkeep
from pipeline.bootstrap import Application, init
from pipeline.evidence.custody_log import gather
from pipeline.journal import Journal, Seal
from pipeline.ledger import Ledger, Try
from pipeline.runner import Request, process
from pipeline.serve.backlog import metrics
from pipeline.standing import standings
from tests.command import EXAMPLES, evidence

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("upkeep") / "w"
    example = EXAMPLES / "zh06"
    request = Request(
        (str(example / "recording.m4a"),), example / "broadcast.json", example / "transcript.json"
    )
    process(init(root), request)
    return root


@pytest.fixture
def app(made: Path, tmp_path: Path) -> Application:
    """A copy that may be damaged."""
    return init(Path(shutil.copytree(made, tmp_path / "w")))


def prefix(app: Application) -> str:
    return next(iter(app.archive.broadcasts()))


def test_a_sound_broadcast_has_nothing_to_tell(app: Application):
    assert list(upkeep.verify(app, prefix(app))) == []
    assert upkeep.reconcile(app) == (0, None)


@pytest.mark.parametrize(("room", "code"), [("media", "bytes"), ("packs", "hash_mismatch")])
def test_a_changed_byte_is_found(app: Application, room: str, code: str):
    stored = app.root / "objects" / prefix(app) / room
    victim = max((p for p in stored.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(data)
    assert code in {finding.code for finding in upkeep.verify(app, prefix(app))}


def test_a_lost_index_is_brought_back(app: Application):
    app.index.drop("sample-zh06")
    changed, finding = upkeep.reconcile(app)  # all of it: a person should look first
    assert (changed, finding and finding.code) == (0, "too_many_changes")
    asked = app.settings.index.model_copy(update={"reconcile_most_pm": 1000})
    bold = Application(app.root, app.settings.model_copy(update={"index": asked}))
    assert [upkeep.reconcile(bold) for _ in range(2)] == [(1, None), (0, None)]


def test_the_sample_is_another_every_day_and_the_same_all_day():
    names = [f"p{n}" for n in range(100)]
    monday, tuesday = (upkeep.sample(names, size=10, seed=day) for day in ("1", "2"))
    assert len(monday) == len(tuesday) == 10
    assert monday != tuesday
    assert monday == upkeep.sample(list(reversed(names)), size=10, seed="1")
    assert upkeep.sample(names[:3], size=10, seed="1") == names[:3]


def test_retention_is_ended_running_or_too_short(app: Application):
    state = app.archive.state_at(prefix(app))
    until = state.revision.retain_until_utc_ms
    assert until is not None
    assert upkeep.retention(app, prefix(app), now_utc_ms=until - DAY_MS) is None
    past = upkeep.retention(app, prefix(app), now_utc_ms=until + 2 * DAY_MS)
    assert isinstance(past, upkeep.Past)
    assert (past.days, past.held_by) == (2, ())
    revision = next(app.store.list(f"{prefix(app)}/rev/")).key
    app.store.hold(revision, on=True)
    held = upkeep.retention(app, prefix(app), now_utc_ms=until)
    assert isinstance(held, upkeep.Past)
    assert held.held_by == ("legal_hold",)
    longer = app.settings.model_copy(update={"retention_days": app.settings.retention_days + 30})
    found = upkeep.retention(Application(app.root, longer), prefix(app), now_utc_ms=0)
    assert isinstance(found, upkeep.Finding)
    assert "30 days less" in found.detail


def test_the_custody_log_is_computed_again_and_sampled_events_are_read(app: Application):
    assert upkeep.log(app, {prefix(app)}) == (0, [])
    gather(app.archive, app.settings.seal, writer="t", now_utc_ms=1)
    assert upkeep.log(app, {prefix(app)}) == (1, [])
    entry = app.root / "objects" / "custody-log" / "000001.json"
    body = json.loads(entry.read_bytes())
    event = app.root / "objects" / body["events"][0][0]
    rewrite(event, event.read_bytes().replace(b"ingested", b"ingestes"))
    assert upkeep.log(app, set()) == (1, [])  # not in this round's sample
    assert [f.code for f in upkeep.log(app, {prefix(app)})[1]] == ["log_event"]
    body["events"][0][1] = "00" * 32
    rewrite(entry, json.dumps(body).encode())
    assert "log_root" in [f.code for f in upkeep.log(app, set())[1]]


def rewrite(file: Path, data: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(data)


def test_a_share_of_the_broadcasts_is_rounded_up_and_sealed_bundles_are_checked(
    app: Application, tmp_path: Path
):
    assert [upkeep.size_of(n, size=20, share=5) for n in (0, 1, 20, 21, 1000)] == [0, 1, 1, 2, 50]
    assert [upkeep.size_of(n, size=20, share=0) for n in (3, 100)] == [3, 20]
    claim = json.loads(evidence("claims", "sample-zh06", "-w", app.root, "--json").out)[0]
    assert evidence("keys", "new", "-w", app.root).code == 0
    sealed = evidence(
        "bundle", claim["claim_id"], "-w", app.root, "--out", tmp_path / "s", "--json"
    )
    assert sealed.code == 0, sealed.err
    folder = next((tmp_path / "s").rglob("MANIFEST.json")).parent
    places = upkeep.bundles([folder.parent])
    assert folder in places
    assert [f for place in places for f in upkeep.bundle(place)] == []
    victim = max((p for p in folder.rglob("*.mp4")), default=None) or folder / "MANIFEST.json"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    rewrite(victim, bytes(data))
    assert any(f.code.startswith("bundle_") for f in upkeep.bundle(folder))


def test_status_and_metrics_tell_what_is_not_done(app: Application, tmp_path: Path):
    ledger = Ledger(app.store)
    for n in range(3):
        ledger.add(
            "d1", Try(place="a", outcome="failed", at_utc_ms=n, error="crashed", message="!")
        )
    ledger.add("d2", Try(place="b", outcome="failed", at_utc_ms=1, error="source", transient=True))
    Journal(app.store, "ab/x/y/on-air").put(Seal(number=1, stretches=(), at_utc_ms=1000))
    arrived = tmp_path / "in" / "c"
    arrived.mkdir(parents=True)
    (arrived / "r.flv").write_bytes(b"x" * 900_000)

    items = {item.name: item for item in standings(app)}
    assert {n: i.standing for n, i in items.items()} == {
        "a": "quarantined",
        "b": "waiting",
        "on-air": "on_air",
    }
    assert items["a"].tries == 3
    assert (items["on-air"].age_s or 0) > 1000
    waiting = standings(app, [str(tmp_path / "in")])
    assert [(i.name, i.standing, i.hours) for i in waiting if i.standing == "waiting"] == [
        (str(arrived), "waiting", 0.001)
    ]

    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics(app, [str(tmp_path / "in")]))
        for sample in family.samples
    }
    assert found["evidence_work", "waiting"] == 1
    assert found["evidence_backlog_hours",] == 0.001
    assert found["evidence_failures", "crashed"] == 3
    assert found["evidence_broadcasts_done",] == 1
    assert found["evidence_recorded_hours_done",] == pytest.approx(0.056, abs=0.01)
    assert found["evidence_live_seal_age_seconds", "on-air"] > 1000

    told = evidence("status", "-w", app.root, "--json").json
    assert {row["standing"] for row in told["work"]} == {"quarantined", "waiting", "on_air"}
    text = evidence("status", tmp_path / "in", "-w", app.root, "--metrics")
    assert 'evidence_work{standing="waiting"} 1.0' in text.out
    spoken = evidence("status", "-w", app.root)
    assert "quarantined" in spoken.out


def test_what_was_begun_and_left_is_unfinished(app: Application):
    import contextlib

    from pipeline.runner import take_in

    example = EXAMPLES / "zh05"
    request = Request((), example / "broadcast.json", example / "transcript.json")
    take_in(app, request)
    names = [(i.name, i.standing) for i in standings(app)]
    assert names == [("sample-zh05", "unfinished")]
    with contextlib.ExitStack() as held:
        held.enter_context(app.working_on("sample-zh05"))
        assert [i.standing for i in standings(app)] == ["running"]
    assert json.loads(evidence("status", "-w", app.root, "--json").out)["unfinished"] == [
        "sample-zh05"
    ]
