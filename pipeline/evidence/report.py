"""The report of a bundle: one HTML page, Chinese and English, that prints well and runs nothing.

The page is built as a tree and written by the standard library, so that every text is escaped;
harmful characters in hostile text (controls, direction marks) are shown by their number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from pipeline.timeline import clock, from_utc_ms

_HARMFUL = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;margin:2rem auto;
max-width:60rem;padding:0 1rem;color:#111;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;border-bottom:1px solid #999;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{border:1px solid #bbb;padding:.3rem .5rem;
text-align:left;vertical-align:top;white-space:pre-line}th{background:#f2f2f2}
.long{overflow-wrap:anywhere}
figure{display:inline-block;margin:.5rem 1rem .5rem 0}img{max-height:14rem;max-width:100%}
video{max-height:24rem;max-width:100%}code{font-size:.85em;overflow-wrap:anywhere}
.asked{background:#fff7d6}.against{background:#fde4e1}.heard{font-weight:600}
.inferred{font-style:italic;color:#555}.note{color:#444}
@media print{body{margin:0;max-width:none;font-size:10pt}video{display:none}
tr,figure{break-inside:avoid}h2{break-after:avoid}a{color:inherit}}
"""
_RELATIONS = {
    "asked": ("所问", "asked about"),
    "for": ("佐证", "for"),
    "against": ("相反或更正", "against, or a correction"),
    "beside": ("同窗口其他", "beside"),
}

_LONG_WORD = 24
"""Longer ones may be broken anywhere, so that a table stays on its page."""

Record = Mapping[str, Any]


def visible(text: object) -> str:
    """Text with every harmful character shown by its number."""
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in _HARMFUL else f"[U+{ord(c):04X}]"
        for c in str(text)
    )


def report_html(records: Mapping[str, Any]) -> bytes:
    """The page over the records of a bundle (``bundle``, ``claims``, ``recording`` …)."""
    page = Element("html", lang="zh")
    head = SubElement(page, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width")
    _text(head, "title", f"证据包 Evidence: {records['bundle']['broadcast_id']}")
    SubElement(head, "style").text = _STYLE
    body = SubElement(page, "body")
    _subject(body, records)
    _dossiers(body, records.get("dossiers", {}).get("dossiers", ()))
    _claims(body, records)
    _clips(body, records)
    _pictures(body, records["keyframes"]["keyframes"], records)
    _words(body, records)
    _basis(body, records)
    _origin(body, records)
    _making(body, records)
    _checking(body)
    text: bytes = tostring(page, encoding="utf-8", method="html")
    return b"<!doctype html>\n" + text + b"\n"


def _text(parent: Element, tag: str, text: object, **more: str) -> Element:
    element = SubElement(parent, tag, {k.rstrip("_"): v for k, v in more.items()})
    element.text = visible(text)
    return element


def _heading(body: Element, zh: str, en: str) -> None:
    _text(body, "h2", f"{zh} · {en}")


def _table(
    body: Element, headers: Sequence[str], rows: Iterable[Sequence[object]]
) -> list[Element]:
    table = SubElement(body, "table")
    top = SubElement(SubElement(table, "thead"), "tr")
    for header in headers:
        _text(top, "th", header)
    below, made = SubElement(table, "tbody"), []
    for row in rows:
        line = SubElement(below, "tr")
        for cell in row:
            place = SubElement(line, "td")
            SubElement(place, "bdi").text = text = visible(cell)
            if max(map(len, text.split()), default=0) > _LONG_WORD:
                place.set("class", "long")
        made.append(line)
    return made


def _facts(body: Element, rows: Iterable[tuple[str, object]]) -> None:
    _table(body, ("项目 · item", "内容 · value"), [row for row in rows if row[1] not in ("", None)])


def _wall(at_utc_ms: int | None, uncertainty_ms: int | None, zone: int) -> str:
    if at_utc_ms is None:
        return "–"
    instant = from_utc_ms(at_utc_ms, offset_minutes=zone).isoformat(timespec="milliseconds")
    return instant if uncertainty_ms is None else f"{instant} ± {uncertainty_ms} ms"


def _subject(body: Element, records: Mapping[str, Any]) -> None:
    about, broadcast = records["bundle"], records["recording"]["broadcast"]
    zone = records["clock"]["zone_minutes"]
    product = records["listing"]["product"] or {}
    _text(body, "h1", "直播回放证据包 · Evidence from a livestream replay")
    _facts(
        body,
        [
            ("直播 · broadcast", about["broadcast_id"]),
            ("标题 · title", broadcast["title"]),
            ("主播 · host", broadcast["host_id"]),
            ("商家 · merchant", broadcast["merchant_id"]),
            ("平台 · platform", broadcast["platform"]),
            ("商品 · SKU", about["sku_id"]),
            ("商品名 · product", product.get("name", "")),
            ("订单 · orders", ", ".join(about["orders"])),
            ("开播 · began", _wall(records["clock"]["started_utc_ms"], None, zone)),
            ("封存 · sealed", _wall(about["sealed_utc_ms"], None, zone)),
        ],
    )


def _dossiers(body: Element, dossiers: Sequence[Record]) -> None:
    if not dossiers:
        return
    _heading(body, "订单结论", "Answers to the orders")
    for one in dossiers:
        _text(body, "p", one["sentence"].get("zh", ""))
        _text(body, "p", one["sentence"].get("en", ""), lang="en")


def _claims(body: Element, records: Mapping[str, Any]) -> None:
    _heading(body, "该商品窗口内的全部说法", "Every claim in the windows of this product")
    note = (
        "先列听到的原话，再列推断的写法（斜体）。 "
        "Words as heard come first; what was inferred from them is marked as such."
    )
    _text(body, "p", note, class_="note")
    zone = records["clock"]["zone_minutes"]
    headers = ("时间 · time", "原话 · as heard", "推断 · inferred", "类型 · type", "取值 · value")
    rows = records["claims"]["claims"]
    lines = _table(
        body,
        (*headers, "关系 · relation", "复核 · review"),
        [
            (
                f"{clock(row['claim']['start_ms'])}\n"
                f"{_wall(row['wall_utc_ms'], row['wall_uncertainty_ms'], zone)}",
                f"{row['heard']}（{row['claim']['source']}）",
                row["resolved"] or "–",
                row["claim"]["claim_type"],
                _value(row["claim"]),
                " · ".join(_RELATIONS[row["relation"]]),
                ", ".join(row["claim"]["review_reasons"]) or "–",
            )
            for row in rows
        ],
    )
    for line, row in zip(lines, rows, strict=True):
        line.set("class", row["relation"])
        line[1].set("class", "heard")
        line[2].set("class", "inferred")


def _value(claim: Record) -> str:
    value = claim["value"]
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    marks = ["否定 denied"] * (claim["polarity"] == "negate") + ["约 hedged"] * claim["hedged"]
    condition = [f"条件 condition: {claim['condition']}"] * bool(claim["condition"])
    return " / ".join([text, *marks, *condition])


def _clips(body: Element, records: Mapping[str, Any]) -> None:
    _heading(body, "片段", "Clips")
    for clip in records["bundle"]["clips"]:
        SubElement(body, "video", src=clip["file"], controls="controls", preload="metadata")
        copied = (
            "原样复制 copied" if clip["copied"] else "重新编码，仅供观看 coded anew, for viewing"
        )
        _facts(
            body,
            [
                ("文件 · file", clip["file"]),
                ("SHA-256", clip["sha256"]),
                ("从 · from", clock(clip["start_ms"])),
                ("到 · to", clock(clip["end_ms"])),
                ("方式 · how", copied),
                ("缺失 · missing", "; ".join(f"{clock(a)}–{clock(b)}" for a, b in clip["missing"])),
                ("断点 · holes", "; ".join(f"{clock(a)} {why}" for a, _, why in clip["holes"])),
            ],
        )


def _pictures(body: Element, keyframes: Sequence[Record], records: Mapping[str, Any]) -> None:
    if not keyframes:
        return
    _heading(body, "关键帧", "Keyframes")
    for one in keyframes:
        figure = SubElement(body, "figure")
        SubElement(figure, "img", src=one["file"], alt=clock(one["at_ms"]))
        _text(figure, "figcaption", clock(one["at_ms"]))
    lines = [(clock(r["start_ms"]), r["role"], r["text"]) for r in records["keyframes"]["lines"]]
    _table(body, ("时间 · time", "类别 · kind", "画面文字 · text on screen"), lines)


def _words(body: Element, records: Mapping[str, Any]) -> None:
    _heading(body, "前后语音", "Words around them")
    told = records["transcript"]
    _table(
        body,
        ("时间 · time", "逐字 · verbatim", "规范 · normalised", "置信‰ · certainty"),
        [
            (clock(s["start_ms"]), s["text"], s["normal_text"], s["prob_pm"])
            for s in told["segments"]
        ],
    )
    for gap in told["gaps"]:
        _text(
            body,
            "p",
            f"未听到 not heard: {clock(gap['start_ms'])}–{clock(gap['end_ms'])} "
            f"{gap['reason']} {gap['detail']}",
            class_="note",
        )


def _basis(body: Element, records: Mapping[str, Any]) -> None:
    _heading(body, "商品窗口与覆盖", "Product windows and coverage")
    windows = [
        (
            f"{clock(w['start_ms'])}–{clock(w['end_ms'])}",
            w["sku_id"] or "?",
            "推断 inferred" if w["inferred"] else "平台日程 schedule",
            w["confidence_pm"],
            "; ".join(w["reasons"]),
        )
        for w in records["windows"]["windows"]
    ]
    _table(body, ("窗口 · window", "SKU", "来源 · source", "‰", "理由 · reasons"), windows)
    spans = [
        (f"{clock(c['start_ms'])}–{clock(c['end_ms'])}", c["share_pm"], c["mean_prob_pm"])
        for c in records["coverage"]["spans"]
    ]
    _table(body, ("范围 · span", "已听‰ · listened", "平均置信‰ · mean certainty"), spans)


def _origin(body: Element, records: Mapping[str, Any]) -> None:
    product = records["listing"]["product"] or {}
    _heading(body, "商品页快照", "Listing snapshot")
    _table(body, ("字段 · field", "内容 · text"), list(product.get("listing", {}).items()))
    _heading(body, "原录像", "The recording")
    for one in records["recording"]["recordings"]:
        _facts(
            body,
            [
                ("文件 · file", one["file_name"]),
                ("SHA-256", one["sha256"]),
                ("Merkle", one["merkle_root"]),
                ("字节 · bytes", one["size_bytes"]),
            ],
        )


def _making(body: Element, records: Mapping[str, Any]) -> None:
    _heading(body, "规则与版本", "Rules and versions")
    rules = [(r["id"], r["pattern"]) for r in records["rules"]["rules"]]
    _table(body, ("规则 · rule", "式样 · pattern"), rules)
    outputs = [
        (o["stage"], o["producer"]["version"], o["producer"]["model"], o["content"])
        for o in records["versions"]["outputs"]
    ]
    _table(body, ("步骤 · stage", "版本 · version", "模型 · model", "SHA-256"), outputs)
    _heading(body, "保管记录", "Custody")
    zone = records["clock"]["zone_minutes"]
    events = [
        (_wall(e["body"]["at_utc_ms"], None, zone), e["body"]["event"], e["body"]["writer"])
        for e in records["custody"]["events"]
    ]
    _table(body, ("时间 · time", "事件 · event", "谁 · who"), events)


def _checking(body: Element) -> None:
    _heading(body, "如何核验", "How to check this")
    _text(
        body,
        "p",
        "本页只是摘要；证据是本文件夹中的文件。核验：",
    ).tail = "This page is a summary; the evidence are the files in this folder. Check them:"
    _text(body, "pre", "sha256sum -c SHA256SUMS\npython3 verify.py . --trust TRUST.json")
    _text(
        body,
        "p",
        "信任文件须从别处取得，不可来自本包。The trust file must come from elsewhere, never from here.",
    )
