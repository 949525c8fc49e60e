"""Killed, crashed, out of disk, cut off from the store: started again, it ends with the same bytes."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.command import PROGRAM, env, evidence, short_broadcast, workspace
from tests.disks import grow, small_disk
from tests.faults import FaultProxy, Reset
from tests.kills import killed, outputs
from tests.machines import VICTIMS, Left, Shared, Site, Victim, disturbed, keys, shared, spread
from tests.on_air import Air, cut_up
from tests.services import needed, s3_environment, s3_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
SECONDS = 16


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=SECONDS)


@pytest.fixture(scope="module")
def undisturbed(
    recording: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, str], float]:
    """What a run leaves when nothing happens to it, and how long it takes."""
    here, begun = workspace(tmp_path_factory.mktemp("whole") / "w"), time.monotonic()
    assert evidence("process", recording, "-w", here).code == 0
    return outputs(here), time.monotonic() - begun


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Prefect server and two workers, over the real S3 server and Elasticsearch."""
    found = Site(tmp_path_factory.mktemp("site"), workers=2, environment=keys())
    yield found
    found.stop()


@pytest.fixture(scope="module")
def spread_whole(
    site: Site, recording: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Left, float]:
    """What a spread broadcast leaves when nothing happens to it, and how long it takes."""
    here, _ = room(tmp_path_factory.mktemp("whole")), site.ready()
    begun = time.monotonic()
    assert evidence(*spread(recording, here, part_s=8), **site.environment).code == 0
    return here.left(), time.monotonic() - begun


def room(folder: Path) -> Shared:
    url, bucket = needed("EVIDENCE_TEST_ELASTICSEARCH_URL"), f"kills-{uuid.uuid4().hex[:8]}"
    return shared(folder / "w", bucket=bucket, url=url, ocr=False, span_ms=8_000)


@pytest.mark.services
@pytest.mark.parametrize(("seed", "victim"), list(enumerate(VICTIMS, start=1)))
def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_bytes(
    seed: int,
    victim: Victim,
    site: Site,
    recording: Path,
    spread_whole: tuple[Left, float],
    tmp_path: Path,
):
    want, took_s = spread_whole
    here, after_s = room(tmp_path), random.Random(seed).uniform(0.05, 0.3) * took_s
    command, scratch = spread(recording, here, part_s=8), here.folder / "scratch"
    found = disturbed(site, command, victim=victim, after_s=after_s, scratch=scratch)
    print(victim, f"killed after {after_s:.1f} s of {took_s:.1f} s:", found)
    assert here.left() == want
    assert found.redone == 0
    assert not [name for name in want[0] if "diverged" in name]


def test_a_flow_killed_with_its_worker_is_continued(
    recording: Path,
    undisturbed: tuple[dict[str, str], float],
    prefect: dict[str, str],
    tmp_path: Path,
):
    want, took_s = undisturbed
    here = workspace(tmp_path / "w")
    after_s = random.Random(4).uniform(3, 3 + took_s)
    killed("flows", "process", recording, "-w", here, after_s=after_s, **prefect)
    assert evidence("flows", "process", recording, "-w", here, **prefect).code == 0
    assert outputs(here) == want


def test_a_broadcast_on_air_whose_follower_is_killed_is_continued(
    prefect: dict[str, str], tmp_path: Path
):
    air = Air(tmp_path / "air", cut_up(tmp_path / "segments", seconds=40))
    for number in range(len(air.segments)):
        air.land(number)
    air.listing(len(air.segments), ended=True)
    left = []
    for name, after_s in (("whole", 0.0), ("killed", random.Random(5).uniform(6, 14))):
        here = workspace(tmp_path / name)
        (here / "evidence.toml").write_text("[keyframes]\nocr = false\n")
        live = ("flows", "live", air.folder, "-w", here, "--seal-s", "10", "--json")
        if after_s:
            killed(*live, after_s=after_s, **prefect)
        ran = evidence(*live, **prefect)
        assert ran.code == 0, ran.err
        ended = ran.out[ran.out.index("{") :]
        assert '"agrees": true' in ended
        left.append(outputs(here))
    assert left[0] == left[1]


def test_a_recording_that_crashes_its_process_is_set_aside_and_the_others_go_on(
    recording: Path, prefect: dict[str, str], tmp_path: Path
):
    place, here = tmp_path / "in", workspace(tmp_path / "w")
    poisoned = short_broadcast(place / "a-poisoned", seconds=8, example="zh02")
    short_broadcast(place / "b-good", seconds=8)
    stop = threading.Event()
    crasher = threading.Thread(target=crash, args=(str(poisoned), stop))
    crasher.start()
    backfill = ("flows", "backfill", place, "-w", here, "--json", "--at-once", "2")
    try:
        runs = [evidence(*backfill, **prefect) for _ in range(3)]
    finally:
        stop.set()
        crasher.join()
    outcomes = [[row["outcome"] for row in ran.json["tried"]] for ran in runs]
    assert outcomes == [["failed", "done"], ["failed"], ["quarantined"]]
    assert "SIGSEGV" in runs[2].json["tried"][0]["message"]
    assert evidence(*backfill, **prefect).json["tried"] == []


def test_a_recording_on_which_its_process_hangs_is_set_aside_and_the_others_go_on(
    recording: Path, prefect: dict[str, str], tmp_path: Path
):
    place, here = tmp_path / "in", workspace(tmp_path / "w")
    hanging = short_broadcast(place / "a-hanging", seconds=8, example="zh02")
    short_broadcast(place / "b-good", seconds=8)
    (here / "evidence.toml").write_text("hang_s = 40\nhang_pm = 0\n[keyframes]\nocr = false\n")
    stop = threading.Event()
    stopper = threading.Thread(target=crash, args=(str(hanging), stop, signal.SIGSTOP))
    stopper.start()
    backfill = ("flows", "backfill", place, "-w", here, "--json", "--at-once", "2")
    try:
        runs = [evidence(*backfill, **prefect) for _ in range(3)]
        assert not list(working_on(str(hanging)))
    finally:
        stop.set()
        stopper.join()
    outcomes = [[row["outcome"] for row in ran.json["tried"]] for ran in runs]
    assert outcomes == [["failed", "done"], ["failed"], ["quarantined"]]
    assert "nothing was heard of its process for 40 s" in runs[2].json["tried"][0]["message"]
    (work,) = evidence("status", "-w", here, "--json").json["work"]
    assert (work["standing"], work["error"], work["tries"]) == ("quarantined", "hung", 3)
    assert evidence(*backfill, **prefect).json["tried"] == []


def crash(place: str, stop: threading.Event, number: signal.Signals = signal.SIGSEGV) -> None:
    """Send every process that works on a place the signal of a crashed decoder, or another."""
    while not stop.wait(0.2):
        for process in working_on(place):
            with suppress(ProcessLookupError):
                os.kill(process, number)


def working_on(place: str) -> Iterator[int]:
    """Processes that process a place."""
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"process" in words and place.encode() in words:
            yield int(folder.name)


def test_a_full_disk_is_named_and_the_run_continues_when_there_is_room(
    recording: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
):
    here = workspace(tmp_path / "w")
    size = max(p.stat().st_size for p in recording.glob("recording.*"))
    done = subprocess.run(
        [*PROGRAM, "process", str(recording), "-w", str(here), "--json"],
        env=env(),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, size - 1)),
    )
    assert done.returncode == 11, done.stderr
    assert evidence("process", recording, "-w", here).code == 0
    assert outputs(here) == undisturbed[0]


def test_a_small_real_disk_that_fills_up_is_named_and_more_room_is_enough(
    recording: Path, undisturbed: tuple[dict[str, str], float], tmp_path: Path
):
    size = sum(p.stat().st_size for p in recording.iterdir())
    with small_disk(tmp_path / "disk", mib=(size >> 20) + 2) as disk:
        here = workspace(disk / "w")
        (here / "scratch" / "other.bin").write_bytes(b"x" * (3 << 19))  # somebody else's
        done = evidence("process", recording, "-w", here, "--json")
        assert done.code == 11, done.err
        assert done.error["error"] in ("disk_short", "parked")
        left = outputs(here)
        assert all(undisturbed[0].get(name) == digest for name, digest in left.items())
        grow(disk, mib=256)
        assert evidence("process", recording, "-w", here).code == 0
        assert outputs(here) == undisturbed[0]


@pytest.mark.services
def test_a_store_that_is_away_for_a_while_is_waited_for(prefect: dict[str, str], tmp_path: Path):
    recording = short_broadcast(tmp_path / "in", seconds=8)
    settings = s3_settings(bucket=f"evidence-{uuid.uuid4().hex[:12]}")
    with FaultProxy(settings.endpoint_url) as proxy:
        remote = {
            **s3_environment(settings),
            "EVIDENCE_STORE__ENDPOINT_URL": proxy.url,
            "EVIDENCE_STORE__MAX_ATTEMPTS": "2",
            "EVIDENCE_KEYFRAMES__OCR": "false",
        }
        here = tmp_path / "w"
        assert evidence("init", here, **remote).code == 0
        proxy.fail(Reset(), times=1_000_000)  # away from now on
        back = threading.Timer(15, proxy.clear)
        back.start()
        ran = evidence("flows", "process", recording, "-w", here, "--json", **remote, **prefect)
        back.join()
    assert ran.code == 0, ran.err
    assert "broadcast_id" in ran.out
