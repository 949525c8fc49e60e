"""Prefect tasks: each is one step of the runner, asked for by ids alone.

Whether a failed task is tried again is decided by the error's ``transient`` flag and by
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State, TaskRun

from flows import steps
from flows.apart import hang_limit_s, limit_s
from flows.events import emit
from flows.hand import ask
from flows.workspaces import opened, run_ids
from pipeline import notify, runner
from pipeline.bootstrap import Application
from pipeline.errors import EvidenceError
from pipeline.model import StageName
from pipeline.patience import ROOM, STORE, Result

RETRIES = 5
RETRY_DELAY_S: list[float] = [5, 15, 60, 120, 300]


async def is_transient(task: Any, task_run: TaskRun, state: State[Any]) -> bool:
    """Prefect's retry condition: only what may go away by itself is tried again."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, EvidenceError) and error.transient


def awaited(app: Application, action: Callable[[], Result], what: str) -> Result:
    """A step that waits for a store that is away, or for room, and says so in the run's log."""
    return runner.awaited(app, action, what=what, tell=print, services=(STORE, ROOM))


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def take_in(
    workspace: str,
    inputs: list[str],
    broadcast_file: str,
    transcript_file: str,
    amend: bool,
    media_bytes: int,
) -> str:
    """Recordings and description into the store; the broadcast's prefix."""
    request = runner.Request(
        inputs=tuple(inputs),
        broadcast_file=Path(broadcast_file) if broadcast_file else None,
        transcript_file=Path(transcript_file) if transcript_file else None,
        amend=amend,
    )
    limit = hang_limit_s(opened(workspace).settings, media_bytes)
    return ask(", ".join(inputs), limit, steps.take_in, run_ids(), workspace, request)


def merchant_of(workspace: str, prefix: str) -> str:
    """Whose broadcast it is."""
    app = opened(workspace)
    revision = awaited(app, lambda: app.archive.revision(prefix), prefix)
    return revision.broadcast.merchant_id if revision else ""


def silence_s(workspace: str, prefix: str) -> float:
    """How long the process that works on a broadcast may say nothing."""
    app = opened(workspace)
    revision = awaited(app, lambda: app.archive.revision(prefix), prefix)
    return limit_s(app.settings, revision.duration_ms / 1000 if revision else 0)


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def stage(workspace: str, prefix: str, name: StageName) -> str:
    """One stage; the content id of its output, empty where the stage does not apply."""
    limit = silence_s(workspace, prefix)
    return ask(prefix, limit, steps.stage, run_ids(), workspace, prefix, name)


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def publish(workspace: str, prefix: str) -> int:
    """Release what was made and make it searchable; how many documents."""
    app = opened(workspace)
    ask(prefix, silence_s(workspace, prefix), steps.release, run_ids(), workspace, prefix)
    state = awaited(app, lambda: app.archive.state_at(prefix), prefix)
    return awaited(app, lambda: runner.publish(app, state, tell=print), prefix)


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def tell(workspace: str, prefix: str) -> str:
    """Tell the receivers of webhooks and the server; why that did not work, which fails nothing."""
    app = opened(workspace)
    state = awaited(app, lambda: app.archive.state_at(prefix), prefix)
    emit(awaited(app, lambda: notify.about(app, state), prefix))
    return awaited(app, lambda: notify.tell_of(app, state), prefix)
