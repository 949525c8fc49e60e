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

from tests.command import env

QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


@contextmanager
def server(home: Path) -> Iterator[dict[str, str]]:
    """A server that is up; the environment that makes flows report to it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = QUIET | {"PREFECT_HOME": str(home)}
    program = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    process = subprocess.Popen(
        program,
        env=env(**quiet),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health")
        yield quiet | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def wait_for(url: str) -> None:
    """Until it answers, for five minutes at most."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{url} never answered")
