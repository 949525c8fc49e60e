"""Times and probabilities of tokens to those of characters."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pipeline.ports import Heard

_TOKEN_MS = 20
"""One step of the alignment."""
_BROKEN = "\ufffd"


class Timed(NamedTuple):
    """Start of each token and of the end, and the probability of each token."""

    starts_ms: list[int]
    probs_pm: list[int]


def timed(result: Any, count: int, length_ms: int) -> Timed:
    """Token starts from the alignment path: the first audio step that reaches each token."""
    starts = [length_ms] * (count + 1)
    for token, step in reversed(result.alignments):
        if token <= count:
            starts[token] = min(step * _TOKEN_MS, length_ms)
    for n in range(count - 1, -1, -1):
        starts[n] = min(starts[n], starts[n + 1])
    return Timed(starts, [per_mille(p) for p in result.text_token_probs[:count]])


def pieces_heard(
    pieces: Sequence[Sequence[int]],
    times: Timed,
    *,
    no_speech_pm: int,
    decode: Callable[[list[int]], str],
) -> list[Heard]:
    """Characters with times and probabilities, for each of the model's own segments.

    Args:
        pieces: The text tokens of each segment.
        times: Of all these tokens in a row.
        no_speech_pm: What the model says of the whole chunk.
        decode: Tokens to text; a part of a character gives U+FFFD.
    """
    heard: list[Heard] = []
    at = 0
    for tokens in pieces:
        after = at + len(tokens)
        characters = _characters(tokens, at, times, decode)
        end_ms = times.starts_ms[after]
        one = _one(characters, end_ms, no_speech_pm)
        heard += [one] if one is not None else []
        at = after
    return heard


def _characters(
    tokens: Sequence[int], first: int, times: Timed, decode: Callable[[list[int]], str]
) -> list[tuple[str, int, int]]:
    """``(character, start ms, probability)``; tokens are joined until they are whole characters."""
    out: list[tuple[str, int, int]] = []
    start = 0
    for n in range(len(tokens)):
        text = decode(list(tokens[start : n + 1]))
        if _BROKEN in text and n + 1 < len(tokens):
            continue
        a, b = times.starts_ms[first + start], times.starts_ms[first + n + 1]
        prob = min(times.probs_pm[first + start : first + n + 1])
        out += [(c, a + (b - a) * k // len(text), prob) for k, c in enumerate(text)]
        start = n + 1
    return out


def _one(characters: list[tuple[str, int, int]], end_ms: int, no_speech_pm: int) -> Heard | None:
    """One piece of speech without the blanks around it; None when nothing is left."""
    while characters and characters[-1][0].isspace():
        end_ms = characters.pop()[1]
    while characters and characters[0][0].isspace():
        characters.pop(0)
    if not characters:
        return None
    text = "".join(c for c, _, _ in characters)
    starts = [start for _, start, _ in characters]
    probs = tuple(prob for _, _, prob in characters)
    return Heard(
        start_ms=starts[0],
        end_ms=max(end_ms, starts[-1]),
        text=text,
        char_start_ms=(*starts, max(end_ms, starts[-1])),
        char_prob_pm=probs,
        prob_pm=round(sum(probs) / len(probs)),
        no_speech_pm=no_speech_pm,
        compression_pm=compression_pm(text),
    )


def compression_pm(text: str) -> int:
    """Bytes of the text over bytes of its zlib form, per mille; loops compress well.

    Whisper's own measure of a looping text; it treats more than 2400 as one.
    """
    data = text.encode("utf-8", "surrogatepass")
    return len(data) * 1000 // len(zlib.compress(data)) if data else 0


def per_mille(share: float) -> int:
    """A share as a whole number of thousandths, 0 to 1000."""
    return min(1000, max(0, round(float(share) * 1000)))
