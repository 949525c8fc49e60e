"""The memory of one worker: what does not fit is done in smaller batches, or refused before it begins.

What a stage needs was measured (docs/benchmarks.md, Memory of a stage) and is told from the recording
and the model alone. A worker without a budget takes everything, as one process on a machine of its own.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import MemoryShort
from pipeline.model import Revision, StageName
from pipeline.settings import Settings

MIB = 1 << 20
PARENT_MIB = 200
"""The process that decodes, cuts and joins."""
LISTENER_MIB = 200
"""The process that recognises, without its model."""
CHUNK_MIB = 120
"""Each chunk that is recognised together with others."""
READER_MIB = 480
"""Reading pictures: the models of the reader."""
READER_BYTES_A_PIXEL = 32
"""And for each pixel of the recording's pictures."""
CLAIMS_MIB = 240
"""The rules."""
CLAIMS_MIB_AN_HOUR = 20
"""And what is said in an hour, with what is found in it."""
_GROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_NO_LIMIT_BYTES = 1 << 60


def budget_bytes(settings: Settings) -> int:
    """What this worker may use: by its settings, else by its control group; 0 where nothing says so."""
    if settings.memory_budget_mb:
        return settings.memory_budget_mb * MIB
    for file in _GROUPS:
        try:
            limit = int(file.read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such file, or "max"
            continue
        return limit if limit < _NO_LIMIT_BYTES else 0
    return 0


def need_bytes(revision: Revision, stage: StageName) -> int:
    """What a stage needs beside recognition, whose need is known where its model is (`fitting`)."""
    if stage == "keyframes":
        pixels = max(
            (s.width_px * s.height_px for r in revision.recordings for s in r.streams), default=0
        )
        return READER_MIB * MIB + READER_BYTES_A_PIXEL * pixels
    if stage == "claims":
        return CLAIMS_MIB * MIB + CLAIMS_MIB_AN_HOUR * MIB * revision.duration_ms // 3_600_000
    return PARENT_MIB * MIB


def require(settings: Settings, revision: Revision, stage: StageName) -> None:
    """Refuse a stage that does not fit this worker, before it begins.

    Raises:
        MemoryShort: it needs more than the budget.
    """
    budget, need = budget_bytes(settings), need_bytes(revision, stage)
    if budget and need > budget:
        raise refused(stage, need, budget)


def fitting(batch_chunks: int, *, model_bytes: int, budget: int) -> int:
    """How many chunks may be recognised together: fewer where memory is short, never other words.

    Raises:
        MemoryShort: not even one fits.
    """
    if not budget:
        return batch_chunks
    fixed = (PARENT_MIB + LISTENER_MIB) * MIB + model_bytes
    count = (budget - fixed) // (CHUNK_MIB * MIB)
    if count < 1:
        raise refused("transcribe", fixed + CHUNK_MIB * MIB, budget)
    return min(batch_chunks, count)


def least(model_bytes: int) -> dict[str, int]:
    """The least that each stage needs: one chunk at a time, pictures of 1080 lines, an hour."""
    return {
        "transcribe": (PARENT_MIB + LISTENER_MIB + CHUNK_MIB) * MIB + model_bytes,
        "keyframes": READER_MIB * MIB + READER_BYTES_A_PIXEL * 1920 * 1080,
        "claims": (CLAIMS_MIB + CLAIMS_MIB_AN_HOUR) * MIB,
    }


def refused(stage: str, need: int, budget: int) -> MemoryShort:
    """The error that parks a piece of work."""
    return MemoryShort(
        f"{stage} needs about {need // MIB} MiB of memory, this worker may use {budget // MIB} MiB",
        hint="let another worker do it, or raise memory_budget_mb",
    )
