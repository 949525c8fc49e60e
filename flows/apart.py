"""A broadcast in a process of its own, so that a recording that crashes a decoder harms no other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any, NamedTuple

_PROGRAM = [sys.executable, "-m", "pipeline.serve.cli", "process"]


class Outcome(NamedTuple):
    """How the process ended."""

    broadcast_id: str
    """Empty when it failed."""
    error: str
    """Error code; ``crashed`` when a signal ended it."""
    message: str
    transient: bool


def process_apart(workspace: str, place: str) -> Outcome:
    """``evidence process`` on one place, as a process that may crash on its own."""
    where = ["--workspace", workspace] if workspace else []
    command = [*_PROGRAM, place, *where, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Outcome(str(json.loads(done.stdout)["broadcast_id"]), "", "", False)
    if done.returncode < 0:
        return _crashed(place, -done.returncode)
    said = _last_json(done.stderr)
    message = " — ".join(str(said[k]) for k in ("message", "hint") if said.get(k))
    text = message or f"{place}: ended with exit code {done.returncode}: {done.stderr[-500:]}"
    return Outcome("", str(said.get("error", "error")), text, bool(said.get("transient")))


def _crashed(place: str, number: int) -> Outcome:
    name = signal.Signals(number).name
    # A kill comes from outside (an operator, a restart, the kernel short of memory).
    outside = number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    return Outcome("", "crashed", f"{place}: the process was ended by {name}", outside)


def _last_json(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    return {}
