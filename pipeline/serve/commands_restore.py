"""The command about archived recordings: restore."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.serve.options import (
    examples,
    json_option,
    lang_option,
    language,
    service,
    workspace_option,
)

if TYPE_CHECKING:
    from pipeline.evidence.cold import Availability
    from pipeline.serve.restores import Away


@click.command(
    "restore",
    epilog=examples(
        "evidence restore sample-zh01 --days 14",
        "evidence restore --order ORD-26060501 --tier expedited --wait",
    ),
)
@click.argument("broadcast", required=False)
@click.option("--order", help="The broadcast that this order's answer comes from.")
@click.option("--days", type=click.IntRange(1, 3650), default=7, show_default=True)
@click.option(
    "--tier",
    type=click.Choice(["expedited", "standard", "bulk"]),
    default="standard",
    show_default=True,
    help="How fast, and how dear.",
)
@click.option("--wait", "waits", is_flag=True, help="Stay until it can be read.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.1, 3600),
    default=60,
    show_default=True,
    help="Seconds between two looks while waiting.",
)
@workspace_option
@json_option
@lang_option
def restore_command(
    broadcast: str | None,
    order: str | None,
    days: int,
    tier: str,
    waits: bool,
    every_s: float,
    workspace: Path | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Ask for the archived recordings of BROADCAST (its id) to be readable for some days.

    Asking again asks for nothing more. An interrupted --wait leaves the restore under way.

    \b
    JSON fields: asked, recording (broadcast_id, state, storage_class, objects, readable,
    until_utc_ms, asked_utc_ms, expected_utc_ms, takes_s, viewing_proxy, sentence).
    """
    from pipeline.serve import restores
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    if (broadcast is None) == (order is None):
        raise click.UsageError("name a broadcast, or an order with --order")
    works = service(workspace)
    about = broadcast if broadcast is not None else restores.broadcast_of(works, str(order))
    done = restores.restore(works, about, days=days, tier=tier)  # type: ignore[arg-type]
    if waits and not done.recording.readable_now:
        found = restores.wait(works, about, every_s=every_s, tell=_progress)
        done = done.model_copy(update={"recording": found})
    say(dump(done.model_dump(mode="json")) if as_json else done.recording.sentence[language(lang)])


def _progress(found: Availability) -> None:
    print(
        f"{found.broadcast_id}: {found.state}, {found.readable} of {found.objects} objects there",
        file=sys.stderr,
        flush=True,
    )


def tell_away(away: Away) -> None:
    """What there is instead of a clip or a bundle, for a person."""
    from pipeline.serve.render import clean, note, say

    say(away.recording.sentence[language(None)])
    for one in away.viewing:
        say(str(one.video))
        note(clean(one.info.said[language(None)]))
    if away.recording.state == "cold":
        note(f"ask for it: evidence restore {clean(away.recording.broadcast_id)}")
