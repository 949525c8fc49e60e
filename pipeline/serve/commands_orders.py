"""Commands about orders: import, answer."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.serve.options import (
    examples,
    json_option,
    lang_option,
    language,
    service,
    workspace_option,
)

_PATH = click.Path(path_type=Path)


@click.group("orders")
def orders_command() -> None:
    """Keep orders, encrypted, apart from the recordings."""


@orders_command.command(
    "import",
    epilog=examples(
        "evidence orders import orders.jsonl", "evidence orders import orders.csv --json"
    ),
)
@click.argument("file", type=_PATH)
@workspace_option
@json_option
def import_command(file: Path, workspace: Path | None, as_json: bool) -> None:
    """Import FILE (CSV with a header, or JSON Lines). Importing again changes nothing.

    \b
    JSON fields: file, orders, new, unchanged, warnings.
    """
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, note, say

    done = service(workspace).import_orders(file)
    if as_json:
        say(dump(done))
        return
    for warning in done["warnings"]:
        note(f"note: {clean(warning)}")
    say(f"{done['orders']} orders from {file}, {done['new']} new or changed")


@click.command(
    "order",
    epilog=examples(
        "evidence order ORD-26060501",
        "evidence order ORD-26060501 ORD-26060502 --json  # one object a line",
        "evidence order --file disputes.jsonl --json > answers.jsonl",
        "evidence order ORD-26060501 --bundle sealed/  # the answer and its sealed bundle",
    ),
)
@click.argument("order_ids", nargs=-1)
@click.option(
    "--file", type=_PATH, help="JSON Lines: each line has an order_id (or is a whole order)."
)
@click.option(
    "--bundle", "bundles", type=_PATH, help="Also seal each answer's evidence into this folder."
)
@workspace_option
@json_option
@lang_option
def order_command(
    order_ids: tuple[str, ...],
    file: Path | None,
    bundles: Path | None,
    workspace: Path | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Answer the disputes of ORDER_IDS: found, not said, or cannot say, with the moments.

    \b
    JSON: one object a line, in the order asked. Fields: order_id, broadcast_id, sku_id, verdict,
    sentence (zh, en), looked_for, moments (start_ms, end_ms, claim_id, standing, score, reasons,
    wall_utc_ms, wall_uncertainty_ms, claim), coverage (start_ms, end_ms, listened_ms, share_pm,
    speech_ms, mean_prob_pm, gaps), windows, candidates, warnings, recording (whether it can be
    read now, as `evidence restore` prints it); with --bundle also bundle (as `evidence bundle`
    prints it).
    """
    from pipeline.serve.answers import asked_orders
    from pipeline.serve.commands_bundle import as_fields, tell
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import dossier_text, say
    from pipeline.serve.restores import bundle_or_away
    from pipeline.serve.service import Service

    if not order_ids and file is None:
        raise click.UsageError("name at least one order id, or a file with --file")
    works = service(workspace)
    for order in [*order_ids, *(asked_orders(file) if file else ())]:
        once = Service(works.app.glancing())
        dossier, recording = once.answered(order)
        sealed = bundle_or_away(once, dossier, out=bundles) if bundles else None
        if as_json:
            covered = dossier.coverage.model_dump(mode="json")
            shown = dossier.model_dump(mode="json")
            shown["coverage"] = covered | {"share_pm": dossier.coverage.share_pm}
            shown["recording"] = recording.model_dump(mode="json") if recording else None
            say(dump(shown | ({"bundle": as_fields(sealed)} if sealed else {})))
        else:
            dossier_text(dossier, lang=language(lang))
            if sealed:
                tell(sealed)
            elif recording and recording.state != "warm":
                say(recording.sentence[language(lang)])
