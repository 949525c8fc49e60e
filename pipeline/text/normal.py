"""One written form for search and rules, with every character traced to its original.

Steps: Unicode NFKC (half-width, compatibility forms), case folding, removal of
control and invisible characters, Traditional to Simplified (OpenCC ``t2s``),
whitespace squeezed to single blanks and trimmed. The verbatim text stays the
evidence; this form only ever helps to find it.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

_INERT = re.compile(
    r"[\u4e00-\u9fffa-z0-9,.?!:;%'。、《》“”\u2018\u2019]*(?: [\u4e00-\u9fffa-z0-9,.?!:;%'。、《》“”\u2018\u2019]+)*"
)
_ONE_TO_ONE = {0xFF01 + n: chr(0x21 + n).lower() for n in range(94)} | {
    ord(c): c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}
"""Characters that fold to a single other one whatever stands beside them."""
_IGNORABLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_MAX_ROUNDS = 8


class Normal(NamedTuple):
    """Normalised text and where each of its characters comes from."""

    text: str
    """The normal form."""
    offsets: tuple[int, ...]
    """Index in the original of each character; one last entry holds the original's length."""

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The original's ``[start, end)`` for characters ``[start, end)`` of ``text``.

        A character that was expanded (``½`` to ``1⁄2``) is always taken whole.
        """
        if end <= start:
            return self.offsets[start], self.offsets[start]
        after = bisect_right(self.offsets, self.offsets[end - 1])
        return self.offsets[start], self.offsets[min(after, len(self.offsets) - 1)]


def normalise(text: str) -> Normal:
    """The normal form of a text. Total on any string; idempotent.

    Characters that normalise to nothing (zero width, controls, lone surrogates)
    belong to the character before them.
    """
    plain = text.translate(_ONE_TO_ONE)
    if _INERT.fullmatch(plain) and to_simplified(plain) == plain:
        return Normal(plain, tuple(range(len(text) + 1)))
    current, offsets = text, list(range(len(text) + 1))
    for _ in range(_MAX_ROUNDS):
        step = _once(current)
        offsets = [offsets[i] for i in step.offsets]
        if step.text == current:
            break
        current = step.text
    return Normal(current, tuple(offsets))


@lru_cache(maxsize=512)
def normal_text(text: str) -> str:
    """Only the text of :func:`normalise`."""
    plain = text.translate(_ONE_TO_ONE)
    if _INERT.fullmatch(plain) and to_simplified(plain) == plain:
        return plain
    return normalise(text).text


def to_simplified(text: str) -> str:
    """Traditional characters to Simplified, by phrases (OpenCC ``t2s``)."""
    return _opencc()(text)


@lru_cache(maxsize=1)
def _opencc() -> Callable[[str], str]:
    import opencc

    converter = opencc.OpenCC("t2s")
    convert: Callable[[str], str] = converter.convert
    return convert


def _once(text: str) -> Normal:
    """One pass: fold clusters, simplify, squeeze blanks."""
    folded, offsets = _fold_clusters(text)
    simple, offsets = _simplify(folded, offsets)
    return _squeeze(simple, offsets, len(text))


def _fold_clusters(text: str) -> tuple[str, list[int]]:
    """Each base character with its combining marks, folded; offsets without the end."""
    pieces: list[str] = []
    offsets: list[int] = []
    at, size = 0, len(text)
    while at < size:
        end = at + 1
        while end < size and text[end] >= "\u0300" and _joins(text[end]):
            end += 1
        piece = _fold(text[at:end]) if end - at <= 16 else _fold_uncached(text[at:end])
        pieces.append(piece)
        unchanged = piece == text[at:end]
        offsets.extend(range(at, end) if unchanged else [at] * len(piece))
        at = end
    return "".join(pieces), offsets


@lru_cache(maxsize=65536)
def _joins(char: str) -> bool:
    """Whether NFKC may merge the character with the one before it."""
    return unicodedata.combining(char) != 0 or "\u1160" <= char <= "\u11ff"


def _fold_uncached(cluster: str) -> str:
    for _ in range(_MAX_ROUNDS):
        folded = unicodedata.normalize("NFKC", cluster).casefold()
        if folded == cluster:
            break
        cluster = folded
    return "".join(" " if c.isspace() else c for c in cluster if c.isspace() or _visible(c))


_fold = lru_cache(maxsize=65536)(_fold_uncached)


def _visible(char: str) -> bool:
    """False for controls, format characters, surrogates and other invisible ones."""
    if char in _IGNORABLE or "\ufe00" <= char <= "\ufe0f" or "\u180b" <= char <= "\u180f":
        return False
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs") and not (
        "\U000e0000" <= char <= "\U000e0fff"
    )


def _simplify(text: str, offsets: list[int]) -> tuple[str, list[int]]:
    """OpenCC over the whole; character by character where a phrase changes the length."""
    simple = to_simplified(text)
    if len(simple) == len(text):
        return simple, offsets
    pieces = [to_simplified(char) for char in text]
    kept = [at for at, piece in zip(offsets, pieces, strict=True) for _ in piece]
    return "".join(pieces), kept


def _squeeze(text: str, offsets: list[int], size: int) -> Normal:
    """Runs of blanks to one, none at the ends."""
    if "  " not in text and not text.startswith(" ") and not text.endswith(" "):
        return Normal(text, (*offsets, size))
    keep = [i for i, c in enumerate(text) if c != " " or (i > 0 and text[i - 1] != " ")]
    if keep and text[keep[-1]] == " ":
        keep.pop()
    return Normal("".join(text[i] for i in keep), (*(offsets[i] for i in keep), size))
