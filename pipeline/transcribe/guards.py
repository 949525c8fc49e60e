"""Checks on what a chunk is said to say; a chunk that fails is decoded once more, otherwise.

Whisper's known failures on long, noisy speech: loops (low entropy, caught by repeats and
zlib compression; Radford et al. 2022 use 2.4), text in silence (credits learnt from
subtitles, high no-speech probability), stopping early, and racing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pipeline.ports import Heard
from pipeline.text.normal import normal_text
from pipeline.transcribe.alignment import compression_pm

MAX_COMPRESSION_PM = 2400
MAX_CHARS_S = {"zh": 14, "en": 32}
"""Fast live hosts reach 8 (zh) and 20 (en) characters a second."""
MIN_CHARS_S = {"zh": 1.2, "en": 3.0}
"""Fewer characters per voiced second than this means that words were left out."""
SKIPPED_MS = 3000
"""So much voice with hardly a letter: words were skipped (in a chunk read whole, at most 1.2 s)."""
_HARDLY = {"zh": 3, "en": 7}
"""Characters that take that long to say only where others between them were skipped."""
NO_SPEECH_PM = 700
UNSURE_PM = 350
_CJK = re.compile(r"[\u3400-\u9fff]")
_LOOP = re.compile(r"(.{1,12}?)\1{4,}")
_LOOP_CHARS = 16
GRAVE = frozenset({"phrase", "repeat", "compressed", "empty", "skipped", "short"})
"""Flags of a reading that cannot be all and only what was said."""


class Verdict(NamedTuple):
    """What the guards say of one reading of a chunk."""

    flags: tuple[str, ...]
    prob_pm: int
    chars: int
    skipped_ms: int

    @property
    def fails(self) -> bool:
        """Whether it should be decoded again."""
        return bool(self.flags)

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Larger is better: fewer grave flags, less skipped, fewer flags, surer."""
        grave = len(GRAVE.intersection(self.flags))
        return -grave, -self.skipped_ms, -len(self.flags), self.prob_pm


def judge(
    heard: Sequence[Heard], *, length_ms: int, pauses: Sequence[tuple[int, int]] = ()
) -> Verdict:
    """The flags of one reading of a chunk of such a length with such pauses in it."""
    voiced_ms = _voiced(0, length_ms, pauses)
    skipped = unheard(heard, length_ms=length_ms, pauses=pauses)
    text = normal_text("".join(h.text for h in heard))
    letters = re.sub(r"\W", "", text)
    weights = [len(h.text) for h in heard]
    prob = sum(h.prob_pm * w for h, w in zip(heard, weights, strict=True)) // max(1, sum(weights))
    flags = [
        name
        for name, fired in (
            ("empty", not letters and voiced_ms >= 1000),
            ("phrase", is_phrase(text)),
            ("repeat", loops(text)),
            ("compressed", compression_pm(text) > MAX_COMPRESSION_PM),
            ("fast", _rate(letters, voiced_ms) > MAX_CHARS_S[script(text)]),
            ("short", bool(letters) and _slow(letters, text, voiced_ms)),
            ("skipped", bool(letters and skipped)),
            ("no_speech", _silent(heard) and prob < UNSURE_PM),
        )
        if fired
    ]
    skipped_ms = sum(_voiced(low, high, pauses) for low, high in skipped)
    return Verdict(tuple(flags), prob, len(letters), skipped_ms)


def unheard(
    heard: Sequence[Heard], *, length_ms: int, pauses: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Stretches of the chunk (its milliseconds) with much voice and hardly a letter, apart."""
    few = _HARDLY[script(normal_text("".join(h.text for h in heard)))]
    starts = [0, *(at for h in heard for at in h.char_start_ms[:-1]), *[length_ms] * few]
    found: list[tuple[int, int]] = []
    for low, high in zip(starts, starts[few:], strict=False):
        if high - low < SKIPPED_MS or _voiced(low, high, pauses) < SKIPPED_MS:
            continue
        if found and low <= found[-1][1]:
            low = found.pop()[0]
        found.append((low, high))
    return found


def _voiced(low: int, high: int, pauses: Sequence[tuple[int, int]]) -> int:
    """Milliseconds of ``[low, high)`` outside the pauses."""
    return high - low - sum(max(0, min(high, b) - max(low, a)) for a, b in pauses)


def script(text: str) -> str:
    """``zh`` where at least a third of the letters are Chinese characters, else ``en``."""
    letters = re.sub(r"\W", "", text)
    return "zh" if len(_CJK.findall(letters)) * 3 >= len(letters) else "en"


def loops(text: str) -> bool:
    """Whether a stretch of up to 12 characters is said at least five times in a row."""
    return any(len(m.group()) >= _LOOP_CHARS for m in _LOOP.finditer(text))


def is_phrase(text: str) -> bool:
    """Whether the text is little more than a phrase Whisper makes up in silence."""
    bare = re.sub(r"[^\w.]", "", text)
    found = [p for p in _phrases() if re.sub(r"[^\w.]", "", p) in bare]
    return bool(found) and len(bare) <= 3 * max(len(p) for p in found)


def droppable(heard: Heard) -> bool:
    """Whether a single piece is made-up text rather than speech."""
    text = normal_text(heard.text)
    if loops(text) or heard.compression_pm > MAX_COMPRESSION_PM:
        return True
    return is_phrase(text) and heard.prob_pm < 800


def _rate(letters: str, voiced_ms: int) -> float:
    return len(letters) * 1000 / max(1000, voiced_ms)


def _slow(letters: str, text: str, voiced_ms: int) -> bool:
    return voiced_ms >= 3000 and _rate(letters, voiced_ms) < MIN_CHARS_S[script(text)]


def _silent(heard: Sequence[Heard]) -> bool:
    return bool(heard) and min(h.no_speech_pm for h in heard) > NO_SPEECH_PM


@lru_cache(maxsize=1)
def _phrases() -> tuple[str, ...]:
    file = Path(__file__).with_name("hallucinations.toml")
    lists = tomllib.loads(file.read_text(encoding="utf-8"))
    return tuple(phrase for phrases in lists.values() for phrase in phrases)
