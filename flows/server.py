"""The Prefect server a flow reports to when none is named: a temporary one, or a lasting one started here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from pipeline.errors import ConfigError

SERVER_START_S = 180
"""Prefect allows 20 s, which a first start with its database does not always keep."""
PORT = 4200
_END_S = 30


@contextmanager
def patient_server() -> Iterator[None]:
    """A temporary server gets time to start on a busy machine."""
    patience = {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: SERVER_START_S}
    with temporary_settings(updates=patience):
        yield


class Running(NamedTuple):
    """A server that answers."""

    url: str
    """Goes into ``PREFECT_API_URL``."""
    pid: int


@contextmanager
def local_server(port: int = PORT) -> Iterator[Running]:
    """A server for this machine alone, which ends with the block; clients here report to it.

    Raises:
        ConfigError: it did not start.
    """
    command = [sys.executable, "-m", "prefect", "server", "start"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/api"
    process = subprocess.Popen(command, stdout=sys.stderr, start_new_session=True)
    try:
        _wait(process, url)
        with temporary_settings(updates={PREFECT_API_URL: url}):
            yield Running(url, process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + SERVER_START_S
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2):  # noqa: S310
            return
        time.sleep(0.5)
    raise ConfigError(
        f"{url}: no Prefect server could be started there",
        hint="see what it said above; choose another --port, or name a server in PREFECT_API_URL",
    )
