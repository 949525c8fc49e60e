"""Regional ways of speaking, read as the words that rules know (冇得 → 没有, 阿拉 → 我们).

Every replacement is as long as what it stands for: offsets, and with them quotes and times,
stay those of the words heard.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib import resources

from pipeline.errors import RuleError

_FILE = "speech_zh.toml"


def plain_speech(text: str) -> str:
    """The text with regional words replaced; of the same length. Total on any string."""
    pattern, table = _speech()
    return pattern.sub(lambda found: table[found.lastgroup or ""] or _word(found[0]), text)


def _word(heard: str) -> str:
    return _words()[heard]


@lru_cache(maxsize=1)
def _data() -> dict[str, dict[str, str]]:
    text = resources.files("pipeline.claims").joinpath(_FILE).read_text("utf-8")
    return tomllib.loads(text)


@lru_cache(maxsize=1)
def _words() -> dict[str, str]:
    words = _data()["words"]
    for heard, plain in words.items():
        if len(heard) != len(plain):
            raise _unequal(heard)
    return words


@lru_cache(maxsize=1)
def _speech() -> tuple[re.Pattern[str], dict[str, str]]:
    """One pattern for all, and what each named group stands for (empty: look the word up)."""
    longest_first = sorted(_words(), key=lambda word: (-len(word), word))
    branches = [f"(?P<w>{'|'.join(map(re.escape, longest_first))})"]
    table = {"w": ""}
    for n, (pattern, plain) in enumerate(_data()["patterns"].items()):
        branches.append(f"(?P<p{n}>{pattern})")
        table[f"p{n}"] = plain
        if re.compile(pattern).groups:
            raise _unequal(pattern)
    return re.compile("|".join(branches)), table


def _unequal(entry: str) -> RuleError:
    return RuleError(
        f"{_FILE}: {entry!r}: both sides must be of one length and hold no groups",
        hint="give a replacement of as many characters",
        file=_FILE,
        rule_id=entry,
        field="words",
    )
