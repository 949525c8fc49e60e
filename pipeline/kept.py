"""Small results kept in a folder under the hash of what they were made from.

A result is written whole or not at all. So a killed run continues with what is there, and what
another machine made can be laid beside it; a torn file (a crash of the machine) is made again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path


class Kept:
    """Files of one folder, named by a digest; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, digest: str) -> bytes | None:
        """What is kept under a digest; None where nothing is."""
        if self.folder is None:
            return None
        try:
            return self._file(digest).read_bytes()
        except OSError:
            return None

    def put(self, digest: str, data: bytes) -> None:
        """Keep it."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        with os.fdopen(handle, "wb") as part:
            part.write(data)
        Path(name).replace(self._file(digest))

    def found(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Those of these digests under which something is kept."""
        for digest in digests:
            data = self.get(digest)
            if data is not None:
                yield digest, data

    def _file(self, digest: str) -> Path:
        assert self.folder is not None  # noqa: S101
        return self.folder / f"{digest}.json"
