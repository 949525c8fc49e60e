"""English as a recogniser writes it: lower case, few breaks, lost apostrophes."""

from __future__ import annotations

import re

import pytest

from pipeline.claims.compiled import RuleBook
from pipeline.claims.rules import read_rules
from pipeline.claims.selftest import fires
from pipeline.claims.shape import shape_of
from pipeline.claims.values import Setting

_LEAST_SHARE = 0.93
"""Of all examples of English rules, those that must still fire without case and punctuation."""


@pytest.mark.parametrize(
    ("heard", "shape"),
    [
        ("ul listed gallium nitride so it's small", "ul listed gallium nitride, so it's small"),
        ("get a hole in the first year i send you a new one", "get a hole in the first year, i send you a new one"),
        ("with always on its four maybe five", "with always on it's # maybe #"),
        ("they dont shrink", "they don't shrink"),
        ("youre buying its own charger", "you're buying its own charger"),
        ("it has its own lid, you know", "it has its own lid, you know"),
        ("that is what it is", "that is what it is"),
        ("这件 its 好", "这件 its 好"),
    ],
)  # fmt: skip
def test_breaks_and_apostrophes_are_put_in(heard: str, shape: str) -> None:
    assert shape_of(heard).text == shape


def test_spans_lead_to_the_words_as_heard() -> None:
    heard = "they dont shrink in the wash at all and it's machine washable"
    shape = shape_of(heard)
    at = shape.text.index("don't shrink")
    start, end = shape.verbatim(at, at + len("don't shrink"))
    assert heard[start:end] == "dont shrink"
    at = shape.text.index("it's machine")
    start, end = shape.verbatim(at, len(shape.text))
    assert heard[start:end] == "it's machine washable"


def test_numbers_stay_on_their_signs() -> None:
    shape = shape_of("it doesnt cost sixty we do it for forty five tonight")
    assert [(shape.text[at], str(n.low)) for at, n in shape.numbers.items()] == [
        ("#", "60"),
        ("#", "45"),
    ]


def _flat(sentence: str) -> str:
    """In lower case without punctuation; figures keep their points."""
    kept = re.sub(r"(?<!\d)[.,]|[.,](?!\d)|[!?;:…\"“”()—]", " ", sentence.lower())
    return re.sub(r"\s+", " ", kept).strip()


def test_examples_fire_in_lower_case_without_punctuation() -> None:
    source = read_rules()
    book, setting = RuleBook(source), Setting("USD", None, source.units)
    sentences = [
        (rule, " | ".join(map(_flat, example.split(" | "))))
        for rule in book.rules
        if rule.language == "en"
        for example in rule.rule.examples
    ]
    silent = [text for rule, text in sentences if not fires(rule, text, book, setting)]
    assert 1 - len(silent) / len(sentences) >= _LEAST_SHARE, silent
