"""The flow of one broadcast: the stage plan, a task a stage, ids between them."""

from __future__ import annotations

from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows.limits import merchant_limit
from flows.report import Timings, report
from flows.server import patient_server
from flows.tasks import merchant_of, publish, stage, take_in, tell
from flows.trials import tried
from pipeline.archive import broadcast_id_of
from pipeline.logs import henceforth
from pipeline.plan import STAGES


@flow(name="process-broadcast", log_prints=True)
def process_broadcast(
    workspace: str,
    inputs: list[str],
    broadcast_file: str = "",
    transcript_file: str = "",
    amend: bool = False,
    again: bool = False,
) -> str:
    """Take a broadcast in, run every stage of the plan, release and index it; its prefix.

    What is done already is found in the store by its work key, so a flow run that was
    killed is continued by the next one, and one that finds everything done ends at once.
    ``again`` gives a recording that was set aside another chance.
    """
    with tried(workspace, inputs, again=again) as trial:
        given = (inputs, broadcast_file, transcript_file, amend)
        trial.prefix = _whole_way(workspace, *given, trial.arrival.media_bytes)
    return trial.prefix


def _whole_way(
    workspace: str,
    inputs: list[str],
    broadcast_file: str,
    transcript_file: str,
    amend: bool,
    media_bytes: int,
) -> str:
    steps = Timings()
    with steps.of("ingest"):
        given = (broadcast_file, transcript_file, amend)
        prefix = take_in(workspace, inputs, *given, media_bytes)
    henceforth(broadcast=broadcast_id_of(prefix))
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
    again: bool = False,
) -> str:
    """The flow from the command line.

    It sends no heartbeats, for whose thread Prefect would wait up to a second in the end: whoever
    started it sees it end.
    """
    given = (broadcast_file, transcript_file, amend, again)
    with patient_server(), temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        return process_broadcast(workspace, inputs, *given)
