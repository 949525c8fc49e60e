"""Values in normal form: templates and lists over a rule's match."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from pipeline.claims.amounts import Found, Setting, figures, plain, shown
from pipeline.claims.compiled import Vocabulary
from pipeline.claims.functions import FUNCTIONS

__all__ = ["Found", "Setting", "figures", "fill", "items", "pairs", "plain", "shown", "word"]

_FIELD = re.compile(r"\{([a-z]+[a-z0-9]*)(?:\|([a-z_]+))?\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


def fill(
    template: str, found: Found, words: Vocabulary, lexicons: tuple[str, ...], setting: Setting
) -> str:
    """A template with its groups; an optional part without its group is left out."""

    def optional(part: re.Match[str]) -> str:
        names = [f[1] for f in _FIELD.finditer(part[1])]
        return part[1] if all(n in found.groups for n in names) else ""

    def one(field: re.Match[str]) -> str:
        name, function = field[1], field[2]
        if name not in found.groups:
            return ""
        if function:
            return FUNCTIONS[function](found, name, setting)
        return word(found, name, words, lexicons)

    return _FIELD.sub(one, _OPTIONAL.sub(optional, template))


def word(found: Found, name: str, words: Vocabulary, lexicons: tuple[str, ...]) -> str:
    """A group's canonical form, or its words with numbers in figures."""
    start, end = found.groups[name]
    for lexicon in lexicons:
        canonical = _canonical(found, start, end, words.canonical(lexicon))
        if canonical:
            return canonical
    return figures(found, name)


def _canonical(found: Found, start: int, end: int, table: dict[str, str]) -> str:
    """The lexicon's form of a stretch; of words with a numeral (二层牛皮) by their figures."""
    text = found.shape.text[start:end]
    if "#" in text:
        numbers = found.shape.numbers
        text = "".join(
            shown(numbers[i]) if i in numbers else found.shape.text[i] for i in range(start, end)
        )
    return table.get(text.strip(), "")


@lru_cache(maxsize=256)
def _term(alternatives: str) -> re.Pattern[str]:
    """Kept here: the rules alone overflow the cache of ``re``."""
    return re.compile(alternatives)


def items(found: Found, lexicon: str, words: Vocabulary) -> list[str]:
    """The lexicon's terms in the quote, canonical, each once."""
    pattern = _term(words.alternatives(lexicon))
    canonical = words.canonical(lexicon)
    start, end = found.groups["s"]
    named = (
        _canonical(found, *m.span(), canonical) or m[0]
        for m in pattern.finditer(found.shape.text, start, end)
    )
    return list(dict.fromkeys(named))


def pairs(found: Found, lexicon: str, words: Vocabulary) -> list[str]:
    """The lexicon's terms in the quote with the percentage beside each."""
    canonical = words.canonical(lexicon)
    start, end = found.groups["s"]
    text = found.shape.text
    term = _term(words.alternatives(lexicon))
    spots = [
        (*m.span(), _canonical(found, *m.span(), canonical) or m[0])
        for m in term.finditer(text, start, end)
    ]
    numbers = [i for i in range(start, end) if i in found.shape.numbers]
    before = bool(numbers and spots and numbers[0] < spots[0][0])
    out, used = [], set[int]()
    for at, (a, b, name) in enumerate(spots):
        left = spots[at - 1][1] if at else start
        right = spots[at + 1][0] if at + 1 < len(spots) else end
        near = [
            i for i in numbers if (left <= i < a if before else b <= i < right) and i not in used
        ]
        if near:
            chosen = near[-1] if before else near[0]
            used.add(chosen)
            factor = Decimal(10) if text[chosen + 1 : chosen + 2] == "成" else Decimal(1)
            out.append(f"{name}:{shown(found.shape.numbers[chosen], factor=factor)}%")
        else:
            out.append(name)
    return list(dict.fromkeys(out))
