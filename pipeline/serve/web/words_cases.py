"""The words of the pages of cases, in Chinese and English."""

from __future__ import annotations

from pipeline.serve.web.words import LANGUAGES

_BOTH: dict[str, tuple[str, str]] = {
    "heading": ("案件", "Cases"),
    "case": ("案件", "Case"),
    "none": ("没有向您披露的案件。", "No case is open to you."),
    "opened": ("立案", "opened"),
    "closed": ("已结案", "closed"),
    "things_count": ("项材料", "things"),
    "new": ("立案", "Open a case"),
    "title": ("案由（请勿写当事人姓名）", "What it is about (no names of persons: it stays)"),
    "orders": ("订单号，每行一个", "Orders, one a line"),
    "claims": ("承诺编号，每行一个", "Claim ids, one a line"),
    "spans": (
        "片段，每行：起-止毫秒 直播编号",
        "Spans, one a line: START-END ms, then the broadcast",
    ),
    "broadcasts": ("整场直播，每行一个", "Whole broadcasts, one a line"),
    "parties": ("当事方", "Parties"),
    "things": ("材料", "What belongs to it"),
    "yours": ("已向您披露的材料", "What was disclosed to you"),
    "number": ("编号", "Number"),
    "kind": ("种类", "Kind"),
    "order": ("订单答复", "order"),
    "claim": ("承诺", "claim"),
    "span": ("片段", "span"),
    "broadcast": ("整场直播", "broadcast"),
    "buyer": ("买家", "buyer"),
    "merchant": ("商家", "merchant"),
    "host": ("主播", "host"),
    "agency": ("机构", "agency"),
    "platform": ("平台", "platform"),
    "other": ("其他", "other"),
    "forgotten": ("买家数据已销毁", "the buyer was forgotten"),
    "when": ("位置", "Where"),
    "release": ("版本", "release"),
    "add": ("补充材料", "Add to the case"),
    "do_add": ("补充", "Add"),
    "disclose": ("披露", "Disclose"),
    "to": ("披露给", "To"),
    "which": ("材料编号，例如 1, 3-5", "Numbers of things, for example 1, 3-5"),
    "why": ("理由", "Why"),
    "disclosures": ("披露记录", "Disclosures"),
    "by": ("披露人", "By"),
    "withdraw": ("撤回", "Withdraw"),
    "ended": ("已终止", "ended"),
    "close": ("结案：全部披露随之终止", "Close: every disclosure ends with it"),
    "do_close": ("结案", "Close the case"),
    "back": ("回到案件", "Back to the case"),
    "withheld": ("个时刻未向您披露", "moments are not disclosed to you"),
    "within": ("其中的承诺", "Claims within"),
    "nobody": ("没有可以披露的密钥。", "There is no key that it could be disclosed to."),
    "now": ("按目前的数据作答", "as the answer is now"),
}
CASES = {
    lang: {key: both[number] for key, both in _BOTH.items()}
    for number, lang in enumerate(LANGUAGES)
}
