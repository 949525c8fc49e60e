"""Commands about cases: what belongs to a dispute, and what of it is disclosed to whom."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.serve.options import examples, json_option, service, workspace_option

if TYPE_CHECKING:
    from pipeline.cases.disclosure import Case
    from pipeline.serve.reviews import Reviewer
    from pipeline.serve.service import Service

_SPAN = re.compile(r"(?P<id>.+):(?P<start>\d{1,12})-(?P<end>\d{1,12})")
_PARTIES = ("buyer", "merchant", "host", "agency", "platform", "other")
_orders = click.option("--order", "orders", multiple=True, help="An order and what answers it.")
_claims = click.option("--claim", "claims", multiple=True, help="A claim, by its id.")
_spans = click.option("--span", "spans", multiple=True, help="ID:START-END, in milliseconds.")
_broadcasts = click.option("--broadcast", "broadcasts", multiple=True, help="A whole broadcast.")
_by = click.option("--by", default="", help="Who; else the name the system knows.")
_why = click.option("--why", required=True, help="Why; kept with it.")


@click.group(
    "cases",
    epilog=examples(
        "evidence cases create 'Warranty of a suitcase' --order ORD-26060501",
        "evidence cases list",
        "evidence cases disclose 0f2a9c4be1d37856 --all --to 3f9c0a71be42 --why 'for your answer'",
        "evidence cases close 0f2a9c4be1d37856 --why settled",
    ),
)
def cases_command() -> None:
    """Gather what belongs to a dispute, and disclose it to the keys of its parties.

    A party sees a case only where something of it was disclosed to its key (`evidence access
    list`), and through it only that. To keep a case's broadcasts, put them under a hold as well
    (`evidence hold`).
    """


@cases_command.command(
    "create",
    epilog=examples(
        "evidence cases create 'Warranty of a suitcase' --order ORD-26060501 --party buyer",
        "evidence cases create Shipping --span sample-zh01:12000-18000 --party merchant:3f9c0a71be42",
    ),
)
@click.argument("title")
@click.option("--party", "parties", multiple=True, help="ROLE or ROLE:KEY_ID; may be repeated.")
@_orders
@_claims
@_spans
@_broadcasts
@_by
@workspace_option
@json_option
def create_command(
    title: str,
    parties: tuple[str, ...],
    by: str,
    workspace: Path | None,
    as_json: bool,
    **named: tuple[str, ...],
) -> None:
    """Open a case called TITLE. It stays as it is, so names of persons do not belong into it.

    \b
    JSON fields: case_id, title, opened_utc_ms, opened_by, closed_utc_ms, closed_why, parties,
    things (number, kind, ref, broadcast_id, release, start_ms, end_ms), disclosures (number, to,
    things, why, by_name, at_utc_ms, ended_utc_ms).
    """
    from pipeline.serve.cases import CaseWanted, formed

    works = service(workspace)
    about = {"title": title, "parties": tuple(map(_party, parties))}
    wanted = formed(CaseWanted, about | _things(named))
    _say(works, works.cases.open(wanted, _who(by)), as_json=as_json)


@cases_command.command("list", epilog=examples("evidence cases list", "evidence cases list --json"))
@workspace_option
@json_option
def list_command(workspace: Path | None, as_json: bool) -> None:
    """List every case, the newest first.

    \b
    JSON: one object a line, with the fields of `evidence cases create`.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say, table

    works = service(workspace)
    found = list(works.cases.every())
    if as_json:
        for case in found:
            say(dump(_told(works, case)))
        return
    rows = (
        (c.case_id, c.title, len(c.things), sum(d.ended_utc_ms is None for d in c.disclosures),
         "open" if c.closed_utc_ms is None else "closed")
        for c in found
    )  # fmt: skip
    table(("case", "title", "things", "disclosed", "standing"), rows, title=f"{len(found)} cases")


@cases_command.command("show", epilog=examples("evidence cases show 0f2a9c4be1d37856 --json"))
@click.argument("case_id", metavar="CASE")
@workspace_option
@json_option
def show_command(case_id: str, workspace: Path | None, as_json: bool) -> None:
    """Show a case: what belongs to it, and what is disclosed to whom.

    \b
    JSON fields: those of `evidence cases create`.
    """
    works = service(workspace)
    _say(works, works.cases.get(case_id), as_json=as_json)


@cases_command.command(
    "add", epilog=examples("evidence cases add 0f2a9c4be1d37856 --claim 1f3a-9b2c4d5e6f70-12")
)
@click.argument("case_id", metavar="CASE")
@_orders
@_claims
@_spans
@_broadcasts
@_by
@workspace_option
@json_option
def add_command(
    case_id: str, by: str, workspace: Path | None, as_json: bool, **named: tuple[str, ...]
) -> None:
    """Let more belong to CASE; by that it is disclosed to nobody.

    \b
    JSON fields: those of `evidence cases create`.
    """
    from pipeline.serve.cases import ThingsWanted, formed

    works = service(workspace)
    wanted = formed(ThingsWanted, _things(named))
    case = works.cases.add(case_id, wanted, _who(by))
    _say(works, case, as_json=as_json)


@cases_command.command(
    "disclose",
    epilog=examples(
        "evidence cases disclose 0f2a9c4be1d37856 --thing 1 --to 3f9c0a71be42 --why 'your answer'",
        "evidence cases disclose 0f2a9c4be1d37856 --all --to 3f9c0a71be42 --why 'your answer'",
        "evidence cases disclose 0f2a9c4be1d37856 --withdraw 2 --why 'wrong party'",
    ),
)
@click.argument("case_id", metavar="CASE")
@click.option("--thing", "numbers", type=click.IntRange(1), multiple=True, help="A thing's number.")
@click.option("--all", "every", is_flag=True, help="All that belongs to it now.")
@click.option("--to", "to", multiple=True, help="A key id; may be repeated.")
@click.option("--withdraw", type=click.IntRange(1), help="End the disclosure of this number.")
@_why
@_by
@workspace_option
@json_option
def disclose_command(
    case_id: str,
    numbers: tuple[int, ...],
    every: bool,
    to: tuple[str, ...],
    withdraw: int | None,
    why: str,
    by: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Let keys see things of CASE, or --withdraw a disclosure; both hold from the next request on.

    \b
    JSON fields: those of `evidence cases create`.
    """
    if (withdraw is None) == (not to) or (to and bool(numbers) == every):
        raise click.UsageError("give --to with --thing or --all, or --withdraw and nothing else")
    works = service(workspace)
    if withdraw is not None:
        case = works.cases.withdraw(case_id, withdraw, why=why, who=_who(by))
    else:
        all_ = range(1, len(works.cases.get(case_id).things) + 1)
        chosen = all_ if every else numbers
        case = works.cases.disclose(case_id, to=to, numbers=chosen, why=why, who=_who(by))
    _say(works, case, as_json=as_json)


@cases_command.command(
    "close", epilog=examples("evidence cases close 0f2a9c4be1d37856 --why settled")
)
@click.argument("case_id", metavar="CASE")
@_why
@_by
@workspace_option
@json_option
def close_command(case_id: str, why: str, by: str, workspace: Path | None, as_json: bool) -> None:
    """Close CASE: it stays, and all of its disclosures end.

    \b
    JSON fields: those of `evidence cases create`.
    """
    works = service(workspace)
    _say(works, works.cases.close(case_id, why=why, who=_who(by)), as_json=as_json)


def _who(by: str) -> Reviewer:
    from pipeline.serve.bundles import who
    from pipeline.serve.reviews import Reviewer

    name = by or who()
    return Reviewer(f"command:{name}", name)


def _party(text: str) -> Any:
    role, _, key_id = text.partition(":")
    if role not in _PARTIES:
        raise click.UsageError(f"--party {text}: the role is one of {', '.join(_PARTIES)}")
    return {"role": role, "key_id": key_id}


def _things(named: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    return {**named, "spans": tuple(map(_span, named["spans"]))}


def _span(text: str) -> Any:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise click.UsageError(f"--span {text}: write ID:START-END, in milliseconds")
    span = {"start_ms": int(match["start"]), "end_ms": int(match["end"])}
    return {"broadcast_id": match["id"]} | span


def _told(works: Service, case: Case) -> dict[str, Any]:
    """A case as ``--json`` prints it."""
    things = []
    for number, thing in enumerate(case.things, 1):
        row = thing.model_dump(mode="json", exclude={"prefix"})
        if thing.kind == "order":
            order = works.book.kept_as(thing.ref)
            row["ref"] = order.order_id if order else ""
        things.append({"number": number} | row)
    return case.model_dump(mode="json") | {"things": things}


def _say(works: Service, case: Case, *, as_json: bool) -> None:
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say
    from pipeline.timeline import clock

    told = _told(works, case)
    if as_json:
        say(dump(told))
        return
    closed = "" if case.closed_utc_ms is None else f", closed: {case.closed_why}"
    say(clean(f"{case.case_id}  {case.title}{closed}"))
    for row in told["things"]:
        span = f"  {clock(row['start_ms'])} – {clock(row['end_ms'])}" if row["end_ms"] else ""
        say(clean(f"  {row['number']}  {row['kind']}  {row['ref']}{span}"))
    for d in case.disclosures:
        ended = "" if d.ended_utc_ms is None else " (ended)"
        numbers = ", ".join(map(str, d.things))
        say(clean(f"  disclosure {d.number}{ended}: {numbers} to {', '.join(d.to)}: {d.why}"))
