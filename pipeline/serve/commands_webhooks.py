"""Commands about webhooks: who is told when something becomes of a broadcast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.serve.options import examples, json_option, service, workspace_option

if TYPE_CHECKING:
    from pipeline.hooks import Hook

_TYPES = ("broadcast.searchable", "broadcast.low_coverage", "arrival.quarantined")


@click.group(
    "webhooks",
    epilog=examples(
        "evidence webhooks add console https://console.example/hooks/replay",
        "evidence webhooks list",
        "evidence webhooks test 3f9c0a71be42",
        "evidence webhooks remove 3f9c0a71be42",
    ),
)
def webhooks_command() -> None:
    """Register who is told when a broadcast can be searched, was heard badly, or was set aside.

    Receivers need HTTPS and a public host, or a host named in notify.allowed_hosts. Messages are
    signed as Standard Webhooks says, each receiver's with a secret of its own.
    """


@webhooks_command.command(
    "add",
    epilog=examples(
        "evidence webhooks add console https://console.example/hooks/replay",
        "evidence webhooks add alarms https://ops.example/h --type arrival.quarantined --json",
    ),
)
@click.argument("name")
@click.argument("url")
@click.option("--type", "types", type=click.Choice(_TYPES), multiple=True, help="Else all events.")
@workspace_option
@json_option
def add_command(
    name: str, url: str, types: tuple[str, ...], workspace: Path | None, as_json: bool
) -> None:
    """Register URL as a receiver called NAME, and print its secret, this once.

    \b
    JSON fields: secret, hook_id, name, origin, types, made_utc_ms, made_by.
    """
    from pipeline.serve.bundles import who
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, note, say
    from pipeline.serve.webhooks import register

    hook = register(service(workspace).app, name, url, types=types, by=who())
    if as_json:
        say(dump({"secret": hook.secret} | _told(hook)))
        return
    note(
        f"{clean(hook.name)}, {hook.origin}, webhook {hook.hook_id}; its secret is not shown again:"
    )
    say(hook.secret)


@webhooks_command.command("list", epilog=examples("evidence webhooks list --json"))
@workspace_option
@json_option
def list_command(workspace: Path | None, as_json: bool) -> None:
    """List the registered receivers, never their secrets.

    \b
    JSON: one object a line. Fields: hook_id, name, origin, types, made_utc_ms, made_by.
    """
    from pipeline.notify import book_of
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say, table

    hooks = book_of(service(workspace).app).every()
    if as_json:
        for hook in hooks:
            say(dump(_told(hook)))
        return
    rows = ((h.hook_id, h.name, h.origin, ", ".join(h.types) or "all") for h in hooks)
    table(("webhook", "name", "to", "events"), rows, title=f"{len(hooks)} webhooks")


@webhooks_command.command("test", epilog=examples("evidence webhooks test 3f9c0a71be42"))
@click.argument("hook_id")
@workspace_option
@json_option
def test_command(hook_id: str, workspace: Path | None, as_json: bool) -> None:
    """Send a receiver one message; exit code 1 where it does not take it.

    \b
    JSON fields: hook_id, status (0: no answer), delivered.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say
    from pipeline.serve.webhooks import try_out

    tried = try_out(service(workspace).app, hook_id)
    told = {"hook_id": hook_id, "status": tried.status, "delivered": tried.delivered}
    say(dump(told) if as_json else f"{hook_id}: {tried.status or 'no answer'}")
    if not tried.delivered:
        raise SystemExit(1)


@webhooks_command.command("remove", epilog=examples("evidence webhooks remove 3f9c0a71be42"))
@click.argument("hook_id")
@workspace_option
@json_option
def remove_command(hook_id: str, workspace: Path | None, as_json: bool) -> None:
    """Remove a receiver and its secret.

    \b
    JSON fields: hook_id, name, origin, types, made_utc_ms, made_by.
    """
    from pipeline.notify import book_of
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    hook = book_of(service(workspace).app).remove(hook_id)
    say(dump(_told(hook)) if as_json else f"{hook_id}: removed")


def _told(hook: Hook) -> dict[str, Any]:
    kept = hook.model_dump(mode="json", exclude={"url", "secret", "schema_version"})
    return kept | {"origin": hook.origin}
