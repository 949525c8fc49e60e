"""The chunks of a broadcast on this machine's disk, cut once for all parts that are heard here.

Where a chunk begins depends on all the sound before it, so every part would have to decode and cut
from the beginning. The first one that needs them writes them all; the others read their own.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from filelock import FileLock

from pipeline.transcribe.chunks import AudioLike, Chunk, cut
from pipeline.transcribe.vad import SileroVad

BYTES_PER_MS = 64
"""Of 16 kHz float samples: what the chunks take on the disk."""
_INDEX = "chunks.json"
_STALE_S = 86_400


class Sounds:
    """Chunks in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def ready(self) -> bool:
        """Whether all of them are here."""
        return (self._folder / _INDEX).exists()

    def ensure(self, recordings: Iterable[Iterable[AudioLike]], *, max_ms: int) -> None:
        """Cut every recording's sound, unless that is done; one process at a time does it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            if not self.ready:
                rows = [
                    row
                    for number, blocks in enumerate(recordings)
                    for row in self._cut(number, blocks, max_ms)
                ]
                part = self._folder / f"{_INDEX}.part"
                part.write_text(json.dumps(rows), encoding="ascii")
                part.replace(self._folder / _INDEX)

    def _cut(
        self, number: int, blocks: Iterable[AudioLike], max_ms: int
    ) -> Iterator[tuple[int, int, int, Sequence[tuple[int, int]]]]:
        import numpy as np

        for one in cut(blocks, vad=SileroVad(), max_ms=max_ms):
            if isinstance(one, Chunk):
                np.save(self._file(number, one.start_ms), one.samples)
                yield number, one.start_ms, one.end_ms, one.pauses

    def chunks(self, number: int, *, low_ms: int, high_ms: int) -> Iterator[Chunk]:
        """Those of a recording that begin in ``[low_ms, high_ms)``."""
        import numpy as np

        for recording, start, end, pauses in json.loads((self._folder / _INDEX).read_bytes()):
            if recording == number and low_ms <= start < high_ms:
                samples = np.load(self._file(number, start), allow_pickle=False)
                yield Chunk(start, end, samples, tuple((a, b) for a, b in pauses))

    def _file(self, number: int, start_ms: int) -> Path:
        return self._folder / f"{number}-{start_ms}.npy"


def sweep(scratch: Path, *, name: str) -> None:
    """Remove the sounds that parts of earlier broadcasts left on this machine a day ago."""
    for folder in scratch.glob(f"*/{name}"):
        index = folder / _INDEX
        if index.exists() and time.time() - index.stat().st_mtime > _STALE_S:
            shutil.rmtree(folder, ignore_errors=True)
