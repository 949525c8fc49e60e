"""English word stems (Snowball's English algorithm), cached word by word."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

_LONGEST = 40


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of a lower-case Latin word; the word itself where it is absurdly long."""
    return _stemmer()(word) if len(word) <= _LONGEST else word


@lru_cache(maxsize=1)
def _stemmer() -> Callable[[str], str]:
    import snowballstemmer

    stem_word: Callable[[str], str] = snowballstemmer.stemmer("english").stemWord
    return stem_word
