"""Commands about reviews: the queue, what was heard, what was decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.serve.commands_lines import line_command
from pipeline.serve.options import examples, json_option, service, workspace_option

if TYPE_CHECKING:
    from pipeline.archive import State
    from pipeline.cases.review import ReviewRecord
    from pipeline.model import Claim
    from pipeline.serve.reviews import Reviewer, Sheet
    from pipeline.serve.service import Service

by_option = click.option("--by", required=True, help="Who reviews: a name, kept with the decision.")


@click.group(
    "review",
    epilog=examples(
        "evidence review queue",
        "evidence review show 1f3a-9b2c4d5e6f70-12 --by 'Li Wei'",
        "evidence review heard 1f3a-9b2c4d5e6f70-12 --by 'Li Wei' --words 五年质保",
        "evidence review decide 1f3a-9b2c4d5e6f70-12 --by 'Li Wei' --confirm",
        "evidence review line sample-zh01 12000 --text 质保五年 --reason 听得清 --by 'Li Wei'",
    ),
)
def review_command() -> None:
    """Hear claims that the machine was unsure of, and decide them.

    Write down what you hear first; the listing is shown after that, so that it cannot lead
    your ear. Decisions lie beside the machine's output, which stays as it is.
    """


review_command.add_command(line_command)


@review_command.command("queue", epilog=examples("evidence review queue --broadcast sample-zh01"))
@click.option("--broadcast", default="", help="Only this broadcast.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--cursor", default="", help="Continue from a former answer's cursor.")
@workspace_option
@json_option
def queue_command(
    broadcast: str, limit: int, cursor: str, workspace: Path | None, as_json: bool
) -> None:
    """List claims that wait for a person.

    \b
    JSON fields: hits, cursor, sent_to_review.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say, table

    works = service(workspace)
    hits, after, total = works.reviews.queue(
        works.search, cursor=cursor, size=limit, broadcast=broadcast
    )
    if as_json:
        shown = [hit.model_dump(mode="json") for hit in hits]
        say(dump({"hits": shown, "cursor": after, "sent_to_review": total}))
        return
    rows = (
        (d.broadcast_id, hit.media_time, d.claim_type, d.text, d.claim_id)
        for hit in hits
        if (d := hit.document)
    )
    table(("broadcast", "time", "type", "words", "claim id"), rows, title=f"{len(hits)} wait")


@review_command.command(
    "show", epilog=examples("evidence review show 1f3a-9b2c4d5e6f70-12 --by 'Li Wei' --clip")
)
@click.argument("claim_id")
@click.option("--clip", "with_clip", is_flag=True, help="Also cut its clip, and say where it lies.")
@by_option
@workspace_option
@json_option
def show_command(
    claim_id: str, with_clip: bool, by: str, workspace: Path | None, as_json: bool
) -> None:
    """Show a claim and its history; the listing once you wrote down what you heard.

    \b
    JSON fields: claim, listing_hidden, layer, history, after, clip.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    works = service(workspace)
    state, claim = _claim(works, claim_id)
    sheet = works.reviews.sheet(state, claim, _reviewer(by))
    clip = works.clip_claim(claim_id, out=None, margin_ms=None).video if with_clip else None
    if as_json:
        say(dump(_told(sheet) | {"clip": None if clip is None else str(clip)}))
        return
    _say_sheet(sheet)
    if clip is not None:
        say(str(clip))


@review_command.command(
    "heard",
    epilog=examples(
        "evidence review heard 1f3a-9b2c4d5e6f70-12 --by 'Li Wei' --words 五年质保",
        "evidence review heard 1f3a-9b2c4d5e6f70-12 --by 'Li Wei' --inaudible",
    ),
)
@click.argument("claim_id")
@click.option("--words", default="", help="The words you heard.")
@click.option("--inaudible", is_flag=True, help="They cannot be made out.")
@by_option
@workspace_option
@json_option
def heard_command(
    claim_id: str, words: str, inaudible: bool, by: str, workspace: Path | None, as_json: bool
) -> None:
    """The first step: write down what you heard.

    \b
    JSON fields: as of `evidence review show`.
    """
    if bool(words.strip()) == inaudible:
        raise click.UsageError("give --words, or --inaudible")
    works = service(workspace)
    state, claim = _claim(works, claim_id)
    works.reviews.hear(state, claim, _reviewer(by), heard=words)
    _say(works.reviews.sheet(state, claim, _reviewer(by)), as_json=as_json)


@review_command.command(
    "decide",
    epilog=examples(
        "evidence review decide 1f3a-9b2c4d5e6f70-12 --by 'Li Wei' --confirm",
        "evidence review decide 1f3a-9b2c4d5e6f70-12 --by 'Li Wei' --value P3Y --reason 说的是三年",
        "evidence review decide 1f3a-9b2c4d5e6f70-12 --by 'Li Wei' --reject --reason 观众说的",
    ),
)
@click.argument("claim_id")
@click.option("--confirm", "verdict", flag_value="confirmed", help="It stands.")
@click.option("--reject", "verdict", flag_value="rejected", help="It does not.")
@click.option("--value", "values", multiple=True, help="Right value; repeat for a list.")
@click.option("--type", "claim_type", help="Right claim type.")
@click.option("--sku", help="Right SKU; empty for none.")
@click.option("--polarity", type=click.Choice(["affirm", "negate"]), help="Affirmed or denied.")
@click.option("--reason", default="", help="Why; needed unless you confirm.")
@by_option
@workspace_option
@json_option
def decide_command(
    claim_id: str,
    verdict: Any,
    values: tuple[str, ...],
    claim_type: str | None,
    sku: str | None,
    polarity: str | None,
    reason: str,
    by: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """The second step: confirm, correct (--value, --type, --sku, --polarity) or reject.

    \b
    JSON fields: as of `evidence review show`.
    """
    works = service(workspace)
    state, claim = _claim(works, claim_id)
    correction = _correction(claim_type or claim.claim_type, claim_type, values, polarity, sku)
    if (verdict is None) == (correction is None):
        raise click.UsageError("confirm, reject, or say what is right instead: one of them")
    works.reviews.decide(
        state,
        claim,
        _reviewer(by),
        verdict=verdict or "corrected",
        correction=correction,
        reason=reason,
        after=None,
    )
    _say(works.reviews.sheet(state, claim, _reviewer(by)), as_json=as_json)


def _correction(
    kind: str, claim_type: str | None, values: tuple[str, ...], polarity: Any, sku: str | None
) -> Any:
    """The correction asked for; None without one."""
    from pydantic import ValidationError

    from pipeline.cases.review import Correction
    from pipeline.errors import InputError
    from pipeline.model import SET_TYPES

    value = (values if kind in SET_TYPES or len(values) > 1 else values[0]) if values else None
    try:
        made = Correction(
            claim_type=claim_type,
            value=value,
            polarity=polarity,
            sku_id=sku,
        )
    except ValidationError as error:
        raise InputError(f"{claim_type!r} is no claim type", hint="see docs/rules.md") from error
    return made if made.changes else None


def _claim(works: Service, claim_id: str) -> tuple[State, Claim]:
    prefix, claim = works.claim(claim_id)
    return works.app.archive.state_at(prefix), claim


def _reviewer(by: str) -> Reviewer:
    from pipeline.serve.reviews import Reviewer

    return Reviewer(f"command:{by}", by)


def _told(sheet: Sheet) -> dict[str, Any]:
    return {
        "claim": sheet.claim.model_dump(mode="json"),
        "listing_hidden": not sheet.heard,
        "layer": sheet.layer.model_dump(mode="json") if sheet.layer else None,
        "history": [record.model_dump(mode="json") for record in sheet.history],
        "after": sheet.after,
    }


def _say(sheet: Sheet, *, as_json: bool) -> None:
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    if as_json:
        say(dump(_told(sheet)))
    else:
        _say_sheet(sheet)


def _say_sheet(sheet: Sheet) -> None:
    from pipeline.serve.render import clean, say, value_text
    from pipeline.timeline import clock

    claim = sheet.claim
    say(f"{claim.claim_id}  {claim.claim_type}  {clock(claim.start_ms)}  {clean(claim.quote)}")
    say(f"why: {', '.join(claim.review_reasons) or '–'}")
    say(
        f"value {clean(value_text(claim.value))}, {claim.polarity}, SKU {clean(claim.sku_id or '–')}"
    )
    if not sheet.heard:
        say("the listing is shown once you wrote down what you heard: `evidence review heard`")
    elif claim.listing is not None:
        say(f"listing: {clean(claim.listing.listed)} ({claim.listing.agreement})")
    for record in sheet.history:
        if sheet.heard or record.step == "heard":
            say(_line(record))


def _line(record: ReviewRecord) -> str:
    from pipeline.serve.render import clean
    from pipeline.timeline import from_utc_ms

    at = f"{from_utc_ms(record.at_utc_ms):%Y-%m-%d %H:%M} UTC"
    said = record.reason if record.verdict else record.heard or "(inaudible)"
    return f"{at}  {clean(record.by_name)}  {record.verdict or 'heard'}: {clean(said)}"
