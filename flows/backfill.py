"""Flows over many broadcasts: what waits in a place, each in a process of its own, then a table."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.task_runners import ThreadPoolTaskRunner

from flows.apart import process_apart
from flows.server import patient_server
from pipeline.bootstrap import Application, open_workspace
from pipeline.ingest.arrivals import Arrival, arrivals
from pipeline.ledger import Ledger, Try
from pipeline.runner import bucket_opener


class Row(NamedTuple):
    """What a run did with one arrival."""

    place: str
    outcome: str
    """``done``, ``failed``, or ``quarantined`` by this failure."""
    broadcast_id: str
    seconds: float
    message: str


@task(task_run_name="{place}")
def one(workspace: str, place: str, digest: str) -> Row:
    """Process one arrival and enter the outcome in the ledger; a failure is an outcome too."""
    begun = time.monotonic()
    ended = process_apart(workspace, place)
    sheet = Ledger(_app(workspace).store).add(
        digest,
        Try(
            place=place,
            outcome="failed" if ended.error else "done",
            at_utc_ms=time.time_ns() // 1_000_000,
            broadcast_id=ended.broadcast_id,
            error=ended.error,
            message=ended.message[:4000],
            transient=ended.transient,
        ),
    )
    outcome = sheet.standing if sheet.standing != "waiting" else "failed"
    seconds = round(time.monotonic() - begun, 1)
    return Row(place, outcome, ended.broadcast_id, seconds, ended.message)


@flow(name="backfill", log_prints=True)
def backfill(
    workspace: str, places: list[str], *, limit: int = 0, at_once: int = 1, again: bool = False
) -> list[dict[str, Any]]:
    """Process every broadcast that waits in these places; a row for each one tried.

    What is done is known from the store, so a run that was killed is continued by the next.
    ``again`` gives quarantined ones another chance; ``limit`` bounds how many are tried.
    """
    waiting = waiting_in(_app(workspace), places, again=again)
    return run_these(workspace, waiting[: limit or None], at_once=at_once)


def run_these(workspace: str, chosen: list[Arrival], *, at_once: int) -> list[dict[str, Any]]:
    """Process these arrivals, so many at once; rows in their order, and a table for the run."""
    runner: ThreadPoolTaskRunner[Row] = ThreadPoolTaskRunner(max_workers=at_once)
    with runner:
        futures = [
            runner.submit(
                one, parameters={"workspace": workspace, "place": a.place, "digest": a.digest}
            )
            for a in chosen
        ]
        rows = [future.result()._asdict() for future in futures]
    for row in rows:
        print(f"{row['place']}: {row['outcome']} in {row['seconds']} s {row['message']}")
    if rows:
        create_table_artifact(table=rows, key="broadcasts", description="What this run did")
    return rows


def waiting_in(app: Application, places: list[str], *, again: bool = False) -> list[Arrival]:
    """The arrivals in these places that are neither done nor set aside."""
    ledger, chosen = Ledger(app.store), []
    for place in places:
        for arrival in arrivals(place, s3=bucket_opener(app)):
            standing = ledger.sheet(arrival.digest).standing
            if standing == "quarantined" and again:
                now = time.time_ns() // 1_000_000
                ledger.add(arrival.digest, Try(place=arrival.place, outcome="again", at_utc_ms=now))
                standing = "waiting"
            if standing == "waiting":
                chosen.append(arrival)
    return chosen


def _app(workspace: str) -> Application:
    return open_workspace(Path(workspace))


def run(workspace: str, places: list[str], **options: Any) -> list[dict[str, Any]]:
    """The flow from the command line."""
    with patient_server():
        rows: list[dict[str, Any]] = backfill(workspace, places, **options)
    return rows
