"""Values that another claim completes: which return window a refusal takes away."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.model import Claim

_WINDOW = re.compile(r"P\d+[DWM]")
_UNSAID = "P7D"
"""Window of a refusal in a room that names none (the statutory seven days)."""


def with_windows(claims: Sequence[Claim]) -> list[Claim]:
    """Refusals to return, with the return window of the same product or of the room."""
    stated = [
        (n, c.sku_id, found[0])
        for n, c in enumerate(claims)
        if c.claim_type == "returns"
        and c.polarity == "affirm"
        and isinstance(c.value, str)
        and (found := _WINDOW.match(c.value))
        and "no_reason" in c.value
    ]
    return [_windowed(n, c, stated) for n, c in enumerate(claims)]


def _windowed(at: int, claim: Claim, stated: Sequence[tuple[int, str | None, str]]) -> Claim:
    value = claim.value
    if claim.claim_type != "returns" or not isinstance(value, str) or "?" not in value:
        return claim
    own = (
        [s for s in stated if s[1] == claim.sku_id]
        or [s for s in stated if s[1] is None]
        or list(stated)
    )
    window = min(own, key=lambda s: abs(s[0] - at))[2] if own else _UNSAID
    return claim.model_copy(update={"value": value.replace("?", window)})
