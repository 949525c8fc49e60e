"""The command that says what a run over many broadcasts would take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.serve.options import examples, json_option, service, workspace_option


@click.command(
    "plan",
    epilog=examples(
        "evidence plan ../recordings/2026-06/",
        "evidence plan s3://replays/ --price-h 0.20 --json",
        "evidence plan --a-day 1000 --hours-each 4   # machines for so many a day",
    ),
)
@click.argument("places", nargs=-1)
@click.option(
    "--times-real",
    type=click.FloatRange(min=0, min_open=True),
    default=4.9,
    show_default=True,
    help="Recorded hours a machine processes in an hour (see docs/benchmarks.md).",
)
@click.option(
    "--mbit-s",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Bit rate, to tell hours from bytes without opening recordings.",
)
@click.option(
    "--within-h",
    type=click.FloatRange(min=0, min_open=True),
    default=24,
    show_default=True,
    help="Hours in which it should be done: gives the number of machines.",
)
@click.option("--price-h", type=click.FloatRange(min=0), default=0, help="Price of a machine hour.")
@click.option("--a-day", type=click.IntRange(min=0), default=0, help="Broadcasts that come a day.")
@click.option("--hours-each", type=click.FloatRange(min=0), default=4, show_default=True)
@workspace_option
@json_option
def plan_command(
    places: tuple[str, ...],
    times_real: float,
    mbit_s: float,
    within_h: float,
    price_h: float,
    a_day: int,
    hours_each: float,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Say what a run over PLACES would do, how long it would take, on how many machines, at what cost.

    Nothing is opened, copied or written; hours are estimated from sizes. With --a-day, what so many
    broadcasts a day take, without looking anywhere.

    \b
    JSON fields: places (place, standing, media_bytes, tries, message), waiting, done,
    quarantined, media_bytes, recorded_hours, machine_hours, machines, cost;
    with --a-day: broadcasts, recorded_hours, machine_hours, machines, cost.
    """
    from pipeline.serve.planning import effort, plan
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    if not places and not a_day:
        raise click.UsageError("give a place, or --a-day")
    if a_day:
        found = {"broadcasts": a_day} | effort(
            a_day * hours_each, times_real=times_real, within_h=24, price_h=price_h
        )
    else:
        found = plan(
            service(workspace).app,
            places,
            times_real=times_real,
            mbit_s=mbit_s,
            within_h=within_h,
            price_h=price_h,
        )
    if as_json:
        say(dump(found))
    else:
        _show(found, 24 if a_day else within_h)


def _show(found: dict[str, Any], within_h: float) -> None:
    """For a person."""
    from pipeline.serve.render import clean, say, table

    rows = [
        (p["standing"], p["media_bytes"] >> 20, p["place"], p["message"][:80])
        for p in found.get("places", ())
    ]
    if rows:
        table(
            ("standing", "MiB", "place", "last failure"),
            [tuple(clean(str(c)) for c in r) for r in rows],
        )
    cost = f", {found['cost']:g} in money" if found["cost"] else ""
    say(
        f"{found.get('waiting', found.get('broadcasts'))} waiting ({found['recorded_hours']} h "
        f"recorded, about {found['machine_hours']} machine hours{cost}, {found['machines']} machines "
        f"for {within_h:g} h), {found.get('done', 0)} done, {found.get('quarantined', 0)} quarantined"
    )
