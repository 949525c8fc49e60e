"""The pool of this project: its work pool, its deployments, its workers, and a server if need be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL

from flows.backfill import backfill
from flows.live import live
from flows.maintain import maintain
from flows.process_broadcast import process_broadcast
from flows.server import local_server
from flows.spread import part, process_spread
from flows.watch import watch
from pipeline.errors import ConfigError

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


def worker(pool: str = POOL, *, name: str = "", server: str = "") -> list[str]:
    """The command of one worker that does one thing at a time; ``server`` is where it asks."""
    asks = ["env", f"PREFECT_API_URL={server}"] if server else []
    named = ["--name", name] if name else []
    start = ["worker", "start", "--pool", pool, "--type", "process", "--limit", "1"]
    return [*asks, sys.executable, "-m", "prefect", *start, *named]


def run(
    workers: int,
    pool: str = POOL,
    *,
    server_port: int = 0,
    tell: Callable[[dict[str, Any]], None] | None = None,
) -> int:
    """Workers until they are stopped; the worst exit code.

    With ``server_port`` a server is started for them, and ends with them. With ``tell`` each
    beginning and end is told, and what the workers say goes to standard error.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # how a container is stopped
    # A shell script's `&` leaves SIGINT ignored, and workers that inherit that cannot be ended by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not server_port:
        return _work(workers, pool, "", tell)
    with local_server(server_port) as running:
        if tell:
            tell({"event": "started", "server": running.url, "pid": running.pid})
        return _work(workers, pool, running.url, tell)


def _work(
    workers: int, pool: str, server: str, tell: Callable[[dict[str, Any]], None] | None
) -> int:
    deploy(pool)
    begun: list[subprocess.Popen[bytes]] = []
    for number in range(1, workers + 1):
        name = f"{os.getpid()}-{number}"
        out = sys.stderr if tell else None
        command = worker(pool, name=name, server=server)
        begun.append(subprocess.Popen(command, start_new_session=True, stdout=out))
        if tell:
            tell({"event": "started", "worker": name, "pid": begun[-1].pid, "pool": pool})
    try:
        codes = [process.wait() for process in begun]
    except KeyboardInterrupt:
        codes = [_stopped(begun)]
    if tell:
        for process in begun:
            tell({"event": "ended", "pid": process.pid, "exit_code": process.returncode})
    return max(codes)


def status(pool: str = POOL) -> dict[str, Any]:
    """What the server knows of the pool: workers, queues, runs by state; nothing in it decides work.

    Raises:
        ConfigError: no server in ``PREFECT_API_URL``, or no such pool there.
    """
    if not PREFECT_API_URL.value():
        raise ConfigError("PREFECT_API_URL is not set", hint="start a server, name it there")
    try:
        with get_client(sync_client=True) as client:
            found = client.read_work_pool(pool)
            workers = client.read_workers_for_work_pool(pool)
            queues = client.read_work_queues(work_pool_name=pool)
            runs = client.read_flow_runs(
                work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
                sort=FlowRunSort.EXPECTED_START_TIME_DESC,
                limit=200,
            )
    except ObjectNotFound as error:
        raise ConfigError(
            f"{pool}: no such pool on the server", hint="run: evidence flows deploy"
        ) from error
    states = Counter(str(run.state_name or "") for run in runs)
    return {
        "server": str(PREFECT_API_URL.value()),
        "pool": found.name,
        "paused": found.is_paused,
        "limit": found.concurrency_limit,
        "workers": [
            {"name": w.name, "status": w.status.value if w.status else ""} for w in workers
        ],
        "queues": [{"name": q.name, "priority": q.priority, "paused": q.is_paused} for q in queues],
        "runs": dict(sorted(states.items())),
    }


def _stopped(begun: list[subprocess.Popen[bytes]]) -> int:
    """End the workers; each hands what it runs to its end signal first, and has 30 s for it."""
    for process in begun:
        os.killpg(process.pid, signal.SIGTERM)
    end = time.monotonic() + 30
    for process in begun:
        try:
            process.wait(max(1.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return 130
