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
from typing import Any, NamedTuple

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from flows.early import server
from pipeline.errors import ConfigError

SERVER_START_S = 180
"""Prefect allows 20 s, which a first start with its database does not always keep."""
PORT = 4200
_END_S = 30


@contextmanager
def patient_server() -> Iterator[None]:
    """The temporary server that was begun early, unless another is named; else Prefect's own, with patience."""
    begun = None if PREFECT_API_URL.value() else server()
    chosen: dict[Any, int | str] = {
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: SERVER_START_S
    }
    if begun and _answers(begun.process, begun.url):
        chosen[PREFECT_API_URL] = begun.url
    with temporary_settings(updates=chosen):
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
        if not _answers(process, url):
            raise ConfigError(
                f"{url}: no Prefect server could be started there",
                hint="see what it said above; choose another --port, or name a server in PREFECT_API_URL",
            )
        with temporary_settings(updates={PREFECT_API_URL: url}):
            yield Running(url, process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until a server answers; false where it ends or takes too long."""
    end = time.monotonic() + SERVER_START_S
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2):  # noqa: S310
            return True
        time.sleep(0.1)
    return False
