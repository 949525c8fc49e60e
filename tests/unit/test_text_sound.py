"""Matching by sound: recognition errors found, offsets exact, readings by phrase."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.sound import (
    FUZZY,
    LITERAL,
    SAME_TONE,
    TONELESS,
    SoundMatcher,
    find_by_sound,
    fold_syllable,
    sound_key,
    syllables,
)


@pytest.mark.parametrize(
    ("needle", "hay", "heard", "grade"),
    [
        ("敏感肌", "这款敏感机也能用", "敏感机", SAME_TONE),
        ("买一送一", "今天买一送益啊", "买一送益", TONELESS),
        ("库存", "酷存不多", "酷存", SAME_TONE),
        ("藏青", "藏清色的", "藏清", SAME_TONE),
        ("蓝色", "男色的", "男色", FUZZY),
        ("防晒", "黄晒霜 房晒霜", "房晒", SAME_TONE),
        ("ML500", "这个 ml500", "ml500", LITERAL),
        ("颜色", "顏色很正", "顏色", LITERAL),
    ],
)
def test_a_misheard_word_is_found(needle: str, hay: str, heard: str, grade: int) -> None:
    hits = list(SoundMatcher([needle]).find(hay))
    assert [(hay[h.start : h.end], h.grade) for h in hits] == [(heard, grade)]


def test_a_break_is_never_crossed_and_blanks_are() -> None:
    assert find_by_sound("纯棉", "很纯，棉的") == ()
    assert find_by_sound("纯棉", "很纯 棉的") == ((1, 4),)


def test_a_polyphone_cannot_hide_its_own_character() -> None:
    assert find_by_sound("重庆", "重 庆") == ((0, 3),)
    assert next(s.pinyin for s in syllables("重庆银行行长")) == "chong2"


def test_only_worst_grade_asked_for() -> None:
    assert find_by_sound("蓝色", "男色", worst=TONELESS) == ()


def test_many_needles_in_one_pass() -> None:
    hits = list(SoundMatcher(["长度", "长大", "面霜"]).find("长度和长大的棉霜"))
    assert [h.needle for h in hits] == ["长度", "长大", "面霜"]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("zhang4", "zan"),
        ("shi2", "si"),
        ("neng2", "len"),
        ("ri4", "li"),
        ("fu2", "hu2"),
        ("liang2", "nian"),
    ],
)
def test_folded_pairs_are_equal(left: str, right: str) -> None:
    assert fold_syllable(left) == fold_syllable(right)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_has_ordered_syllables_inside_it(text: str) -> None:
    units = syllables(text)
    assert all(0 <= u.start < u.end <= len(text) for u in units)
    assert all(a.start <= b.start for a, b in itertools.pairwise(units))


@given(st.text(alphabet="敏感肌买一送纯棉长度重庆藏青abc12 ", min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_every_text_is_found_in_itself(text: str) -> None:
    if sound_key(text):
        assert find_by_sound(text, text)
