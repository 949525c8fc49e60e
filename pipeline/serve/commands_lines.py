"""Commands about transcript lines: what a person heard instead, beside the machine's words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.serve.options import examples, json_option, service, workspace_option

if TYPE_CHECKING:
    from pipeline.serve.lines import Told


@click.command(
    "line",
    epilog=examples(
        "evidence review line sample-zh01 12000",
        "evidence review line sample-zh01 12000 --text 质保五年 --reason 听得清是五年 --by 'Li Wei'",
    ),
)
@click.argument("broadcast_id", metavar="BROADCAST")
@click.argument("start_ms", type=click.IntRange(0))
@click.option("--text", default="", help="What was said; without it the line is only shown.")
@click.option("--reason", default="", help="Why; needed with --text.")
@click.option("--by", default="", help="Who corrects: a name, kept with it; needed with --text.")
@workspace_option
@json_option
def line_command(
    broadcast_id: str,
    start_ms: int,
    text: str,
    reason: str,
    by: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Show the line spoken at START_MS, or put a person's words beside the machine's.

    The machine's line and each correction have ids of their own, to be cited.

    \b
    JSON fields: line_id, start_ms, end_ms, text, history (correction_id, text, reason, by_name,
    at_utc_ms), found_by_search (null without --text).
    """
    from pipeline.serve.reviews import Reviewer

    if text and not by.strip():
        raise click.UsageError("say who corrects: --by")
    works = service(workspace)
    state = works.app.archive.state(broadcast_id)
    told, found = works.lines.told(works.lines.at(state, start_ms)), None
    if text:
        who = Reviewer(f"command:{by}", by)
        works.lines.correct(told, who, text=text, reason=reason, after=None)
        found = works.lines.publish(state)
        told = works.lines.told(told.line.line_id)
    _say(told, found, as_json=as_json)


def _say(told: Told, found: bool | None, *, as_json: bool) -> None:
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, note, say
    from pipeline.timeline import clock

    segment = told.line.segment
    history = [
        record.model_dump(mode="json") | {"correction_id": record.correction_id}
        for record in told.history
    ]
    if as_json:
        span = {"start_ms": segment.start_ms, "end_ms": segment.end_ms}
        shown = {"line_id": told.line.line_id, "text": segment.text, "history": history}
        say(dump({**shown, **span, "found_by_search": found}))
        return
    say(f"{told.line.line_id}  {clock(segment.start_ms)}  {clean(segment.text)}")
    for record in told.history:
        say(f"{record.correction_id}  {clean(record.by_name)}: {clean(record.text)}")
        say(f"    {clean(record.reason)}")
    if found is False:
        note("note: the index is away; `evidence rebuild` makes the correction findable")
