"""The flow of a broadcast on air: follow its segments, then finish it as any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact

from flows.report import Timings, report
from flows.server import patient_server
from flows.tasks import RETRIES, RETRY_DELAY_S, is_transient, publish, stage, take_in, tell
from flows.workspaces import opened
from pipeline.ingest.sources import followed
from pipeline.live import Session
from pipeline.live_end import close, hand_over
from pipeline.live_lag import Pace, lag_figures
from pipeline.plan import STAGES
from pipeline.runner import bucket_opener


@task(retries=RETRIES, retry_delay_seconds=RETRY_DELAY_S, retry_condition_fn=is_transient)
def follow(
    workspace: str, place: str, broadcast_file: str, options: dict[str, Any]
) -> dict[str, Any]:
    """Listen to a place until its broadcast has ended; where the recording lies now."""
    app = opened(workspace)
    options = dict(options)
    where = {name: options.pop(name) for name in ("playlist", "marker", "quiet_s")}
    session = Session(
        app,
        followed(place, s3=bucket_opener(app), **where),
        broadcast_file=Path(broadcast_file) if broadcast_file else None,
        pace=Pace(**options),
        say=print,
    )
    found = session.follow()
    return {
        "playlist": str(found.playlist),
        "broadcast_file": str(found.broadcast_file),
        "heard": str(session.heard),
        "amends": found.amends,
        "lag": lag_figures(found.lags),
    }


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
    workspace: str, place: str, broadcast_file: str, options: dict[str, Any]
) -> dict[str, Any]:
    """Follow a broadcast on air and finish it; how live and batch compare.

    A run that was killed is continued by the next: what was sealed is in the store.
    """
    steps = Timings()
    with steps.of("on air"):
        found = follow(workspace, place, broadcast_file, options)
    recording = [found["playlist"]]
    with steps.of("ingest"):
        prefix = take_in(workspace, recording, found["broadcast_file"], "", found["amends"])
        hand(workspace, prefix, found["heard"])
    for name in STAGES:
        with steps.of(name):
            stage.with_options(name=name)(workspace, prefix, name)
    with steps.of("index"):
        publish(workspace, prefix)
    report(workspace, prefix, steps.seconds)
    tell(workspace, prefix)
    ending = compare(workspace, prefix) | {"lag": found["lag"], "prefix": prefix}
    create_table_artifact(
        table=[{"what": name, "value": str(value)} for name, value in ending.items()],
        key="live",
        description=f"{prefix}: live and batch",
    )
    return ending


def run(workspace: str, place: str, *, broadcast_file: str = "", **options: Any) -> dict[str, Any]:
    """The flow from the command line."""
    with patient_server():
        return live(workspace, place, broadcast_file, options)
