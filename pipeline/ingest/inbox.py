"""A folder of message files: what a bridge, a web hook (``listener.py``) or a person put there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import InputError
from pipeline.ingest.disk import translated
from pipeline.ingest.messages import Letter

_AT_ONCE = 100
_MOST_BYTES = (1 << 20) + 1
_POLL_S = 0.2


class Inbox:
    """Files ``*.json`` in a folder, one message each, oldest name first; deleted when dealt with.

    Whoever writes them should write under another name and rename.

    Raises:
        InputError: no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(
                f"{folder}: there is no such folder",
                hint="name the folder into which messages are put",
                file=str(folder),
            )
        self._folder = folder

    def receive(self, *, wait_s: float) -> Sequence[Letter]:
        """See :class:`pipeline.ingest.messages.Mailbox`."""
        end_s = time.monotonic() + wait_s
        while not (found := self._files()) and time.monotonic() < end_s:
            time.sleep(_POLL_S)
        return [Letter(path.name, _read(path), path.name) for path in found]

    def delete(self, letter: Letter) -> None:
        """See :class:`pipeline.ingest.messages.Mailbox`."""
        with translated(letter.letter_id):
            (self._folder / letter.receipt).unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        with translated(str(self._folder)):
            found = sorted(p for p in self._folder.glob("*.json") if p.is_file())
        return [p for p in found if not p.is_symlink() and not p.name.startswith(".")][:_AT_ONCE]


def _read(path: Path) -> bytes:
    """A message; of one that is far too long, enough to be refused."""
    with translated(path.name), path.open("rb") as file:
        return file.read(_MOST_BYTES)
