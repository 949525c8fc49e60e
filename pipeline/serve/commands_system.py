"""Commands about the system itself: status, models, doctor."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.serve.options import examples, json_option, service, workspace_option


@click.command("status", epilog=examples("evidence status", "evidence status --json"))
@workspace_option
@json_option
def status_command(workspace: Path | None, as_json: bool) -> None:
    """Say which broadcasts are here, what was made of them and what is unfinished.

    \b
    JSON fields: workspace, store, index, broadcasts (broadcast_id, day, release, counts),
    unfinished, free_bytes.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say, table
    from pipeline.serve.system import status

    found = status(service(workspace).app)
    if as_json:
        say(dump(found))
        return
    say(f"{found['workspace']}: store {found['store']}, index {found['index']}")
    rows = [
        (b["broadcast_id"], b["day"], b["release"], *(b["counts"].get(k, 0) for k in _COUNTS))
        for b in found["broadcasts"]
    ]
    table(("broadcast", "day", "release", "segments", "keyframes", "claims"), rows)
    for name in found["unfinished"]:
        say(f"unfinished: {name} (process it again to continue)")


_COUNTS = ("transcribe", "keyframes", "claims")


@click.command("models", epilog=examples("evidence models", "evidence models --json"))
@workspace_option
@json_option
def models_command(workspace: Path | None, as_json: bool) -> None:
    """List recognition models: where from, size, digest, usable or why not.

    \b
    JSON: a list of models; fields as listed in docs/formats.md.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say, table
    from pipeline.serve.system import models

    found = models(workspace)
    if as_json:
        say(dump(found))
    else:
        headers = list(found[0]) if found else ["name"]
        table(headers, [[m[h] for h in headers] for m in found])


@click.command("doctor", epilog=examples("evidence doctor", "evidence doctor --json"))
@workspace_option
@json_option
def doctor_command(workspace: Path | None, as_json: bool) -> None:
    """Check Python, FFmpeg, the model, the reader, store, index, disk; say limits and what is missing.

    Exit code 3 when something that is needed is missing.

    \b
    JSON: a list of checks: name, ok, needed, detail, hint.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say
    from pipeline.serve.system import doctor

    checks = doctor(workspace)
    if as_json:
        say(dump(checks))
    for check in () if as_json else checks:
        mark = "ok " if check["ok"] else "NO " if check["needed"] else "–  "
        say(f"{mark} {check['name']}: {clean(check['detail'])}")
        if check["hint"] and not check["ok"]:
            say(f"     → {clean(check['hint'])}")
    if any(c["needed"] and not c["ok"] for c in checks):
        raise click.exceptions.Exit(3)
