"""The flow of a broadcast on air: follow its segments, then finish it as any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact

from flows import steps
from flows.hand import ask
from flows.report import Timings, report
from flows.server import patient_server
from flows.tasks import RETRIES, RETRY_DELAY_S, is_transient, publish, stage, take_in, tell
from flows.trials import tried
from flows.workspaces import opened, run_ids
from pipeline.archive import broadcast_id_of
from pipeline.ingest.arrivals import named
from pipeline.live_end import close, hand_over
from pipeline.logs import henceforth
from pipeline.plan import STAGES
from pipeline.runner import bucket_opener


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def follow(
    workspace: str, place: str, broadcast_file: str, options: dict[str, Any]
) -> dict[str, Any]:
    """Listen to a place until its broadcast has ended; where the recording lies now."""
    limit = opened(workspace).settings.hang_s
    given = (workspace, place, broadcast_file, options)
    return ask(place, limit, steps.follow, run_ids(), *given)


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def hand(workspace: str, prefix: str, heard: str) -> int:
    """What was heard on air is not heard again."""
    return hand_over(opened(workspace), prefix, Path(heard))


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def compare(workspace: str, prefix: str) -> dict[str, Any]:
    """Compare live and batch, and record the end of the broadcast."""
    app = opened(workspace)
    ending = close(app, app.archive.state_at(prefix))
    return ending.model_dump(mode="json") | {"agrees": ending.agrees}


@flow(name="live", log_prints=True)
def live(
    workspace: str,
    place: str,
    broadcast_file: str,
    options: dict[str, Any],
    again: bool = False,
) -> dict[str, Any]:
    """Follow a broadcast on air and finish it; how live and batch compare.

    A run that was killed is continued by the next: what was sealed is in the store. ``again``
    gives one that was set aside another chance.
    """
    with tried(workspace, [place], again=again, on_air=True) as trial:
        ending = _followed(workspace, place, broadcast_file, options)
        trial.prefix = ending["prefix"]
    return ending


def _followed(
    workspace: str, place: str, broadcast_file: str, options: dict[str, Any]
) -> dict[str, Any]:
    spent = Timings()
    with spent.of("on air"):
        found = follow(workspace, place, broadcast_file, options)
    recording = [found["playlist"]]
    with spent.of("ingest"):
        size = named(recording, s3=bucket_opener(opened(workspace))).media_bytes
        given = (found["broadcast_file"], "", found["amends"])
        prefix = take_in(workspace, recording, *given, size)
        hand(workspace, prefix, found["heard"])
    henceforth(broadcast=broadcast_id_of(prefix))
    for name in STAGES:
        with spent.of(name):
            stage.with_options(name=name)(workspace, prefix, name)
    with spent.of("index"):
        publish(workspace, prefix)
    report(workspace, prefix, spent.seconds)
    tell(workspace, prefix)
    ending = compare(workspace, prefix) | {"lag": found["lag"], "prefix": prefix}
    create_table_artifact(
        table=[{"what": name, "value": str(value)} for name, value in ending.items()],
        key="live",
        description=f"{prefix}: live and batch",
    )
    return ending


def run(
    workspace: str,
    place: str,
    *,
    broadcast_file: str = "",
    again: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """The flow from the command line."""
    with patient_server():
        return live(workspace, place, broadcast_file, options, again)
