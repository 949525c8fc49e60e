"""How many of one merchant run at once: a global concurrency limit of the server, where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.concurrency.sync import concurrency


@contextmanager
def merchant_limit(merchant: str) -> Iterator[None]:
    """Wait for a slot of ``merchant-<id>``; without such a limit, or a merchant, go on at once."""
    names = [f"merchant-{merchant}"] if merchant else []
    with concurrency(names, occupy=1, strict=False):
        yield
