"""Killing a real run with SIGKILL, process group and all, and looking at what it left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from pipeline.provenance import sha256_file
from tests.command import PROGRAM, env


def outputs(workspace: Path) -> dict[str, str]:
    """Every object of a workspace with its hash; what tells of times and writers is left out."""
    root = workspace / "objects"
    kept = (p for p in root.rglob("*") if p.is_file())
    names = {p.relative_to(root).as_posix(): p for p in kept}
    told = (".evidence/", "live/")
    return {
        name: sha256_file(path)
        for name, path in names.items()
        if "/custody" not in name and not name.startswith(told)
    }


def killed(*command: str | Path, after_s: float, **environment: str) -> bool:
    """Start a command and kill its whole group after so long; False where it was done before."""
    process = subprocess.Popen(
        [*PROGRAM, *map(str, command)],
        env=env(**environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def timed(*command: str | Path, **environment: str) -> float:
    """Seconds a command takes to its end, which must be a good one."""
    begun = time.monotonic()
    done = subprocess.run(
        [*PROGRAM, *map(str, command)], env=env(**environment), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begun
