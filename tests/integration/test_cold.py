"""An archived recording: what still answers, what is said instead of a clip, and its restore."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.evidence.custody import events_of
from pipeline.evidence.verify_bundle import Asked, verify
from pipeline.serve import restores
from pipeline.serve.bundles import custody_checked
from tests.bundles import desk
from tests.cellars import BROADCAST, Cellar, cellar
from tests.command import PROGRAM, env, evidence

KINDS = ["folder", pytest.param("s3", marks=pytest.mark.services)]
DAY_MS = 86_400_000


@pytest.fixture(scope="module", params=KINDS)
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cellar]:
    with cellar(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture
def cold(stored: Cellar) -> Cellar:
    stored.chill()
    return stored


def claim_of(cold: Cellar) -> str:
    return next(c.claim_id for c in cold.desk.works.claims(BROADCAST) if c.source == "speech")


def test_an_order_is_answered_and_says_that_the_recording_is_away(cold: Cellar) -> None:
    root = cold.desk.app.root
    answer = evidence("order", "ORD-1", "-w", root, "--json").json
    assert answer["verdict"] == "found"
    assert answer["recording"]["state"] == "cold"
    assert answer["recording"]["storage_class"] == "GLACIER"
    assert answer["recording"]["takes_s"]["standard"] in (14_400, 18_000)
    assert (answer["recording"]["readable"], answer["recording"]["objects"]) == (0, 1)
    told = evidence("order", "ORD-1", "-w", root, LC_ALL="zh_CN.UTF-8")
    assert "归档" in told.out
    assert evidence("show", BROADCAST, "-w", root, "--json").json["keyframes"]


def test_a_clip_of_it_is_an_answer_and_no_error(cold: Cellar, tmp_path: Path) -> None:
    root = cold.desk.app.root
    done = evidence("clip", claim_of(cold), "-w", root, "--out", tmp_path, "--json")
    assert done.code == 0, done.err
    assert done.json["video"] is None
    assert done.json["recording"]["state"] == "cold"
    assert done.json["viewing"] == []
    span = ["--from", "1", "--to", "3"]
    told = evidence("clip", BROADCAST, *span, "-w", root, "--out", tmp_path)
    assert told.code == 0
    assert f"evidence restore {BROADCAST}" in told.err
    assert "takes up to" in told.out
    assert list(tmp_path.iterdir()) == []


def test_no_bundle_is_half_made(cold: Cellar, tmp_path: Path) -> None:
    root = cold.desk.app.root
    alone = evidence("bundle", claim_of(cold), "--out", tmp_path, "-w", root, "--json")
    assert alone.code == 0, alone.err
    assert (alone.json["folder"], alone.json["recording"]["state"]) == (None, "cold")
    order = evidence("order", "ORD-1", "--bundle", tmp_path, "-w", root, "--json")
    assert order.json["verdict"] == "found"
    assert order.json["bundle"]["recording"]["state"] == "cold"
    assert list(tmp_path.iterdir()) == []


def test_custody_says_what_it_could_not_read_again(cold: Cellar) -> None:
    (found,) = custody_checked(cold.desk.app, [BROADCAST], deep=True)
    assert (found.archived, found.faults) == (1, ())


def test_asking_twice_asks_once_and_custody_knows(cold: Cellar) -> None:
    root, before = cold.desk.app.root, cold.asks()
    first = evidence("restore", "--order", "ORD-1", "--days", "9", "-w", root, "--json")
    assert first.code == 0, first.err
    assert first.json["asked"] is True
    assert first.json["recording"]["state"] == "restoring"
    assert first.json["recording"]["expected_utc_ms"] > time.time() * 1000 + 3_600_000
    again = evidence("restore", BROADCAST, "-w", root, "--json").json
    assert (again["asked"], again["recording"]["state"]) == (False, "restoring")
    assert again["recording"]["asked_utc_ms"] == first.json["recording"]["asked_utc_ms"]
    assert cold.asks() - before <= 1
    app = cold.desk.app
    events = events_of(app.store, app.archive.prefix(BROADCAST))
    asked = [e.body for e in events if e.body["event"] == "restore_asked"]
    assert asked[-1]["about"]["days"] == 9
    assert asked[-1]["about"]["tier"] == "standard"
    clip = evidence("clip", claim_of(cold), "-w", root, "--json").json
    assert clip["recording"]["state"] == "restoring"


def test_a_restored_recording_is_cut_and_sealed(cold: Cellar, tmp_path: Path) -> None:
    root = cold.desk.app.root
    assert evidence("restore", BROADCAST, "--tier", "bulk", "-w", root).code == 0
    cold.bring_back()
    found = restores.standing(cold.desk.works, BROADCAST)
    assert found.state == "restored"
    assert found.until_utc_ms is not None
    assert abs(found.until_utc_ms - time.time() * 1000 - 7 * DAY_MS) < DAY_MS
    assert "until" in found.sentence["en"]
    clip = evidence("clip", claim_of(cold), "-w", root, "--out", tmp_path, "--json").json
    assert Path(clip["video"]).stat().st_size > 1000
    sealed = evidence("order", "ORD-1", "--bundle", tmp_path, "-w", root, "--json").json
    assert sealed["recording"]["state"] == "restored"
    assert verify(Asked(Path(sealed["bundle"]["folder"]))).failed == ()
    same = evidence("restore", BROADCAST, "-w", root, "--json").json
    assert (same["asked"], same["recording"]["state"]) == (False, "restored")
    longer = evidence("restore", BROADCAST, "--days", "60", "-w", root, "--json").json
    assert longer["asked"] is True


def test_waiting_ends_when_it_is_there(cold: Cellar) -> None:
    looks = []

    def after_two_looks(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            cold.bring_back()

    restores.restore(cold.desk.works, BROADCAST, days=7, tier="standard")
    seen: list[str] = []
    found = restores.wait(
        cold.desk.works,
        BROADCAST,
        every_s=5,
        tell=lambda a: seen.append(a.state),
        sleep=after_two_looks,
    )
    assert found.state == "restored"
    assert seen == ["restoring", "restoring", "restored"]
    assert looks == [5, 5]


def test_the_command_waits_and_says_so(cold: Cellar) -> None:
    asked = [*PROGRAM, "restore", BROADCAST, "-w", str(cold.desk.app.root)]
    waiting = subprocess.Popen(
        [*asked, "--wait", "--every", "0.2", "--json"],
        env=env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while restores.standing(cold.desk.works, BROADCAST).state != "restoring":
        assert time.monotonic() < until
        time.sleep(0.1)
    threading.Timer(1.0, cold.bring_back).start()
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert json.loads(out)["recording"]["state"] == "restored"
    assert "restoring, 0 of 1 objects there" in err


def test_nothing_is_asked_for_a_warm_recording(tmp_path: Path) -> None:
    plain = desk(tmp_path)
    done = evidence("restore", BROADCAST, "-w", plain.app.root, "--json").json
    assert (done["asked"], done["recording"]["state"]) == (False, "warm")
    assert evidence("restore", "-w", plain.app.root).code == 2
    assert evidence("restore", "nobody", "-w", plain.app.root).code == 12
