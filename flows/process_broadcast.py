"""The flow of one broadcast: the stage plan, a task a stage, ids between them."""

from __future__ import annotations

from prefect import flow
from prefect.settings import (
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from flows.tasks import publish, stage, take_in
from pipeline.plan import STAGES

SERVER_START_S = 180
"""Prefect allows 20 s, which a first start with its database does not always keep."""


@flow(name="process-broadcast", log_prints=True)
def process_broadcast(
    workspace: str,
    inputs: list[str],
    broadcast_file: str = "",
    transcript_file: str = "",
    amend: bool = False,
) -> str:
    """Take a broadcast in, run every stage of the plan, release and index it; its prefix.

    What is done already is found in the store by its work key, so a flow run that was
    killed is continued by the next one, and one that finds everything done ends at once.
    """
    prefix = take_in(workspace, inputs, broadcast_file, transcript_file, amend)
    for name in STAGES:
        content = stage.with_options(name=name)(workspace, prefix, name)
        print(f"{prefix}: {name} {content[:16] or 'does not apply'}")
    print(f"{prefix}: {publish(workspace, prefix)} documents")
    return prefix


def run(
    workspace: str,
    inputs: list[str],
    *,
    broadcast_file: str = "",
    transcript_file: str = "",
    amend: bool = False,
) -> str:
    """The flow from the command line: a temporary server gets time to start on a busy machine."""
    patience = {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: SERVER_START_S}
    with temporary_settings(updates=patience):
        return process_broadcast(workspace, inputs, broadcast_file, transcript_file, amend)
