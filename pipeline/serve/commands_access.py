"""Commands about keys: who may use the desk and the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.serve.options import examples, json_option, workspace_option

if TYPE_CHECKING:
    from pipeline.serve.access.keys import ApiKey, KeyBook

_ROLES = ("arbitrator", "agent", "merchant", "host", "party", "operator", "auditor", "admin")


@click.group(
    "access",
    epilog=examples(
        "evidence access new 'Li Wei' --role arbitrator",
        "evidence access list",
        "evidence access revoke 3f9c0a71be42",
    ),
)
def access_command() -> None:
    """Give, list and take back keys to the desk and the API.

    From the first key on, the desk answers nobody without one.
    """


@access_command.command(
    "new",
    epilog=examples(
        "evidence access new 'Li Wei' --role arbitrator --days 90",
        "evidence access new 'Shop 12' --role merchant --merchant M-12 --json",
        "evidence access new 'Star agency' --role host --host H-1 --host H-2",
        "evidence access new 'Counsel of the buyer' --role party   # sees only cases disclosed to it",
    ),
)
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What the key may do.")
@click.option("--merchant", "merchants", multiple=True, help="For a merchant: whose broadcasts.")
@click.option("--host", "hosts", multiple=True, help="For a host or an agency: whose broadcasts.")
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True)
@click.option("--expires", help="Instead of --days: an instant (ISO 8601 with offset).")
@workspace_option
@json_option
def new_command(
    name: str,
    role: Any,
    merchants: tuple[str, ...],
    hosts: tuple[str, ...],
    days: int,
    expires: str | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Make a key for NAME and print it, this once: only its hash is kept.

    \b
    JSON fields: key, key_id, name, role, merchants, hosts, made_utc_ms, expires_utc_ms,
    revoked_utc_ms, issuer, subject, live.
    """
    import time

    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, note, say
    from pipeline.timeline import parse_instant, utc_ms

    until_ms = time.time_ns() // 1_000_000 + days * 86_400_000
    if expires:
        until_ms = utc_ms(parse_instant(expires, field="--expires"))
    record, whole = _book(workspace).new(
        name, role=role, expires_utc_ms=until_ms, merchants=merchants, hosts=hosts
    )
    if as_json:
        say(dump({"key": whole} | _told(record)))
        return
    note(
        f"{clean(name)}, {role}, key {record.key_id}, until {_at(until_ms)}; it is not shown again:"
    )
    say(whole)


@access_command.command("list", epilog=examples("evidence access list --json"))
@workspace_option
@json_option
def list_command(workspace: Path | None, as_json: bool) -> None:
    """List every key ever made, never the keys themselves.

    \b
    JSON: a list of key_id, name, role, merchants, hosts, made_utc_ms, expires_utc_ms,
    revoked_utc_ms, issuer, subject, live.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say, table

    told = [_told(record) for record in _book(workspace).every()]
    if as_json:
        say(dump(told))
        return
    rows = (
        (
            k["key_id"],
            k["name"],
            k["role"],
            ", ".join((*k["merchants"], *k["hosts"])) or "all",
            _at(k["expires_utc_ms"]),
            "live" if k["live"] else "closed",
        )
        for k in told
    )
    table(("key id", "name", "role", "broadcasts", "until", ""), rows)


@access_command.command("revoke", epilog=examples("evidence access revoke 3f9c0a71be42"))
@click.argument("key_id")
@workspace_option
@json_option
def revoke_command(key_id: str, workspace: Path | None, as_json: bool) -> None:
    """Take a key back: its sessions and links end at once, in a running desk too.

    \b
    JSON fields: as of `evidence access list`.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say

    record = _book(workspace).revoke(key_id)
    say(dump(_told(record)) if as_json else f"{record.key_id} ({clean(record.name)}) opens nothing")


def _book(workspace: Path | None) -> KeyBook:
    from pipeline.bootstrap import open_workspace
    from pipeline.serve.access.keys import KeyBook

    return KeyBook(open_workspace(workspace).keys)


def _told(record: ApiKey) -> dict[str, Any]:
    import time

    live = record.live(time.time_ns() // 1_000_000)
    return record.model_dump(mode="json", exclude={"digest", "schema_version"}) | {"live": live}


def _at(utc_ms: int) -> str:
    from pipeline.timeline import from_utc_ms

    return f"{from_utc_ms(utc_ms):%Y-%m-%d %H:%M} UTC"
