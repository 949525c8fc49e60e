"""A small real disk: a file system in memory, mounted for a test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, *, mib: int) -> Iterator[Path]:
    """The folder as a disk of so many MiB; the test is skipped where mounting is not permitted."""
    folder.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    done = subprocess.run(asked, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def grow(folder: Path, *, mib: int) -> None:
    """The same disk with more room."""
    subprocess.run(["mount", "-o", f"remount,size={mib}m", str(folder)], check=True)
