"""Whether an order's answer opens at the right moment, or rightly at none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.model import Moment

TOLERANCE_MS = 5000
LONGEST_MS = 30_000


def score_moments(
    labels: Mapping[str, Any], answers: Mapping[str, Sequence[Moment]], *, k: int = 3
) -> tuple[Counter[str], list[tuple[str, str]]]:
    """Counts over the labelled disputes, and ``(order id, what went wrong)``."""
    n: Counter[str] = Counter()
    wrong: list[tuple[str, str]] = []
    for dispute in labels["disputes"]:
        order_id = dispute["order_id"]
        got = answers.get(order_id, ())
        wanted = [labels["claims"][i] for i in dispute["relevant_claim_indexes"]]
        if not wanted:
            n.update(absent=1, absent_right=not got)
            if got:
                wrong.append((order_id, f"should be none: {got[0].claim.quote}"))
            continue
        top = any(_right(m, w) for w in wanted for m in got[:k])
        first = any(_right(m, w) for w in wanted for m in got[:1])
        n.update(present=1, first=first, top=top)
        if not top:
            wrong.append((order_id, f"missed: {wanted[0]['quote']}"))
    return n, wrong


def _right(moment: Moment, claim: Mapping[str, Any]) -> bool:
    if moment.end_ms - moment.start_ms > LONGEST_MS:
        return False
    return bool(abs(moment.start_ms - claim["start_ms"]) <= TOLERANCE_MS)
