"""Which broadcast an order comes from, where it names none: by SKU, host and time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.model import Broadcast, Candidate, Order, Window
from pipeline.timeline import utc_ms

_SKU, _HOST, _LIVE, _RECENT, _SHOWN, _NAMED = 450, 150, 250, 120, 100, 50
_CLOCK_MS = 60_000


class Known(NamedTuple):
    """What is known of a broadcast that may be the one."""

    broadcast: Broadcast
    duration_ms: int
    """End of its timeline; 0 when unknown."""
    windows: Sequence[Window] = ()
    """Its product windows, where they were made."""


def candidates(order: Order, known: Iterable[Known], *, lookback_ms: int) -> tuple[Candidate, ...]:
    """The broadcasts an order may come from, likeliest first, with the reasons.

    Only those that sold the SKU and had begun at most ``lookback_ms`` before the order
    (or have no clock); where the order lists broadcasts, only those listed.
    """
    found = [c for k in known if (c := _candidate(order, k, lookback_ms)) is not None]
    return tuple(sorted(found, key=lambda c: (-c.score_pm, c.broadcast_id)))


def _candidate(order: Order, known: Known, lookback_ms: int) -> Candidate | None:
    broadcast = known.broadcast
    if order.broadcast_ids and broadcast.broadcast_id not in order.broadcast_ids:
        return None
    sells = broadcast.product(order.sku_id) is not None
    if not sells and not order.broadcast_ids:
        return None
    score, reasons = (_SKU, ["sold the SKU"]) if sells else (0, ["the order names it"])
    if order.broadcast_ids:
        score += _NAMED
    if order.host_id and broadcast.host_id:
        if order.host_id == broadcast.host_id:
            score, reasons = score + _HOST, [*reasons, "same host"]
        else:
            score, reasons = score - _HOST, [*reasons, "another host"]
    in_time = _in_time(order, known, lookback_ms)
    if in_time is None and not order.broadcast_ids:
        return None
    points, words = in_time or (0, ["the order's time does not fit"])
    score = max(0, min(1000, score + points))
    return Candidate(
        broadcast_id=broadcast.broadcast_id, score_pm=score, reasons=(*reasons, *words)
    )


def _in_time(order: Order, known: Known, lookback_ms: int) -> tuple[int, list[str]] | None:
    """Points and reasons for the order's time; None when it cannot be."""
    start = known.broadcast.start_utc_ms
    if start is None:
        return 0, ["the broadcast has no clock"]
    at_ms = utc_ms(order.ordered_at) - start
    if at_ms < -_CLOCK_MS or at_ms > known.duration_ms + lookback_ms:
        return None
    if at_ms > known.duration_ms:
        minutes = (at_ms - known.duration_ms) // 60_000
        share = 1 - (at_ms - known.duration_ms) / max(1, lookback_ms)
        return round(_RECENT * share), [f"ordered {minutes} min after its end"]
    shown = any(w.sku_id == order.sku_id and w.start_ms <= at_ms for w in known.windows)
    if shown:
        return _LIVE + _SHOWN, ["ordered during the broadcast, after the SKU was shown"]
    return _LIVE, ["ordered during the broadcast"]
