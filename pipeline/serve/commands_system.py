"""Commands about the system itself: status, models, doctor."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.serve.options import examples, json_option, service, workspace_option


@click.command(
    "status",
    epilog=examples(
        "evidence status",
        "evidence status s3://replays/2026/06/ --json",
        "evidence status --metrics > /var/lib/node_exporter/evidence.prom",
    ),
)
@click.argument("places", nargs=-1)
@click.option("--metrics", is_flag=True, help="Prometheus text instead.")
@workspace_option
@json_option
def status_command(
    places: tuple[str, ...], metrics: bool, workspace: Path | None, as_json: bool
) -> None:
    """Say which broadcasts are here, what was made of them, and what is not done and since when.

    With PLACES, arrivals that wait there are counted as well.

    \b
    JSON fields: workspace, store, index, broadcasts (broadcast_id, day, release, counts),
    unfinished, work (name, standing: waiting, parked, quarantined, running, unfinished, on_air; age_s,
    tries, error, message, hours), waits (service: store, index, room; what, age_s, message: who on this
    machine waits for what is away, or for room in its scratch folder), divergences (broadcast_id, stage,
    work_key, first, other, other_key), memory (budget_bytes and the least a stage needs), free_bytes.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say, table
    from pipeline.serve.system import status

    app = service(workspace).app
    if metrics:
        from pipeline.serve.backlog import metrics as text

        say(text(app, places).rstrip())
        return
    found = status(app, places)
    if as_json:
        say(dump(found))
        return
    say(f"{found['workspace']}: store {found['store']}, index {found['index']}")
    rows = [
        (b["broadcast_id"], b["day"], b["release"], *(b["counts"].get(k, 0) for k in _COUNTS))
        for b in found["broadcasts"]
    ]
    table(("broadcast", "day", "release", "segments", "keyframes", "claims"), rows)
    for item in found["work"]:
        age = "" if item["age_s"] is None else f", {_ago(item['age_s'])}"
        say(clean(f"{item['standing']}{age}: {item['name']} {item['message'][:100]}".rstrip()))
    for one in found["waits"]:
        waited = f"waits for {_WAITED_FOR[one['service']]}, {_ago(one['age_s'])}"
        say(clean(f"{waited}: {one['what']} {one['message'][:100]}"))
    for one in found["divergences"]:
        say(f"diverged: {one['broadcast_id']} {one['stage']}: {one['other_key']}")
    if found["unfinished"]:
        say("process unfinished ones again to continue")


def _ago(seconds: int) -> str:
    """An age for a person."""
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {name}"
    return f"{seconds} s"


_WAITED_FOR = {"store": "the store", "index": "the index", "room": "room"}
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
