from __future__ import annotations

import pytest

from pipeline.ports import Heard
from pipeline.transcribe.alignment import compression_pm
from pipeline.transcribe.guards import droppable, judge, unheard


def heard(text: str, *, prob: int = 800, no_speech: int = 20, step_ms: int = 100) -> Heard:
    starts = tuple(step_ms * n for n in range(len(text) + 1))
    return Heard(
        0, starts[-1], text, starts, (prob,) * len(text), prob, no_speech, compression_pm(text)
    )


@pytest.mark.parametrize(
    ("text", "voiced_ms"),
    [
        ("下午好下午好,箱箱来咯,暑假出去玩的同学看过来", 5000),
        ("对对对对,好好好,买一送一", 3000),
        ("What's up, Marcus here, three things tonight, all from Orbitron.", 5000),
        ("这款serum的texture真的很light,oversize的也有", 5000),
    ],
)
def test_ordinary_speech_passes(text: str, voiced_ms: int) -> None:
    spread = heard(text, step_ms=voiced_ms // len(text))
    assert judge([spread], length_ms=voiced_ms).flags == ()


@pytest.mark.parametrize(
    ("text", "voiced_ms", "flag"),
    [
        ("哈哈哈哈" * 30, 20_000, "repeat"),
        ("好的好的" * 80, 29_000, "compressed"),
        ("请不吝点赞 订阅 转发", 4000, "phrase"),
        ("字幕by索兰娅", 3000, "phrase"),
        ("Thank you for watching!", 3000, "phrase"),
        ("二十寸二十四寸都在一号里面选" * 2, 1000, "fast"),
        ("嗯", 20_000, "short"),
        ("", 3000, "empty"),
    ],
)
def test_what_whisper_makes_up_is_flagged(text: str, voiced_ms: int, flag: str) -> None:
    pieces = [heard(text)] if text else []
    assert flag in judge(pieces, length_ms=voiced_ms).flags


def test_a_sale_talk_that_mentions_a_like_button_is_not_a_phrase() -> None:
    text = "大家点点赞,感谢收看的朋友们,今天这个锅买一送一,还有三年的质保,七天无理由退货"
    assert "phrase" not in judge([heard(text)], length_ms=9000).flags


def test_the_better_reading_ranks_higher() -> None:
    good = judge([heard("今天有旅行三件套")], length_ms=3000)
    unsure = judge([heard("今天有旅行三件套", prob=500)], length_ms=3000)
    looping = judge([heard("好的好的" * 20)], length_ms=9000)
    assert good.rank > unsure.rank > looping.rank


def test_loops_and_credits_are_dropped_and_speech_is_not() -> None:
    assert droppable(heard("好的好的" * 20))
    assert droppable(heard("字幕志愿者 杨茜茜", prob=400))
    assert not droppable(heard("今天有旅行三件套", prob=300))


def test_skipped_words_are_found_and_pauses_are_not_words() -> None:
    said = heard("一岁以内不能喝肉毒杆菌记住了", step_ms=180)
    (span,) = unheard([said], length_ms=20_000, pauses=())
    assert 1800 <= span[0] <= said.end_ms
    assert span[1] == 20_000
    assert "skipped" in judge([said], length_ms=20_000).flags
    pause = [(said.end_ms, 20_000)]
    assert unheard([said], length_ms=20_000, pauses=pause) == []
    assert judge([said], length_ms=20_000, pauses=pause).flags == ()


def test_words_skipped_in_the_middle_are_found() -> None:
    before, after = heard("今天有旅行三件套"), heard("买一送一还送收纳袋")
    late = tuple(at + 6000 for at in after.char_start_ms)
    moved = after._replace(start_ms=6000, end_ms=late[-1], char_start_ms=late)
    (span,) = unheard([before, moved], length_ms=late[-1], pauses=())
    assert span[0] < 1000 < 5000 < span[1]


def test_of_two_readings_with_holes_the_one_with_less_left_out_ranks_higher() -> None:
    less, more = (judge([heard("今天有旅行三件套" * n)], length_ms=9000) for n in (4, 1))
    assert "skipped" in less.flags
    assert less.rank > more.rank
