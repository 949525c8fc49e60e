"""Corrections: the last word of an utterance counts; a later utterance is linked, both stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from pipeline.claims.candidates import Candidate, LineReading, read_line
from pipeline.claims.compiled import RuleBook
from pipeline.claims.contrast import contrasted
from pipeline.claims.shape import Shape, shape_of
from pipeline.claims.standing import Mark
from pipeline.claims.values import Setting
from pipeline.model import Claim, Line

_UNITS_ZH = (
    "个月|小时|年|月|天|周|块|元|公斤|千克|克|斤|毫升|升|厘米|公分|米|寸|件|条|双|瓶|盒|包|个"
)
_UNITS_EN = (
    "years?|months?|weeks?|days?|hours?|minutes?|bucks|dollars?|pounds?|euros?|kilos?|grams?|"
    "ounces?|litres?|liters?|inch(?:es)?|feet|foot|met(?:re|er)s?|pieces?|pairs?"
)
_BARE_ZH = re.compile(
    rf"(?:应该)?(?P<s>(?:是|改成|变成)(?P<v>#(?:{_UNITS_ZH})?))(?:才对|的)?(?=[,。!. ]|$)"
)
_BARE_EN = re.compile(
    rf"(?P<s>(?:it's |is |to |that's |only |just )?(?P<v>#(?: (?:{_UNITS_EN}))?))(?=[,.!?;]|$)"
)
_FIGURE = re.compile(rf"#(?:(?P<apart>[- ]?)(?P<unit>{_UNITS_ZH}|{_UNITS_EN}))?")
_SOON = 12
"""Characters after the words of an English correction within which the new figure stands."""
_EARLIER = re.compile(
    r"上次|刚才|刚刚|刚说|之前|(?:昨天|上[一#]?场)(?!卖|[^,。]{0,3}#)|monday|last|earlier"
)
_LOOK_BACK_MS = 20 * 60_000


def settle(
    reading: LineReading, before: LineReading | None, *, book: RuleBook, setting: Setting
) -> LineReading:
    """What the line denies beside its claims; of a corrected type only the final value stands.

    A line that begins with a correction gives the claim of the line ``before`` its new figure.
    """
    reading = contrasted(reading)
    marks = [m for m in reading.cues.marks if m.kind == "correction"]
    if not marks:
        return reading
    mark = marks[-1]
    kept = [k for k in reading.kept if not _other_figure(k, mark, reading)]
    restated = _restated(reading, before, mark, book=book, setting=setting)
    if restated is not None:
        kept = [k for k in kept if k.start >= restated.end or k.end <= restated.start]
        kept.append(restated)
    kept = [k._replace(marks=(*k.marks, mark)) if k.end > mark.words[0] else k for k in kept]
    if _EARLIER.search(reading.shape.text[: mark.words[0]]):
        return reading._replace(kept=tuple(sorted(kept, key=lambda c: c.start)))
    later = {
        c.rule.rule.type for c in kept if c.start >= mark.words[0] and c.touch.polarity == "affirm"
    }
    kept = [c for c in kept if c.start >= mark.words[0] or c.rule.rule.type not in later]
    return reading._replace(kept=tuple(sorted(kept, key=lambda c: c.start)))


def _other_figure(claim: Candidate, mark: Mark, reading: LineReading) -> bool:
    """A lone number after a correction is a price only where a price was corrected."""
    shape, start = reading.shape, mark.words[0]
    if claim.rule.rule.type != "price" or claim.start < start:
        return False
    before = [at for at in shape.numbers if at < start]
    if shape.text[claim.start : claim.end] != "#" or not before:
        return False
    if any((at, at + 1) == shape.clause_of(at) for at in before):
        return False
    said = (*reading.kept, *reading.dropped)
    return not any(c.rule.rule.type == "price" and c.start < start for c in said)


def _restated(
    reading: LineReading,
    before: LineReading | None,
    mark: Mark,
    *,
    book: RuleBook,
    setting: Setting,
) -> Candidate | None:
    """刚说四百毫升不对, 是五百: the new figure with the old one's unit, or its own."""
    shape = reading.shape
    bare = _bare(shape, mark)
    corrected = _corrected(reading, before, mark)
    if bare is None or corrected is None:
        return None
    whose, old = corrected
    figure = _FIGURE.search(whose.shape.text, old.start, old.end)
    if figure is None:
        return None
    new = _renewed(figure, bare["v"], _digits(shape.numbers[bare.start("v")].low))
    text = whose.shape.text
    renewed = text[old.start : figure.start()] + new + text[figure.end() : old.end]
    again = read_line(
        shape_of(renewed.replace("#", "1")), before="", book=book, setting=setting
    ).kept
    same = [c for c in again if c.rule.rule.type == old.rule.rule.type]
    if not same:
        return None
    start, end = bare.span("s")
    cues = (("correction", *mark.words),)
    return same[0]._replace(touch=same[0].touch._replace(start=start, end=end, cues=cues), marks=())


def _bare(shape: Shape, mark: Mark) -> re.Match[str] | None:
    """The figure that stands alone after the correction; in English it may lie in its words."""
    if shape.chinese:
        return _BARE_ZH.search(shape.text, mark.words[1])
    hit = _BARE_EN.search(shape.text, mark.words[0])
    return hit if hit and hit.start("s") <= mark.words[1] + _SOON else None


def _corrected(
    reading: LineReading, before: LineReading | None, mark: Mark
) -> tuple[LineReading, Candidate] | None:
    """The claim whose figure was wrong: the last one said, in this line or in the one before."""
    said = [c for c in (*reading.kept, *reading.dropped) if c.end <= mark.words[0]]
    if said:
        return reading, said[-1]
    begins = reading.shape.clauses and mark.words[0] < reading.shape.clauses[0].end
    return (before, before.kept[-1]) if begins and before is not None and before.kept else None


def _renewed(figure: re.Match[str], said: str, digits: str) -> str:
    """The old figure with the new number, and with the new unit where one was said."""
    unit = said.lstrip("# ")
    if not unit:
        return digits + figure[0][1:]
    if figure["unit"] and not figure["unit"].endswith("s"):
        unit = unit.removesuffix("s")
    return digits + (figure["apart"] or ("" if unit > "z" else " ")) + unit


def _digits(value: Decimal) -> str:
    return format(value.normalize(), "f")


def link_corrections(claims: Sequence[Claim], lines: Sequence[Line]) -> list[Claim]:
    """A claim of a correcting line corrects the last earlier one of its type and product."""
    out = list(claims)
    for at, claim in enumerate(out):
        if not any(c.flag == "correction" for c in claim.cues) or claim.source != "speech":
            continue
        earlier = [
            n for n in range(at)
            if out[n].claim_type == claim.claim_type
            and out[n].sku_id == claim.sku_id
            and out[n].segment_index != claim.segment_index
            and out[n].source == "speech"
            and out[n].value != claim.value
            and out[n].corrected_by is None
            and claim.start_ms - out[n].start_ms <= _LOOK_BACK_MS
        ]  # fmt: skip
        if earlier:
            old = earlier[-1]
            out[old] = out[old].model_copy(update={"corrected_by": claim.claim_id})
            out[at] = claim.model_copy(update={"corrects": out[old].claim_id})
    return out
