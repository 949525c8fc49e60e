"""Where a line names a product: spoken link numbers and product names, and how."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from pipeline.claims.cues import EN_ORDINAL, Cues, cues, small_number
from pipeline.claims.names import NameFinder, NameHit
from pipeline.model import Product
from pipeline.text.normal import Normal, normalise

Kind = Literal["number", "name"]
Manner = Literal["announced", "plain", "return", "back", "object", "advice"]
_CLAUSE_END = re.compile(r"[，。！？；、,!?;:：]|\.(?!\d)|(?<=[\u4e00-\u9fff])\s|$")
_LINKISH = re.compile(r"\s*(?:链接|连接|链|[链连练恋联][接结]|link\b)")
_AFTER_ANNOUNCED = re.compile(
    r"\s*(?:链接|连接|品|产品|宝贝|商品|福利品|款)?(?:来了|来咯|到了|呢|啊|哈|哦|是|就是)?\s*(?:$|[，。！？；、,.!?;:：\s])"
)
_ARTICLE = re.compile(r"\b(?:the|our|this|these|that|those|my)\s+(?:\w+\s+)?$")
_ORDINAL = re.compile(EN_ORDINAL)
_ITEM_NUMBER = re.compile(r"-([1-9]\d{1,2})$")
"""What a shop may call its goods by: PT-LFT-23 is twenty-three."""
_MAX_LEAD_CHARS = 3
_STRETCH_CHARS = 1000
_CLOSE_CHARS = 3
_NUMBER_LEAD_CHARS = 8
_INTRODUCING_CHARS = 12
_NAME_REACH_CHARS = 24


_PLAIN = str.maketrans(
    "，！？：；（）ABCDEFGHIJKLMNOPQRSTUVWXYZ", ",!?:;()abcdefghijklmnopqrstuvwxyz"
)
_CACHED_LINES = 16_384


@lru_cache(maxsize=_CACHED_LINES)
def folded(text: str) -> Normal:
    """The normal form; the commonest foldings are done first, one for one, for speed."""
    return normalise(text.translate(_PLAIN))


class Mention(NamedTuple):
    """One place where a product is named; offsets into the line's verbatim text."""

    sku_id: str
    start: int
    end: int
    kind: Kind
    manner: Manner
    words: str
    """As heard."""
    by_sound: bool = False
    given: bool = True
    """False for a name made from the product's full name."""
    common: bool = False
    """Whether it may be a common word: a Latin name without an article."""

    @property
    def pointed(self) -> bool:
        """Whether it points at the product plainly enough to bring it on stage."""
        return self.manner == "plain" and not self.common


class Clause(NamedTuple):
    """A stretch between punctuation marks; offsets into the verbatim text."""

    start: int
    end: int


class MentionFinder:
    """Finds every mention in a line. Build once per broadcast."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._cues: Cues = cues()
        self._names = NameFinder(products)
        self._by_number = _numbers_of(products)

    def find(self, text: str) -> list[Mention]:
        """All mentions of a line in order; numbers and names do not overlap.

        A line is read in stretches of a thousand characters, which keeps hostile ones linear.
        """
        out: list[Mention] = []
        for at in range(0, len(text), _STRETCH_CHARS):
            found = self._stretch(text[at : at + _STRETCH_CHARS])
            out.extend(m._replace(start=m.start + at, end=m.end + at) for m in found)
        return out

    def _stretch(self, text: str) -> list[Mention]:
        normal = folded(text)
        names = self._names.find(normal.text)
        numbered = self._cues.any_number.search(normal.text)
        found = list(self._numbers(normal.text, names)) if numbered else []
        taken = [(m.start, m.end) for m in found]
        for hit in names:
            if all(hit.end <= start or hit.start >= end for start, end in taken):
                found.append(self._name(normal.text, hit, found))
        return [_verbatim(m, normal, text) for m in sorted(found, key=lambda m: m.start)]

    def _numbers(self, text: str, names: Sequence[NameHit]) -> Iterator[Mention]:
        spans: list[tuple[int, int]] = []
        for pattern in self._cues.numbers:
            for match in pattern.finditer(text):
                sku = self._by_number.get(small_number(match["n"]))
                end = match.end()
                if pattern is self._cues.ordinal and not any(
                    n.sku_id == sku and 0 <= n.start - end <= 1 for n in names
                ):
                    continue
                if linkish := _LINKISH.match(text, end):
                    end = linkish.end()
                if sku and all(end <= s or match.start() >= e for s, e in spans):
                    spans.append((match.start(), end))
                    manner = self._number_manner(text, match.start(), end, sku, names)
                    yield Mention(
                        sku, match.start(), end, "number", manner, text[match.start() : end]
                    )
        if not spans:
            yield from self._bare_number(text, names)

    def _bare_number(self, text: str, names: Sequence[NameHit]) -> Iterator[Mention]:
        """A lone numeral: ``Three, the brick``; ``先看三十一，``; ``翻下一页，二十二，``."""
        for match in self._cues.bare_number.finditer(text):
            sku = self._by_number.get(small_number(match["n"]))
            if sku and (manner := self._bare_manner(text, match, sku, names)):
                yield Mention(sku, match.start(), match.end(), "number", manner, match["n"])
        for match in self._cues.leading_number.finditer(text):
            sku = self._by_number.get(small_number(match["n"]))
            if sku and self._named_at_once(text, match.end(), sku, names):
                yield Mention(sku, match.start(), match.end("n"), "number", "announced", match["n"])

    def _named_at_once(self, text: str, at: int, sku: str, names: Sequence[NameHit]) -> bool:
        """``three socks quick``: recognition lost the comma; ``two jackets left`` is a count."""
        hit = next((n for n in names if n.sku_id == sku and n.start == at), None)
        if hit is None:
            return False
        rest = text[hit.end : clause_at(text, at).end]
        return len(rest.split()) <= 1 and not self._cues.recap.search(rest)

    def _bare_manner(
        self, text: str, match: re.Match[str], sku: str, names: Sequence[NameHit]
    ) -> Manner | None:
        """Announced where its product's name follows or a hand-over leads to it.

        Alone it is plain, which only brings on stage what nobody announces otherwise.
        """
        start, words = match.start(), self._cues
        clause = clause_at(text, start)
        before = text[clause.start : start].strip()
        near = [n for n in names if 0 <= n.start - match.end() <= _NAME_REACH_CHARS]
        if any(n.sku_id == sku for n in near[:2]) and _opens_clause(text, start, words):
            return "announced"
        if words.countdown.search(text) or _ORDINAL.fullmatch(match["n"]):
            return None
        if words.returning.search(before):
            return "return"
        if before:
            return "announced" if words.leads_to_number.fullmatch(before) else None
        if words.turns.search(text[: clause.start]):
            return "announced"
        lead = text[: clause.start]
        if words.fillers.search(lead) and text[match.end() : match.end() + 1] in ".。!！":
            return "announced"
        opens = len(lead) <= _NUMBER_LEAD_CHARS and not words.money.search(lead)
        return "plain" if opens and len(match["n"]) > 1 else None

    def _number_manner(
        self, text: str, start: int, end: int, sku: str, names: Sequence[NameHit]
    ) -> Manner:
        before = text[:start]
        if self._cues.back_before.search(before):
            return "back"
        clause = _CLAUSE_END.search(text, end)
        rest = text[end : clause.start() if clause else len(text)]
        if self._cues.recap.search(rest):
            return "back"
        linked = _LINKISH.search(text[start:end]) is not None
        close = any(
            n.sku_id == sku
            and (0 <= n.start - end <= _CLOSE_CHARS or 0 <= start - n.end <= _CLOSE_CHARS)
            for n in names
        )
        if linked or close:
            return "announced"
        if not _opens_clause(text, start, self._cues):
            return "plain"
        named = any(n.sku_id == sku and 0 <= n.start - end <= _NAME_REACH_CHARS // 2 for n in names)
        return "announced" if named or _AFTER_ANNOUNCED.match(text, end) else "plain"

    def _introduced(self, text: str, clause: Clause, before: str) -> bool:
        """Whether a hand-over leads to a name: 下面给大家看的是乳胶枕; 接下来，咱们家这款乳胶枕."""
        if self._cues.introducing.search(before):
            return True
        earlier = text[: clause.start].rstrip("，, ")
        short = len(before) <= _INTRODUCING_CHARS
        return short and self._cues.turns.search(earlier) is not None

    def _name(self, text: str, hit: NameHit, numbers: Sequence[Mention]) -> Mention:
        manner = self._name_manner(text, hit, numbers)
        words = text[hit.start : hit.end]
        bare = words.isascii() and not _ARTICLE.search(text[: hit.start])
        common = bare
        return Mention(
            hit.sku_id, hit.start, hit.end, "name", manner, words, hit.by_sound, hit.given, common
        )

    def _name_manner(self, text: str, hit: NameHit, numbers: Sequence[Mention]) -> Manner:
        if any(
            m.sku_id == hit.sku_id and 0 <= hit.start - m.end <= _NAME_REACH_CHARS for m in numbers
        ):
            return "announced" if any(m.manner == "announced" for m in numbers) else "plain"
        clause = clause_at(text, hit.start)
        before = text[clause.start : hit.start]
        if self._cues.advice_before.search(before):
            return "advice"
        if self._cues.returning.search(before):
            return "return"
        if self._cues.taken_up.search(text[hit.end :]):
            return "return"
        if self._cues.recalled.search(before) or self._cues.preview.search(before):
            return "back"
        after = text[hit.end : clause.end]
        handed = self._cues.handover_before.search(before) and not self._cues.recap.search(after)
        if handed and len(after.strip()) <= 2:
            return "announced"
        introduced = self._introduced(text, clause, before)
        if introduced and before.endswith(("是", "叫", "is")):
            return "announced"
        if self._cues.object_before.search(before):
            return "object"
        if introduced:
            return "announced"
        alone = self._cues.lead.fullmatch(before) or before.strip() in ("", "this is the")
        first = clause.start == 0 or hit.given
        if alone and first and len(after.strip()) <= 1 and hit.end - hit.start >= 2:
            return "announced"
        return "plain"


def _numbers_of(products: Sequence[Product]) -> dict[int | None, str]:
    """Link numbers; and the numbers at the end of the SKU ids, where these are no link numbers."""
    links = Counter(p.link_number for p in products)
    found: dict[int | None, str] = {
        p.link_number: p.sku_id
        for p in products
        if p.link_number is not None and links[p.link_number] == 1
    }
    own: dict[int | None, str] = {
        int(n[1]): p.sku_id for p in products if (n := _ITEM_NUMBER.search(p.sku_id))
    }
    if len(own) == len(products) and not own.keys() & links.keys():
        found |= own
    return found


def _opens_clause(text: str, start: int, words: Cues) -> bool:
    """Whether nothing but a hand-over stands before this place in its clause."""
    clause = clause_at(text, start)
    before = text[clause.start : start].strip()
    if not before:
        return True
    match = words.handover_before.search(before)
    return match is not None and len(before[: match.start()].strip()) <= _MAX_LEAD_CHARS


def clause_at(text: str, at: int) -> Clause:
    """The clause of ``text`` that holds character ``at``."""
    start = 0
    for match in _CLAUSE_END.finditer(text):
        if match.end() > at or match.end() == len(text) == match.start():
            return Clause(start, match.start())
        start = match.end()
    return Clause(start, len(text))


def clauses(text: str) -> list[Clause]:
    """The clauses of a text, without the marks between them."""
    out, start = [], 0
    for match in _CLAUSE_END.finditer(text):
        if match.start() > start:
            out.append(Clause(start, match.start()))
        start = match.end()
    return out


def _verbatim(mention: Mention, normal: Normal, text: str) -> Mention:
    start, end = normal.original_span(mention.start, mention.end)
    return mention._replace(start=start, end=end, words=text[start:end])
