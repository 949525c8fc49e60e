"""The command that puts a buyer's photo beside the pictures of a broadcast."""

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


@click.command(
    "picture",
    epilog=examples(
        "evidence picture ORD-26060501 photo.jpg", "evidence picture ORD-26060501 photo.png --json"
    ),
)
@click.argument("order_id")
@click.argument("photo", type=_PATH)
@workspace_option
@json_option
@lang_option
def picture_command(
    order_id: str, photo: Path, workspace: Path | None, as_json: bool, lang: str | None
) -> None:
    """Find the pictures kept while ORDER_ID's product was shown that are most like PHOTO.

    Likeness by perceptual hash and colours, for a person to look at; never proof.

    \b
    JSON fields: order_id, broadcast_id, sku_id, photo_sha256, pictures, looked_at, likest (number,
    at_ms, score_pm, hash_bits, colour_pm, image_sha256), label (zh, en).
    """
    from pipeline import runner
    from pipeline.serve.likeness import likeness
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say
    from pipeline.timeline import clock

    works = service(workspace)
    data, dossier = runner.read_bytes(photo), works.order(order_id)
    parts = works.parts(dossier.broadcast_id) if dossier.broadcast_id else None
    found = likeness(works, dossier, parts, data)
    if as_json:
        say(dump(found.model_dump(mode="json")))
        return
    say(found.label[language(lang)])
    for one in found.likest:
        say(f"{one.score_pm / 10:5.1f} %  {clock(one.at_ms)}  #{one.number}")
    say(f"{found.looked_at} / {found.pictures}  {clean(found.broadcast_id)}")
