"""Requests that may be sent again: the same key and the same request give the same answer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from pipeline.cases.run import KeyRing
from pipeline.errors import InputError
from pipeline.provenance import sha256_hex

KEPT_S = 24 * 3600


class Once:
    """Remembers answers for a day, in a folder that several processes share."""

    def __init__(self, folder: Path, ring: KeyRing) -> None:
        self._folder = folder
        self._ring = ring

    def answer(
        self, who: str, key: str, request: bytes, make: Callable[[], str]
    ) -> tuple[str, bool]:
        """What ``make`` gave for this key, and whether it was made before. Without a key: make.

        Raises:
            InputError: the key came with another request before.
        """
        if not key:
            return make(), False
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = self._ring.hashed("idempotency", f"{who}\0{key}")
        place = self._folder / f"{name}.json"
        digest = sha256_hex(request)
        with FileLock(place.with_suffix(".lock")):
            known = _read(place)
            if known is not None and known["request"] != digest:
                raise InputError(
                    "this Idempotency-Key came with another request before",
                    hint="take a new key for a new request",
                )
            if known is not None:
                return known["answer"], True
            made = make()
            draft = place.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps({"request": digest, "answer": made}), encoding="utf-8")
            draft.replace(place)
            return made, False

    def sweep(self) -> None:
        """Forget what is older than a day."""
        for path in self._folder.glob("*"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > KEPT_S:
                    path.unlink()


def _read(place: Path) -> dict[str, str] | None:
    try:
        if time.time() - place.stat().st_mtime > KEPT_S:
            return None
        found: dict[str, str] = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found
