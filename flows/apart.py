"""A broadcast in a process of its own, so that a recording that crashes a decoder harms no other.

Nor does one on which it hangs: the process says how far it is, and one that says nothing for too
long is ended with everything that it started.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, NamedTuple

from flows.hand import crash_of, hang_of
from pipeline import logs
from pipeline.errors import EvidenceError
from pipeline.settings import Settings
from pipeline.standing import MBIT_S

_PROGRAM = [sys.executable, "-m", "pipeline.serve.cli", "process"]
_KEPT = 1 << 16
_LOOK_S = 1.0
_running: set[subprocess.Popen[bytes]] = set()


class Outcome(NamedTuple):
    """How the process ended."""

    broadcast_id: str
    """Empty when it failed."""
    error: str
    """Error code; ``crashed`` when a signal ended it, ``hung`` when it was ended for its silence."""
    message: str
    transient: bool


class _Ended(NamedTuple):
    """What the process said on standard error, and its exit code; None when it hung."""

    said: str
    code: int | None


def hang_limit_s(settings: Settings, media_bytes: int) -> float:
    """How long a process may be silent: longer for a long recording, told from its size."""
    return limit_s(settings, media_bytes * 8 / (MBIT_S * 1e6))


def limit_s(settings: Settings, recorded_s: float) -> float:
    """The same, where the length is known."""
    return settings.hang_s + recorded_s * settings.hang_pm / 1000


def process_apart(
    workspace: str, place: str, *, limit_s: float, tell: Callable[[str], None]
) -> Outcome:
    """``evidence process`` on one place, as a process that may crash or hang on its own.

    Args:
        workspace: Its folder; empty: the worker's own.
        place: What to process.
        limit_s: Without a sign of progress for so long it is ended, and is ``hung``.
        tell: Hears what it waits for.
    """
    where = ["--workspace", workspace] if workspace else []
    command = [*_PROGRAM, place, *where, "--json", "--progress"]
    with tempfile.TemporaryFile() as out:
        ended = _run(command, out, limit_s, lambda text: tell(f"{place}: {text}"))
        if ended.code == 0:
            out.seek(0)
            return Outcome(str(json.loads(out.read())["broadcast_id"]), "", "", False)
    if ended.code is None:
        last = _last(ended.said, "done_ms")
        at = f"{last['stage']} {last['done_ms']} of {last['total_ms']} ms" if last else ""
        return _failed(hang_of(place, limit_s, at))
    if ended.code < 0:
        return _failed(crash_of(place, ended.code))
    said = _last(ended.said, "error")
    message = " — ".join(str(said[k]) for k in ("message", "hint") if said.get(k))
    text = message or f"{place}: ended with exit code {ended.code}: {ended.said[-500:]}"
    return Outcome("", str(said.get("error", "error")), text, bool(said.get("transient")))


def end_all() -> None:
    """End every process that runs here: whoever waits for them was told to stop."""
    for child in list(_running):
        _kill(child)


def _run(command: list[str], out: IO[bytes], limit_s: float, tell: Callable[[str], None]) -> _Ended:
    with _started(command, out) as child, selectors.DefaultSelector() as ready:
        assert child.stderr is not None  # noqa: S101
        ready.register(child.stderr, selectors.EVENT_READ)
        said, rest, heard_s = b"", b"", time.monotonic()
        while time.monotonic() - heard_s < limit_s:
            if not ready.select(_LOOK_S):
                if child.poll() is not None:  # something that it started holds its end open
                    break
                continue
            piece = os.read(child.stderr.fileno(), _KEPT)
            if not piece:
                break
            said = (said + piece)[-_KEPT:]
            *lines, rest = (rest[-_KEPT:] + piece).split(b"\n")
            for row in filter(None, map(_row, lines)):  # what a library prints is no progress
                heard_s = time.monotonic()
                if "event" in row:  # a line of its log, where that is JSON
                    logs.passed_on(row)
                if "waiting" in row:
                    tell(str(row["waiting"]))
        left_s = max(0.0, limit_s - (time.monotonic() - heard_s))
        with suppress(subprocess.TimeoutExpired):
            child.wait(left_s)
        return _Ended(said.decode(errors="replace"), child.poll())


@contextmanager
def _started(command: list[str], out: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a group of its own; nothing of the group is left afterwards."""
    child = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, start_new_session=True)
    _running.add(child)
    try:
        yield child
    finally:
        _kill(child)
        child.wait()
        _running.discard(child)
        if child.stderr is not None:
            child.stderr.close()


def _kill(child: subprocess.Popen[bytes]) -> None:
    """All of its group: what it started goes with it."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _failed(error: EvidenceError) -> Outcome:
    return Outcome("", error.code, str(error), error.transient)


def _last(text: str, key: str) -> dict[str, Any]:
    """The last JSON line that has a key."""
    rows = (_row(line.encode()) for line in reversed(text.splitlines()))
    return next((row for row in rows if key in row), {})


def _row(line: bytes) -> dict[str, Any]:
    """A line as JSON; empty where it is anything else."""
    with suppress(ValueError):
        found = json.loads(line) if line.startswith(b"{") else {}
        return found if isinstance(found, dict) else {}
    return {}
