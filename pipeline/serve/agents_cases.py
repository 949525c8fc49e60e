"""Cases for agents: what was disclosed to a key, with the words of people and recordings quoted."""

from __future__ import annotations

from typing import Any

from pipeline.model import Claim
from pipeline.serve.case_desk import CaseDesk, Seen, ThingSeen

MOST_CASES, MOST_ROWS = 50, 200
"""Cases in a list; lines or claims of a thing."""
_KEPT = {"claim_id", "claim_type", "start_ms", "end_ms", "polarity", "sku_id", "needs_review"}


def told_case(desk: CaseDesk, case_id: str, thing: int) -> dict[str, Any]:
    """The list without an id, a case without a number, else one thing of it."""
    if not case_id:
        found = desk.cases()
        return {"total": len(found), "cases": [_row(seen) for seen in found[:MOST_CASES]]}
    if not thing:
        seen = desk.case(case_id)
        return _row(seen) | {"things": [_thing(desk, seen, number) for number in seen.numbers]}
    return _shown(desk, desk.thing(case_id, thing))


def _row(seen: Seen) -> dict[str, Any]:
    return {
        "case_id": seen.case.case_id,
        "opened_utc_ms": seen.case.opened_utc_ms,
        "closed_utc_ms": seen.case.closed_utc_ms,
        "whole": seen.whole,
        "untrusted": {"title": seen.case.title},
    }


def _thing(desk: CaseDesk, seen: Seen, number: int) -> dict[str, Any]:
    thing = seen.case.things[number - 1]
    clip = f"/api/v1/cases/{seen.case.case_id}/things/{number}/clip.mp4"
    return {
        "number": number,
        "kind": thing.kind,
        "ref": desk.order_id(thing) if thing.kind == "order" else thing.ref,
        "broadcast_id": thing.broadcast_id,
        "span_ms": [thing.start_ms, thing.end_ms],
        "clip": clip if thing.kind in ("claim", "span") else None,
    }


def _shown(desk: CaseDesk, told: ThingSeen) -> dict[str, Any]:
    found = _thing(desk, told.seen, told.number) | {"withheld": told.withheld}
    claims = [*([told.claim] if told.claim else []), *told.claims]
    if told.dossier:
        found["verdict"] = told.dossier.verdict
        found["coverage"] = told.dossier.coverage.model_dump(mode="json")
        claims += [moment.claim for moment in told.dossier.moments]
        found["standing"] = {m.claim_id: m.standing for m in told.dossier.moments}
    found["review"] = told.layer.model_dump(mode="json") if told.layer else None
    found["left_out"] = max(0, len(claims) - MOST_ROWS) + max(0, len(told.lines) - MOST_ROWS)
    found["claims"] = [_claim(claim) for claim in claims[:MOST_ROWS]]
    found["lines"] = [
        {
            "line_id": line.line_id,
            "start_ms": line.segment.start_ms,
            "end_ms": line.segment.end_ms,
            "untrusted": line.segment.text,
        }
        for line in told.lines[:MOST_ROWS]
    ]
    sentence = told.dossier.sentence if told.dossier else None
    return found | {"untrusted": {"title": told.title, "sentence": sentence}}


def _claim(claim: Claim) -> dict[str, Any]:
    said = {"quote": claim.quote, "value": claim.value, "condition": claim.condition}
    return claim.model_dump(mode="json", include=_KEPT) | {"untrusted": said}
