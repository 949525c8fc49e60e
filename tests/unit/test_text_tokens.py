"""The tokeniser: a phrase of grams is exactly a substring of the squashed text."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.normal import normal_text
from pipeline.text.pinyin import splits
from pipeline.text.squash import squash
from pipeline.text.tokens import Phrase, Tokens, index_tokens, query_tokens

LIVELY = st.text(
    alphabet=st.one_of(
        st.sampled_from("藏青纯棉防水敏感肌买一送家人们abcdeABC 0123.,，。!% ¥\n哈哈著乾裡"),
        st.characters(exclude_categories=("Cs",)),
    ),
    min_size=1,
    max_size=30,
)


def contains(tokens: Tokens, phrase: Phrase) -> bool:
    """What both backends do with a phrase."""
    held = getattr(tokens, phrase.column).split(" ")
    wanted = list(phrase.tokens)
    for at in range(len(held) - len(wanted) + 1):
        part = held[at : at + len(wanted)]
        if part[:-1] == wanted[:-1] and (
            part[-1] == wanted[-1] or (phrase.prefix and part[-1].startswith(wanted[-1]))
        ):
            return True
    return False


@given(LIVELY, st.data())
@settings(max_examples=600, deadline=None)
def test_every_part_of_a_text_is_found_in_it(text: str, data: st.DataObject) -> None:
    normal = normal_text(text)
    if not normal:
        return
    start = data.draw(st.integers(0, len(normal) - 1))
    part = normal[start : start + data.draw(st.integers(1, 8))]
    phrase = query_tokens(part).literal
    if phrase is None:
        assert not squash(part).text
        return
    assert contains(index_tokens(text), phrase)


@given(LIVELY, LIVELY)
@settings(max_examples=400, deadline=None)
def test_what_is_found_is_a_part(text: str, part: str) -> None:
    phrase = query_tokens(part).literal
    if phrase is not None and contains(index_tokens(text), phrase):
        assert squash(part).text in squash(text).text or len(part) > 8


@given(LIVELY)
@settings(max_examples=300, deadline=None)
def test_tokens_hold_nothing_that_a_tokeniser_would_split_at(text: str) -> None:
    allowed = set(string.ascii_lowercase + string.digits)
    for column in index_tokens(text):
        assert all(c in allowed for c in column if c.isascii() and c != " ")
        assert not any(c.isspace() and c != " " for c in column)


@given(LIVELY)
@settings(max_examples=300, deadline=None)
def test_squashed_spans_lie_in_the_text(text: str) -> None:
    squashed = squash(text)
    assert len(squashed.spans) == len(squashed.text)
    assert all(0 <= a < b <= len(text) for a, b in squashed.spans)


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("这件是藏青色，很显白", "藏青色很", True),
        ("iPhone 15 Pro手机壳", "15 pro手", True),
        ("重 1.5 公斤", "1.5", True),
        ("重 15 公斤", "1.5", False),
        ("free returns", "ee re", True),
        ("freereturns", "ee re", False),
        ("far too big", "art", False),
        ("哈" * 3000, "哈" * 500, True),
        ("买它" * 300, "它买" * 20, True),
        ("看着干净", "看著乾淨", True),
        ("９９元", "99", True),
    ],
)
def test_examples(text: str, query: str, found: bool) -> None:
    phrase = query_tokens(query).literal
    assert phrase is not None
    assert contains(index_tokens(text), phrase) is found


def test_endless_repetition_costs_nothing() -> None:
    tokens = index_tokens("哈" * 100_000)
    assert all(len(column) < 200 for column in tokens)


def test_one_term_in_its_forms() -> None:
    tokens = query_tokens("藏清")
    assert tokens.literal == Phrase("grams", ("藏清",))
    assert Phrase("sounds", ("zan0qin",)) in tokens.sounds
    assert query_tokens("returned").stem == query_tokens("returns").stem
    assert query_tokens("，。").literal is None


def test_pinyin_is_split_into_syllables() -> None:
    assert splits("cangqing") == (("can", "qin"),)
    assert ("xi", "an") in splits("xian")
    assert splits("warranty") == ()
    assert splits("a" * 400) == ()
