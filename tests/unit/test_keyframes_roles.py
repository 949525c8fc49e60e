"""Roles of screen text, and the clock in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.keyframes.clocks import clock_readings, clock_warning, confirm_clock, parse_dial
from pipeline.keyframes.roles import assign_roles, looks_like_comment, looks_like_price
from pipeline.keyframes.tracks import Track
from pipeline.model import Box, Broadcast, ClockMap, ClockSpan, ScreenLine

PORTRAIT, WIDE = (720, 1280), (960, 540)


def track(text: str, x: int, y: int, w: int, start_s: int, end_s: int, h: int = 24) -> Track:
    box = Box(x_px=x, y_px=y, w_px=w, h_px=h)
    patch = np.zeros((1, 1), np.uint8)
    return Track(text, box, 990, start_s * 1000, 0, patch, end_ms=end_s * 1000)


def roles(tracks: list[Track], frame_px: tuple[int, int] = WIDE) -> dict[str, str]:
    end_ms = max(t.end_ms for t in tracks)
    return {x.text: x.role for x in assign_roles(tracks, frame_px=frame_px, end_ms=end_ms)}


def test_a_card_at_the_side_is_a_card_and_the_chat_beside_it_is_not() -> None:
    found = roles(
        [
            track("7号链接", 650, 405, 66, 10, 90),
            track("风行三合一冲锋衣", 760, 405, 150, 10, 90),
            track("¥339", 758, 468, 70, 10, 90),
            track("小王：99元能买吗", 18, 440, 140, 10, 30),
            track("阿梅：有没有黑色", 18, 470, 140, 12, 30),
        ]
    )
    assert found == {
        "7号链接": "card",
        "风行三合一冲锋衣": "card",
        "¥339": "card",
        "小王：99元能买吗": "comment",
        "阿梅：有没有黑色": "comment",
    }


def test_a_portrait_room_with_the_card_under_the_chat() -> None:
    chat = [
        track(f"用户{n}：防水吗", 20, 820 + 40 * (n % 4), 260, 5 * n, 5 * n + 18) for n in range(8)
    ]
    # A wrapped chat line has no name, and promises something: it must not become a claim's source.
    chat.append(track("保证七天无理由退换", 20, 980, 220, 21, 40))
    card = [
        track("Soft merino socks", 150, 1110, 300, 0, 60),
        track("$27.00", 150, 1150, 90, 0, 60),
    ]
    found = roles(chat + card, PORTRAIT)
    assert found["保证七天无理由退换"] == "comment"
    assert found["Soft merino socks"] == found["$27.00"] == "card"


def test_a_scrolling_list_without_names_is_still_comments() -> None:
    words = ["好看", "求链接", "已拍", "主播讲讲", "想要", "蹲一个", "冲", "有货吗", "材质好吗"]
    tracks = [track(w, 20, 400 + 26 * (n % 4), 90, 4 * n, 4 * n + 14) for n, w in enumerate(words)]
    assert set(roles(tracks).values()) == {"comment"}


def test_specifications_on_a_card_are_no_chat() -> None:
    found = roles(
        [
            track("材质：头层牛皮", 600, 300, 140, 0, 120),
            track("到手价 199", 600, 330, 120, 0, 120),
            track("阿梅：多少钱", 20, 300, 120, 0, 20),
        ]
    )
    assert found["材质：头层牛皮"] == "card"
    assert found["阿梅：多少钱"] == "comment"


def test_a_long_strip_is_a_banner_and_short_text_in_the_room_is_other() -> None:
    found = roles(
        [track("全场满减活动进行中", 300, 10, 300, 0, 200), track("O", 450, 200, 60, 40, 42)]
    )
    assert found == {"全场满减活动进行中": "banner", "O": "other"}


def test_only_a_time_that_advances_is_a_clock() -> None:
    running = [track(f"15:00:{s:02d}", 820, 18, 110, s, s + 2) for s in range(0, 40, 8)]
    down = [track(f"00:09:{50 - s:02d}", 400, 60, 110, s, s + 2) for s in range(0, 40, 8)]
    static = [track("20:00", 400, 300, 80, 0, 40)]
    found = roles(running + down + static)
    assert {found[t.text] for t in running} == {"clock"}
    assert "clock" not in {found[t.text] for t in down + static}


@pytest.mark.parametrize(
    "text", ["momo: 求链接", "小鹿 进入了直播间", "Ann: is it waterproof?", "豆豆妈 来了"]
)
def test_chat_forms(text: str) -> None:
    assert looks_like_comment(text)


@pytest.mark.parametrize("text", ["15:00:50", "¥459", "价格：99", "旅者铝框行李箱24寸"])
def test_not_chat_forms(text: str) -> None:
    assert not looks_like_comment(text)


def test_price_forms() -> None:
    assert all(looks_like_price(t) for t in ("¥69.9", "￥1,099", "$49.99", "99元", "到手价：59"))
    assert not any(looks_like_price(t) for t in ("10650人在看", "24寸", "3号链接", "99元吗"))


def test_dials() -> None:
    dial = parse_dial("2026-06-05 15:00:50")
    assert dial is not None
    assert dial.date == (2026, 6, 5)
    assert parse_dial("１５：００：５０") == parse_dial("15:00:50")
    assert parse_dial("25:00:50") is parse_dial("¥15") is parse_dial("15:00:50 开播") is None


def line(text: str, at_ms: int, role: str = "clock") -> ScreenLine:
    box = Box(x_px=0, y_px=0, w_px=9, h_px=9)
    return ScreenLine(
        start_ms=at_ms, end_ms=at_ms + 2000, text=text, box=box, confidence_pm=999,
        role=role, keyframe=0,
    )  # fmt: skip


def known(broadcast: Broadcast, uncertainty_ms: int = 1000) -> ClockMap:
    span = ClockSpan(
        recording_index=0, start_ms=0, end_ms=9_000_000, media_start_ms=0,
        wall_start_utc_ms=broadcast.start_utc_ms, source="broadcast", uncertainty_ms=uncertainty_ms,
    )  # fmt: skip
    return ClockMap(spans=(span,))


def test_the_clock_confirms_the_map_across_midnight() -> None:
    broadcast = Broadcast(broadcast_id="b", started_at="2026-06-05T23:59:50+08:00")
    lines = [line("23:59:52", 2000), line("00:00:10", 20_000), line("00:00:40", 50_300)]
    readings = clock_readings(lines, broadcast)
    assert confirm_clock(known(broadcast), readings) == (0, 3, 3)
    assert clock_warning(known(broadcast), readings) == ""


def test_a_clock_that_disagrees_is_a_warning_and_one_misreading_is_not() -> None:
    broadcast = Broadcast(broadcast_id="b", started_at="2026-06-05T15:00:00+08:00")
    late = clock_readings([line(f"15:01:{s:02d}", s * 1000) for s in (0, 10, 20)], broadcast)
    assert confirm_clock(known(broadcast), late) == (60_000, 3, 3)
    assert "60.0 s ahead" in clock_warning(known(broadcast), late)
    one = clock_readings(
        [line("15:00:00", 0), line("15:00:10", 10_000), line("15:08:20", 20_000)], broadcast
    )
    assert confirm_clock(known(broadcast), one) == (0, 2, 3)
    assert clock_warning(known(broadcast), one) == ""
    assert confirm_clock(known(broadcast), ()) == (0, 0, 0)


def test_without_a_start_only_a_dated_clock_can_be_read() -> None:
    bare = Broadcast(broadcast_id="b")
    assert clock_readings([line("15:00:00", 0)], bare) == ()
    assert len(clock_readings([line("2026-06-05 15:00:00", 0)], bare)) == 1
    assert clock_readings([line("2026-02-31 15:00:00", 0)], bare) == ()
    assert clock_readings([line("15:00:00", 0, role="comment")], bare) == ()
