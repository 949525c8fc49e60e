"""The flows as the command runs them: what takes long to start is begun before Prefect is imported here.

That is a temporary server, where none is named, and the hand. The server is the one that Prefect would
start itself, later: its imports and those of this process then run side by side.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from flows.hand import ready
from flows.template import lay
from pipeline.settings import environment

_APP = "prefect.server.api.server:create_app"
_TEMPORARY = ("PREFECT_UI_ENABLED=0", "PREFECT__SERVER_EPHEMERAL=1", "PREFECT__SERVER_FINAL=1")
_END_S = 5
_AT_THE_END = ("APILogWorker", "EventsWorker")
"""Prefect's threads that say at the very end that they still send: what a command says last is its error."""


class Begun(NamedTuple):
    """A temporary server that may not answer yet."""

    url: str
    process: subprocess.Popen[bytes]


_begun: list[Begun] = []


def server() -> Begun | None:
    """The one that was begun, if it runs."""
    return next((one for one in _begun if one.process.poll() is None), None)


def begin() -> None:
    """A temporary server for this process, unless the environment or a profile may name one."""
    home = Path(environment("PREFECT_HOME", "~/.prefect")).expanduser()
    if environment("PREFECT_API_URL") or (home / "profiles.toml").exists():
        return
    lay(home)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = [sys.executable, "-m", "uvicorn", "--factory", _APP, "--host", "127.0.0.1"]
    serve += ["--port", str(port), "--log-level", "error", "--lifespan", "on"]
    process = subprocess.Popen(["env", *_TEMPORARY, *serve])
    atexit.register(end, process)  # so early that what Prefect has to say at the end comes before
    _begun.append(Begun(f"http://127.0.0.1:{port}/api", process))


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server in good order; at once where it takes too long."""
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _led(module: str, *, opens: bool) -> Callable[..., Any]:
    """The flow of a module, led by what is begun early; ``opens``: it has a hand."""

    def run(*args: Any, **options: Any) -> Any:
        for name in _AT_THE_END:
            logging.getLogger(name).setLevel(logging.ERROR)
        begin()
        with ready() if opens else nullcontext():
            return importlib.import_module(module).run(*args, **options)

    return run


process = _led("flows.process_broadcast", opens=True)
live = _led("flows.live", opens=True)
spread = _led("flows.spread", opens=True)
backfill = _led("flows.backfill", opens=False)
watch = _led("flows.watch", opens=False)
maintain = _led("flows.maintain", opens=False)
