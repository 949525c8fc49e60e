"""Candidates written down as claims, numbered in order."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.claims.candidates import Candidate
from pipeline.claims.frames import Frames
from pipeline.claims.products import SkuLinker
from pipeline.claims.resolve import Repair, apply
from pipeline.claims.review import review_of
from pipeline.claims.risk import risks_of
from pipeline.claims.shape import Shape
from pipeline.model import Broadcast, Claim, Cue, Line
from pipeline.provenance import sha256_hex


class ClaimWriter:
    """Turns candidates into claims, numbering them in order."""

    def __init__(
        self,
        broadcast: Broadcast,
        linker: SkuLinker,
        frames: Frames,
        *,
        producer: str,
        work_key: str,
    ) -> None:
        self._broadcast, self._linker, self._producer = broadcast, linker, producer
        self._frames = frames
        self._prefix = f"{sha256_hex(broadcast.broadcast_id.encode())[:4]}-{work_key[:12]}"
        self.claims: list[Claim] = []

    def add(
        self, line: Line, shape: Shape, candidate: Candidate, repairs: Sequence[Repair] = ()
    ) -> None:
        """One claim of a line, if its quote is not empty."""
        start, end = shape.verbatim(candidate.start, candidate.end)
        if end <= start:
            return
        broadcast, rule, span = self._broadcast, candidate.rule.rule, line.span_of(start, end)
        said: dict[str, object] = {
            "claim_id": f"{self._prefix}-{len(self.claims)}",
            "broadcast_id": broadcast.broadcast_id,
            "claim_type": rule.type,
            "start_ms": span.start_ms,
            "end_ms": max(span.end_ms, span.start_ms + 1),
            "source": line.source,
            "segment_index": line.index,
            "char_start": start,
            "char_end": end,
            "prob_pm": _probability(line, start, end),
            "box": line.box,
            "keyframe": self._frames.of(line, span.start_ms),
            "rule_id": rule.id,
            "producer": self._producer,
            "host_id": broadcast.host_id,
            "merchant_id": broadcast.merchant_id,
            "room_operator_id": broadcast.room_operator_id,
            "mcn_id": broadcast.mcn_id,
        }
        mine = [r for r in repairs if r.start < end and start < r.end]
        said |= _heard(line, start, end, mine) | _meant(line, shape, candidate)
        said |= self._placed(line, candidate, start, end, mine)
        self.claims.append(Claim.model_validate(said))

    def _placed(
        self, line: Line, candidate: Candidate, start: int, end: int, repairs: Sequence[Repair]
    ) -> dict[str, object]:
        """The product, and what makes the claim doubtful."""
        link = self._linker.link(line, start, end, claim_type=candidate.rule.rule.type)
        reasons = review_of(candidate, line, start, end, link)
        if repairs:
            reasons = (*reasons, "resolved_by_sound")
        return {
            "sku_id": link.sku_id,
            "sku_confidence_pm": link.confidence_pm,
            "sku_reasons": link.reasons,
            "needs_review": bool(reasons),
            "review_reasons": reasons,
        }


def _heard(line: Line, start: int, end: int, repairs: Sequence[Repair]) -> dict[str, object]:
    """The quote, and beside it the resolved words."""
    return {
        "quote": line.text[start:end],
        "resolved": apply(line.text, repairs)[start:end] if repairs else "",
        "resolved_reason": "; ".join(r.reason for r in repairs),
    }


def _meant(line: Line, shape: Shape, candidate: Candidate) -> dict[str, object]:
    """Value and standing, with the words behind each flag."""
    conditions = [m for m in candidate.marks if m.kind == "condition"]
    return {
        "value": candidate.value,
        "polarity": candidate.touch.polarity,
        "hedged": candidate.touch.hedged,
        "condition": _words(line, shape, conditions[0].words) if conditions else "",
        "cues": _cues(line, shape, candidate),
        "risk_flags": risks_of(shape, candidate.start, candidate.end),
    }


def _cues(line: Line, shape: Shape, candidate: Candidate) -> tuple[Cue, ...]:
    spans = [*candidate.touch.cues, *((m.kind, *m.words) for m in candidate.marks)]
    found = (Cue(flag=k, words=_words(line, shape, (a, b))) for k, a, b in spans)
    return tuple(dict.fromkeys(c for c in found if c.words))


def _words(line: Line, shape: Shape, span: tuple[int, int]) -> str:
    start, end = shape.verbatim(*span)
    return line.text[start:end].strip()


def _probability(line: Line, start: int, end: int) -> int:
    """Mean over the quote's characters, per mille."""
    chars = line.char_prob_pm[start:end]
    return sum(chars) // len(chars) if chars else line.prob_pm
