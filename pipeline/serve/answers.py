"""Answers to orders from the store: which broadcasts are read, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path

from pipeline import runner
from pipeline.bootstrap import Application
from pipeline.cases.run import Bounds, Known, Material, answer_order, reader_of
from pipeline.errors import InputError, NotFound
from pipeline.index.documents import UNDATED
from pipeline.model import ClaimSet, Dossier, Order
from pipeline.runner import Parts

_OFFSET_HOURS = 14
"""No clock on earth is further from Greenwich, so a broadcast's own day is at most this far off."""
_LONGEST_DAYS = 7
"""A broadcast that began longer before an order is not looked for."""


def answer(app: Application, order: Order) -> Dossier:
    """The answer to an order; no index is asked."""
    settings = app.settings
    return answer_order(
        order,
        material=lambda broadcast_id: _material(app, broadcast_id),
        known=lambda: _known(app, order),
        bounds=Bounds(
            viewer_latency_ms=settings.viewer_latency_ms,
            min_coverage_pm=settings.min_coverage_pm,
            min_prob_pm=settings.min_prob_pm,
        ),
        lookback_ms=settings.order_lookback_ms,
        read=reader_of(app.rules),
    )


def _material(app: Application, broadcast_id: str) -> Material | None:
    try:
        state = app.archive.state(broadcast_id)
    except NotFound:
        return None
    parts = runner.parts_of(app, state, screen=False)
    return Material(
        parts.state.revision.broadcast, parts.transcript, _claims(parts), state.revision.clock_map
    )


def _claims(parts: Parts) -> ClaimSet:
    empty = ClaimSet(broadcast_id=parts.state.revision.broadcast.broadcast_id)
    return parts.claims or empty


def _known(app: Application, order: Order) -> Iterator[Known]:
    """The broadcasts that may be the order's: those it lists, else those of its days."""
    for prefix in _likely(app, order):
        try:
            state = app.archive.state_at(prefix)
        except NotFound:  # taken in, not finished
            continue
        broadcast = state.revision.broadcast
        sells = broadcast.product(order.sku_id) is not None
        parts = runner.parts_of(app, state, screen=False) if sells else None
        windows = _claims(parts).windows if parts else ()
        yield Known(broadcast, state.revision.duration_ms, windows)


def _likely(app: Application, order: Order) -> Iterator[str]:
    if order.broadcast_ids:
        for broadcast_id in order.broadcast_ids:
            yield from app.archive.prefixes(broadcast_id)
        return
    last = (order.ordered_at.astimezone(UTC) + timedelta(hours=_OFFSET_HOURS)).date()
    earlier = timedelta(milliseconds=app.settings.order_lookback_ms, hours=2 * _OFFSET_HOURS)
    count = _LONGEST_DAYS + 1 + earlier.days
    days = [(last - timedelta(days=n)).isoformat() for n in range(count + 1)]
    prefixes = {p.prefix for day in (*days, UNDATED) for _, of in app.archive.days(day) for p in of}
    yield from sorted(prefixes)


def asked_orders(file: Path) -> list[Order | str]:
    """The orders a JSON Lines file asks about: whole orders as they stand, else ids.

    Raises:
        InputError: a line has no order id; names the file and the line.
    """
    import json

    from pipeline.cases.run import read_orders

    asked: list[Order | str] = []
    for number, line in enumerate(runner.read_bytes(file).decode("utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError:
            value = {"order_id": line.strip()} if line.strip()[0] not in "{[" else {}
        if isinstance(value, dict) and "ordered_at" in value:
            asked += read_orders(line.encode(), file_name=str(file)).orders
        elif isinstance(value, dict) and value.get("order_id"):
            asked.append(str(value["order_id"]))
        else:
            raise InputError(
                f"{file}, line {number}: no order_id",
                hint='write {"order_id": "…"} on each line',
                file=str(file),
                where=f"line {number}",
            )
    return asked
