"""The Prefect server a flow reports to when none is named: a temporary one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.settings import (
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

SERVER_START_S = 180
"""Prefect allows 20 s, which a first start with its database does not always keep."""


@contextmanager
def patient_server() -> Iterator[None]:
    """A temporary server gets time to start on a busy machine."""
    patience = {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: SERVER_START_S}
    with temporary_settings(updates=patience):
        yield
