"""The command that says what a run over many broadcasts would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.serve.options import examples, json_option, service, workspace_option

if TYPE_CHECKING:
    from pipeline.bootstrap import Application
    from pipeline.planning import Rates

Command = TypeVar("Command", bound=Callable[..., Any])
_AMOUNT = click.FloatRange(min=0)
_ABOVE_0 = click.FloatRange(min=0, min_open=True)


def rate_options(command: Command) -> Command:
    """The options by which hours, machines and cost are told."""
    for option in (
        click.option("--price-h", type=_AMOUNT, default=0, help="Price of a machine hour."),
        click.option(
            "--within-h",
            type=_ABOVE_0,
            default=24,
            show_default=True,
            help="Hours in which it should be done: gives the number of machines.",
        ),
        click.option(
            "--mbit-s",
            type=_ABOVE_0,
            default=2.0,
            show_default=True,
            help="Bit rate, to tell hours from bytes without opening recordings.",
        ),
        click.option(
            "--times-real",
            type=_ABOVE_0,
            default=4.9,
            show_default=True,
            help="Recorded hours a machine processes in an hour (see docs/benchmarks.md).",
        ),
    ):
        command = option(command)
    return command


@click.command(
    "plan",
    epilog=examples(
        "evidence plan ../recordings/2026-06/",
        "evidence plan s3://replays/ --price-h 0.20 --json",
        "evidence plan --a-day 1000 --hours-each 4   # machines for so many a day",
    ),
)
@click.argument("places", nargs=-1)
@rate_options
@click.option("--a-day", type=click.IntRange(min=0), default=0, help="Broadcasts that come a day.")
@click.option("--hours-each", type=_AMOUNT, default=4, show_default=True)
@workspace_option
@json_option
def plan_command(
    places: tuple[str, ...],
    a_day: int,
    hours_each: float,
    workspace: Path | None,
    as_json: bool,
    **by: float,
) -> None:
    """Say what a run over PLACES would do, how long it would take, on how many machines, at what cost.

    Nothing is opened, copied or written; hours are estimated from sizes. With --a-day, what so many
    broadcasts a day take, without looking anywhere.

    \b
    JSON fields: places (place, standing, media_bytes, tries, message), waiting, done,
    quarantined, to_try, media_bytes, recorded_hours, machine_hours, machines, wall_hours (on so
    many machines), cost; with --a-day: broadcasts and those from recorded_hours on.
    """
    from pipeline.planning import Rates, effort
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    if not places and not a_day:
        raise click.UsageError("give a place, or --a-day")
    rates = Rates(**by)
    if not a_day:
        found = planned(service(workspace).app, places, rates)
        say(dump(found)) if as_json else show(found, rates, say)
        return
    found = {"broadcasts": a_day} | effort(a_day * hours_each, rates._replace(within_h=24))
    cost = f", {found['cost']:g} in money" if found["cost"] else ""
    hours = f"{found['recorded_hours']} h recorded, about {found['machine_hours']} machine hours"
    text = f"{a_day} a day: {hours}{cost}, {found['machines']} machines"
    say(dump(found) if as_json else text)


def planned(
    app: Application, places: Sequence[str], rates: Rates, *, again: bool = False, limit: int = 0
) -> dict[str, Any]:
    """The plan of a run over places."""
    from pipeline.planning import looked, plan

    return plan(looked(app, places), rates, again=again, limit=limit)


def show(
    found: dict[str, Any], rates: Rates, tell: Callable[[str], None], *, most: int | None = None
) -> None:
    """For a person, a line an arrival (of so many at most) and one for the whole."""
    from pipeline.planning import summary
    from pipeline.serve.render import clean

    for one in found["places"][:most]:
        mib = one["media_bytes"] >> 20
        text = f"{one['standing']:<11} {mib:>8} MiB  {one['place']}  {one['message'][:80]}"
        tell(clean(text.rstrip()))
    if len(found["places"]) > len(found["places"][:most]):
        tell(f"… {len(found['places'])} in all; `evidence plan` lists them")
    tell(summary(found, rates))
