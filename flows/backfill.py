"""Flows over many broadcasts: what waits in a place, each in a process of its own, then a table."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.task_runners import ThreadPoolTaskRunner

from flows.apart import Outcome, end_all, hang_limit_s, process_apart
from flows.events import emit
from flows.limits import merchant_limit
from flows.server import patient_server
from flows.tasks import RETRIES, RETRY_DELAY_S, awaited, is_transient
from flows.trials import quarantined
from flows.workspaces import opened
from pipeline import notify
from pipeline.bootstrap import Application
from pipeline.ingest.arrivals import Arrival
from pipeline.ingest.fetch import merchant_of
from pipeline.ledger import PARKED, Ledger, Sheet, Try
from pipeline.logs import about
from pipeline.planning import Found, Rates, looked, plan, summary
from pipeline.runner import bucket_opener


class Row(NamedTuple):
    """What a run did with one arrival."""

    place: str
    outcome: str
    """``done``, ``failed``, ``parked`` for want of room, or ``quarantined`` by this failure."""
    broadcast_id: str
    seconds: float
    message: str


@task(
    task_run_name="{place}",
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAY_S,
    retry_condition_fn=is_transient,
)
def one(workspace: str, place: str, digest: str, media_bytes: int) -> Row:
    """Process one arrival and enter the outcome in the ledger; a failure is an outcome too.

    Only a ledger that cannot be written (the store is away) is tried again here.
    """
    begun = time.monotonic()
    app = opened(workspace)
    limit_s = hang_limit_s(app.settings, media_bytes)
    merchant = awaited(app, lambda: merchant_of(place, s3=bucket_opener(app)), place)
    with merchant_limit(merchant):
        ended = process_apart(workspace, place, limit_s=limit_s, tell=print)
    tried = _try(place, ended)
    sheet = awaited(app, lambda: Ledger(app.store).add(digest, tried), place)
    awaited(app, lambda: _tell(app, sheet, ended), place)
    failed = "parked" if sheet.parked else "failed"
    outcome = sheet.standing if sheet.standing != "waiting" else failed
    seconds = round(time.monotonic() - begun, 1)
    return Row(place, outcome, ended.broadcast_id, seconds, ended.message)


def _try(place: str, ended: Outcome) -> Try:
    return Try(
        place=place,
        outcome="failed" if ended.error else "done",
        at_utc_ms=time.time_ns() // 1_000_000,
        broadcast_id=ended.broadcast_id,
        error=ended.error,
        message=ended.message[:4000],
        transient=ended.transient or ended.error in PARKED,
    )


@flow(name="backfill", log_prints=True)
def backfill(
    workspace: str,
    places: list[str],
    *,
    limit: int = 0,
    at_once: int = 1,
    again: bool = False,
    rates: dict[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Process every broadcast that waits in these places; a row for each one tried.

    The first it does is to say what it will do and what that takes (``rates``: by what, see
    `evidence plan`). What is done is known from the store, so a run that was killed is continued
    by the next. ``again`` gives quarantined ones another chance; ``limit`` bounds how many are tried.
    """
    chosen = [Arrival(*row) for row in find(workspace, places, again, limit, rates or {})]
    return run_these(workspace, chosen, at_once=at_once)


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def find(
    workspace: str, places: list[str], again: bool, limit: int, rates: dict[str, float]
) -> list[tuple[Any, ...]]:
    """What waits in these places, and the plan for it on the run's page."""
    app, by, what = opened(workspace), Rates(**rates), ", ".join(places)
    found = awaited(app, lambda: list(looked(app, places)), what)
    planned = plan(found, by, again=again, limit=limit)
    with about(event="plan"):
        print(f"plan: {summary(planned, by)}")
    rows = [{"what": k, "value": str(v)} for k, v in planned.items() if k != "places"]
    create_table_artifact(table=rows, key="plan", description=f"Before it began: {what}")
    chosen = [one for one in found if one.wanted(again=again)][: limit or None]
    awaited(app, lambda: _lift(app, chosen), what)
    return [tuple(one.arrival) for one in chosen]


def _lift(app: Application, chosen: list[Found]) -> None:
    """Those set aside among them are tried once more: a person said so."""
    for one in chosen:
        if one.sheet.standing == "quarantined":
            now = time.time_ns() // 1_000_000
            said = Try(place=one.arrival.place, outcome="again", at_utc_ms=now)
            Ledger(app.store).add(one.arrival.digest, said)


def run_these(workspace: str, chosen: list[Arrival], *, at_once: int) -> list[dict[str, Any]]:
    """Process these arrivals, so many at once; rows in their order, and a table for the run."""
    runner: ThreadPoolTaskRunner[Row] = ThreadPoolTaskRunner(max_workers=at_once)
    with runner:
        futures = [
            runner.submit(
                one,
                parameters={
                    "workspace": workspace,
                    "place": a.place,
                    "digest": a.digest,
                    "media_bytes": a.media_bytes,
                },
            )
            for a in chosen
        ]
        try:
            rows = [future.result()._asdict() for future in futures]
        except BaseException:  # told to stop: the threads that wait cannot hear it
            end_all()
            raise
    for row in rows:
        with about(event="arrival", broadcast=row["broadcast_id"], place=row["place"]):
            print(f"{row['place']}: {row['outcome']} in {row['seconds']} s {row['message']}")
    if rows:
        create_table_artifact(table=rows, key="broadcasts", description="What this run did")
    return rows


def _tell(app: Application, sheet: Sheet, ended: Outcome) -> None:
    """Tell webhooks and the server what became of an arrival; what fails is told by `maintain`."""
    told: list[notify.Notice] = []
    if ended.broadcast_id:
        told = notify.about(app, app.archive.state(ended.broadcast_id))
    elif sheet.standing == "quarantined":
        told = [quarantined(sheet.tries[-1].place, ended.error, ended.message)]
    emit(told)
    if told and notify.receivers(app):
        print(notify.safely(app, told))


def run(workspace: str, places: list[str], **options: Any) -> list[dict[str, Any]]:
    """The flow from the command line."""
    with patient_server():
        rows: list[dict[str, Any]] = backfill(workspace, places, **options)
    return rows
