"""Commands that read: claims, transcript, search, show, clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.serve.options import (
    examples,
    json_option,
    language,
    service,
    workspace_option,
)

if TYPE_CHECKING:
    from pipeline.evidence.clip import Clip

    Copies = dict[str, tuple[Path, Any] | None]

_PATH = click.Path(path_type=Path)


@click.command(
    "claims",
    epilog=examples(
        "evidence claims sample-zh01 --json", "evidence claims sample-zh01 --csv > claims.csv"
    ),
)
@click.argument("broadcast")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@workspace_option
@json_option
def claims_command(broadcast: str, as_csv: bool, workspace: Path | None, as_json: bool) -> None:
    """List the claims of BROADCAST (its id), in order of time; corrected ones stay.

    \b
    JSON: a list of claims with claim_id, claim_type, start_ms, end_ms, quote, value, polarity,
    hedged, condition, sku_id, sku_confidence_pm, sku_reasons, source, needs_review,
    review_reasons, corrects, corrected_by, listing, cues, rule_id and more (docs/formats.md).
    """
    from pipeline.serve.exports import claims_csv
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import claims_table, say

    found = service(workspace).claims(broadcast)
    if as_csv:
        click.echo(claims_csv(found), nl=False)
    elif as_json:
        say(dump([c.model_dump(mode="json") for c in found]))
    else:
        claims_table(found, title=f"{broadcast}: {len(found)} claims")


@click.command(
    "transcript",
    epilog=examples(
        "evidence transcript sample-zh01", "evidence transcript sample-zh01 --json --verbatim"
    ),
)
@click.argument("broadcast")
@click.option("--verbatim", is_flag=True, help="As heard; else in the normal form used for search.")
@workspace_option
@json_option
def transcript_command(
    broadcast: str, verbatim: bool, workspace: Path | None, as_json: bool
) -> None:
    """Print the words of BROADCAST with their times, and what was not heard.

    \b
    JSON fields: broadcast_id, language, producer, verbatim, segments (start_ms, end_ms, text,
    prob_pm, flags), gaps (stage, start_ms, end_ms, reason, detail, missing).
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say
    from pipeline.timeline import clock

    found = service(workspace).transcript(broadcast, verbatim=verbatim)
    if as_json:
        say(dump(found))
        return
    for segment in found["segments"]:
        say(f"{clock(segment['start_ms'])}  {clean(segment['text'])}")
    for gap in (g for g in found["gaps"] if g["missing"]):
        say(
            f"missing {clock(gap['start_ms'])}–{clock(gap['end_ms'])}: {gap['reason']} {clean(gap['detail'])}"
        )


@click.command(
    "search",
    epilog=examples(
        "evidence search 五年质保",
        "evidence search '包邮 NOT 新疆' --sku LZ-LUG-01 --type freight",
        "evidence search 'price<200 shown:true' --json",
        "evidence search 防水 --after 2026-06-05T15:00:00+08:00",
    ),
)
@click.argument("query")
@click.option("--sku", help="Only this SKU.")
@click.option("--type", "claim_type", help="Only this claim type.")
@click.option("--host", help="Only this host.")
@click.option("--merchant", help="Only this merchant.")
@click.option("--broadcast", help="Only this broadcast.")
@click.option("--after", help="From this wall-clock time on (ISO 8601 with offset).")
@click.option("--before", help="Before this wall-clock time.")
@click.option("--polarity", type=click.Choice(["affirm", "negate"]), help="Affirmed or denied.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--cursor", default="", help="Continue from a former answer's cursor.")
@workspace_option
@json_option
def search_command(
    query: str,
    sku: str | None,
    claim_type: str | None,
    host: str | None,
    merchant: str | None,
    broadcast: str | None,
    after: str | None,
    before: str | None,
    polarity: str | None,
    limit: int,
    cursor: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Search claims, spoken words and screen text.

    \b
    Query: words, "phrases", AND OR NOT, parentheses, sku: type: host: merchant: broadcast:
    before: after: said: shown: negated: review:, and values (price<200, warranty>=1y,
    colour:blue). Literal hits come before sound-alikes, and each says which it is.

    \b
    JSON fields: query, hits (match, document, highlights, wall_time, media_time), total,
    facets, coverage, cursor.
    """
    from pipeline.serve.render import answer_text, say
    from pipeline.serve.render import as_json as dump
    from pipeline.timeline import parse_instant

    answer = service(workspace).search(
        query,
        sku=sku or "",
        claim_type=claim_type or "",
        host=host or "",
        merchant=merchant or "",
        broadcast=broadcast or "",
        after=parse_instant(after, field="--after") if after else None,
        before=parse_instant(before, field="--before") if before else None,
        polarity=polarity or "",
        size=limit,
        cursor=cursor,
    )
    if as_json:
        say(dump(answer.model_dump(mode="json")))
    else:
        answer_text(answer)


@click.command(
    "show",
    epilog=examples(
        "evidence show sample-zh01",
        "evidence show sample-zh01 --srt > words.srt",
        "evidence show sample-zh01 --plot lanes.png",
    ),
)
@click.argument("broadcast")
@click.option("--srt", "form", flag_value="srt", help="Print the words as SubRip.")
@click.option(
    "--chapters", "form", flag_value="chapters", help="Print product windows as chapters."
)
@click.option("--csv", "form", flag_value="csv", help="Print the claims as CSV.")
@click.option("--plot", type=_PATH, help="Draw claims and product windows over time into a PNG.")
@workspace_option
@json_option
def show_command(
    broadcast: str, form: str | None, plot: Path | None, workspace: Path | None, as_json: bool
) -> None:
    """Show BROADCAST: clocks, product windows, claims, pictures, coverage, warnings.

    \b
    JSON fields: broadcast, revision, release, duration_ms, recordings, clock_map, windows,
    claims, keyframes, screen_lines, coverage, warnings, outputs.
    """
    from pipeline.serve import exports
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import broadcast_text, say

    works = service(workspace)
    if plot is not None:
        from pipeline.serve.plots import timeline_plot

        timeline_plot(works.parts(broadcast), plot)
        say(str(plot))
    elif form is not None:
        parts = works.parts(broadcast)
        click.echo(exports.export(form, parts), nl=False)
    elif as_json:
        say(dump(works.show(broadcast)))
    else:
        broadcast_text(works.parts(broadcast))


@click.command(
    "clip",
    epilog=examples(
        "evidence clip 1f3a-9b2c4d5e6f70-12",
        "evidence clip sample-zh01 --from 1:33.5 --to 1:41 --out clips/",
        "evidence clip 1f3a-9b2c4d5e6f70-12 --redact boxes.json",
    ),
)
@click.argument("claim_or_broadcast")
@click.option("--from", "start", help="Start on the broadcast's timeline (1:33.5 or seconds).")
@click.option("--to", "end", help="End on the broadcast's timeline.")
@click.option("--margin", "margin_s", type=click.FloatRange(0, 60), help="Seconds kept around it.")
@click.option("--out", type=_PATH, help="Folder for the files (default: clips/ of the workspace).")
@click.option("--exact", is_flag=True, help="Also a re-encoded viewing copy, cut to the instant.")
@click.option(
    "--redact",
    help="Also a copy with boxes painted over: a JSON file (docs/formats.md), or `auto` for"
    " nicknames and numbers read on the screen.",
)
@workspace_option
@json_option
def clip_command(
    claim_or_broadcast: str,
    start: str | None,
    end: str | None,
    margin_s: float | None,
    out: Path | None,
    exact: bool,
    redact: str | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Cut the clip of a claim (by its id), or of a broadcast with --from and --to.

    Beside the MP4 lie the picture, the words (SRT) and a JSON that says where it came from.
    While the recording is archived the answer says so and when it can be read, with a viewing
    copy where there is one; that is no error.

    \b
    JSON fields: video, picture, subtitles, sidecar, info, with --exact viewing_copy, with --redact
    redacted_copy (null where `auto` found nothing to cover). While it is archived: recording (as
    `evidence restore` prints it) and viewing; video is null.
    """
    from pipeline.evidence.viewing import make_exact
    from pipeline.serve.bundles import note_clip
    from pipeline.serve.commands_restore import tell_away
    from pipeline.serve.redactions import AUTO, asked_boxes, redacted
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say
    from pipeline.serve.restores import Away, clip_or_away
    from pipeline.timeline import parse_clock

    if (start is None) != (end is None):
        raise click.UsageError("--from and --to go together")
    works, boxes = service(workspace), asked_boxes(redact)
    margin_ms = None if margin_s is None else round(margin_s * 1000)
    span = None if start is None or end is None else (parse_clock(start), parse_clock(end))
    clip = clip_or_away(works, claim_or_broadcast, span=span, out=out, margin_ms=margin_ms)
    if isinstance(clip, Away):
        say(dump({"video": None} | clip.model_dump(mode="json"))) if as_json else tell_away(clip)
        return
    copies: Copies = {"viewing_copy": make_exact(clip)} if exact else {}
    note_clip(works, clip)
    if redact:
        copies["redacted_copy"] = redacted(works, clip, boxes, automatic=redact == AUTO)
    _tell_clip(clip, copies, as_json)


def _tell_clip(clip: Clip, copies: Copies, as_json: bool) -> None:
    from pipeline.serve.redactions import told
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import note, say

    if as_json:
        more = {name: one and one[1].model_dump(mode="json") for name, one in copies.items()}
        say(dump(clip.model_dump(mode="json") | more))
        return
    made = (clip.video, clip.picture, clip.subtitles, clip.sidecar)
    for path in (*made, *(one[0] for one in copies.values() if one)):
        if path:
            say(str(path))
    if "redacted_copy" in copies:
        note(told(copies["redacted_copy"])[language(None)])
