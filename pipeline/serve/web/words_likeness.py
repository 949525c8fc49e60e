"""The words about a buyer's photo, in Chinese and English."""

from __future__ import annotations

from pipeline.serve.web.words import LANGUAGES

_BOTH: dict[str, tuple[str, str]] = {
    "heading": ("按照片比对画面", "By picture"),
    "photo": ("买家照片（JPEG、PNG）", "The buyer's photo (JPEG, PNG)"),
    "compare": ("找相似画面", "Find pictures like it"),
    "note": (
        "仅为画面相似度，供人查看，不构成证据。照片不会被保存。",
        "Likeness only, for a person to look at; never proof. The photo is not kept.",
    ),
    "theirs": ("买家照片", "The buyer's photo"),
    "ours": ("直播画面", "Picture of the broadcast"),
    "like": ("相似度", "likeness"),
    "colours": ("共有颜色", "shared colours"),
    "bits": ("轮廓差异（64 位中）", "differing bits of 64"),
    "looked": ("张画面已比对，商品时段内共", "pictures compared, of"),
    "in_windows": ("张", "kept while the product was shown"),
    "none": (
        "商品时段内没有保存的画面。",
        "No picture was kept while the product was shown.",
    ),
    "back": ("回到订单", "Back to the order"),
}
LIKENESS = {
    lang: {key: both[number] for key, both in _BOTH.items()}
    for number, lang in enumerate(LANGUAGES)
}
