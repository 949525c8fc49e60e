"""Lists of colours said in open words (黑的跟奶茶棕, 驼的、还有个雾霾蓝) as colour names."""

from __future__ import annotations

import re

from pipeline.claims.amounts import Found, Setting

_SPLIT = re.compile(r"[、,和跟与及加或/ ]|还有|另有|也有|另外|再有|外加|以及")
_LEAD = re.compile(r"^(?:颜色|就|只有|只|仅有|是|有|这|一?个|一?款|#[个款种])+")
_TAIL = re.compile(r"(?:的|这个|这款|一?[个款]|#[个款种]?)+$")
_RUN = re.compile(r"[黑白红蓝绿灰粉紫黄棕咖橙青]{2,4}")
_PLAIN = frozenset("黑白红蓝绿灰粉紫黄棕咖橙青金银驼杏米")


def shades(found: Found, name: str, _: Setting) -> str:
    """Each colour, a plain one with 色, separated by ``;``."""
    parts = (_TAIL.sub("", _LEAD.sub("", p)) for p in _SPLIT.split(found.text(name)))
    return ";".join(s for p in parts if p for s in _named(p))


def _named(part: str) -> list[str]:
    if _RUN.fullmatch(part) and (len(part) > 2 or part in ("黑白", "黑灰", "红黑", "蓝白")):
        return [f"{c}色" for c in part]
    return [f"{part}色" if part in _PLAIN else part]


SHADES = {"shades": shades}
"""Functions of templates."""
