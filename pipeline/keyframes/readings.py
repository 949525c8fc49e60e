"""What was read in a region of a picture, kept under the hash of its pixels.

A reading depends on the pixels and on the reader alone. So one that was made anywhere (before a
kill, by another worker) stands for the same pixels later, and one that fits none is never asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.kept import Kept
from pipeline.model import Box
from pipeline.ports import SeenText, TextReader
from pipeline.provenance import canonical_bytes

if TYPE_CHECKING:
    from pipeline.ports import Image


class KeptReader:
    """A :class:`pipeline.ports.TextReader` that reads the same pixels once.

    Args:
        reader: Reads what was not read yet.
        folder: Where readings are kept.
    """

    def __init__(self, reader: TextReader, folder: Path) -> None:
        self._reader = reader
        self._kept = Kept(folder)
        self.used: list[str] = []
        """The digests of all that was asked for, in order."""

    @property
    def producer(self) -> str:
        """That of the reader."""
        return self._reader.producer

    def read(self, image: Image) -> Sequence[SeenText]:
        """All lines of text in a picture, top to bottom.

        Raises:
            ModelError: the reader failed; such a reading is not kept.
        """
        digest = digest_of(image, producer=self.producer)
        data = self._kept.get(digest)
        found = decoded(data) if data is not None else None
        if found is None:
            found = tuple(self._reader.read(image))
            self._kept.put(digest, encoded(found))
        self.used.append(digest)
        return found

    def readings(self) -> dict[str, bytes]:
        """All that was asked for, by digest."""
        return dict(self._kept.found(self.used))


def digest_of(image: Image, *, producer: str) -> str:
    """Under what the reading of these pixels is kept."""
    digest = hashlib.sha256(f"{producer}/{image.shape}".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def encoded(found: Sequence[SeenText]) -> bytes:
    """A reading as canonical JSON."""
    rows = [
        [s.text, [s.box.x_px, s.box.y_px, s.box.w_px, s.box.h_px], s.confidence_pm] for s in found
    ]
    return canonical_bytes(rows)


def decoded(data: bytes) -> tuple[SeenText, ...] | None:
    """A reading from its bytes; None where they are torn."""
    try:
        return tuple(
            SeenText(text, Box(x_px=x, y_px=y, w_px=w, h_px=h), confidence_pm)
            for text, (x, y, w, h), confidence_pm in json.loads(data)
        )
    except (ValueError, TypeError):
        return None
