"""Objects in a folder: one file an object, written whole or not at all.

A new object is written to ``.evidence/tmp`` on the same disk, flushed to the disk and
then linked to its name. ``link`` fails when the name exists, which makes writing atomic
between processes without a lock. Holds and retention are small files under
``.evidence/``, which no key can reach because no key part begins with a dot.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from pipeline.errors import InputError, ObjectChanged, ObjectMissing
from pipeline.ingest.disk import copy_hashed, flush_folder, translated
from pipeline.ingest.keys import checked, checked_prefix, refuse_kept
from pipeline.ingest.local_cold import ColdMarks
from pipeline.ports import ObjectStat, Tier
from pipeline.provenance import sha256_file

OWN_FOLDER = ".evidence"
STALE_S = 3600
"""A temporary file untouched for this long was left by a killed process."""

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
_CHANGED_HINT = "stored objects are never replaced; write the new bytes under another key"


class LocalStore:
    """An object store on a folder, for one machine or a shared mount with hard links."""

    def __init__(self, root: Path) -> None:
        """Use ``root``, which is made at the first write."""
        self.root = root.absolute()
        self._own = self.root / OWN_FOLDER
        self._cold = ColdMarks(self._own / "cold")
        self._swept = False

    # --- reading ------------------------------------------------------------------------

    def stat(self, key: str) -> ObjectStat | None:
        """The object's size and version tag; None when there is none."""
        path = self._path(key)
        with translated(key):
            try:
                found = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
        if not path.is_file():
            return None
        return ObjectStat(key, found.st_size, _etag(found), self._cold.warmth(key))

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """All objects whose key begins with ``prefix``, in key order (of bytes, as S3 has it)."""
        folder = checked_prefix(prefix).rpartition("/")[0]
        yield from self._walk(self.root / folder if folder else self.root, folder, prefix)

    def _walk(self, folder: Path, name: str, prefix: str) -> Iterator[ObjectStat]:
        with translated(name or str(folder)):
            try:
                with os.scandir(folder) as scan:
                    found = [(e.name + "/" * e.is_dir(follow_symlinks=False), e) for e in scan]
            except (FileNotFoundError, NotADirectoryError):
                return
        for part, entry in sorted(found, key=lambda pair: pair[0]):
            key = f"{name}/{part}" if name else part
            if part.startswith(".") or not (key.startswith(prefix) or prefix.startswith(key)):
                continue
            if part.endswith("/"):
                yield from self._walk(folder / entry.name, key[:-1], prefix)
            elif key.startswith(prefix) and entry.is_file(follow_symlinks=False):
                stat = self.stat(key)
                if stat is not None:
                    yield stat

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str = ""
    ) -> bytes:
        """Bytes ``[start, end)``; fewer where the object ends earlier.

        Raises:
            ObjectMissing: no such object. ObjectChanged: ``if_match`` no longer fits.
            ObjectArchived: its marker says that it is away.
        """
        _check_range(start, end)
        with translated(key), self._path(key).open("rb") as file:
            self._cold.require(key)
            if if_match and _etag(os.fstat(file.fileno())) != if_match:
                raise _changed(key)
            file.seek(start)
            return file.read() if end is None else file.read(end - start)

    def download(self, key: str, path: Path) -> str:
        """Copy the object to a local file; its SHA-256 hex. ``path`` appears whole or not at all.

        Raises:
            ObjectMissing: no such object. DiskShort: the target disk is full.
        """
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            with translated(key), self._path(key).open("rb") as source:
                self._cold.require(key)
                digest = copy_hashed(source, part)
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return digest

    def presign(self, key: str, *, expires_s: int) -> str:
        """A ``file:`` link; a folder has no expiry, ``expires_s`` is without effect."""
        return self._existing(key).as_uri()

    def local_path(self, key: str) -> Path | None:
        """Where the object lies; None when there is no such object.

        Raises:
            ObjectArchived: its marker says that it is away.
        """
        path = self._path(key)
        self._cold.require(key)
        return path if path.is_file() else None

    # --- archived objects ---------------------------------------------------------------

    def archive(self, key: str, *, storage_class: str, takes_s: int) -> None:
        """Note that an object was moved to a slow medium, from which it is back in ``takes_s``.

        Raises:
            ObjectMissing: no such object.
        """
        self._existing(key)
        self._cold.mark(key, storage_class=storage_class, takes_s=takes_s)

    def restore(self, key: str, *, days: int, tier: Tier) -> bool:
        """Ask for an archived object to be readable for ``days``; whether this call asked.

        Raises:
            ObjectMissing: no such object.
        """
        self._existing(key)
        return self._cold.ask(key, days=days, tier=tier)

    # --- writing ------------------------------------------------------------------------

    def put(self, key: str, source: bytes | Path, *, retain_until: datetime | None = None) -> str:
        """Write the object whole or not at all; its SHA-256 hex. Same key, same bytes: a no-op.

        Raises:
            ObjectChanged: other bytes already stand under this key. DiskShort, AccessDenied.
        """
        path = self._path(key)
        if path.exists():
            digest = self._digest_of(source)
        else:
            digest, written = self._write(key, source, retain_until)
            if written:
                return digest
        if sha256_file(path) != digest:
            raise _immutable(key, held=self.held(key))
        self._retain(key, retain_until)
        return digest

    def put_if_absent(
        self, key: str, source: bytes | Path, *, retain_until: datetime | None = None
    ) -> bool:
        """Write unless the key exists; whether it was written. Atomic between processes."""
        return not self._path(key).exists() and self._write(key, source, retain_until)[1]

    def _write(
        self, key: str, source: bytes | Path, retain_until: datetime | None
    ) -> tuple[str, bool]:
        temporary = self._temporary()
        try:
            digest = self._fill(temporary, source, key)
            self._retain(key, retain_until)
            with translated(key):
                target = self._path(key)
                target.parent.mkdir(parents=True, exist_ok=True)
                written = self._link(temporary, target)
                flush_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return digest, written

    def _fill(self, temporary: Path, source: bytes | Path, key: str) -> str:
        with translated(key):
            if isinstance(source, bytes):
                return copy_hashed(source, temporary, mode=0o444)
            try:
                file = source.open("rb")
            except FileNotFoundError as error:
                raise _no_source(source) from error
            with file:
                return copy_hashed(file, temporary, mode=0o444)

    def _link(self, temporary: Path, target: Path) -> bool:
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._rename_locked(temporary, target)
        return True

    def _rename_locked(self, temporary: Path, target: Path) -> bool:
        """For disks without hard links (exFAT, some shares): the same under a lock file."""
        with FileLock(self._own / "write.lock"):
            if target.exists():
                return False
            temporary.rename(target)
            return True

    # --- holds and retention ------------------------------------------------------------

    def hold(self, key: str, *, on: bool) -> None:
        """Set or lift a legal hold.

        Raises:
            ObjectMissing: no such object.
        """
        self._existing(key)
        marker = self._own / "hold" / key
        with translated(key), self._keeping():
            if on:
                marker.parent.mkdir(parents=True, exist_ok=True)
                marker.touch()
                flush_folder(marker.parent)
            else:
                marker.unlink(missing_ok=True)

    def dispose(self, key: str, *, if_match: str) -> bool:
        """Remove the object for ever; whether it was there.

        Raises:
            UnderHold: a legal hold is on, or its retention has not ended.
            ObjectChanged: ``if_match`` no longer fits.
        """
        with translated(key), self._keeping():
            found = self.stat(key)
            if found is None:
                return False
            if found.etag != if_match:
                raise _changed(key)
            until = self.retained_until(key)
            refuse_kept(key, held=self.held(key), until=until)
            path = self._path(key)
            path.unlink()
            flush_folder(path.parent)
            for room in ("retention", "cold"):
                (self._own / room / key).unlink(missing_ok=True)
        return True

    def _keeping(self) -> FileLock:
        """One at a time: a hold is never set on an object that is being removed."""
        self._own.mkdir(parents=True, exist_ok=True)
        return FileLock(self._own / "keep.lock")

    def held(self, key: str) -> bool:
        """Whether a legal hold is on."""
        return (self._own / "hold" / checked(key)).is_file()

    def retained_until(self, key: str) -> datetime | None:
        """Until when the object must be kept; None when nothing was recorded."""
        note = self._own / "retention" / checked(key)
        with translated(key):
            try:
                return datetime.fromisoformat(note.read_text(encoding="ascii"))
            except FileNotFoundError:
                return None

    def _retain(self, key: str, until: datetime | None) -> None:
        """Record a retention; never shortens one that stands."""
        known = None if until is None else self.retained_until(key)
        if until is None or (known is not None and known >= until):
            return
        note = self._own / "retention" / key
        temporary = self._temporary()
        with translated(key):
            note.parent.mkdir(parents=True, exist_ok=True)
            copy_hashed(until.astimezone(UTC).isoformat().encode("ascii"), temporary)
            temporary.replace(note)
            flush_folder(note.parent)

    # --- small parts --------------------------------------------------------------------

    def _path(self, key: str) -> Path:
        return self.root / checked(key)

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise ObjectMissing(
                f"{key}: no such object in {self.root}", hint="check the key and the workspace"
            )
        return path

    def _digest_of(self, source: bytes | Path) -> str:
        if isinstance(source, bytes):
            return hashlib.sha256(source).hexdigest()
        with translated(str(source)):
            try:
                return sha256_file(source)
            except FileNotFoundError as error:
                raise _no_source(source) from error

    def _temporary(self) -> Path:
        folder = self._own / "tmp"
        with translated(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
            if not self._swept:
                _sweep(folder)
                self._swept = True
        return folder / f"{os.getpid()}-{uuid.uuid4().hex}"


def _sweep(folder: Path) -> None:
    oldest = time.time() - STALE_S
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process may sweep as well
            if path.stat().st_mtime < oldest:
                path.unlink()


def _etag(found: os.stat_result) -> str:
    return f"{found.st_size:x}-{found.st_mtime_ns:x}-{found.st_ino:x}"


def _check_range(start: int, end: int | None) -> None:
    if start < 0 or (end is not None and end < start):
        raise ValueError(f"range [{start}, {end}) is not a range")


def _changed(key: str) -> ObjectChanged:
    return ObjectChanged(
        f"{key} is no longer the object that was first looked at", hint="start the reading again"
    )


def _immutable(key: str, *, held: bool) -> ObjectChanged:
    state = "is under legal hold and has other bytes" if held else "exists with other bytes"
    return ObjectChanged(f"{key} {state}", hint=_CHANGED_HINT)


def _no_source(source: Path) -> InputError:
    return InputError(
        f"{source}: the file to store is not there", hint="check the path", file=str(source)
    )
