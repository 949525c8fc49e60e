"""Cases: from an order to what the host said about it.

orders file ─import_orders→ OrderBook ─get→ Order ─answer_order→ Dossier
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pipeline.cases.candidates import Known, candidates
from pipeline.cases.dossier import Bounds, answer, unanswered
from pipeline.cases.keyring import KeyRing
from pipeline.cases.orders import OrderBook
from pipeline.cases.orders_file import OrdersFile, read_orders
from pipeline.cases.reasons import Reader
from pipeline.model import (
    Broadcast,
    Candidate,
    ClaimSet,
    ClaimType,
    ClockMap,
    Dossier,
    Line,
    Order,
    Transcript,
)
from pipeline.ports import ClaimDetector

_CLOSE_PM = 100


class Material(NamedTuple):
    """Everything an answer needs of a broadcast."""

    broadcast: Broadcast
    transcript: Transcript | None
    claims: ClaimSet
    clock_map: ClockMap


class Imported(NamedTuple):
    """What an import did."""

    order_ids: tuple[str, ...]
    """All orders of the file."""
    new: int
    """How many were written: unknown before, or changed."""
    unchanged: int
    """How many were there already."""
    warnings: tuple[str, ...]


def import_orders(payload: bytes, *, file_name: str, book: OrderBook) -> Imported:
    """Keep all orders of a CSV or JSON Lines file; nothing is kept of a file with an error.

    Raises:
        InputError: names the file, the line and the field. SourceError, ConfigError.
    """
    found: OrdersFile = read_orders(payload, file_name=file_name)
    new = sum(book.put(order) for order in found.orders)
    ids = tuple(order.order_id for order in found.orders)
    return Imported(ids, new, len(ids) - new, found.warnings)


def reader_of(detector: ClaimDetector) -> Reader:
    """The claim rules as a reader of buyers' words (说好四十八小时发货 is about shipping)."""

    def read(text: str) -> tuple[ClaimType, ...]:
        line = Line(line_id="s0", source="speech", index=0, start_ms=0, end_ms=1, text=text)
        buyer = Broadcast(broadcast_id="order", language="en" if text.isascii() else "zh")
        found = detector.detect(buyer, [line], screen=None, work_key="0" * 64)
        return tuple(dict.fromkeys(claim.claim_type for claim in found.claims))

    return read


def answer_order(
    order: Order,
    *,
    material: Callable[[str], Material | None],
    known: Callable[[], Iterable[Known]],
    bounds: Bounds,
    lookback_ms: int,
    read: Reader | None = None,
) -> Dossier:
    """The answer to an order, from the broadcast it names or the likeliest one.

    Args:
        order: The order.
        material: A broadcast's material by id; None where it is not in the store.
        known: The broadcasts to choose from; asked only where the order names not exactly one.
        bounds: Below these the answer is *cannot say* rather than *not said*.
        lookback_ms: How long before the order a broadcast may have ended.
        read: See :func:`reader_of`.
    """
    if len(order.broadcast_ids) == 1:
        ranked: tuple[Candidate, ...] = ()
        chosen = order.broadcast_ids[0]
    else:
        ranked = candidates(order, known(), lookback_ms=lookback_ms)
        if not ranked:
            return unanswered(order, why="no broadcast fits the order's SKU, host and time")
        chosen = ranked[0].broadcast_id
    found = material(chosen)
    if found is None:
        return unanswered(order, why=f"broadcast {chosen!r} is not in the store", candidates=ranked)
    dossier = answer(
        order,
        broadcast=found.broadcast,
        transcript=found.transcript,
        claims=found.claims,
        clock_map=found.clock_map,
        bounds=bounds,
        candidates=ranked,
        read=read,
    )
    return _warned(dossier, ranked)


def _warned(dossier: Dossier, ranked: tuple[Candidate, ...]) -> Dossier:
    """Say so where another broadcast was about as likely."""
    if len(ranked) < 2 or ranked[0].score_pm - ranked[1].score_pm >= _CLOSE_PM:
        return dossier
    words = f"broadcast {ranked[1].broadcast_id!r} is about as likely as the one answered from"
    return dossier.model_copy(update={"warnings": (*dossier.warnings, words)})


__all__ = [
    "Bounds",
    "Imported",
    "KeyRing",
    "Known",
    "Material",
    "OrderBook",
    "answer",
    "answer_order",
    "candidates",
    "import_orders",
    "read_orders",
    "reader_of",
]
