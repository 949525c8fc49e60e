"""Commands about the search index: rebuild, reconcile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.serve.options import examples, json_option, service, workspace_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.index.rebuild import Problem, Reconciled

_UNREADABLE_EXIT = 10
_DIFFERS_EXIT = 14

day_option = click.option(
    "--day",
    "days",
    multiple=True,
    help="Only this broadcast day, 2026-06-05 or undated; may be repeated.",
)


@click.command(
    "rebuild",
    epilog=examples(
        "evidence rebuild",
        "evidence rebuild --day 2026-06-05",
        "rm -r index && evidence rebuild",
    ),
)
@day_option
@workspace_option
@json_option
def rebuild_command(days: tuple[str, ...], workspace: Path | None, as_json: bool) -> None:
    """Make the search index anew from the store alone, day by day.

    Searches go on meanwhile, and each day is switched to when it is full; stopping it leaves the
    old index in place. What is processed while it runs is in the new index too.

    \b
    JSON fields: documents, partitions, caught_up, problems (broadcast_id, error, message), seconds.
    Exit code 10 when a broadcast could not be read; all others are indexed then.
    """
    import time

    from pipeline.serve.progress import counted
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    begun = time.monotonic()
    with counted("broadcasts") as progress:
        done = service(workspace).rebuild(days=days, progress=progress)
    seconds = round(time.monotonic() - begun, 2)
    if as_json:
        problems = [problem.model_dump(mode="json") for problem in done.problems]
        say(dump({**done._asdict(), "problems": problems, "seconds": seconds}))
    else:
        say(f"{done.documents} documents in {done.partitions} days, {seconds} s")
        _say_problems(done.problems)
    if done.problems:
        raise click.exceptions.Exit(_UNREADABLE_EXIT)


@click.command(
    "reconcile",
    epilog=examples(
        "evidence reconcile",
        "evidence reconcile --day 2026-06-05 --apply",
        "evidence reconcile --json",
    ),
)
@day_option
@click.option(
    "--apply", is_flag=True, help="Bring the index into step; else only say what differs."
)
@click.option("--force-share", is_flag=True, help="Apply however many broadcasts differ.")
@workspace_option
@json_option
def reconcile_command(
    days: tuple[str, ...],
    apply: bool,
    force_share: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Compare the search index with the store's catalogue. Without --apply nothing is changed.

    A broadcast is missing, stale (of another release), incomplete, or surplus (in the index
    alone). With --apply it refuses where more differ than index.reconcile_most_pm allows.

    \b
    JSON fields: compared, share_pm, changes (day, broadcast_id, kind, catalogued, indexed),
    applied, problems (broadcast_id, error, message).
    Exit code 0: in step, or made so; 14: they differ and nothing was changed; 10: a broadcast
    could not be read.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    done = service(workspace).reconcile(days=days, apply=apply, force_share=force_share)
    if as_json:
        lists = {
            "changes": [change.model_dump(mode="json") for change in done.changes],
            "problems": [problem.model_dump(mode="json") for problem in done.problems],
        }
        say(dump({**done._asdict(), "share_pm": done.share_pm, **lists}))
    else:
        _say_changes(done, apply=apply)
        _say_problems(done.problems)
    if done.problems:
        raise click.exceptions.Exit(_UNREADABLE_EXIT)
    if done.changes and not apply:
        raise click.exceptions.Exit(_DIFFERS_EXIT)


def _say_changes(done: Reconciled, *, apply: bool) -> None:
    from pipeline.serve.render import say, table

    if done.changes:
        rows = [(c.day, c.broadcast_id, c.kind, c.catalogued, c.indexed) for c in done.changes]
        table(("day", "broadcast", "what", "release in store", "in index"), rows)
    share = f"{len(done.changes)} of {done.compared} broadcasts differ"
    if not done.changes:
        say(f"index and store agree on {done.compared} broadcasts")
    elif apply:
        say(f"{share}; {done.applied} brought into step")
    else:
        say(f"{share}; nothing was changed (--apply brings the index into step)")


def _say_problems(problems: Iterable[Problem]) -> None:
    from pipeline.serve.render import clean, note

    for problem in problems:
        note(f"not readable: {clean(problem.broadcast_id)}: {clean(problem.message)}")
