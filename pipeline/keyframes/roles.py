"""Telling screen text apart: product card, comment, banner, clock, other.

Heuristics, in this order; each looks at place, time and shape of the text. They are
general (portrait or landscape, card at the bottom or the side), their words are data
(``words.toml``). A claim must never come from a viewer, so whatever could be a comment is one:

1. *clock*: a time of day and nothing else, at a place where such readings advance with
   media time.
2. *comment*: "name: words" or a chat notice; and every line in a column (same left edge,
   line under line) in which such lines stand or whose text turns over quickly.
3. *card*: a compact block (lines near each other, at the same time) with a price, a link
   number or a buy button.
4. *banner*: stands for long in a strip at the top or bottom.
5. *other*.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from pipeline.errors import ConfigError
from pipeline.keyframes.clocks import advances, parse_dial
from pipeline.keyframes.tracks import Track, overlap_share
from pipeline.model import Box, ScreenLine, ScreenRole
from pipeline.timeline import Span, covered_ms, union

_COLUMN_SHARE = 0.012
_TURNOVER = 3
_TURNOVER_MS = 45_000
_CARD_WIDTH = 0.62
_CARD_HEIGHT = 0.42
_NEAR_LINES = 2.6
_NEAR_ACROSS = 3.5
_STAND_MS = 4_000
_BANNER_MS = 60_000
_STRIP = 0.15
_TOGETHER = 0.5


class _Words(NamedTuple):
    price: re.Pattern[str]
    anchor: re.Pattern[str]
    spec_key: re.Pattern[str]
    chat: re.Pattern[str]
    chat_line: re.Pattern[str]


def assign_roles(
    tracks: Sequence[Track], *, frame_px: tuple[int, int], end_ms: int
) -> tuple[ScreenLine, ...]:
    """Followed lines as :class:`ScreenLine` with their roles, by start and place.

    ``frame_px`` is the picture's (width, height), ``end_ms`` the last picture's time.
    """
    ordered = sorted(tracks, key=lambda t: (t.start_ms, t.box.y_px, t.box.x_px, t.text))
    roles: dict[int, ScreenRole] = {}
    for rule in (_clocks, _comments, _cards, _banners):
        left = [n for n in range(len(ordered)) if n not in roles]
        roles.update(rule(ordered, left, frame_px))
    return tuple(_line(t, roles.get(n, "other")) for n, t in enumerate(ordered))


def looks_like_price(text: str) -> bool:
    """Whether a line shows a price as cards do."""
    return bool(_words().price.search(_plain(text)))


def looks_like_comment(text: str) -> bool:
    """Whether a line has the form of a chat line ("name: words", "… 来了")."""
    words, plain = _words(), _plain(text)
    if parse_dial(text) is not None:
        return False
    if words.chat.search(plain):
        return True
    found = words.chat_line.match(plain)
    if found is None:
        return False
    name = found["name"].strip()
    return bool(name) and not words.spec_key.match(name) and not words.price.search(name)


def _clocks(
    tracks: list[Track], left: list[int], frame_px: tuple[int, int]
) -> dict[int, ScreenRole]:
    dials = {n: d for n in left if (d := parse_dial(tracks[n].text)) is not None}
    found: dict[int, ScreenRole] = {}
    for n in dials:
        place = [m for m in dials if overlap_share(tracks[n].box, tracks[m].box) >= 0.3]
        if advances([(tracks[m].start_ms, dials[m]) for m in place]):
            found[n] = "clock"
    return found


def _comments(
    tracks: list[Track], left: list[int], frame_px: tuple[int, int]
) -> dict[int, ScreenRole]:
    comment = {n for n in left if looks_like_comment(tracks[n].text)}
    for column in _columns(tracks, left, frame_px):
        chat = [n for n in column if n in comment]
        if len(chat) >= 2 or (chat and len(chat) * 3 >= len(column)) or _turns_over(tracks, column):
            comment.update(n for n in column if not _anchor(tracks[n].text))
    return dict.fromkeys(comment, "comment")


def _columns(tracks: list[Track], left: list[int], frame_px: tuple[int, int]) -> list[list[int]]:
    """Lines with the same left edge, in lists that touch vertically at some time."""
    slack = max(3, round(_COLUMN_SHARE * max(frame_px)))
    columns: list[list[int]] = []
    for n in sorted(left, key=lambda n: (tracks[n].box.x_px, tracks[n].box.y_px)):
        box = tracks[n].box
        home = next(
            (
                c
                for c in columns
                if abs(tracks[c[0]].box.x_px - box.x_px) <= slack
                and any(_gap_down(tracks[m].box, box) <= 2 * max(box.h_px, 1) for m in c)
            ),
            None,
        )
        if home is None:
            columns.append([n])
        else:
            home.append(n)
    return columns


def _turns_over(tracks: list[Track], column: list[int]) -> bool:
    """Whether a list of lines scrolls: many texts, each short-lived, several at a time."""
    if len(column) < 2 * _TURNOVER:
        return False
    spans = [Span(tracks[n].start_ms, tracks[n].end_ms) for n in column]
    whole_ms = sum(s.length_ms for s in union(spans))
    rows = {round(tracks[n].box.y_px / max(tracks[n].box.h_px, 1)) for n in column}
    at_once = sum(s.length_ms for s in spans) / max(1, whole_ms)
    brief = sum(s.length_ms < _TURNOVER_MS for s in spans)
    return (
        at_once >= 2
        and len(rows) >= 2
        and brief * 4 >= len(column) * 3
        and (len(column) / at_once >= _TURNOVER)
    )


def _cards(
    tracks: list[Track], left: list[int], frame_px: tuple[int, int]
) -> dict[int, ScreenRole]:
    found: dict[int, ScreenRole] = {}
    seeds = [n for n in left if looks_like_price(tracks[n].text) or _anchor(tracks[n].text)]
    for seed in seeds:
        if _length(tracks[seed]) < _STAND_MS:
            continue
        block = _block(tracks, left, seed, frame_px)
        priced = any(looks_like_price(tracks[n].text) for n in block)
        if len(block) >= 2 and (priced or len(block) >= 3):
            found.update(dict.fromkeys(block, "card"))
    return found


def _block(tracks: list[Track], left: list[int], seed: int, frame_px: tuple[int, int]) -> list[int]:
    """Lines near a seed (and near those), standing with it, while the block stays compact."""
    block, edge = [seed], tracks[seed].box
    mates = [n for n in left if n != seed and _stands_with(tracks[n], tracks[seed])]
    grown = True
    while grown:
        grown = False
        for n in mates:
            if n in block or not any(_near(tracks[n].box, tracks[m].box) for m in block):
                continue
            wider = _hull(edge, tracks[n].box)
            if wider.w_px > _CARD_WIDTH * frame_px[0] and frame_px[0] > frame_px[1]:
                continue
            if wider.h_px > _CARD_HEIGHT * frame_px[1]:
                continue
            block.append(n)
            edge, grown = wider, True
    return block


def _banners(
    tracks: list[Track], left: list[int], frame_px: tuple[int, int]
) -> dict[int, ScreenRole]:
    if not tracks:
        return {}
    whole_ms = max(t.end_ms for t in tracks) - min(t.start_ms for t in tracks)
    found: dict[int, ScreenRole] = {}
    for n in left:
        box, height = tracks[n].box, max(1, frame_px[1])
        middle = (box.y_px + box.h_px / 2) / height
        strip = middle < _STRIP or middle > 1 - _STRIP
        long = _length(tracks[n]) >= min(_BANNER_MS, max(_STAND_MS, whole_ms // 2))
        if long and (strip or _length(tracks[n]) * 5 >= whole_ms * 4):
            found[n] = "banner"
    return found


def _stands_with(track: Track, seed: Track) -> bool:
    """Whether a line stands while the seed does: half of the seed's time at least."""
    shared = covered_ms(Span(seed.start_ms, seed.end_ms), [Span(track.start_ms, track.end_ms)])
    return shared >= _TOGETHER * _length(seed)


def _near(a: Box, b: Box) -> bool:
    height = max(min(a.h_px, b.h_px), 1)
    return _gap_down(a, b) <= _NEAR_LINES * height and _gap_across(a, b) <= _NEAR_ACROSS * height


def _gap_down(a: Box, b: Box) -> int:
    return max(a.y_px - (b.y_px + b.h_px), b.y_px - (a.y_px + a.h_px), 0)


def _gap_across(a: Box, b: Box) -> int:
    return max(a.x_px - (b.x_px + b.w_px), b.x_px - (a.x_px + a.w_px), 0)


def _hull(a: Box, b: Box) -> Box:
    x, y = min(a.x_px, b.x_px), min(a.y_px, b.y_px)
    right, bottom = max(a.x_px + a.w_px, b.x_px + b.w_px), max(a.y_px + a.h_px, b.y_px + b.h_px)
    return Box(x_px=x, y_px=y, w_px=right - x, h_px=bottom - y)


def _length(track: Track) -> int:
    return track.end_ms - track.start_ms


def _anchor(text: str) -> bool:
    return bool(_words().anchor.search(_plain(text)))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().lower()


def _line(track: Track, role: ScreenRole) -> ScreenLine:
    return ScreenLine(
        start_ms=track.start_ms,
        end_ms=track.end_ms,
        text=track.text,
        box=track.box,
        confidence_pm=track.confidence_pm,
        role=role,
        keyframe=track.keyframe,
    )


@cache
def _words() -> _Words:
    text = (files("pipeline.keyframes") / "words.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    try:
        either = {k: "|".join(table[k]) for k in ("price", "anchor", "chat")}
        single = {k: table[k] for k in ("spec_key", "chat_line")}
        return _Words(**{k: re.compile(v) for k, v in (either | single).items()})
    except (KeyError, re.error) as error:
        raise ConfigError(
            f"words.toml: {error}", hint="restore the file of this version"
        ) from error
