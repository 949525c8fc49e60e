"""The evaluate command: labelled broadcasts in, measures out."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.serve.options import examples, json_option, service, workspace_option

_PATH = click.Path(path_type=Path)


@click.command(
    "evaluate",
    epilog=examples(
        "evidence evaluate examples/zh01 examples/en02",
        "evidence evaluate examples/* --audio -w scratch --out now.json",
        "evidence evaluate examples/* --against before.json --plot f1.png",
    ),
)
@click.argument("broadcasts", nargs=-1, required=True, type=_PATH)
@click.option("--audio", is_flag=True, help="Recognise the recordings; else use given words.")
@click.option("--no-reason-code", is_flag=True, help="Answer orders from their words alone.")
@click.option("--out", type=_PATH, help="Write the whole report as JSON.")
@click.option("--plot", type=_PATH, help="Draw F1 by type and measures by broadcast (PNG).")
@click.option("--against", type=_PATH, help="An earlier report to compare with.")
@workspace_option
@json_option
def evaluate_command(
    broadcasts: tuple[Path, ...],
    audio: bool,
    no_reason_code: bool,
    out: Path | None,
    plot: Path | None,
    against: Path | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Score labelled BROADCASTS: folders like the examples, or one-file scenes.

    \b
    JSON fields: broadcasts, labels, claims, precision, recall, f1, macro_f1, value_accuracy,
    negation_f1, hedge_f1, sku_accuracy, sure_precision, sure_share, sure_inverted, recall_at_1,
    recall_at_3, right_none, time_error_median_ms, time_error_p95_ms, cer, length_ratio, intervals,
    by_broadcast, f1_by_type, missed, extra, wrong, moments_wrong, seconds (with --audio).
    """
    import json

    from pipeline.runner import read_bytes
    from pipeline.serve import evaluation
    from pipeline.serve.progress import stage_bars
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    if audio:
        works = service(workspace)
        with stage_bars() as bars:
            report = evaluation.from_recordings(
                works.app, broadcasts, reason_text_only=no_reason_code, progress=bars
            )
    else:
        report = evaluation.from_words(broadcasts, reason_text_only=no_reason_code)
    if out is not None:
        out.write_text(dump(report, indent=1) + "\n", encoding="utf-8")
    if plot is not None:
        evaluation.plot_report(report, plot)
    if as_json:
        say(dump(report))
    else:
        before = json.loads(read_bytes(against)) if against else None
        evaluation.print_report(report, against=before)
