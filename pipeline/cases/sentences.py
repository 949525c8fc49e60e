"""The one plain sentence that opens a dossier, in Chinese and English."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.cases.reasons import Inquiry
from pipeline.model import Broadcast, ClockMap, Coverage, Gap, Moment, Order
from pipeline.timeline import clock, from_utc_ms

TYPE_NAMES = {
    "colour": ("颜色", "colour"),
    "size": ("尺寸", "size"),
    "style": ("款式", "style"),
    "material": ("材质", "material"),
    "ingredient": ("成分", "ingredients"),
    "quantity": ("件数", "quantity"),
    "net_content": ("净含量", "net content"),
    "price": ("价格", "price"),
    "price_guarantee": ("价保", "price guarantee"),
    "gift": ("赠品", "gifts"),
    "warranty": ("保修", "warranty"),
    "returns": ("退换", "returns"),
    "after_sales": ("售后承诺", "after-sales service"),
    "shipping_time": ("发货时间", "shipping time"),
    "freight": ("运费", "freight"),
    "origin": ("产地", "origin"),
    "authenticity": ("正品", "authenticity"),
    "certification": ("认证检测", "certification"),
    "efficacy": ("功效", "efficacy"),
    "performance": ("性能", "performance"),
    "suitability": ("适用", "suitability"),
    "shelf_life": ("保质期", "shelf life"),
    "condition": ("成色", "condition"),
}
_STANDING = {
    "before": ("在下单之前", "before the order"),
    "after": ("在下单之后", "after the order"),
    "cannot_tell": ("与下单先后无法断定", "before or after the order cannot be told"),
}
_AGREEMENT = {
    "agrees": ("与之相符", "it agrees"),
    "contradicts": ("与之不符", "it contradicts this"),
    "not_stated": ("", ""),
    "needs_review": ("是否相符需人工核对", "whether it agrees needs review"),
}
_GAP_NAMES = {
    "no_recording": ("没有录像", "no recording"),
    "no_audio": ("没有声音", "no audio"),
    "no_transcript": ("尚未转写", "not transcribed"),
    "corrupt": ("录像损坏", "the recording is damaged"),
}


class Findings(NamedTuple):
    """What the sentence is made from."""

    order: Order
    broadcast: Broadcast
    verdict: str
    why: str
    inquiry: Inquiry
    moments: tuple[Moment, ...]
    coverage: Coverage
    clock_map: ClockMap


def sentence(found: Findings) -> dict[str, str]:
    """One plain sentence, ``zh`` and ``en``."""
    if found.verdict == "found":
        zh, en = _found(found)
    elif found.verdict == "not_said":
        zh, en = _not_said(found)
    else:
        zh, en = _cannot_say(found)
    return {"zh": zh, "en": en}


def _found(found: Findings) -> tuple[str, str]:
    moment = found.moments[0]
    claim = moment.claim
    when_zh, when_en = _when(moment.start_ms, found)
    stand_zh, stand_en = _STANDING[moment.standing]
    listed_zh, listed_en = _listed(moment)
    seen = claim.source == "screen"
    verb_zh, verb_en = ("画面上写着", "the screen showed") if seen else ("主播说", "the host said")
    zh = f"{when_zh}，{verb_zh}“{claim.quote}”，{stand_zh}{listed_zh}。"
    return zh, f"At {when_en} {verb_en} “{claim.quote}”, {stand_en}{listed_en}."


def _listed(moment: Moment) -> tuple[str, str]:
    check = moment.claim.listing
    if check is None or not check.listed:
        return "；商品页未写明", "; the listing does not state it"
    zh, en = _AGREEMENT[check.agreement]
    field = f"{check.field}: " if check.field else ""
    return (
        f"；商品页写的是“{field}{check.listed}”" + (f"，{zh}" if zh else ""),
        f"; the listing says “{field}{check.listed}”" + (f" and {en}" if en else ""),
    )


def _when(at_ms: int, found: Findings) -> tuple[str, str]:
    """Wall time in the broadcast's offset with its ±; media time without a wall clock."""
    wall = found.clock_map.wall_utc_ms(at_ms)
    if wall is None:
        return f"录像 {clock(at_ms)[:-4]} 处", f"{clock(at_ms)[:-4]} of the recording"
    at = from_utc_ms(wall[0], offset_minutes=found.clock_map.zone_minutes)
    text = at.strftime("%Y-%m-%d %H:%M:%S")
    offset = at.strftime("%z")
    around = f"{-(-wall[1] // 1000)}"
    return f"{text}（±{around} 秒）", f"{text} {offset} (± {around} s)"


def _types(found: Findings) -> tuple[str, str]:
    names = [TYPE_NAMES[t] for t in found.inquiry.first]
    return "、".join(n[0] for n in names), " or ".join(n[1] for n in names)


def _not_said(found: Findings) -> tuple[str, str]:
    if found.why == "nothing":
        return (
            "这项投诉不涉及主播所说的内容，没有相关的话。",
            "This complaint is about nothing a host says; there is no related claim.",
        )
    zh, en = _types(found)
    share = f"{found.coverage.share_pm / 10:.0f}%"
    sku = found.order.sku_id
    return (
        f"在已听的讲解（覆盖 {share}）中，主播没有就商品 {sku} 说过有关{zh}的话。",
        f"In what was heard (coverage {share}) the host said nothing about {en} of {sku}.",
    )


def _cannot_say(found: Findings) -> tuple[str, str]:
    sku = found.order.sku_id
    if found.why == "reason":
        return (
            "无法断定：从买家的话里看不出争议涉及主播说的哪一类内容。",
            "Cannot say: the buyer's words do not tell what kind of claim is in dispute.",
        )
    if found.why == "no_window":
        return (
            f"无法断定：没有认出商品 {sku} 的讲解时段。",
            f"Cannot say: it was not recognised when {sku} was presented.",
        )
    if found.why == "recognition":
        pm = found.coverage.mean_prob_pm
        return (
            f"无法断定：商品 {sku} 的讲解识别可信度过低（{pm / 10:.0f}%）。",
            f"Cannot say: recognition of the talk about {sku} is too doubtful ({pm / 10:.0f}%).",
        )
    named = [_gap(gap, found) for gap in found.coverage.gaps]
    return (
        f"无法断定：商品 {sku} 的讲解有缺失：" + "；".join(n[0] for n in named) + "。",
        f"Cannot say: part of the talk about {sku} is missing: "
        + "; ".join(n[1] for n in named)
        + ".",
    )


def _gap(gap: Gap, found: Findings) -> tuple[str, str]:
    seconds = round((gap.end_ms - gap.start_ms) / 1000)
    zh, en = _GAP_NAMES.get(gap.reason, (gap.detail or gap.reason, gap.detail or gap.reason))
    when_zh, when_en = _when(gap.start_ms, found)
    return f"{when_zh}起 {seconds} 秒（{zh}）", f"{seconds} s from {when_en} ({en})"
