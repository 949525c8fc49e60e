"""Commands for a pool of workers: deployments, workers, pausing, one broadcast spread over them."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.serve.options import examples, json_option, service, workspace_option


@click.command(
    "work",
    epilog=examples(
        "evidence flows work --workers 3",
        "evidence flows work --server   # a server as well; its page: http://127.0.0.1:4200",
        "evidence flows work --json > workers.jsonl",
    ),
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--server", is_flag=True, help="Start a Prefect server for this machine, too.")
@click.option("--port", type=click.IntRange(1, 65535), default=4200, help="The server's port.")
@click.option("--pool", default="evidence", show_default=True, help="Work pool.")
@json_option
def work_command(workers: int, server: bool, port: int, pool: str, as_json: bool) -> None:
    """Make pool and deployments and run WORKERS workers here until stopped.

    They take work from the server in PREFECT_API_URL (or the one that --server starts here), one
    thing each at a time. Any machine with this program, the same settings and the same server may do
    the same.

    \b
    JSON, a line for each beginning and end: event (started, ended), worker, pid, pool, exit_code; for
    a server: event, server (for PREFECT_API_URL), pid.
    """
    from pipeline.serve.commands_flows import flow_named
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    def tell(row: dict[str, object]) -> None:
        say(dump(row))

    chosen = port if server else 0
    code = flow_named("work")(workers, pool, server_port=chosen, tell=tell if as_json else None)
    raise click.exceptions.Exit(code)


@click.command("status", epilog=examples("evidence flows status", "evidence flows status --json"))
@click.option("--pool", default="evidence", show_default=True, help="Work pool.")
@json_option
def pool_status_command(pool: str, as_json: bool) -> None:
    """Show the pool on the server in PREFECT_API_URL: paused or not, workers, queues, runs by state.

    What is done is known from the store, not from here: see `evidence status`.

    \b
    JSON fields: server, pool, paused, limit, workers (name, status), queues (name, priority,
    paused), runs (a count by state, of the latest 200).
    """
    from pipeline.serve.commands_flows import flow_named
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say

    found = flow_named("status")(pool)
    if as_json:
        say(dump(found))
        return
    limit = f", at most {found['limit']} runs" if found["limit"] else ""
    say(f"{found['pool']}{' (paused)' if found['paused'] else ''}{limit} on {found['server']}")
    for one in found["workers"]:
        say(clean(f"worker {one['name']}: {one['status']}"))
    for one in found["queues"]:
        say(clean(f"queue {one['name']}: priority {one['priority']}"))
    say("runs: " + (", ".join(f"{n} {state}" for state, n in found["runs"].items()) or "none"))


@click.command("deploy", epilog=examples("evidence flows deploy --limit 8"))
@click.option("--pool", default="evidence", show_default=True, help="Work pool.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many runs in the pool.")
@json_option
def deploy_command(pool: str, limit: int | None, as_json: bool) -> None:
    """Make the work pool and the deployments on the Prefect server, or bring them up to date.

    \b
    JSON: a list of deployments.
    """
    from pipeline.serve.commands_flows import flow_named
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    found = flow_named("deploy")(pool, limit=limit)
    say(dump(found) if as_json else "\n".join(found))


@click.command("pause", epilog=examples("evidence flows pause", "evidence flows pause --off"))
@click.option("--off", is_flag=True, help="Go on.")
@click.option("--pool", default="evidence", show_default=True, help="Work pool.")
@json_option
def pause_command(off: bool, pool: str, as_json: bool) -> None:
    """Hand out no more work of the pool; what runs is finished.

    \b
    JSON fields: pool, paused.
    """
    from pipeline.serve.commands_flows import flow_named
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    flow_named("pause")(not off, pool)
    say(dump({"pool": pool, "paused": not off}) if as_json else f"{pool}: paused {not off}")


@click.command(
    "spread",
    epilog=examples(
        "evidence flows work --workers 3 &",
        "evidence flows spread s3://replays/2026/06/05/",
    ),
)
@click.argument("recordings", nargs=-1, required=True)
@click.option("--broadcast", "broadcast_file", type=click.Path(path_type=Path))
@click.option("--part-s", type=click.IntRange(min=1), default=300, show_default=True)
@click.option("--queue", default="", help="Work queue: its priority decides who comes first.")
@click.option(
    "--stall-s", type=float, default=1800, help="Wait so long for a part, then do it here."
)
@click.option("--again", is_flag=True, help="Also when it was set aside: it hung or crashed.")
@workspace_option
@json_option
def spread_command(
    recordings: tuple[str, ...],
    broadcast_file: Path | None,
    part_s: int,
    queue: str,
    stall_s: float,
    again: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Process RECORDINGS with the workers of the pool: parts of the sound, and the pictures.

    The same bytes as `evidence process`; nothing is done twice. At most 25 parts a broadcast.

    \b
    JSON fields: as `evidence process`.
    """
    from pipeline.serve.commands_flows import flow_named, print_released

    works = service(workspace)
    prefix = flow_named("spread")(
        str(works.app.root),
        list(recordings),
        broadcast_file=str(broadcast_file) if broadcast_file else "",
        part_ms=part_s * 1000,
        queue=queue,
        stall_s=stall_s,
        again=again,
    )
    print_released(works, prefix, as_json=as_json)


@click.command(
    "maintain",
    epilog=examples(
        "evidence flows maintain",
        "evidence flows maintain -n 50 --bundles ../sealed/",
        "evidence flows maintain --share 5 --json  # 5 % of the broadcasts",
    ),
)
@click.option("-n", "size", type=click.IntRange(min=0), default=20, show_default=True)
@click.option("--share", type=click.FloatRange(0, 100), default=0, help="So many per cent instead.")
@click.option("--seed", default="", help="Chooses the sample; else the day does.")
@click.option(
    "--bundles",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder of sealed bundles, of which as large a sample is checked; may be repeated.",
)
@workspace_option
@json_option
def maintain_command(
    size: int,
    share: float,
    seed: str,
    bundles: tuple[Path, ...],
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Look after the workspace: index in step with the store, a sample read whole and compared with
    hashes, Merkle roots and seals, the custody log, retention, notices.

    Removes nothing. Exit code 10 when something stored is not as it was, or is kept too short.

    \b
    JSON fields: broadcasts, reconciled, verified, log_entries, bundles, past (broadcast_id,
    retain_until_utc_ms, days, held_by), findings (broadcast_id, code, detail).
    """
    from pipeline.serve.commands_flows import flow_named
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say

    root = str(service(workspace).app.root)
    places = [str(place) for place in bundles]
    options = {"size": size, "share": share, "seed": seed, "bundles": places}
    found = flow_named("maintain")(root, **options)
    if as_json:
        say(dump(found))
    else:
        say(
            f"{found['broadcasts']} broadcasts, {found['reconciled']} brought into step, "
            f"{found['verified']} read whole, {found['log_entries']} entries of the custody log, "
            f"{found['bundles']} bundles checked, {len(found['past'])} past their retention"
        )
        for one in found["past"]:
            held = ", ".join(one["held_by"]) or "nothing"
            say(clean(f"past by {one['days']} days: {one['broadcast_id']}, held by {held}"))
        for one in found["findings"]:
            say(clean(f"{one['code']}: {one['broadcast_id']}: {one['detail']}"))
    if found["findings"]:
        raise click.exceptions.Exit(10)
