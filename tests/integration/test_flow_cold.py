"""A flow whose temporary Prefect server starts from cold, with the database that was made ahead."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flows import template
from tests.command import evidence, short_broadcast, workspace
from tests.prefects import QUIET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def rows(database: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as one:
        return one.execute(question).fetchall()


def test_the_run_is_entered_in_a_copy_of_the_database_made_ahead(tmp_path: Path):
    if not template.PLACE.is_file():
        template.make()
    before = template.PLACE.read_bytes()
    place, here = short_broadcast(tmp_path / "in", seconds=8), workspace(tmp_path / "w")
    home = {"PREFECT_HOME": str(tmp_path / "home"), "EVIDENCE_KEYFRAMES__OCR": "false"}
    ran = evidence("flows", "process", place, "-w", here, **home, **QUIET)
    assert ran.code == 0, ran.err
    made = tmp_path / "home" / "prefect.db"
    version = "select version_num from alembic_version"
    assert rows(made, version) == rows(template.PLACE, version)
    assert rows(made, "select state_type from flow_run") == [("COMPLETED",)]
    assert template.PLACE.read_bytes() == before
    assert rows(template.PLACE, "select * from flow_run") == []
    again = evidence(
        "flows", "process", place, "-w", here, **home, **QUIET
    )  # nothing is laid over it
    assert again.code == 0, again.err
    assert len(rows(made, "select id from flow_run")) == 2
