"""What was heard in each chunk, kept under the hash of its sound.

A chunk's words depend on its samples, on the pauses in it and on the model alone. So a reading
made anywhere (before a kill, on another worker, while the broadcast was on air) can stand
for the same chunk later, and one that fits no chunk is simply never asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.kept import Kept
from pipeline.ports import Heard
from pipeline.provenance import canonical_bytes
from pipeline.transcribe.chunks import Chunk, Quiet


class Reading(NamedTuple):
    """What was heard in a chunk, or why nothing was."""

    heard: tuple[Heard, ...]
    flags: tuple[str, ...]
    failed: str


class Item(NamedTuple):
    """A stretch of a stream: a chunk with its reading, or a quiet."""

    what: Chunk | Quiet
    reading: Reading | None


def salt_of(model_digest: str, language: str) -> str:
    """What decides a reading beside the sound."""
    return f"{model_digest}/{language}"


def digest_of(chunk: Chunk, *, salt: str) -> str:
    """Under what a chunk's reading is kept."""
    digest = hashlib.sha256(salt.encode())
    digest.update(chunk.samples.tobytes())
    digest.update(json.dumps(chunk.pauses).encode())
    return digest.hexdigest()


def encoded(reading: Reading) -> bytes:
    """A reading as canonical JSON."""
    return canonical_bytes([[list(h) for h in reading.heard], reading.flags, reading.failed])


def decoded(data: bytes) -> Reading | None:
    """A reading from its bytes; None where they are torn."""
    try:
        heard, flags, failed = json.loads(data)
        rows = [[tuple(v) if isinstance(v, list) else v for v in row] for row in heard]
        return Reading(tuple(map(Heard._make, rows)), tuple(flags), failed)
    except (ValueError, TypeError):
        return None


class Readings:
    """Readings in a folder, one file each; without a folder none is kept."""

    def __init__(self, folder: Path | None, salt: str) -> None:
        self.salt = salt
        self._kept = Kept(folder)

    def digest(self, chunk: Chunk) -> str:
        """Under what this chunk's reading is kept here."""
        return digest_of(chunk, salt=self.salt)

    def get(self, chunk: Chunk) -> Reading | None:
        """What was heard in this sound before; None when it has to be recognised."""
        if self._kept.folder is None:
            return None
        data = self._kept.get(self.digest(chunk))
        return decoded(data) if data is not None else None

    def put(self, chunk: Chunk, reading: Reading) -> None:
        """Keep it; a failed one is tried again next time."""
        if self._kept.folder is not None and not reading.failed:
            self._kept.put(self.digest(chunk), encoded(reading))

    def found(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The readings kept under these digests."""
        return self._kept.found(digests)
