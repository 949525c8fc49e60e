"""Regional words are read as the words that rules know, and nothing moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.claims.dialect import plain_speech


@pytest.mark.parametrize(
    ("heard", "plain"),
    [
        ("一根蚕丝都冇得", "一根蚕丝都没有"),
        ("夹子勿配，侬自己买", "夹子不配，你自己买"),
        ("阿拉厂里出的", "我们厂里出的"),
        ("今朝落单明朝出厂门", "今天下单明天出厂门"),
        ("往盒子里搁一支", "往盒子里放一支"),
        ("勾了丝莫来找我扯皮", "勾了丝别来找我扯皮"),
        ("明儿一早拉走咧", "明天一早拉走啊"),
    ],
)
def test_regional_words(heard: str, plain: str) -> None:
    assert plain_speech(heard) == plain


@pytest.mark.parametrize("text", ["莫代尔的", "阿拉伯数字", "明朝的瓷器", "勿忘我的花", "莫兰迪色"])
def test_other_words_stay(text: str) -> None:
    assert plain_speech(text) == text


@given(st.text(alphabet="勿莫冇得阿拉侬今朝明儿搁咧，伐好abc1") | st.text())
def test_length_is_kept(text: str) -> None:
    assert len(plain_speech(text)) == len(text)
