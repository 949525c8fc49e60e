"""What several files of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.prefects import server


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Prefect server for a file; the environment that makes flows report to it."""
    with server(tmp_path_factory.mktemp("prefect")) as up:
        yield up
