"""Writing files so that they survive a crash, and what disk errors mean to a person."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import (
    AccessDenied,
    DiskShort,
    EvidenceError,
    InputError,
    ObjectMissing,
    SourceError,
    StoreUnavailable,
)

BLOCK_BYTES = 1 << 20

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_AWAY = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EHOSTDOWN}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn an ``OSError`` about ``what`` into an error of the pipeline's tree."""
    try:
        yield
    except OSError as error:
        raise as_evidence_error(error, what) from error


def as_evidence_error(error: OSError, what: str) -> EvidenceError:
    """The pipeline's error for a disk error about ``what`` (a key or a path)."""
    reason = f"{what}: {error.strerror or error}"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return ObjectMissing(reason, hint="check the key and the workspace")
    if error.errno in _FULL:
        return DiskShort(reason, hint="free some space, then run the same command again")
    if error.errno in _DENIED:
        return AccessDenied(reason, hint="check who owns the folder and whether it is writable")
    if error.errno in _AWAY:
        return StoreUnavailable(reason, hint="check the disk or the network mount, then try again")
    if error.errno == errno.ENAMETOOLONG:
        return InputError(reason, hint="use a shorter name", where="key")
    return SourceError(reason, hint="look at the file named here")


def copy_hashed(source: bytes | BinaryIO, target: Path, *, mode: int = 0o644) -> str:
    """Write a new file, flushed to the disk; SHA-256 hex of what was written.

    Raises:
        OSError: the file exists or cannot be written.
    """
    digest = hashlib.sha256()
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(handle, "wb") as file:
        if isinstance(source, bytes):
            digest.update(source)
            file.write(source)
        else:
            while block := source.read(BLOCK_BYTES):
                digest.update(block)
                file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def flush_folder(folder: Path) -> None:
    """Make new names in a folder survive a crash of the machine."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
