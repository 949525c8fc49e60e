"""Product windows and SKU links: the traps, in scenes of our own."""

import pytest

from pipeline.claims.cues import small_number
from pipeline.claims.products import SkuLinker
from pipeline.model import (
    Box,
    Broadcast,
    Line,
    Product,
    ScheduleEntry,
    Screen,
    ScreenLine,
)

TEA = Product(sku_id="TEA", link_number=11, name="山野白毫银针", aliases=("白茶", "银针"))
POT = Product(sku_id="POT", link_number=12, name="山野紫砂壶", aliases=("紫砂壶", "壶"))
CUP = Product(sku_id="CUP", link_number=13, name="山野建盏", aliases=("建盏", "主人杯"))
EARS = Product(sku_id="EAR", link_number=1, name="Nord Air headphones", aliases=("headphones",))
LAMP = Product(sku_id="LMP", link_number=2, name="Nord Glow lamp", aliases=("lamp",))
RUG = Product(sku_id="RUG", link_number=3, name="Nord wool rug", aliases=("rug",))
LINE_MS = 5000


def scene(*texts):
    return [
        Line(
            line_id=f"s{n}",
            source="speech",
            index=n,
            start_ms=n * LINE_MS,
            end_ms=n * LINE_MS + LINE_MS - 200,
            text=text,
        )
        for n, text in enumerate(texts)
    ]


def linker(texts, *, products=(TEA, POT, CUP), schedule=(), screen=None):
    entries = tuple(
        ScheduleEntry(sku_id=s, start_ms=a * LINE_MS, end_ms=b * LINE_MS) for s, a, b in schedule
    )
    made = Broadcast(broadcast_id="b", products=products, product_schedule=entries)
    lines = scene(*texts)
    return SkuLinker(made, lines, screen), lines


def sku(texts, line, quote=None, *, claim_type="style", **options):
    made, lines = linker(texts, **options)
    text = lines[line].text
    start = text.index(quote) if quote else 0
    link = made.link(lines[line], start, start + len(quote or text), claim_type=claim_type)
    return link.sku_id


TALK = (
    "欢迎来到直播间",
    "十一号链接，白茶",
    "这是春天采的",
    "一百二十九一盒",
    "来，十二号，紫砂壶",
    "容量两百毫升",
    "下一个，建盏，十三号",
    "口径九厘米",
    "拜拜",
)


# --- windows ------------------------------------------------------------------------------


def test_windows_from_speech_alone_are_inferred_and_give_their_reasons():
    made, _ = linker(TALK)
    assert [(w.sku_id, w.start_ms // LINE_MS) for w in made.windows] == [
        ("TEA", 1),
        ("POT", 4),
        ("CUP", 6),
    ]
    assert {w.source for w in made.windows} == {"inferred"}
    assert "十一号链接" in made.windows[0].reasons[0]
    assert all(w.confidence_pm >= 900 for w in made.windows)


RIGHT = (("TEA", 1, 4), ("POT", 4, 6), ("CUP", 6, 9))
LATE = (("TEA", 7, 10), ("POT", 10, 12), ("CUP", 12, 15))
SWAPPED = (("POT", 1, 4), ("TEA", 4, 6), ("CUP", 6, 9))
HOLED = (("TEA", 1, 4), ("CUP", 6, 9))
OUTSIDE = (("TEA", 900, 950), ("POT", 950, 990))


@pytest.mark.parametrize("schedule", [RIGHT, LATE, SWAPPED, HOLED, OUTSIDE, ()])
def test_whatever_the_schedule_speech_puts_it_right(schedule):
    for line, wanted in ((2, "TEA"), (3, "TEA"), (5, "POT"), (7, "CUP")):
        assert sku(TALK, line, schedule=schedule) == wanted


def test_sources_say_whether_the_event_was_used_moved_or_put_aside():
    sources = lambda s: [w.source for w in linker(TALK, schedule=s)[0].windows]  # noqa: E731
    assert sources(RIGHT) == ["schedule"] * 3
    assert sources(SWAPPED) == ["corrected", "corrected", "schedule"]
    assert sources(HOLED) == ["schedule", "inferred", "schedule"]


def test_without_any_announcement_the_schedule_alone_decides():
    talk = ["你好"] + ["说点别的"] * 20
    schedule = (("TEA", 2, 10), ("POT", 10, 20))
    assert sku(talk, 5, schedule=schedule) == "TEA"
    assert sku(talk, 14, schedule=schedule) == "POT"
    made, _ = linker(talk, schedule=schedule)
    assert [w.source for w in made.windows] == ["schedule", "schedule"]


def test_a_schedule_covers_a_blank_in_the_talk():
    lines = scene(*TALK[:3])
    entries = tuple(
        ScheduleEntry(sku_id=s, start_ms=a, end_ms=b)
        for s, a, b in (("TEA", 5000, 15_000), ("POT", 40_000, 100_000), ("CUP", 100_000, 160_000))
    )
    late = Line(line_id="s9", source="speech", index=9, start_ms=150_000, end_ms=155_000, text="嗯")
    made = SkuLinker(
        Broadcast(broadcast_id="b", products=(TEA, POT, CUP), product_schedule=entries),
        [*lines, late],
        None,
    )
    assert {w.sku_id for w in made.windows} == {"TEA", "POT", "CUP"}


def test_without_talk_and_with_nothing_at_all():
    made, _ = linker((), schedule=RIGHT)
    assert [w.sku_id for w in made.windows] == ["TEA", "POT", "CUP"]
    assert linker(())[0].windows == ()
    empty, lines = linker(["十一号"], products=())
    assert empty.windows == ()
    assert empty.link(lines[0], 0, 1, claim_type="price").unsure


def test_cards_on_the_screen_place_a_product_nobody_names():
    talk = ["十一号，白茶", "很好喝", "换一个给大家看", "手工做的", "很薄", "很轻", "好看"]
    cards = tuple(
        ScreenLine(
            start_ms=a * LINE_MS,
            end_ms=b * LINE_MS,
            text=text,
            box=Box(x_px=0, y_px=0, w_px=1, h_px=1),
            confidence_pm=950,
            role=role,
            keyframe=0,
        )
        for a, b, text, role in (
            (0, 2, "山野白毫银针", "card"),
            (2, 40, "山野建盏 到手价99", "card"),
            (2, 40, "紫砂壶什么时候讲", "comment"),
        )
    )
    screen = Screen(broadcast_id="b", lines=cards)
    talk += ["再看看"] * 25
    assert sku(talk, 20, screen=screen) == "CUP"
    assert sku(talk, 1, screen=screen) == "TEA"


# --- numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [("三", 3), ("十一", 11), ("二十四", 24), ("两", 2), ("12", 12), ("twenty two", 22),
     ("seven", 7), ("third", 3), ("零八", 8), ("x", None)],
)  # fmt: skip
def test_small_numbers(text, number):
    assert small_number(text) == number


@pytest.mark.parametrize(
    "words",
    ["十二号链接", "12号链接来了", "好，上十二号", "链接十二，来", "第十二个，紫砂壶", "來，十二號，紫砂壺",
     "接下来十二号", "小黄车第十二个，看一下", "十二好连接"],
)  # fmt: skip
def test_link_numbers_in_many_forms(words):
    assert sku((*TALK[:4], words, "容量两百毫升"), 5) == "POT"


@pytest.mark.parametrize(
    "words",
    ["十二号之前都发走", "十二寸的也有", "一共十二个", "还剩十二件", "十二点结束", "我住十二号楼",
     "第十二个月再换", "十二块一个", "十二号色卖完了"],
)  # fmt: skip
def test_sizes_dates_and_counts_are_no_link_numbers(words):
    assert sku((*TALK[:4], words, "很好喝"), 5) == "TEA"


EN = (
    "hi everyone, lamps and rugs and headphones tonight",
    "Link one, the headphones.",
    "Forty hours of battery.",
    "Number two, our lamp.",
    "Two years on this one.",
    "Three, the rug.",
    "Pure wool.",
)


@pytest.mark.parametrize(("line", "wanted"), [(2, "EAR"), (4, "LMP"), (6, "RUG")])
def test_english_announcements(line, wanted):
    assert sku(EN, line, products=(EARS, LAMP, RUG)) == wanted


@pytest.mark.parametrize(
    "words", ["pin two", "ok item 2", "next up, the lamp", "on to the second one, the lamp"]
)
def test_english_handovers(words):
    assert sku((*EN[:3], words, "very bright"), 4, products=(EARS, LAMP, RUG)) == "LMP"


@pytest.mark.parametrize(
    "words",
    [
        "Okay okay, two. This one shines.",
        "Second, the lamp, it's new",
        "second pin, the lamp",
        "Two then, the lamp.",
    ],
)
def test_english_calls_by_a_number_alone_or_an_ordinal(words):
    assert sku((*EN[:3], words, "very bright"), 4, products=(EARS, LAMP, RUG)) == "LMP"


def test_goods_called_by_the_numbers_of_their_ids():
    beds = tuple(
        p.model_copy(update={"sku_id": f"PT-{n}"})
        for p, n in zip((EARS, LAMP, RUG), (21, 22, 23), strict=True)
    )
    talk = ("Number twenty-one, first up.", "Solid pine.", "Okay, number twenty-two.", "Metal.")
    assert sku(talk, 1, products=beds) == "PT-21"
    assert sku(talk, 3, products=beds) == "PT-22"
    linked = (beds[0].model_copy(update={"link_number": 22}), *beds[1:])
    assert sku(talk, 3, products=linked) == "PT-21"


def test_an_ordinal_that_counts_parts_is_no_link_number():
    talk = ("Number two, the lamp.", "Three arms, the third one goes off to the side.", "Brass.")
    assert sku(talk, 2, products=(EARS, LAMP, RUG)) == "LMP"
    moved = ("Number two, the lamp.", "And the third one, the rug.", "Wool.")
    assert sku(moved, 2, products=(EARS, LAMP, RUG)) == "RUG"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("two lamps quick.", "LMP"), ("two lamps.", "LMP"), ("two lamps left.", "EAR")],
)
def test_a_number_and_a_name_without_their_comma(words, wanted):
    assert sku((*EN[:3], words, "very bright"), 4, products=(EARS, LAMP, RUG)) == wanted


# --- other products, the room, unknown ----------------------------------------------------


def test_a_product_named_in_passing_takes_its_own_claim_only():
    talk = (*TALK[:3], "建盏三天内发，白茶今天发", "很好喝")
    assert sku(talk, 3, "三天内发", claim_type="shipping_time") == "CUP"
    assert sku(talk, 3, "今天发", claim_type="shipping_time") == "TEA"
    assert sku(talk, 4) == "TEA"


def test_going_back_for_a_sentence():
    talk = (*TALK[:6], "刚刚十一号那款，保质期三年", "壶身是手工的")
    assert sku(talk, 6, "保质期三年", claim_type="shelf_life") == "TEA"
    assert sku(talk, 7) == "POT"


@pytest.mark.parametrize(
    "words",
    ["牙口不好的别买，去拍建盏", "容量跟建盏差不多", "可以放在建盏旁边", "送一个建盏", "不是建盏"],
)
def test_a_product_as_place_yardstick_gift_or_advice_is_not_the_subject(words):
    talk = (*TALK[:6], words, "壶身是手工的")
    assert sku(talk, 6, words[:2]) == "POT"
    assert sku(talk, 6, words, claim_type="gift") == "POT"
    assert sku(talk, 7) == "POT"


@pytest.mark.parametrize(
    ("words", "claim_type"),
    [
        ("全场七天无理由", "returns"),
        ("所有商品四十八小时发", "shipping_time"),
        ("每一单都送运费险", "freight"),
        ("everything in the shop ships free", "freight"),
        ("我们是品牌官方旗舰店", "authenticity"),
    ],
)
def test_house_rules_have_no_sku_and_are_sure(words, claim_type):
    made, lines = linker((*TALK[:6], words, "手工的"))
    link = made.link(lines[6], 0, len(words), claim_type=claim_type)
    assert (link.sku_id, link.unsure) == (None, False)
    assert made.link(lines[7], 0, 2, claim_type="style").sku_id == "POT"


def test_closing_talk_is_for_all_but_not_right_behind_the_price():
    talk = (*TALK[:8], "九十九，运费险", "喜欢的拍", "谢谢大家", "四十八小时发货", "盏口描金")
    assert sku(talk, 8, "运费险", claim_type="freight") == "CUP"
    assert sku(talk, 11, claim_type="shipping_time") is None
    assert sku(talk, 12) == "CUP"


def test_before_the_first_product_nothing_is_guessed():
    made, lines = linker(TALK)
    link = made.link(lines[0], 0, 2, claim_type="style")
    assert (link.sku_id, link.unsure) == (None, True)


def test_names_by_sound_and_a_common_word():
    assert sku(("十一号白茶", "好喝", "来看子沙壶", "两百毫升", "子沙壶能养"), 3) == "POT"
    talk = ("Link one, headphones.", "so watch your language", "forty hours")
    watch = Product(sku_id="WCH", link_number=2, name="Nord watch", aliases=("watch",))
    assert sku(talk, 2, products=(EARS, watch)) == "EAR"


def test_the_listing_is_never_read():
    texts = (*TALK[:4], "紫砂壶那个", "容量两百毫升")
    with_listing = POT.model_copy(update={"listing": {"price": "129", "net": "129"}})
    a = [linker(texts, products=(TEA, p, CUP))[0].windows for p in (POT, with_listing)]
    assert a[0] == a[1]


def test_one_product_alone_needs_no_announcement():
    assert sku(("你好", "很好喝"), 1, products=(TEA,)) == "TEA"


def test_a_line_on_the_screen_goes_to_the_product_on_it_else_to_the_one_on_stage():
    made, _ = linker(TALK)
    seen = Line(
        line_id="f0",
        source="screen",
        index=0,
        start_ms=5 * LINE_MS,
        end_ms=7 * LINE_MS,
        text="山野建盏 到手价99",
        role="card",
    )
    named = made.link(seen, 5, 11, claim_type="price")
    bare = made.link(seen.model_copy(update={"text": "到手价99"}), 0, 5, claim_type="price")
    assert (named.sku_id, bare.sku_id) == ("CUP", "POT")
    assert "shown" in named.reasons[0]


# --- other hosts' ways --------------------------------------------------------------------

HIGH_POT = POT.model_copy(update={"link_number": 32})
HIGH = (TEA.model_copy(update={"link_number": 31}), HIGH_POT, CUP.model_copy(update={"link_number": 33}))  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "翻下一页，三十二，泡茶用的",
        "先看三十二，泡茶用的",
        "三十二，泡茶用的家伙",
        "三十二链接，泡茶用的",
    ],
)
def test_a_lone_numeral_is_a_link_number_where_the_talk_turns_to_it(words):
    talk = ("三十一号，白茶", "春天采的", words, "容量两百毫升")
    assert sku(talk, 3, products=HIGH) == "POT"


@pytest.mark.parametrize(
    "words", ["三，二，一，上链接", "到手三十二，拍", "到手价，三十二，不加价"]
)
def test_countdowns_and_prices_are_no_link_numbers(words):
    talk = ("三十一号，白茶", "春天采的", words, "很好喝", "三十二号，紫砂壶", "手工的")
    assert sku(talk, 3, products=HIGH) == "TEA"


@pytest.mark.parametrize(
    "words",
    [
        "接下来给大家看的是紫砂壶",
        "下面介绍一下我们家这款紫砂壶",
        "再有就是紫砂壶",
        "来，看看这把壶",
        "泡茶的壶",
    ],
)
def test_products_brought_on_without_a_number(words):
    assert sku((*TALK[:4], words, "容量两百毫升"), 5) == "POT"


def test_a_list_of_what_is_on_sale_announces_nobody():
    talk = ("今天三样，白茶，紫砂壶，还有建盏", "十一号，白茶", "春天采的")
    assert sku(talk, 2) == "TEA"


def test_a_product_promised_for_later_does_not_come_on_stage():
    assert sku((*TALK[:3], "待会儿上紫砂壶", "很好喝"), 4) == "TEA"


def test_a_product_nobody_names_comes_where_its_number_is_next():
    talk = ("十一号，白茶", "春天采的", "下一个", "容量两百毫升", "十三号，建盏", "很薄")
    assert sku(talk, 3) == "POT"
    assert sku(talk, 5) == "CUP"


@pytest.mark.parametrize(
    "opening", ["售后统一说一下", "再讲讲规矩", "house rules now", "三样都一样的规矩"]
)
def test_house_rules_last_until_a_product_comes_on_stage(opening):
    talk = (*TALK[:4], opening, "七天之内随便退", "坏了包赔", "十二号，紫砂壶", "七天之内随便退")
    assert sku(talk, 5, claim_type="returns") is None
    assert sku(talk, 6, claim_type="after_sales") is None
    assert sku(talk, 8, claim_type="returns") == "POT"


def test_going_back_at_the_end_does_not_hide_the_closing_talk():
    talk = (
        *TALK[:8],
        "九十九一只",
        "喜欢的拍",
        "回到十一号，白茶是春天的",
        "四十八小时发货",
        "白茶三天发",
    )
    assert sku(talk, 10, "春天的", claim_type="shelf_life") == "TEA"
    assert sku(talk, 11, claim_type="shipping_time") is None
    assert sku(talk, 12, claim_type="shipping_time") == "TEA"


def test_the_answer_to_a_question_about_another_product_is_about_that_one():
    talk = (*TALK[:6], "白茶能放几年呢", "放十年没问题", "壶身是手工的")
    assert sku(talk, 7, claim_type="shelf_life") == "TEA"
    assert sku(talk, 8) == "POT"


def test_short_names_are_whole_words():
    rice = Product(sku_id="RCE", link_number=14, name="山野大米", aliases=("米",))
    wine = Product(sku_id="WIN", link_number=15, name="山野白酒", aliases=("酒",))
    products = (TEA, rice, wine)
    for words in ("玉米做的", "零九年产的", "二百九十九"):
        assert sku((*TALK[:3], words), 3, products=products) == "TEA"
    assert sku((*TALK[:3], "米来了", "今年的"), 4, products=products) == "RCE"


def test_figures_in_a_name_are_read_aloud():
    phone = Product(sku_id="PHN", link_number=16, name="曜石12", aliases=("曜石12",))
    assert sku((*TALK[:3], "来看曜石十二", "国行的"), 4, products=(TEA, phone)) == "PHN"
