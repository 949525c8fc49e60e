"""A broadcast spread over the workers of a pool: its parts are flow runs that any worker may take.

The pool and its workers are Prefect's; what was done is known from the store. A part that no
worker finished (all are gone, or too slow) is simply heard by the flow that joins them.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any, cast
from uuid import UUID

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from flows import hand, steps
from flows.limits import merchant_limit
from flows.report import Timings, report
from flows.server import patient_server
from flows.tasks import (
    RETRIES,
    RETRY_DELAY_S,
    awaited,
    is_transient,
    publish,
    silence_s,
    stage,
    take_in,
    tell,
)
from flows.trials import tried
from flows.workspaces import opened, run_ids
from pipeline.archive import broadcast_id_of
from pipeline.errors import EvidenceError
from pipeline.logs import henceforth
from pipeline.model import StageName
from pipeline.plan import STAGES
from pipeline.spread import PART_MS, Part, gather, parts_of

PART = "part/pool"
"""The deployment that workers run; `evidence flows deploy` makes it."""


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def do_part(workspace: str, prefix: str, what: StageName, number: int, count: int) -> int:
    """One part: a stretch of the sound, or of the pictures, of a broadcast."""
    by = f"{socket.gethostname()}/{os.getppid()}"  # the worker started this process
    limit, one = silence_s(workspace, prefix), Part(what, number, count)
    return hand.ask(prefix, limit, steps.part, run_ids(), workspace, prefix, one, by)


@flow(name="part", flow_run_name="{prefix} {what} {number}/{count}", log_prints=True)
def part(
    workspace: str, prefix: str, what: StageName, number: int, count: int, merchant: str = ""
) -> int:
    """What a worker runs. A limit named ``merchant-<id>`` holds, where there is one."""
    with merchant_limit(merchant):
        done = do_part(workspace, prefix, what, number, count)
    print(f"{prefix}: {what} {number}/{count}: {done}")
    return done


@flow(name="process-spread", log_prints=True)
def process_spread(
    workspace: str,
    inputs: list[str],
    broadcast_file: str = "",
    amend: bool = False,
    part_ms: int = PART_MS,
    queue: str = "",
    stall_s: float = 1800,
    again: bool = False,
) -> str:
    """Take a broadcast in, let the workers of the pool hear and see it, join the parts; its prefix.

    ``again`` gives a recording that was set aside another chance.
    """
    spent = Timings()
    with tried(workspace, inputs, again=again) as trial:
        with spent.of("ingest"):
            size = trial.arrival.media_bytes
            prefix = take_in(workspace, inputs, broadcast_file, "", amend, size)
        trial.prefix = prefix
        henceforth(broadcast=broadcast_id_of(prefix))
        with spent.of("parts"):
            unfinished = wait(ask(workspace, prefix, part_ms, queue), stall_s=stall_s)
        if unfinished:
            print(f"{prefix}: {unfinished} parts were not finished by a worker; they are done here")
        _joined(workspace, prefix, spent)
    return prefix


def _joined(workspace: str, prefix: str, spent: Timings) -> None:
    """The stages, over what the parts gave, and the end of a run."""
    print(f"{prefix}: {join(workspace, prefix)} readings brought together")
    for name in STAGES:
        with spent.of(name):
            stage.with_options(name=name)(workspace, prefix, name)
    with spent.of("index"):
        print(f"{prefix}: {publish(workspace, prefix)} documents")
    report(workspace, prefix, spent.seconds)
    tell(workspace, prefix)


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def ask(workspace: str, prefix: str, part_ms: int, queue: str) -> list[str]:
    """Submit the parts; the ids of their runs. Asking twice asks once."""
    app = opened(workspace)
    revision = awaited(app, lambda: app.archive.revision(prefix), prefix)
    if revision is None:
        raise EvidenceError(f"{prefix}: no revision", hint="take the broadcast in first")
    parts = parts_of(app, revision, part_ms=part_ms)
    common = {"workspace": workspace, "prefix": prefix}
    common["merchant"] = revision.broadcast.merchant_id
    return [_submit(common, what, n, of, queue, revision.input_id) for what, n, of in parts]


def _submit(
    common: dict[str, str], what: str, number: int, count: int, queue: str, given: str
) -> str:
    chosen: dict[str, Any] = {"work_queue_name": queue} if queue else {}
    run = run_deployment(
        PART,
        parameters={**common, "what": what, "number": number, "count": count},
        timeout=0,
        idempotency_key=f"{common['prefix']} {given[:16]} {what} {number}/{count} {_minute()}",
        **chosen,
    )
    return str(cast(FlowRun, run).id)  # called from no event loop, it is never a coroutine


def _minute() -> int:
    """A retry of the task that asks asks for the same runs; a later flow asks anew."""
    return int(time.time() // 600)


def wait(runs: list[str], *, stall_s: float, every_s: float = 1.0) -> int:
    """Until every run has ended, or none has for ``stall_s``; how many did not end well."""
    open_runs, bad, last = {UUID(run) for run in runs}, 0, time.monotonic()
    with get_client(sync_client=True) as client:
        while open_runs and time.monotonic() - last < stall_s:
            for run in sorted(open_runs):
                state = client.read_flow_run(run).state
                if state is not None and state.is_final():
                    open_runs.discard(run)
                    bad, last = bad + (not state.is_completed()), time.monotonic()
            if open_runs:
                time.sleep(every_s)
    return bad + len(open_runs)


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def join(workspace: str, prefix: str) -> int:
    """Bring what the parts heard to this workspace."""
    app = opened(workspace)
    return awaited(app, lambda: gather(app, prefix), prefix)


def run(workspace: str, inputs: list[str], **options: Any) -> str:
    """The flow from the command line."""
    with patient_server():
        prefix: str = process_spread(workspace, inputs, **options)
    return prefix
