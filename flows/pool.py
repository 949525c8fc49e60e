"""The pool of this project: its work pool, its deployments, its workers, and a server if need be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists

from flows.backfill import backfill
from flows.live import live
from flows.maintain import maintain
from flows.process_broadcast import process_broadcast
from flows.spread import part, process_spread
from flows.watch import watch

POOL = "evidence"
DEPLOYED: dict[str, tuple[Any, str]] = {
    "part/pool": (part, "flows.spread.part"),
    "process-spread/pool": (process_spread, "flows.spread.process_spread"),
    "process-broadcast/pool": (process_broadcast, "flows.process_broadcast.process_broadcast"),
    "backfill/pool": (backfill, "flows.backfill.backfill"),
    "watch/pool": (watch, "flows.watch.watch"),
    "live/pool": (live, "flows.live.live"),
    "maintain/pool": (maintain, "flows.maintain.maintain"),
}
"""Deployment to its flow and where a worker imports it from: the installed package."""


def deploy(pool: str = POOL, *, limit: int | None = None) -> list[str]:
    """Make the pool and the deployments, or bring them up to date; their names.

    Workers import the flows from their own installation, so there is no code to fetch.
    """
    with get_client(sync_client=True) as client:
        _pool(client, pool, limit)
        for name, (asked, entrypoint) in DEPLOYED.items():
            client.create_deployment(
                flow_id=client.create_flow_from_name(asked.name),
                name=name.partition("/")[2],
                work_pool_name=pool,
                entrypoint=entrypoint,
                parameter_openapi_schema=_schema(asked),
            )
    return list(DEPLOYED)


def _pool(client: SyncPrefectClient, pool: str, limit: int | None) -> None:
    try:
        client.create_work_pool(WorkPoolCreate(name=pool, type="process", concurrency_limit=limit))
    except ObjectAlreadyExists:
        if limit is not None:
            client.update_work_pool(pool, WorkPoolUpdate(concurrency_limit=limit))


def _schema(asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked.parameters.model_dump_json())
    return found


def pause(on: bool, pool: str = POOL) -> None:
    """Stop handing out work, or go on; what runs is finished."""
    with get_client(sync_client=True) as client:
        client.update_work_pool(pool, WorkPoolUpdate(is_paused=on))


def worker(pool: str = POOL, *, name: str = "") -> list[str]:
    """The command of one worker that does one thing at a time."""
    named = ["--name", name] if name else []
    start = ["worker", "start", "--pool", pool, "--type", "process", "--limit", "1"]
    return [sys.executable, "-m", "prefect", *start, *named]


def run(workers: int, pool: str = POOL) -> int:
    """Workers until they are stopped; the worst exit code."""
    deploy(pool)
    begun = [
        subprocess.Popen(worker(pool, name=f"{os.getpid()}-{n}"), start_new_session=True)
        for n in range(1, workers + 1)
    ]
    try:
        return max(process.wait() for process in begun)
    except KeyboardInterrupt:
        return _stopped(begun)


def _stopped(begun: list[subprocess.Popen[bytes]]) -> int:
    """End the workers; each hands what it runs to its end signal first."""
    for process in begun:
        os.killpg(process.pid, signal.SIGTERM)
    end = time.monotonic() + 30
    for process in begun:
        process.wait(max(1.0, end - time.monotonic()))
    return 130
