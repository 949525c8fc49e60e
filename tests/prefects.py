"""A Prefect server of a test's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.template import lay
from tests.command import env

QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


class Server:
    """A server in a folder and on a port of its own, which may be started again where it was."""

    def __init__(self, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._quiet = QUIET | {"PREFECT_HOME": str(home)}
        lay(home)  # a database made anew takes a server four seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What makes flows report to it."""
        return self._quiet | {"PREFECT_API_URL": f"http://127.0.0.1:{self._port}/api"}

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """What was started last."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it unless it runs; it answers afterwards."""
        if self._process is not None and self._process.poll() is None:
            return
        program = [sys.executable, "-m", "prefect", "server", "start", "--port", str(self._port)]
        self._process = subprocess.Popen(
            program,
            env=env(**self._quiet),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(f"http://127.0.0.1:{self._port}/api/health")

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, 15)
            self._process.wait(60)


@contextmanager
def server(home: Path) -> Iterator[dict[str, str]]:
    """A server that is up; the environment that makes flows report to it."""
    one = Server(home)
    try:
        one.start()
        yield one.environment
    finally:
        one.stop()


def wait_for(url: str) -> None:
    """Until it answers, for five minutes at most."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{url} never answered")
