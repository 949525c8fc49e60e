"""Custody events follow each other, name the recordings, and any alteration is found."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.bootstrap import open_workspace
from pipeline.errors import IntegrityError
from pipeline.evidence import custody, custody_log
from pipeline.evidence.custody_log import log_faults
from pipeline.evidence.verify_bundle import Asked, verify
from pipeline.serve.bundles import custody_checked, note, now_ms, stamp_custody
from pipeline.serve.service import Service
from tests.bundles import Desk, desk
from tests.command import evidence

NAME = "b-<script>1"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def here(origin: Desk, tmp_path: Path) -> Desk:
    shutil.copytree(origin.app.root, tmp_path / "w")
    return origin._replace(works=Service(open_workspace(tmp_path / "w")))


def files(here: Desk) -> list[Path]:
    """Events as they lie in the store: the chain, then the one of the ingest."""
    found = (here.app.root / "objects").rglob("custody/*.json")
    return sorted(
        (p for p in found if ".evidence" not in p.parts),
        key=lambda p: ("ingested" in p.name, p.name),
    )


def faults(here: Desk, *, deep: bool = False) -> list[str]:
    (found,) = custody_checked(here.app, [NAME], deep=deep)
    return [fault.code for fault in found.faults]


def rewritten(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def test_events_follow_each_other_and_alterations_are_found(here: Desk) -> None:
    state = here.app.archive.state(NAME)
    for n in range(3):
        note(here.app, state, "viewed", about={"n": n})
    assert faults(here, deep=True) == []
    bodies = [e.body for e in custody.events_of(here.app.store, state.prefix)]
    assert [b["event"] for b in bodies] == ["ingested", "processed", "viewed", "viewed", "viewed"]
    assert all(b["by"] for b in bodies[1:])
    second = files(here)[2]
    kept = second.read_bytes()
    rewritten(second, kept.replace(b'"n":1', b'"n":7').replace(b'"n":0', b'"n":7'))
    assert faults(here) == ["chain", "roll"]
    rewritten(second, kept + b"\n")
    assert faults(here) == ["altered", "chain", "roll"]
    rewritten(second, kept)
    second.unlink()
    assert "gap" in faults(here)


def test_what_was_made_is_noted_once_a_release(here: Desk) -> None:
    state = here.app.archive.state(NAME)
    custody.processed(here.app.archive, state, writer="another")
    (event,) = [
        e.body
        for e in custody.events_of(here.app.store, state.prefix)
        if e.body["event"] == "processed"
    ]
    assert event["about"] == {
        "release": 1,
        "revision": state.revision.number,
        "outputs": {o.stage: o.content for o in state.release.outputs},
    }
    later = state.release.model_copy(update={"number": 2})
    custody.processed(here.app.archive, state._replace(release=later), writer="another")
    assert len(custody.events_of(here.app.store, state.prefix)) == 3
    assert faults(here) == []


def test_an_altered_roll_is_found_and_never_sealed(here: Desk, tmp_path: Path) -> None:
    note(here.app, here.app.archive.state(NAME), "viewed", about={})
    rolls = sorted((here.app.root / "objects").rglob("custody-roll/*.json"))
    rolls = [p for p in rolls if ".evidence" not in p.parts]
    kept = rolls[-1].read_bytes()
    rewritten(rolls[-1], kept.replace(b'"merkle_root":"', b'"merkle_root":"0'))
    assert faults(here) == ["roll"]
    with pytest.raises(IntegrityError):
        here.seal(tmp_path / "sealed")
    rewritten(rolls[-1], kept)
    assert faults(here) == []
    assert verify(Asked(here.seal(tmp_path / "sealed").folder)).failed == ()


def test_a_store_without_rolls_is_read_event_by_event(here: Desk, tmp_path: Path) -> None:
    note(here.app, here.app.archive.state(NAME), "viewed", about={})
    for roll in (here.app.root / "objects").rglob("custody-roll/*.json"):
        roll.chmod(0o600)
        roll.unlink()
    state = here.app.archive.state(NAME)
    assert len(custody.rolled_events(here.app.store, state.prefix)) == 3
    assert verify(Asked(here.seal(tmp_path).folder)).failed == ()
    assert faults(here) == []


def test_a_recording_altered_in_the_store_is_found(here: Desk) -> None:
    stored = max((here.app.root / "objects").rglob("media/*/*"), key=lambda p: p.stat().st_size)
    data = bytearray(stored.read_bytes())
    data[len(data) // 2] ^= 1
    rewritten(stored, bytes(data))
    assert faults(here) == []
    assert faults(here, deep=True) == ["bytes"]


def test_without_the_ingest_event_no_root_is_known(here: Desk) -> None:
    files(here)[-1].unlink()
    assert faults(here) == ["root", "roll"]


def test_many_at_once_make_one_chain(here: Desk) -> None:
    state = here.app.archive.state(NAME)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: note(here.app, state, "viewed", about={"n": n}), range(16)))
    (found,) = custody_checked(here.app, [], deep=False)
    assert (found.events, found.writers, found.faults) == (18, 1, ())


def test_the_log_gathers_each_event_once_and_is_stamped(
    origin: Desk, here: Desk, tmp_path: Path
) -> None:
    assert log_faults(here.app.store) == (0, [])
    lone = stamp_custody(here.app)
    assert (lone.number, lone.events, lone.stamped, len(lone.refused)) == (1, 2, (), 1)
    with here.authority as authority:
        asked = here.app.settings.seal.authorities[0].model_copy(update={"url": authority.url})
        seal = here.app.settings.seal.model_copy(update={"authorities": (asked,)})
        now = now_ms()
        again = custody_log.gather(here.app.archive, seal, writer="w", now_utc_ms=now)
        assert (again.number, again.events, again.stamped) == (1, 0, ("Test authority",))
        note(here.app, here.app.archive.state(NAME), "viewed", about={})
        third = custody_log.gather(here.app.archive, seal, writer="w", now_utc_ms=now)
        assert (third.number, third.events, third.stamped) == (2, 1, ("Test authority",))
    assert log_faults(here.app.store) == (2, [])
    sealed = here.seal(tmp_path / "sealed").folder
    report = verify(Asked(sealed, here.trust(tmp_path / "trust.json")))
    assert report.checks[9].code == "untimestamped"
    assert "the recording is unchanged since" in report.checks[9].sentence
    assert abs(report.facts["recording_proven_utc_ms"] - now) < 60_000
    assert report.holds("trusted")
    chained = files(here)[1]
    rewritten(chained, chained.read_bytes() + b" ")
    assert [fault.code for fault in log_faults(here.app.store)[1]] == ["log_event"]
    first = here.app.root / "objects/custody-log/000001.json"
    rewritten(first, first.read_bytes().replace(b'"root":"', b'"root":"0'))
    codes = [fault.code for fault in log_faults(here.app.store)[1]]
    assert codes == ["log_root", "log_chain", "log_event"]


def test_the_command_notes_what_is_taken_out_and_checks(here: Desk, tmp_path: Path) -> None:
    root = here.app.root
    cut = evidence(
        "clip", NAME, "--from", "1", "--to", "2", "--out", tmp_path, "-w", root, "--json"
    )
    assert cut.code == 0, cut.err
    listed = evidence("custody", "list", NAME, "-w", root, "--json").out.splitlines()
    event = json.loads(listed[-1])
    assert event["event"] == "exported"
    assert event["about"]["sha256"] in cut.json["info"]["files"].values()
    assert evidence("custody", "stamp", "-w", root, "--json").json["events"] == 3
    checked = evidence("custody", "verify", "-w", root)
    assert checked.code == 0
    assert "log: 1 entries" in checked.out
    files(here)[-1].unlink()
    odd = evidence("custody", "verify", NAME, "-w", root, "--json")
    assert odd.code == 10
    assert odd.json["faults"]
