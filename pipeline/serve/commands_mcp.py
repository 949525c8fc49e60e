"""The command that speaks the Model Context Protocol over standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.serve.options import examples, workspace_option

if TYPE_CHECKING:
    from pipeline.serve.access.keys import KeyBook
    from pipeline.serve.access.roles import Viewer


@click.command(
    "mcp",
    epilog=examples("evidence mcp -w cases", "EVIDENCE_KEY=re_… evidence mcp -w cases"),
)
@workspace_option
def mcp_command(workspace: Path | None) -> None:
    """Answer an AI agent over standard input and output (Model Context Protocol).

    Where keys were given out (`evidence access new`), EVIDENCE_KEY holds the agent's; its role
    limits what it sees, and every view is written down. Agents elsewhere use `evidence serve`,
    which answers the same at /mcp.
    """
    import anyio

    from pipeline.serve.access.keys import KeyBook
    from pipeline.serve.agents import agents_of
    from pipeline.serve.offices import open_office
    from pipeline.serve.options import service

    works = service(workspace)
    book = KeyBook(works.app.keys)
    _viewer(book)
    office = open_office(works, book.ring)
    try:
        anyio.run(agents_of(office, lambda _: _viewer(book)).run_stdio_async)
    finally:
        office.log.close()


def _viewer(book: KeyBook) -> Viewer:
    """Looked up at every call, so that a key taken back opens nothing more."""
    from pipeline.errors import ConfigError
    from pipeline.serve.access.roles import LOCAL
    from pipeline.settings import environment

    if not book.any():
        return LOCAL
    key = book.opened_by(environment("EVIDENCE_KEY"))
    if key is None:
        raise ConfigError(
            "EVIDENCE_KEY holds no key that opens anything here",
            hint="give the agent one: `evidence access new NAME --role agent`",
        )
    return key.viewer()
