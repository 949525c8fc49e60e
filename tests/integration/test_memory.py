"""Memory that runs out: in one chunk, in a batch, or for a whole worker."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest

from pipeline.errors import MemoryShort, TranscriptionFailed
from pipeline.media.audio import audio_blocks
from pipeline.media.source import open_source
from pipeline.memory import CHUNK_MIB, LISTENER_MIB, MIB, PARENT_MIB, fitting
from pipeline.model import Broadcast
from pipeline.settings import TranscribeSettings
from pipeline.transcribe.apart import ApartTranscriber
from pipeline.transcribe.chunks import Chunk
from pipeline.transcribe.models import ModelFiles, packaged_here, resolve
from pipeline.transcribe.run import Listening
from tests.command import EXAMPLES, evidence, short_broadcast, workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
HERE = Broadcast(broadcast_id="b", language="zh")
ONE_AT_A_TIME_MIB = 780
"""Room for the base model and one chunk."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    if not packaged_here():
        pytest.skip("the packaged model is not installed (extra `offline`)")
    return resolve("packaged", cache=tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def chunks() -> list[Chunk]:
    """Two stretches of eight seconds."""
    blocks = audio_blocks(open_source(EXAMPLES / "zh06" / "recording.m4a"), end_ms=16_000)
    sound = np.concatenate([b.samples for b in blocks])
    return [_chunk(n * 8_000, sound[n * 128_000 : (n + 1) * 128_000]) for n in range(2)]


def _chunk(start_ms: int, samples: Any) -> Chunk:
    return Chunk(start_ms, start_ms + len(samples) // 16, samples, ())


def heard(listening: Listening, chunks: list[Chunk]) -> list[str]:
    listening.hear_chunks(chunks)
    found = [listening.cache.get(chunk) for chunk in chunks]
    return ["".join(h.text for h in one.heard) if one else "" for one in found]


def test_a_chunk_beyond_the_memory_limit_is_left_out_with_its_reason_and_the_others_go_on(
    files: ModelFiles, chunks: list[Chunk], tmp_path: Path
) -> None:
    settings = TranscribeSettings(batch_chunks=4)
    giant = _chunk(16_000, np.zeros(150_000_000, dtype=np.float32))  # 572 MiB of samples
    mixed = [chunks[0], giant, chunks[1]]
    transcriber = ApartTranscriber(files, settings, budget_bytes=ONE_AT_A_TIME_MIB * MIB)
    listening = Listening(HERE, transcriber, settings, tmp_path / "limited")
    first, nothing, last = heard(listening, mixed)
    assert first
    assert last
    assert nothing == ""
    (why,) = [reading.failed for reading in listening._read([giant])]
    assert "memory limit" in why or "over 30 s" in why
    transcriber.rest()

    free = ApartTranscriber(files, settings)
    assert heard(Listening(HERE, free, settings, tmp_path / "free"), chunks) == [first, last]
    free.rest()


def test_a_recogniser_that_is_killed_costs_no_word(
    files: ModelFiles, chunks: list[Chunk], tmp_path: Path
) -> None:
    settings = TranscribeSettings(batch_chunks=4)
    transcriber = ApartTranscriber(files, settings)
    undisturbed = heard(Listening(HERE, transcriber, settings, tmp_path / "a"), chunks)
    (child,) = recognisers()
    killer = threading.Timer(0.3, os.kill, (child.pid, signal.SIGKILL))
    killer.start()
    again = heard(Listening(HERE, transcriber, settings, tmp_path / "b"), chunks)
    killer.join()
    assert again == undisturbed
    assert not child.is_running()
    transcriber.rest()


def test_a_recogniser_that_hangs_is_ended_and_costs_no_word(
    files: ModelFiles, chunks: list[Chunk], tmp_path: Path
) -> None:
    settings = TranscribeSettings(batch_chunks=4, hang_s=15, hang_pm=0)
    transcriber = ApartTranscriber(files, settings)
    undisturbed = heard(Listening(HERE, transcriber, settings, tmp_path / "a"), chunks)
    (child,) = recognisers()
    child.suspend()  # it lives and answers nothing
    again = heard(Listening(HERE, transcriber, settings, tmp_path / "b"), chunks)
    assert again == undisturbed
    assert not child.is_running()
    recognisers()[0].suspend()
    with pytest.raises(TranscriptionFailed, match="no answer for 15 s"):
        transcriber.transcribe([chunks[0].samples], language="zh")
    assert not recognisers()


def test_a_recogniser_whose_memory_ends_in_a_batch_hears_the_chunks_one_by_one(
    files: ModelFiles, chunks: list[Chunk], tmp_path: Path
) -> None:
    settings = TranscribeSettings(batch_chunks=4)
    transcriber = ApartTranscriber(files, settings)
    undisturbed = heard(Listening(HERE, transcriber, settings, tmp_path / "a"), chunks)
    (child,) = recognisers()
    used = int(Path(f"/proc/{child.pid}/statm").read_text().split()[5]) * resource.getpagesize()
    resource.prlimit(child.pid, resource.RLIMIT_DATA, (used, used))  # not a page more
    again = heard(Listening(HERE, transcriber, settings, tmp_path / "b"), chunks)
    assert again == undisturbed
    assert [one.pid for one in recognisers()] != [child.pid]
    transcriber.rest()


def test_when_nothing_can_be_heard_it_is_the_machine_and_not_the_chunks(
    files: ModelFiles, chunks: list[Chunk]
) -> None:
    short = ApartTranscriber(files, TranscribeSettings(), budget_bytes=PARENT_MIB * MIB)
    with pytest.raises(MemoryShort, match="transcribe needs about"):
        short.transcribe([chunks[0].samples], language="zh")


def test_the_recogniser_ends_with_the_process_that_asks(tmp_path: Path) -> None:
    from tests.command import begin

    here = workspace(tmp_path / "w")
    running = begin("process", short_broadcast(tmp_path / "in", seconds=30), "-w", here)
    root = psutil.Process(running.pid)
    end = time.monotonic() + 240
    while not (found := recognisers(root)) and time.monotonic() < end:
        time.sleep(0.1)
    running.kill()  # it alone, not its group
    running.wait()
    _, alive = psutil.wait_procs(found, timeout=60)
    assert found
    assert not alive


def recognisers(root: psutil.Process | None = None) -> list[psutil.Process]:
    """The recognising processes below a process."""
    below = (root or psutil.Process()).children(recursive=True)
    return [p for p in below if "pipeline.transcribe.apart" in " ".join(_words(p))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_fewer_chunks_are_heard_together_where_memory_is_short() -> None:
    model, fixed = 100 * MIB, (PARENT_MIB + LISTENER_MIB + 100) * MIB
    assert fitting(8, model_bytes=model, budget=0) == 8
    assert fitting(8, model_bytes=model, budget=fixed + 3 * CHUNK_MIB * MIB) == 3
    with pytest.raises(MemoryShort):
        fitting(8, model_bytes=model, budget=fixed)


def test_a_worker_without_the_memory_refuses_and_one_that_has_it_goes_on(tmp_path: Path) -> None:
    place, here = short_broadcast(tmp_path / "in" / "one", seconds=8), workspace(tmp_path / "w")
    little = {"EVIDENCE_MEMORY_BUDGET_MB": "250"}
    refused = evidence("process", place, "-w", here, "--json", **little)
    assert (refused.code, refused.error["error"]) == (15, "memory_short"), refused.err
    assert "250 MiB" in refused.error["message"]
    assert refused.error["transient"] is False
    enough = {"EVIDENCE_MEMORY_BUDGET_MB": str(ONE_AT_A_TIME_MIB)}
    limited = evidence("process", place, "-w", here, "--json", **enough)
    assert limited.code == 0, limited.err
    free = evidence("process", place, "-w", workspace(tmp_path / "free"), "--json")
    assert limited.json["outputs"] == free.json["outputs"]
