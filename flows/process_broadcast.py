"""The flow of one broadcast: the stage plan, a task a stage, ids between them."""

from __future__ import annotations

from prefect import flow

from flows.limits import merchant_limit
from flows.report import Timings, report
from flows.server import patient_server
from flows.tasks import merchant_of, publish, stage, take_in, tell
from pipeline.plan import STAGES


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
    steps = Timings()
    with steps.of("ingest"):
        prefix = take_in(workspace, inputs, broadcast_file, transcript_file, amend)
    with merchant_limit(merchant_of(workspace, prefix)):
        for name in STAGES:
            with steps.of(name):
                content = stage.with_options(name=name)(workspace, prefix, name)
            print(f"{prefix}: {name} {content[:16] or 'does not apply'}")
    with steps.of("index"):
        print(f"{prefix}: {publish(workspace, prefix)} documents")
    report(workspace, prefix, steps.seconds)
    tell(workspace, prefix)
    return prefix


def run(
    workspace: str,
    inputs: list[str],
    *,
    broadcast_file: str = "",
    transcript_file: str = "",
    amend: bool = False,
) -> str:
    """The flow from the command line."""
    with patient_server():
        return process_broadcast(workspace, inputs, broadcast_file, transcript_file, amend)
