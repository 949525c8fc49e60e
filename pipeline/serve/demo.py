"""The whole way on one bundled example, told step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.bootstrap import init
from pipeline.errors import NotFound
from pipeline.model import Order
from pipeline.runner import Request, read_broadcast
from pipeline.serve.answers import asked_orders
from pipeline.serve.progress import stage_bars
from pipeline.serve.render import answer_text, as_json, clean, dossier_text, note, say
from pipeline.serve.service import Service

EXAMPLE = "zh01"
QUERY = "type:warranty"


def run_demo(example: Path | None, workspace: Path, *, as_json: bool) -> None:
    """Process the example, search it, cut a clip, answer an order; print each step."""
    folder = example or bundled()
    works = Service(init(workspace))
    steps: dict[str, Any] = {"workspace": str(works.app.root)}
    _tell(as_json, f"1  recording → words, pictures, claims, index   ({folder})")
    with stage_bars() as bars:
        state = works.process(Request(inputs=(str(folder),)), progress=bars)
    steps["process"] = works.summary(state)
    counts = ", ".join(f"{o['stage']} {o['records']}" for o in steps["process"]["outputs"])
    _tell(as_json, f"   {clean(steps['process']['broadcast_id'])}: {counts}")
    broadcast_id = state.revision.broadcast.broadcast_id
    _search_and_clip(works, broadcast_id, steps, quiet=as_json)
    _orders(works, folder, steps, quiet=as_json)
    if as_json:
        say(_dump(steps))


def _search_and_clip(
    works: Service, broadcast_id: str, steps: dict[str, Any], *, quiet: bool
) -> None:
    _tell(quiet, f"\n2  search: {QUERY}")
    answer = works.search(QUERY, broadcast=broadcast_id, size=5)
    steps["search"] = answer.model_dump(mode="json")
    if not quiet:
        answer_text(answer)
    hit = next((h for h in answer.hits if h.document.claim_id), None)
    if hit is None or not hit.document.claim_id:
        raise NotFound(f"{broadcast_id}: the example has no claim for {QUERY}")
    _tell(quiet, f"\n3  clip of {hit.document.claim_id}")
    clip = works.clip_claim(hit.document.claim_id, out=None, margin_ms=None)
    steps["clip"] = clip.model_dump(mode="json")
    _tell(quiet, f"   {clip.video}")


def _orders(works: Service, folder: Path, steps: dict[str, Any], *, quiet: bool) -> None:
    file = folder / "orders.jsonl"
    if not file.exists():
        return
    works.import_orders(file)
    first = works.book.get(_order_id(asked_orders(file)[0]))
    _tell(quiet, f"\n4  evidence for order {clean(first.order_id)}: {clean(first.reason_text)}")
    dossier = works.order(first)
    steps["order"] = dossier.model_dump(mode="json")
    if not quiet:
        dossier_text(dossier, lang="zh" if first.reason_text > "一" else "en")


def _order_id(asked: Order | str) -> str:
    return asked if isinstance(asked, str) else asked.order_id


def bundled() -> Path:
    """The example that comes with a checkout.

    Raises:
        NotFound: installed without the examples.
    """
    folder = Path(__file__).parents[2] / "examples" / EXAMPLE
    if not (folder / "broadcast.json").exists():
        raise NotFound("no bundled example here", hint="name a folder with --example")
    read_broadcast(folder / "broadcast.json")
    return folder


def _tell(quiet: bool, text: str) -> None:
    (note if quiet else say)(text)


def _dump(steps: dict[str, Any]) -> str:
    return as_json(steps, indent=1)
