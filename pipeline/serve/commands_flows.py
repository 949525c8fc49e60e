"""Commands that drive Prefect flows, and the plan of what they would do."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.serve.commands_live import flow_live_command
from pipeline.serve.commands_plan import planned, rate_options, show
from pipeline.serve.commands_pool import (
    deploy_command,
    maintain_command,
    pause_command,
    pool_status_command,
    spread_command,
    work_command,
)
from pipeline.serve.options import examples, json_option, service, workspace_option

if TYPE_CHECKING:
    from pipeline.serve.service import Service


@click.group(
    "flows",
    epilog=examples(
        "evidence flows watch s3://replays/ --marker _COMPLETE", "evidence flows status"
    ),
)
def flows_command() -> None:
    """Run the same stages as Prefect flows."""


@flows_command.command(
    "process", epilog=examples("evidence flows process ../recordings/2026-06-05/")
)
@click.argument("recordings", nargs=-1, required=True)
@click.option("--broadcast", "broadcast_file", type=click.Path(path_type=Path))
@click.option("--transcript", type=click.Path(path_type=Path))
@click.option("--again", is_flag=True, help="Also when it was set aside: it hung or crashed.")
@workspace_option
@json_option
def flow_process_command(
    recordings: tuple[str, ...],
    broadcast_file: Path | None,
    transcript: Path | None,
    again: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Process RECORDINGS as one Prefect flow run: a task a stage, ids between them.

    What opens recordings runs in a process of its own. A recording that hangs or crashes it three
    times is quarantined, and tried once more with --again.

    \b
    JSON fields: as `evidence process`.
    """
    works = service(workspace)
    prefix = flow_named("process")(
        workspace=str(works.app.root),
        inputs=list(recordings),
        broadcast_file=str(broadcast_file) if broadcast_file else "",
        transcript_file=str(transcript) if transcript else "",
        again=again,
    )
    print_released(works, prefix, as_json=as_json)


@flows_command.command(
    "backfill",
    epilog=examples(
        "evidence flows backfill ../recordings/2026-06/ --at-once 2",
        "evidence flows backfill s3://replays/2026/06/ --limit 50",
        "evidence flows backfill s3://replays/2026/06/ --price-h 0.20 --dry-run",
    ),
)
@click.argument("places", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(min=0), default=0, help="At most so many; 0: all.")
@click.option("--at-once", type=click.IntRange(min=1), default=1, help="So many side by side.")
@click.option("--again", is_flag=True, help="Try quarantined ones once more.")
@click.option("--dry-run", is_flag=True, help="Say the plan and its cost, and stop.")
@rate_options
@workspace_option
@json_option
def flow_backfill_command(
    places: tuple[str, ...],
    limit: int,
    at_once: int,
    again: bool,
    dry_run: bool,
    workspace: Path | None,
    as_json: bool,
    **by: float,
) -> None:
    """Process every broadcast that waits in PLACES (folders or s3:// prefixes).

    First the plan is said on standard error, as `evidence plan` makes it: what is to be tried, is
    done or quarantined, hours, machines, cost. Each broadcast runs in a process of its own; one that
    fails three times for a reason of its own is quarantined and the others go on. Running again
    continues.

    \b
    JSON fields: plan (as `evidence plan`), tried (place, outcome: done, failed, parked,
    quarantined; broadcast_id, seconds, message); with --dry-run nothing is tried.
    """
    from pipeline.logs import about
    from pipeline.planning import Rates
    from pipeline.runner import awaited
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import note, say

    app, rates = service(workspace).app, Rates(**by)
    look = partial(planned, app, places, rates, again=again, limit=limit)
    ahead = awaited(app, look, what=", ".join(places), tell=note)
    with about(event="plan"):
        show(ahead, rates, note, most=50)
    options = {"limit": limit, "at_once": at_once, "again": again, "rates": by}
    tried = [] if dry_run else flow_named("backfill")(str(app.root), list(places), **options)
    if as_json:
        say(dump({"plan": ahead, "tried": tried}))
    elif not dry_run:
        _print_rows(tried, as_json=False)


@flows_command.command(
    "watch",
    epilog=examples(
        "evidence flows watch s3://replays/ --marker _COMPLETE",
        "evidence flows watch ../recordings/ --quiet-s 300",
        "evidence flows watch s3://replays/ --events https://sqs.eu-central-1.amazonaws.com/1/new",
        "evidence flows watch s3://replays/ --events ../messages/  # or: --events listen:9300",
    ),
)
@click.argument("places", nargs=-1, required=True)
@click.option("--marker", default="", help="Complete once this file is there (else: once quiet).")
@click.option("--quiet-s", type=float, default=120, help="Complete when unchanged so long.")
@click.option("--every-s", type=float, default=30, help="Look so often.")
@click.option(
    "--events", default="", help="Look where messages say: a queue, a folder, listen:PORT."
)
@click.option("--token-file", default="", help="What senders to listen:PORT must show.")
@click.option("--rounds", type=click.IntRange(min=0), default=0, help="Looks; 0: until stopped.")
@click.option("--at-once", type=click.IntRange(min=1), default=1, help="So many side by side.")
@workspace_option
@json_option
def flow_watch_command(
    places: tuple[str, ...],
    marker: str,
    quiet_s: float,
    every_s: float,
    rounds: int,
    at_once: int,
    events: str,
    token_file: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Process broadcasts in PLACES as they become complete; Ctrl-C ends it, nothing is lost.

    With --events the s3:// places are not listed: event notifications of S3 or MinIO (from an SQS
    queue, a folder of JSON files, or posted to a port) say where to look. A message is deleted when
    its recording is done or quarantined; one that cannot be used is kept in the store under
    messages/ with its reason, and `evidence status` shows it.

    \b
    JSON (with --rounds): a list, as tried of `evidence flows backfill`.
    """
    rows = flow_named("watch")(
        str(service(workspace).app.root),
        list(places),
        marker=marker,
        quiet_s=quiet_s,
        every_s=every_s,
        rounds=rounds,
        at_once=at_once,
        events=events,
        token_file=token_file,
    )
    _print_rows(rows, as_json=as_json)


for _more in (
    flow_live_command,
    spread_command,
    work_command,
    deploy_command,
    pause_command,
    pool_status_command,
    maintain_command,
):
    flows_command.add_command(_more)


def _print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say, table

    if as_json:
        say(dump(rows))
        return
    table(
        ("outcome", "seconds", "place", "broadcast or reason"),
        [
            tuple(
                clean(str(c))
                for c in (r["outcome"], r["seconds"], r["place"], r["broadcast_id"] or r["message"])
            )
            for r in rows
        ],
    )


def print_released(works: Service, prefix: str, *, as_json: bool) -> None:
    """What a flow made of a broadcast; its outputs are read for JSON alone."""
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    state = works.app.archive.state_at(prefix)
    name = state.revision.broadcast.broadcast_id
    say(dump(works.summary(state)) if as_json else f"{name}: release {state.release.number}")


def flow_named(name: str) -> Any:
    """A flow by its entry point, so that the command line never imports Prefect itself."""
    from importlib.metadata import entry_points

    from pipeline.errors import ConfigError

    entry = next(iter(entry_points(group="replay_evidence.flows", name=name)), None)
    if entry is None:
        raise ConfigError("the flows are not installed", hint="run `make setup` again")
    _same_log()
    return entry.load()


def _same_log() -> None:
    """Where the log is JSON, Prefect's lines and those of what it starts are so, too."""
    from importlib.resources import files

    from pipeline import logs
    from pipeline.settings import environment, hand_down, load

    logs.begin(load(Path(environment("EVIDENCE_WORKSPACE") or ".")))
    if logs.wanted():
        hand_down("EVIDENCE_LOG_FORMAT", "json")
        hand_down("PREFECT_LOGGING_SETTINGS_PATH", str(files("flows") / "logging.yaml"))
