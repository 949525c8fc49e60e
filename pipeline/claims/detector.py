"""The rule detector: lines to claims, in three steps.

1. Each line is read on its own (:mod:`candidates`), with the line before it as context.
2. Bare answers are resolved with their question, corrections within an utterance are settled.
3. Claims are tied to products, linked with what they correct or confirm, compared with the
   listing, and sent to review where a person should hear them first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from pipeline.claims.answers import resolve_answer
from pipeline.claims.candidates import Candidate, LineReading, read_line, without_numbers
from pipeline.claims.compiled import RuleBook
from pipeline.claims.completion import with_windows
from pipeline.claims.corrections import link_corrections, settle
from pipeline.claims.corroborate import corroborate
from pipeline.claims.english import currency_of
from pipeline.claims.listing import compare
from pipeline.claims.products import SkuLinker
from pipeline.claims.resolve import Repair, Resolver, apply
from pipeline.claims.review import review_of
from pipeline.claims.rules import RULES_FOLDER, RuleSource, read_rules
from pipeline.claims.shape import Shape, shape_of
from pipeline.claims.values import Setting
from pipeline.model import Broadcast, Claim, ClaimSet, Cue, Line, Screen
from pipeline.provenance import sha256_hex

CODE_VERSION = "1"
"""Raised whenever a change of code can change a claim."""
_CURRENCY = {"zh": "CNY"}


class RuleDetector:
    """Implements ``ports.ClaimDetector`` over a folder of rule files."""

    def __init__(self, source: RuleSource, *, digest: str) -> None:
        self.source = source
        self.digest = digest
        self.book = RuleBook(source)
        self._resolver = Resolver(source.sound)

    @classmethod
    def load(cls, folder: Path | None = None) -> RuleDetector:
        """Read and check the rule files.

        Raises:
            RuleError: a file breaks the format.
        """
        folder = folder or RULES_FOLDER
        return cls(read_rules(folder), digest=_digest(folder))

    @cached_property
    def producer(self) -> str:
        """Rule set name and digest."""
        return f"rules {self.digest[:12]}"

    def detect(
        self, broadcast: Broadcast, lines: Sequence[Line], *, screen: Screen | None, work_key: str
    ) -> ClaimSet:
        """All claims and product windows; never raises on what a line says."""
        linker = SkuLinker(broadcast, lines, screen)
        setting = self._setting(broadcast, lines)
        writer = _Writer(broadcast, linker, self.producer, work_key)
        links = frozenset(p.link_number for p in broadcast.products if p.link_number is not None)
        before: LineReading | None = None
        for line in lines:
            if line.role in ("comment", "clock") or not line.text.strip():
                continue
            repairs = self._resolver.repairs(line.text) if line.char_prob_pm else ()
            text = apply(line.text, repairs)
            reading = self.read(text, before=before, setting=setting)
            for candidate in without_numbers(reading, links):
                writer.add(line, reading.shape, candidate, repairs)
            if line.source == "speech":
                before = reading
        claims = self._compared(link_corrections(writer.claims, lines), broadcast)
        return ClaimSet(
            broadcast_id=broadcast.broadcast_id,
            claims=tuple(claims),
            windows=linker.windows,
            producer=self.producer,
        )

    def _compared(self, claims: Sequence[Claim], broadcast: Broadcast) -> list[Claim]:
        """With the screen, then with the listing."""
        units = self.source.units
        out = []
        for claim in corroborate(with_windows(claims), units=units):
            check = compare(claim, broadcast, units=units)
            update: dict[str, object] = {"listing": check}
            if check is not None and check.agreement == "needs_review":
                update |= {
                    "needs_review": True,
                    "review_reasons": (*claim.review_reasons, check.reason),
                }
            out.append(claim.model_copy(update=update) if check else claim)
        return out

    def read(self, text: str, *, before: LineReading | None, setting: Setting) -> LineReading:
        """One line with the line before it."""
        shape = shape_of(text)
        context = before.shape.text if before else ""
        reading = read_line(shape, before=context, book=self.book, setting=setting)
        reading = settle(reading, book=self.book, setting=setting)
        return resolve_answer(reading, before, book=self.book, setting=setting)

    def _setting(self, broadcast: Broadcast, lines: Sequence[Line] = ()) -> Setting:
        currency = broadcast.currency or _currency(broadcast, lines)
        day = None
        if broadcast.started_at is not None:
            day = broadcast.started_at.date()
        return Setting(currency, day, self.source.units)


class _Writer:
    """Turns candidates into claims, numbering them in order."""

    def __init__(
        self, broadcast: Broadcast, linker: SkuLinker, producer: str, work_key: str
    ) -> None:
        self._broadcast, self._linker, self._producer = broadcast, linker, producer
        self._prefix = f"{sha256_hex(broadcast.broadcast_id.encode())[:4]}-{work_key[:12]}"
        self.claims: list[Claim] = []

    def add(
        self, line: Line, shape: Shape, candidate: Candidate, repairs: Sequence[Repair] = ()
    ) -> None:
        start, end = shape.verbatim(candidate.start, candidate.end)
        if end <= start:
            return
        rule, touch = candidate.rule.rule, candidate.touch
        link = self._linker.link(line, start, end, claim_type=rule.type)
        span = line.span_of(start, end)
        conditions = [m for m in candidate.marks if m.kind == "condition"]
        reasons = review_of(candidate, line, start, end, link)
        mine = [r for r in repairs if r.start < end and start < r.end]
        if mine:
            reasons = (*reasons, "resolved_by_sound")
        broadcast = self._broadcast
        self.claims.append(
            Claim(
                claim_id=f"{self._prefix}-{len(self.claims)}",
                broadcast_id=broadcast.broadcast_id,
                claim_type=rule.type,
                start_ms=span.start_ms,
                end_ms=max(span.end_ms, span.start_ms + 1),
                quote=line.text[start:end],
                resolved=apply(line.text, mine)[start:end] if mine else "",
                resolved_reason="; ".join(f"{r.heard} sounds like {r.phrase}" for r in mine),
                value=candidate.value,
                polarity=touch.polarity,
                hedged=touch.hedged,
                condition=_words(line, shape, conditions[0].words) if conditions else "",
                source=line.source,
                segment_index=line.index,
                char_start=start,
                char_end=end,
                sku_id=link.sku_id,
                sku_confidence_pm=link.confidence_pm,
                sku_reasons=link.reasons,
                cues=self._cues(line, shape, candidate),
                needs_review=bool(reasons),
                review_reasons=reasons,
                prob_pm=_probability(line, start, end),
                box=line.box,
                rule_id=rule.id,
                producer=self._producer,
                host_id=broadcast.host_id,
                merchant_id=broadcast.merchant_id,
                room_operator_id=broadcast.room_operator_id,
                mcn_id=broadcast.mcn_id,
            )
        )

    def _cues(self, line: Line, shape: Shape, candidate: Candidate) -> tuple[Cue, ...]:
        spans = [*candidate.touch.cues, *((m.kind, *m.words) for m in candidate.marks)]
        found = (Cue(flag=k, words=_words(line, shape, (a, b))) for k, a, b in spans)
        return tuple(dict.fromkeys(c for c in found if c.words))


def _currency(broadcast: Broadcast, lines: Sequence[Line]) -> str:
    """Of the language, and in English of the money words used."""
    if not broadcast.language.startswith("en"):
        return _CURRENCY.get(broadcast.language, "CNY")
    offset = broadcast.started_at.utcoffset() if broadcast.started_at else None
    spoken = " ".join(line.text for line in lines)
    return currency_of(spoken, offset.total_seconds() / 3600 if offset is not None else None)


def _words(line: Line, shape: Shape, span: tuple[int, int]) -> str:
    start, end = shape.verbatim(*span)
    return line.text[start:end].strip()


def _probability(line: Line, start: int, end: int) -> int:
    """Mean over the quote's characters, per mille."""
    chars = line.char_prob_pm[start:end]
    return sum(chars) // len(chars) if chars else line.prob_pm


def _name(path: Path) -> str:
    return path.name


def _digest(folder: Path) -> str:
    digest = hashlib.sha256(f"claims {CODE_VERSION}\n".encode())
    for path in sorted([*folder.glob("*.toml"), *Path(__file__).parent.glob("*.toml")], key=_name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
