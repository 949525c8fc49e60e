"""The flow that looks after what is there: index in step, a sample verified, retention, notices."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact

from flows.server import patient_server
from flows.tasks import RETRIES, RETRY_DELAY_S, is_transient
from flows.workspaces import opened
from pipeline import notify, runner, upkeep
from pipeline.bootstrap import Application
from pipeline.logs import about
from pipeline.patience import INDEX, STORE, Result


def _awaited(
    workspace: str, step: Callable[[Application], Result], what: str = "maintain"
) -> Result:
    """A step that waits for a store or an index that is away, and says so in the run's log."""
    app = opened(workspace)
    done = partial(step, app)
    return runner.awaited(app, done, what=what, tell=print, services=(STORE, INDEX))


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def reconcile(workspace: str) -> tuple[int, list[dict[str, Any]]]:
    """Bring the index into step with the store."""
    changed, finding = _awaited(workspace, upkeep.reconcile)
    return changed, [finding.model_dump()] if finding else []


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def verify(workspace: str, prefix: str) -> list[dict[str, Any]]:
    """Read one broadcast whole and compare it with its hashes."""
    found = _awaited(workspace, lambda app: list(upkeep.verify(app, prefix)), prefix)
    return [one.model_dump() for one in found]


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def custody_log(workspace: str, prefixes: list[str]) -> tuple[int, list[dict[str, Any]]]:
    """Entries of the custody log, and what in it does not hold."""
    entries, found = _awaited(workspace, lambda app: upkeep.log(app, set(prefixes)))
    return entries, [one.model_dump() for one in found]


@task
def bundle(place: str) -> list[dict[str, Any]]:
    """Check one sealed bundle."""
    return [one.model_dump() for one in upkeep.bundle(Path(place))]


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def retention(workspace: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Which broadcasts need not be kept any longer, and which are kept too short."""
    now = time.time_ns() // 1_000_000

    def looked(app: Application) -> list[upkeep.Past | upkeep.Finding | None]:
        return [upkeep.retention(app, p, now_utc_ms=now) for p in app.archive.broadcasts()]

    found = _awaited(workspace, looked)
    past = [one.model_dump() for one in found if isinstance(one, upkeep.Past)]
    return past, [one.model_dump() for one in found if isinstance(one, upkeep.Finding)]


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def notices(workspace: str) -> int:
    """Send what could not be sent when it happened."""
    return _awaited(workspace, notify.send_again)


@flow(name="maintain", log_prints=True)
def maintain(
    workspace: str = "",
    *,
    size: int = 20,
    share: float = 0,
    seed: str = "",
    bundles: list[str] | None = None,
) -> dict[str, Any]:
    """Look after a workspace; what was found.

    ``size`` broadcasts (or ``share`` per cent of them) are verified whole, and as many of the
    sealed bundles in the folders ``bundles``; others every day (``seed`` is the day).
    """
    day = seed or datetime.now(UTC).date().isoformat()
    prefixes = _awaited(workspace, lambda app: sorted(app.archive.broadcasts()))
    sealed = [str(place) for place in upkeep.bundles([Path(b) for b in bundles or ()])]
    changed, findings = reconcile(workspace)
    chosen = _sample(prefixes, size, share, day)
    for prefix in chosen:
        findings += verify(workspace, prefix)
    entries, broken = custody_log(workspace, chosen)
    checked = _sample(sealed, size, share, day)
    findings += [*broken, *(finding for place in checked for finding in bundle(place))]
    past, short = retention(workspace)
    notices(workspace)
    found = upkeep.Upkeep(
        broadcasts=len(prefixes),
        reconciled=changed,
        verified=len(chosen),
        log_entries=entries,
        bundles=len(checked),
        past=tuple(upkeep.Past(**one) for one in past),
        findings=tuple(upkeep.Finding(**one) for one in (*findings, *short)),
    )
    _show(found)
    return found.model_dump(mode="json")


def _sample(names: list[str], size: int, share: float, seed: str) -> list[str]:
    return upkeep.sample(names, size=upkeep.size_of(len(names), size=size, share=share), seed=seed)


def _show(found: upkeep.Upkeep) -> None:
    """The run's report on the server's page: what was looked at, found, and may be removed."""
    for finding in found.findings:
        with about(event="finding", broadcast=finding.broadcast_id):
            print(f"{finding.broadcast_id}: {finding.code}: {finding.detail}")
    counts = found.model_dump(exclude={"findings", "past"})
    rows = [{"what": name, "result": str(value)} for name, value in counts.items()]
    rows += [
        {"what": f"{one.code}: {one.broadcast_id}", "result": one.detail} for one in found.findings
    ]
    rows += [
        {
            "what": f"past its retention: {one.broadcast_id}",
            "result": f"{one.days} days; held by: {', '.join(one.held_by) or 'nothing'}",
        }
        for one in found.past
    ]
    create_table_artifact(table=rows, key="upkeep", description="What upkeep found")


def run(workspace: str, **options: Any) -> dict[str, Any]:
    """The flow from the command line."""
    with patient_server():
        found: dict[str, Any] = maintain(workspace, **options)
    return found
