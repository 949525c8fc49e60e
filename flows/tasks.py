"""Prefect tasks: each is one step of the runner, asked for by ids alone.

Whether a failed task is tried again is decided by the error's ``transient`` flag and by
nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State, TaskRun

from flows.workspaces import opened
from pipeline import notify, runner
from pipeline.errors import EvidenceError
from pipeline.model import StageName
from pipeline.plan import finish, run_stage

RETRIES = 5
RETRY_DELAY_S: list[float] = [5, 15, 60, 120, 300]


async def is_transient(task: Any, task_run: TaskRun, state: State[Any]) -> bool:
    """Prefect's retry condition: only what may go away by itself is tried again."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, EvidenceError) and error.transient


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def take_in(
    workspace: str, inputs: list[str], broadcast_file: str, transcript_file: str, amend: bool
) -> str:
    """Recordings and description into the store; the broadcast's prefix."""
    request = runner.Request(
        inputs=tuple(inputs),
        broadcast_file=Path(broadcast_file) if broadcast_file else None,
        transcript_file=Path(transcript_file) if transcript_file else None,
        amend=amend,
    )
    return runner.take_in(opened(workspace), request).prefix


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def stage(workspace: str, prefix: str, name: StageName) -> str:
    """One stage; the content id of its output, empty where the stage does not apply."""
    output = run_stage(opened(workspace).context(), prefix, name)
    return output.content if output else ""


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def publish(workspace: str, prefix: str) -> int:
    """Release what was made and make it searchable; how many documents."""
    app = opened(workspace)
    return runner.publish(app, finish(app.context(), prefix), tell=print)


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def tell(workspace: str, prefix: str) -> str:
    """Tell the receivers of webhooks; why that did not work, which never fails the broadcast."""
    app = opened(workspace)
    return notify.tell_of(app, app.archive.state_at(prefix))
