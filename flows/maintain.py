"""The flow that looks after what is there: index in step, a sample verified, retention, notices."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact

from flows.server import patient_server
from flows.tasks import RETRIES, RETRY_DELAY_S, is_transient
from flows.workspaces import opened
from pipeline import notify, upkeep


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def reconcile(workspace: str) -> tuple[int, list[dict[str, Any]]]:
    """Bring the index into step with the store."""
    changed, finding = upkeep.reconcile(opened(workspace))
    return changed, [finding.model_dump()] if finding else []


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def verify(workspace: str, prefix: str) -> list[dict[str, Any]]:
    """Read one broadcast whole and compare it with its hashes."""
    return [one.model_dump() for one in upkeep.verify(opened(workspace), prefix)]


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def retention(workspace: str) -> tuple[int, list[dict[str, Any]]]:
    """How many broadcasts need not be kept any longer, and which are kept too short."""
    app, now = opened(workspace), time.time_ns() // 1_000_000
    found = [upkeep.retention(app, p, now_utc_ms=now) for p in app.archive.broadcasts()]
    short = [one.model_dump() for one in found if isinstance(one, upkeep.Finding)]
    return sum(one is True for one in found), short


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def notices(workspace: str) -> int:
    """Send what could not be sent when it happened."""
    return notify.send_again(opened(workspace))


@flow(name="maintain", log_prints=True)
def maintain(workspace: str = "", *, size: int = 20, seed: str = "") -> dict[str, Any]:
    """Look after a workspace; what was found.

    ``size`` broadcasts are verified whole, others every day (``seed`` is the day).
    """
    prefixes = sorted(opened(workspace).archive.broadcasts())
    changed, differing = reconcile(workspace)
    chosen = upkeep.sample(prefixes, size=size, seed=seed or datetime.now(UTC).date().isoformat())
    findings = [finding for prefix in chosen for finding in verify(workspace, prefix)]
    released, short = retention(workspace)
    notices(workspace)
    found = upkeep.Upkeep(
        broadcasts=len(prefixes),
        reconciled=changed,
        verified=len(chosen),
        released=released,
        findings=tuple(upkeep.Finding(**one) for one in (*differing, *findings, *short)),
    )
    for finding in found.findings:
        print(f"{finding.broadcast_id}: {finding.code}: {finding.detail}")
    rows = [one.model_dump() for one in found.findings] or [{"broadcast_id": "", "code": "none"}]
    create_table_artifact(table=rows, key="upkeep", description="What upkeep found")
    return found.model_dump(mode="json")


def run(workspace: str, **options: Any) -> dict[str, Any]:
    """The flow from the command line."""
    with patient_server():
        found: dict[str, Any] = maintain(workspace, **options)
    return found
