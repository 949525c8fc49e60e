"""Whether a claim was heard before the order, after it, or cannot be told."""

from __future__ import annotations

from datetime import datetime

from pipeline.model import Claim, ClockMap, Standing
from pipeline.timeline import utc_ms


def standing(
    claim: Claim, ordered_at: datetime, clock_map: ClockMap, *, viewer_latency_ms: int
) -> Standing:
    """How a claim stands to an order.

    *Before*: even the slowest viewer, on the worst clock, had heard all of it when the
    order was placed. *After*: even the fastest viewer could not yet have heard it begin.
    An order time without a fraction may lie anywhere in its second.
    """
    begins, ends = clock_map.wall_utc_ms(claim.start_ms), clock_map.wall_utc_ms(claim.end_ms)
    if begins is None or ends is None:
        return "cannot_tell"
    earliest = utc_ms(ordered_at)
    latest = earliest + (0 if ordered_at.microsecond else 999)
    if ends[0] + ends[1] + viewer_latency_ms <= earliest:
        return "before"
    if begins[0] - begins[1] > latest:
        return "after"
    return "cannot_tell"
