"""Options that every command has, and the service behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pipeline.serve.service import Service

Function = TypeVar("Function", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
workspace_option = click.option(
    "--workspace",
    "-w",
    type=click.Path(file_okay=False, path_type=Path),
    help="Workspace folder; else EVIDENCE_WORKSPACE, else this folder.",
)
lang_option = click.option(
    "--lang",
    type=click.Choice(["zh", "en"]),
    help="Language of sentences; else that of the terminal.",
)


def service(workspace: Path | None) -> Service:
    """The service over a workspace, imported now."""
    from pipeline.bootstrap import open_workspace
    from pipeline.serve.service import Service

    return Service(open_workspace(workspace))


def language(asked: str | None) -> str:
    """The language to speak: asked for, else the terminal's, else English."""
    if asked:
        return asked
    from pipeline.settings import environment

    named = environment("LC_ALL") or environment("LC_MESSAGES") or environment("LANG")
    return "zh" if named.lower().startswith("zh") else "en"


def examples(*lines: str) -> str:
    """The epilogue of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
