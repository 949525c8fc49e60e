from __future__ import annotations

from typing import NamedTuple

import pytest

from pipeline.transcribe.alignment import compression_pm, per_mille, pieces_heard, timed

BYTES = [b" ok", "好".encode()[:1], "好".encode()[1:], b" ", b"!"]
"""Tokens of a made-up vocabulary: the second and third are two parts of one character."""


def decode(tokens: list[int]) -> str:
    return b"".join(BYTES[t] for t in tokens).decode("utf-8", "replace")


class Path(NamedTuple):
    """What the aligner gives: ``(token, step of 20 ms)`` pairs and a probability per token."""

    alignments: list[tuple[int, int]]
    text_token_probs: list[float]


def test_a_token_starts_at_the_first_step_that_reaches_it() -> None:
    path = Path([(0, 0), (0, 1), (1, 5), (1, 6), (2, 9), (3, 30)], [0.5, 0.25, 1.0])
    found = timed(path, 3, 500)
    assert found.starts_ms == [0, 100, 180, 500]  # the end is clipped to the chunk
    assert found.probs_pm == [500, 250, 1000]


def test_a_token_the_path_never_reaches_starts_with_the_next() -> None:
    found = timed(Path([(0, 2), (2, 9)], [0.1, 0.2, 0.3]), 3, 400)
    assert found.starts_ms == [40, 180, 180, 400]


def test_parts_of_a_character_are_joined_and_keep_the_lower_probability() -> None:
    times = timed(Path([(0, 0), (1, 10), (2, 15), (3, 20)], [0.9, 0.8, 0.3]), 3, 1000)
    (one,) = pieces_heard([(0, 1, 2)], times, no_speech_pm=7, decode=decode)
    assert one.text == "ok好"
    assert one.char_prob_pm == (900, 900, 300)
    assert one.char_start_ms == (66, 133, 200, 400)
    assert (one.start_ms, one.end_ms, one.no_speech_pm) == (66, 400, 7)


def test_pieces_keep_their_own_times_and_blank_ones_vanish() -> None:
    times = timed(Path([(0, 0), (1, 10), (2, 20), (3, 30)], [0.9, 0.9, 0.9]), 3, 1000)
    found = pieces_heard([(0,), (3,), (4,)], times, no_speech_pm=0, decode=decode)
    assert [(h.text, h.start_ms, h.end_ms) for h in found] == [("ok", 66, 200), ("!", 400, 600)]


def test_half_a_character_at_the_end_does_not_break() -> None:
    times = timed(Path([(0, 0), (1, 10), (2, 20)], [0.9, 0.9]), 2, 1000)
    (one,) = pieces_heard([(0, 1)], times, no_speech_pm=0, decode=decode)
    assert one.text == "ok\ufffd"


@pytest.mark.parametrize(("share", "pm"), [(-0.1, 0), (0.0004, 0), (0.5, 500), (1.2, 1000)])
def test_shares_stay_within_a_thousand(share: float, pm: int) -> None:
    assert per_mille(share) == pm


def test_a_loop_compresses_and_speech_does_not() -> None:
    assert compression_pm("好的好的" * 40) > 2400
    assert compression_pm("今天有旅行三件套,二十寸二十四寸都在一号里面选") < 1500
    assert compression_pm("") == 0
