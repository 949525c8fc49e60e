"""A recording that is still being written, read as any other.

The reader walks the segments of a source one after the other; here the next one is waited
for. A file that grows is read as far as it goes, then waited for in the same way. So a broadcast
on air runs through the very code that reads it later as a whole, and every sample and time
comes out the same.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast, overload

from pipeline.media.audio import AudioBlock, audio_blocks
from pipeline.media.clock import to_ms
from pipeline.media.packets import Reader
from pipeline.media.source import MediaSource, Segment
from pipeline.model import Hole


class GrowingFile:
    """A local file that is still being written, in place of a path.

    It cannot be sought in: FFmpeg would look for its end, and for the last fragment of an MP4.

    Args:
        path: The file; every byte in it is final.
        wait: Waits until there is a byte at a position; False when none will come.
    """

    def __init__(self, path: Path, wait: Callable[[int], bool]) -> None:
        self._path, self._wait = path, wait

    def open(self, mode: str = "rb") -> _Waiting:
        """The file from its beginning."""
        return _Waiting(self._path, self._wait)

    def stat(self) -> os.stat_result:
        """As it is now."""
        return self._path.stat()


class _Waiting(io.RawIOBase):
    """Reads a growing file; at its present end it waits."""

    def __init__(self, path: Path, wait: Callable[[int], bool]) -> None:
        super().__init__()
        self._wait, self._at = wait, 0
        self._file = path.open("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0) -> int:
        """For those who know where to read on; not offered to FFmpeg."""
        self._at = offset if whence == 0 else self._at + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not self._wait(self._at):
            return b""
        self._file.seek(self._at)
        data = self._file.read(size)
        self._at += len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


class Piece(NamedTuple):
    """One segment that is there, as a local file."""

    file: Path | GrowingFile
    init_file: Path | None = None
    """Header that must be read first."""
    discontinuity: bool = False
    """Clocks restart here."""
    program_utc_ms: int | None = None
    claimed_ms: int = 0


class Growing:
    """The sound of pieces that come one by one.

    Args:
        pieces: Gives the next piece, waiting for it; it ends when the broadcast has ended.
        name: The recording's name, for messages.
        block_ms: Sound is given out in blocks of this length, so that little of it waits.
    """

    def __init__(self, pieces: Iterator[Piece], *, name: str, block_ms: int = 1000) -> None:
        self.holes: list[Hole] = []
        """Stretches that could not be decoded so far."""
        self._block_ms = block_ms
        self._parts: list[Path | GrowingFile] = []
        self._segments = _Segments(pieces, self._parts)
        # A source's tuples are only walked here, which a list that grows can do as well; of its
        # parts it asks what both kinds of file can do.
        parts = cast("tuple[Path, ...]", self._parts)
        segments = cast("tuple[Segment, ...]", self._segments)
        self._source = MediaSource(parts, "hls", name, segments)
        self._reader = Reader(self._source)

    def audio(self) -> Iterator[AudioBlock]:
        """The sound, as :func:`pipeline.media.audio.audio_blocks` gives it.

        Raises:
            NoAudio: it has ended and there was no sound. UnreadableMedia: no piece can be opened.
        """
        return audio_blocks(
            self._source, block_ms=self._block_ms, report=self.holes, reader=self._reader
        )

    @property
    def program_dates(self) -> list[tuple[int, int]]:
        """``(media milliseconds, UTC milliseconds)`` that the pieces read so far state."""
        starts = self._reader.part_starts_us
        return [
            (max(0, to_ms(starts[s.part])), s.program_utc_ms)
            for s in self._segments.here
            if s.program_utc_ms is not None and s.part in starts
        ]

    @property
    def read_ms(self) -> int:
        """Media time up to which pieces have been read; 0 before the first."""
        return to_ms(self._reader.clock.end_us) if self._reader.clock is not None else 0


class _Segments(Sequence[Segment]):
    """Segments in order; walking them waits for the next, walking again begins at the first."""

    def __init__(self, pieces: Iterator[Piece], parts: list[Path | GrowingFile]) -> None:
        self._pieces, self._parts = pieces, parts
        self.here: list[Segment] = []

    def __iter__(self) -> Iterator[Segment]:
        at = 0
        while at < len(self.here) or self._next():
            yield self.here[at]
            at += 1

    def __len__(self) -> int:
        """At least two: what cannot be opened is a hole in a playlist, not the end."""
        return max(2, len(self.here))

    @overload
    def __getitem__(self, at: int) -> Segment: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Segment]: ...
    def __getitem__(self, at: int | slice) -> Segment | Sequence[Segment]:
        return self.here[at]

    def _next(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        init = self._add(piece.init_file) if piece.init_file is not None else None
        self.here.append(
            Segment(
                part=self._add(piece.file),
                init_part=init,
                discontinuity=piece.discontinuity and bool(self.here),
                program_utc_ms=piece.program_utc_ms,
                claimed_ms=piece.claimed_ms,
            )
        )
        return True

    def _add(self, file: Path | GrowingFile) -> int:
        if file in self._parts:
            return self._parts.index(file)
        self._parts.append(file)
        return len(self._parts) - 1
