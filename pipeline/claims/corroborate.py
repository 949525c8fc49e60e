"""What was said beside what stood on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.claims.listing import measures
from pipeline.model import Claim

NEAR_MS = 120_000
"""How far apart a word and a card may be and still speak about the same presentation."""
_COMPARED = frozenset(
    {"price", "warranty", "net_content", "quantity", "returns", "shipping_time", "price_guarantee"}
)


def corroborate(claims: Sequence[Claim], *, units: Mapping[str, Mapping[str, str]]) -> list[Claim]:
    """Spoken and screen claims of one kind, product and time: confirmed, or both to review."""
    out = list(claims)
    seen: dict[tuple[str, str | None], list[int]] = {}
    for n, claim in enumerate(out):
        if claim.source == "screen":
            seen.setdefault((claim.claim_type, claim.sku_id), []).append(n)
    for n, claim in enumerate(out):
        if claim.source != "speech" or claim.corrected_by is not None:
            continue
        near = [m for m in seen.get((claim.claim_type, claim.sku_id), ()) if _near(claim, out[m])]
        same = [m for m in near if _same(out[n], out[m], units)]
        for m in same:
            out[n] = _confirmed(out[n], out[m])
            out[m] = _confirmed(out[m], out[n])
        if near and not same:
            for m in near:
                if _differ(out[n], out[m], units):
                    out[n], out[m] = _disputed(out[n]), _disputed(out[m])
    return out


def _near(spoken: Claim, seen: Claim) -> bool:
    return seen.start_ms - NEAR_MS <= spoken.start_ms < seen.end_ms + NEAR_MS


def _text(claim: Claim) -> str:
    return " ".join(claim.value) if isinstance(claim.value, tuple) else claim.value or ""


def _is_plain(claim: Claim) -> bool:
    return not _text(claim).startswith(("coupon", "promo", "excludes", "reason"))


def _same(one: Claim, other: Claim, units: Mapping[str, Mapping[str, str]]) -> bool:
    if one.polarity != other.polarity:
        return False
    left, right = _text(one), _text(other)
    if left == right:
        return True
    a, b = measures(left, units), measures(right, units)
    return bool(a) and a == b and one.claim_type in _COMPARED


def _differ(one: Claim, other: Claim, units: Mapping[str, Mapping[str, str]]) -> bool:
    if one.claim_type not in _COMPARED or not (_is_plain(one) and _is_plain(other)):
        return False
    a, b = measures(_text(one), units), measures(_text(other), units)
    return bool({m.unit for m in a} & {m.unit for m in b})


def _confirmed(claim: Claim, by: Claim) -> Claim:
    ids = dict.fromkeys([*claim.corroborated_by, by.claim_id])
    return claim.model_copy(update={"corroborated_by": tuple(ids)})


def _disputed(claim: Claim) -> Claim:
    reasons = tuple(dict.fromkeys([*claim.review_reasons, "screen_differs"]))
    return claim.model_copy(update={"needs_review": True, "review_reasons": reasons})
