"""The whole way over a store that fails: the same outputs, nothing lost, nothing doubled."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles import described
from tests.command import Ran, evidence
from tests.faults import Answer, FaultProxy, Half, Lost, Reset, Slow, WrongRange
from tests.media import contained, master
from tests.services import s3_environment, s3_settings

pytestmark = pytest.mark.services
NAME = "b-<script>1"
OFF = {"EVIDENCE_KEYFRAMES__OCR": "false"}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to process."""
    folder = tmp_path_factory.mktemp("given")
    made = contained(master(folder / "master.mp4"), folder / "made", "mp4")
    return described(folder / "in", made)


@pytest.fixture(scope="module")
def undisturbed(given: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Content ids of the outputs in a folder, where nothing fails."""
    here = tmp_path_factory.mktemp("quiet") / "w"
    assert evidence("init", here).code == 0
    ran = run(given, here, OFF)
    assert ran.code == 0, ran.err
    return contents(ran)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(s3_settings().endpoint_url) as made:
        yield made


def run(given: Path, here: Path, environment: dict[str, str]) -> Ran:
    files = [given / n for n in ("broadcast.json", "transcript.json")]
    recording = next(p for p in given.iterdir() if p.suffix == ".mp4")
    return evidence(
        *("process", recording, "--broadcast", files[0], "--transcript", files[1]),
        *("-w", here, "--json"),
        **environment,
    )


def contents(ran: Ran) -> list[str]:
    return sorted(output["content"] for output in ran.json["outputs"])


def remote(proxy: FaultProxy, *, attempts: int) -> dict[str, str]:
    bucket = s3_settings(bucket=f"way-{uuid.uuid4().hex[:12]}", endpoint_url=proxy.url)
    more = {"MAX_ATTEMPTS": attempts, "READ_TIMEOUT_S": 2, "CONNECT_TIMEOUT_S": 2, "WAIT_S": 0}
    return s3_environment(bucket) | OFF | {f"EVIDENCE_STORE__{k}": str(v) for k, v in more.items()}


def test_every_kind_of_failure_on_the_way_changes_nothing(
    given: Path, undisturbed: list[str], proxy: FaultProxy, tmp_path: Path
) -> None:
    environment, here = remote(proxy, attempts=8), tmp_path / "w"
    assert evidence("init", here, **environment).code == 0
    for fault in (Answer(503, "SlowDown"), Reset(), Lost()):
        proxy.fail(fault, method="PUT", times=2)
    for read in (Half(), WrongRange(), Answer(500, "InternalError"), Slow(3)):
        proxy.fail(read, method="GET", path="/packs/", times=1)
    ran = run(given, here, environment)
    assert ran.code == 0, ran.err
    assert contents(ran) == undisturbed
    proxy.clear()
    for read in (Half(), WrongRange(), Reset(), Slow(3)):
        proxy.fail(read, method="GET", path="/media/", times=1)
    clip = evidence("clip", NAME, "--from", "1", "--to", "4", "-w", here, "--json", **environment)
    assert clip.code == 0, clip.err
    quiet = evidence("clip", NAME, "--from", "1", "--to", "4", "-w", here, "--json", **environment)
    assert clip.json["info"]["files"] == quiet.json["info"]["files"]


def test_a_store_that_is_away_when_its_bucket_is_made_is_said(
    given: Path, proxy: FaultProxy, tmp_path: Path
) -> None:
    environment, here = remote(proxy, attempts=2), tmp_path / "w"
    assert evidence("init", here, **environment).code == 0
    proxy.fail(Reset(), method="PUT", times=1_000)
    ran = run(given, here, environment)
    assert (ran.code, ran.error["error"], ran.error["transient"]) == (6, "store_unavailable", True)


@pytest.mark.parametrize("path", ["/media/", "/packs/", "/release/"])
def test_a_store_that_goes_away_half_way_is_said_and_gone_on_from(
    given: Path, undisturbed: list[str], proxy: FaultProxy, tmp_path: Path, path: str
) -> None:
    environment, here = remote(proxy, attempts=2), tmp_path / "w"
    assert evidence("init", here, **environment).code == 0
    proxy.fail(Answer(503, "SlowDown"), method="PUT", path=path, times=1_000)
    ran = run(given, here, environment)
    assert (ran.code, ran.error["error"], ran.error["transient"]) == (6, "store_unavailable", True)
    assert "again" in ran.error["hint"]
    proxy.clear()
    again = run(given, here, environment)
    assert again.code == 0, again.err
    assert contents(again) == undisturbed
    assert (again.json["revision"], again.json["release"]) == (1, 1)
    third = run(given, here, environment)
    assert (third.json["release"], contents(third)) == (1, undisturbed)
