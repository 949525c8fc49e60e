"""What opens recordings for a flow is a process of its own: stopped, crashed and killed, it ends alone."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.command import PROGRAM, Ran, env, evidence, short_broadcast, workspace
from tests.kills import outputs
from tests.on_air import Air, cut_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SECONDS = 12
SOON = {"EVIDENCE_HANG_S": "25", "EVIDENCE_HANG_PM": "0"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=SECONDS)


@pytest.fixture(scope="module")
def undisturbed(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    here = workspace(tmp_path_factory.mktemp("whole") / "w")
    assert evidence("process", recording, "-w", here).code == 0
    return outputs(here)


def hands(prefect: dict[str, str]) -> list[psutil.Process]:
    """The hands of the flow runs that report to a server."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            mine = one.environ().get("PREFECT_API_URL") == prefect["PREFECT_API_URL"]
            if mine and "flows.hand" in one.cmdline():
                found.append(one)
    return found


@contextmanager
def struck(
    prefect: dict[str, str], number: signal.Signals, *, most: int = 1, begun: Path | None = None
) -> Iterator[list[int]]:
    """Send the first hands that appear a signal, each once; those that got it.

    With ``begun`` only once a folder of that name's pattern is there: in the middle of a stage.
    """
    stop, done = threading.Event(), list[int]()

    def strike() -> None:
        seen = False
        while not stop.wait(0.05) and len(done) < most:
            # A folder may be gone soon.
            seen = seen or begun is None or any(begun.parent.glob(begun.name))
            for one in hands(prefect) if seen else ():
                if one.pid not in done:
                    with suppress(psutil.NoSuchProcess):
                        one.send_signal(number)
                        done.append(one.pid)

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def test_a_recording_that_hangs_is_named_set_aside_after_three_tries_and_tried_again_on_request(
    recording: Path, undisturbed: dict[str, str], prefect: dict[str, str], tmp_path: Path
):
    here = workspace(tmp_path / "w")
    process = ("flows", "process", recording, "-w", here, "--json")
    for number in range(3):
        begun = here / "scratch" / "transcribe-*" if number == 1 else None
        with struck(prefect, signal.SIGSTOP, begun=begun) as hit:
            ran = evidence(*process, **SOON, **prefect)
        assert (ran.code, ran.error["error"]) == (7, "hung"), ran.err
        assert "nothing was heard of its process for 25 s" in ran.error["message"]
        assert len(hit) == 1
        assert not hands(prefect)
    (work,) = standing(here)
    assert (work["standing"], work["error"], work["tries"]) == ("quarantined", "hung", 3)
    refused = evidence(*process, **prefect)
    assert (refused.code, refused.error["error"]) == (7, "quarantined")
    assert "nothing was heard" in refused.error["message"]
    backfill = evidence("flows", "backfill", recording, "-w", here, "--json", **prefect)
    assert backfill.json["tried"] == []
    again = evidence(*process, "--again", **prefect)
    assert again.code == 0, again.err
    assert results(here) == undisturbed
    assert standing(here) == []


def standing(here: Path) -> list[dict[str, object]]:
    """Arrivals that are not done."""
    found: list[dict[str, object]] = evidence("status", "-w", here, "--json").json["work"]
    return [one for one in found if one["standing"] not in ("unfinished", "running")]


def results(here: Path) -> dict[str, str]:
    """What a run leaves, without the record of tries."""
    return {k: v for k, v in outputs(here).items() if not k.startswith("arrivals/")}


def test_a_recording_that_crashes_is_a_failed_try_and_the_next_run_goes_on(
    recording: Path, undisturbed: dict[str, str], prefect: dict[str, str], tmp_path: Path
):
    here = workspace(tmp_path / "w")
    process = ("flows", "process", recording, "-w", here, "--json")
    with struck(prefect, signal.SIGSEGV, begun=here / "scratch" / "keyframes-*"):
        ran = evidence(*process, **prefect)
    assert (ran.code, ran.error["error"]) == (7, "crashed"), ran.err
    assert "SIGSEGV" in ran.error["message"]
    (work,) = standing(here)
    assert (work["standing"], work["error"], work["tries"]) == ("waiting", "crashed", 1)
    assert evidence(*process, **prefect).code == 0
    assert results(here) == undisturbed
    assert standing(here) == []


def test_one_killed_from_outside_is_tried_again_by_the_same_run(
    recording: Path, undisturbed: dict[str, str], prefect: dict[str, str], tmp_path: Path
):
    here = workspace(tmp_path / "w")
    with struck(prefect, signal.SIGKILL, begun=here / "scratch" / "transcribe-*") as hit:
        ran = evidence("flows", "process", recording, "-w", here, **prefect)
    assert len(hit) == 1
    assert ran.code == 0, ran.err
    assert outputs(here) == undisturbed


def test_when_the_flow_run_is_killed_its_hand_ends_as_well(
    recording: Path, prefect: dict[str, str], tmp_path: Path
):
    here = workspace(tmp_path / "w")
    run = subprocess.Popen(
        [*PROGRAM, "flows", "process", str(recording), "-w", str(here)],
        env=env(**prefect),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found = until(lambda: hands(prefect))
    started = until(lambda: found[0].children(recursive=True))
    run.kill()
    run.wait()
    psutil.wait_procs([*found, *started], timeout=20)
    assert not [one for one in (*found, *started) if one.is_running()]


def until(look: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    """What is there, once there is something."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("it never came")


def test_a_part_on_which_a_worker_hangs_fails_there_and_is_done_by_the_flow_that_joins(
    recording: Path, undisturbed: dict[str, str], prefect: dict[str, str], tmp_path: Path
):
    here = workspace(tmp_path / "w")
    assert evidence("flows", "deploy", **prefect).code == 0
    spread = ("flows", "spread", recording, "-w", here, "--json", "--part-s", "60")
    worker = subprocess.Popen(
        [*PROGRAM, "flows", "work"],
        env=env(**prefect, **SOON, PREFECT_WORKER_QUERY_SECONDS="1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        hit = stopped_under(worker.pid, prefect, lambda: evidence(*spread, **prefect))
    finally:
        worker.send_signal(signal.SIGINT)
        worker.wait(60)
    assert len(hit) >= 2  # one part of the sound, one of the pictures
    assert results(here) == undisturbed
    assert standing(here) == []


def stopped_under(root: int, prefect: dict[str, str], run: Callable[[], Ran]) -> set[int]:
    """Stop every hand below a process while something else runs well; which ones."""
    stop, hit = threading.Event(), set[int]()

    def strike() -> None:
        while not stop.wait(0.1):
            for one in hands(prefect):
                with suppress(psutil.NoSuchProcess):
                    if one.pid not in hit and root in [p.pid for p in one.parents()]:
                        one.send_signal(signal.SIGSTOP)
                        hit.add(one.pid)

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        ran = run()
    finally:
        stop.set()
        thread.join()
    assert ran.code == 0, ran.err
    return hit


def test_a_broadcast_on_air_may_be_silent_for_long_but_its_decoder_may_not(
    prefect: dict[str, str], tmp_path: Path
):
    air, here = Air(tmp_path / "air", cut_up(tmp_path / "segments", seconds=12)), tmp_path / "w"
    workspace(here)
    live = ("flows", "live", air.folder, "-w", here, "--seal-s", "10", "--json")
    air.land(0)
    air.listing(1, ended=False)
    patient = SOON | {"EVIDENCE_HANG_S": "30"}
    with struck(prefect, signal.SIGSTOP, begun=here / "scratch" / "live-*"):
        hung = evidence(*live, **SOON, **prefect)
    assert (hung.code, hung.error["error"]) == (7, "hung"), hung.err

    def end() -> None:  # after a silence of more than hang_s
        until(lambda: hands(prefect))
        time.sleep(40)
        for number in range(1, len(air.segments)):
            air.land(number)
        air.listing(len(air.segments), ended=True)

    ending = threading.Thread(target=end)
    ending.start()
    ran = evidence(*live, **patient, **prefect)
    ending.join()
    assert ran.code == 0, ran.err
    assert '"agrees": true' in ran.out
    assert standing(here) == []
