"""Commands that make things: init, process, detect, demo."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.serve.options import examples, json_option, service, workspace_option

_PATH = click.Path(path_type=Path)


@click.command(
    "init", epilog=examples("evidence init cases", "evidence init cases --json  # may be repeated")
)
@click.argument("folder", type=_PATH, default=".")
@json_option
def init_command(folder: Path, as_json: bool) -> None:
    """Make FOLDER (default: this one) a workspace.

    \b
    JSON fields: workspace, settings, store, index.
    """
    from pipeline.bootstrap import init
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    app = init(folder)
    if as_json:
        say(
            dump(
                {
                    "workspace": str(app.root),
                    "settings": str(app.root / "evidence.toml"),
                    "store": app.settings.store.kind,
                    "index": app.settings.index.kind,
                }
            )
        )
    else:
        say(
            f"workspace {app.root}: store {app.settings.store.kind}, index {app.settings.index.kind}"
        )


@click.command(
    "process",
    epilog=examples(
        "evidence process ../recordings/2026-06-05/",
        "evidence process part1.flv part2.flv --broadcast broadcast.json",
        "evidence process s3://replays/2026/06/05/  # folder of broadcast.json and recordings",
        "evidence process --broadcast broadcast.json --transcript words.srt",
        "evidence process replay.mp4  # no description: media time only",
    ),
)
@click.argument("recordings", nargs=-1)
@click.option("--broadcast", "broadcast_file", type=_PATH, help="broadcast.json, if not beside it.")
@click.option("--transcript", type=_PATH, help="Words as JSON, SRT or WebVTT; skips recognition.")
@click.option("--amend", is_flag=True, help="Keep other content under a known id as a revision.")
@click.option(
    "--progress", is_flag=True, help="Say on standard error how far it is, as JSON lines."
)
@workspace_option
@json_option
def process_command(
    recordings: tuple[str, ...],
    broadcast_file: Path | None,
    transcript: Path | None,
    amend: bool,
    progress: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Take RECORDINGS (files, folders, s3:// URIs) in, find their claims, make them searchable.

    Running again does only what is missing, so an interrupted run is continued.

    \b
    JSON fields: broadcast_id, revision, release, duration_ms, outputs, coverage, warnings, seconds.
    Lines of --progress: stage, done_ms, total_ms; or waiting, with what is waited for.
    """
    import time

    from pipeline.logs import about, wanted
    from pipeline.runner import Request
    from pipeline.serve.progress import line, progress_lines, stage_bars
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, note, say

    begun = time.monotonic()
    works = service(workspace)
    request = Request(recordings, broadcast_file, transcript, amend)
    if progress:
        state = works.process(
            request, progress=progress_lines(), tell=lambda text: line(waiting=text)
        )
    else:
        with stage_bars() as bars:
            state = works.process(request, progress=bars, tell=note)
    shown = works.summary(state) | {"seconds": round(time.monotonic() - begun, 2)}
    with about(event="warning", broadcast=shown["broadcast_id"]):
        for warning in shown["warnings"] if not as_json or wanted() else ():
            note(f"note: {clean(warning)}")
    if as_json:
        say(dump(shown))
        return
    counts = ", ".join(f"{o['stage']} {o['records']}" for o in shown["outputs"])
    share = shown["coverage"]["share_pm"] / 10 if shown["coverage"] else 0
    say(
        f"{clean(shown['broadcast_id'])}: {counts}; {share:.1f} % listened to; {shown['seconds']} s"
    )


@click.command(
    "detect",
    epilog=examples("evidence detect transcript.json --broadcast broadcast.json --json"),
)
@click.argument("transcript", type=_PATH)
@click.option("--broadcast", "broadcast_file", type=_PATH, required=True, help="broadcast.json.")
@json_option
def detect_command(transcript: Path, broadcast_file: Path, as_json: bool) -> None:
    """Find the claims in TRANSCRIPT (JSON, SRT or WebVTT). Needs no workspace, keeps nothing.

    \b
    JSON: a list of claims; fields as in `evidence claims --json`.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import claims_table, clean, note, say
    from pipeline.serve.service import detect

    found, warnings = detect(transcript, broadcast_file)
    for warning in warnings:
        note(f"note: {clean(warning)}")
    if as_json:
        say(dump([c.model_dump(mode="json") for c in found.claims]))
    else:
        claims_table(found.claims, title=f"{len(found.claims)} claims")


@click.command("demo", epilog=examples("evidence demo", "evidence demo --workspace /tmp/demo"))
@click.option("--example", type=_PATH, help="Folder of an example broadcast (default: bundled).")
@workspace_option
@json_option
def demo_command(example: Path | None, workspace: Path | None, as_json: bool) -> None:
    """Run the whole way on the bundled example: process, search, clip, order.

    \b
    JSON fields: workspace, process, search, clip, order.
    """
    from pipeline.serve.demo import run_demo

    run_demo(example, workspace or Path("demo-workspace"), as_json=as_json)
