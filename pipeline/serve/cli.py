"""The ``evidence`` command: groups, options and exit codes. The work is in the service.

Commands live in ``commands_*.py`` and are imported only when they are called or when
their help is asked for, so that ``evidence --help`` answers at once.
"""

from __future__ import annotations

import importlib
import sys

import click

from pipeline.provenance import VERSION

_COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("commands_work", "Make a workspace (may be repeated)."),
    "process": ("commands_work", "Take recordings in and find their claims."),
    "detect": ("commands_work", "Find the claims in a transcript; nothing is stored."),
    "demo": ("commands_work", "Run the whole way on the bundled example."),
    "claims": ("commands_read", "List a broadcast's claims."),
    "transcript": ("commands_read", "Print a broadcast's words with times."),
    "search": ("commands_read", "Search claims, words and screen text."),
    "show": ("commands_read", "Show a broadcast; export SRT, chapters or CSV."),
    "clip": ("commands_read", "Cut the clip of a claim or a time range."),
    "orders": ("commands_orders", "Import orders."),
    "order": ("commands_orders", "Answer the dispute of an order."),
    "picture": ("commands_picture", "Find the pictures of an order's product most like a photo."),
    "cases": ("commands_cases", "Gather a dispute's evidence and disclose it to its parties."),
    "bundle": ("commands_bundle", "Seal the evidence of a claim."),
    "verify": ("commands_bundle", "Check a sealed bundle, offline."),
    "restore": ("commands_restore", "Bring an archived recording back."),
    "keys": ("commands_bundle", "Make, show and revoke signing keys."),
    "custody": ("commands_bundle", "Check who did what with a broadcast."),
    "hold": ("commands_keep", "Put a case's broadcasts and orders under a legal hold, or lift it."),
    "holds": ("commands_keep", "List the legal holds by case."),
    "dispose": ("commands_keep", "Plan the disposal of what is past its retention; carry it out."),
    "forget": ("commands_keep", "Destroy the key of a person's orders."),
    "rebuild": ("commands_index", "Make the search index anew from the store."),
    "reconcile": ("commands_index", "Compare the search index with the store."),
    "status": ("commands_system", "Say what is in the workspace."),
    "models": ("commands_system", "List recognition models."),
    "doctor": ("commands_system", "Check the set-up, limits and what is missing."),
    "evaluate": ("commands_evaluate", "Score labelled broadcasts."),
    "serve": ("commands_serve", "Serve the desk in a browser, and the HTTP API."),
    "mcp": ("commands_mcp", "Answer an AI agent (Model Context Protocol)."),
    "review": ("commands_review", "Hear doubtful claims and decide them."),
    "access": ("commands_access", "Give, list and take back access to the desk."),
    "webhooks": ("commands_webhooks", "Register who is told of broadcasts."),
    "rules": ("commands_rules", "List, test, try and explain the rules."),
    "plan": ("commands_plan", "Say what a run over many broadcasts would do."),
    "flows": ("commands_flows", "Run broadcasts as Prefect flows: one, many, or as they land."),
}

EPILOG = """\b
Examples:
  evidence init cases && cd cases
  evidence process ../recordings/2026-06-05/
  evidence search '五年质保 type:warranty'
  evidence order ORD-26060501

\b
Exit codes: 0 done, 1 other error, 2 wrong usage or query, 3 settings,
4 input, 5 rules, 6 object store, 7 recording, 8 model, 9 index,
10 integrity, 11 disk, 12 not found, 13 not allowed (a legal hold, too), 14 index and store
differ, or a plan is out of date,
130 interrupted (run again to continue).
"""


class LazyGroup(click.Group):
    """A group that imports a command's module only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of a working day."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"pipeline.serve.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table above and without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="evidence")
def cli() -> None:
    """Find the moment in a livestream replay at which the host made the promise.

    直播回放证据索引：把主播的承诺定位到回放的那一刻。
    """


def main() -> None:
    """Entry point: run, and turn every known error into its exit code."""
    from pipeline.errors import EvidenceError, MemoryShort

    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = _stopped()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except EvidenceError as error:
        code = _failed(error)
    except MemoryError:
        code = _failed(MemoryShort("the memory of this machine is used up", hint="run it again"))
    except KeyboardInterrupt:
        code = _stopped()
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _failed(error: Exception) -> int:
    from pipeline import logs
    from pipeline.errors import EvidenceError
    from pipeline.serve.render import as_json, clean

    assert isinstance(error, EvidenceError)  # noqa: S101
    if _logs_wanted():
        logs.failed(error, **error.as_dict())
    elif "--json" in sys.argv:
        click.echo(as_json(error.as_dict()), err=True)
    else:
        lines = [clean(line) for line in error.message.split("\n")]
        click.echo("error: " + "\n".join(lines), err=True)
        if error.hint:
            click.echo(f"  → {clean(error.hint)}", err=True)
    return error.exit_code


def _logs_wanted() -> bool:
    """Whether errors are lines of the log, too; also before any workspace was opened."""
    from pipeline import logs
    from pipeline.settings import environment

    if environment("EVIDENCE_LOG_FORMAT") == "json":
        logs.begin()
    return logs.wanted()


def _stopped() -> int:
    from pipeline import logs

    text = "stopped; run the same command again to continue"
    if _logs_wanted():
        logs.line("stopped", text)
    else:
        click.echo(text, err=True)
    return 130


if __name__ == "__main__":
    main()
