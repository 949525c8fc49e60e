"""Spans and how times are written."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.timeline import (
    Span,
    clock,
    covered_ms,
    from_utc_ms,
    parse_clock,
    parse_instant,
    srt_clock,
    subtract,
    union,
    utc_ms,
)

_SPANS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 60)).map(lambda p: Span(p[0], p[0] + p[1])),
    max_size=8,
)


@given(_SPANS)
def test_union_covers_the_same_instants_once(spans: list[Span]):
    merged = union(spans)
    for at in range(265):
        assert any(s.holds(at) for s in merged) == any(s.holds(at) for s in spans)
    assert all(a.end_ms < b.start_ms for a, b in itertools.pairwise(merged))


@given(_SPANS)
def test_what_is_covered_and_what_is_left_make_the_whole(spans: list[Span]):
    whole = Span(20, 180)
    left = subtract(whole, spans)
    assert covered_ms(whole, spans) + sum(s.length_ms for s in left) == whole.length_ms


@given(st.integers(0, 10**9))
def test_a_written_time_reads_back(at_ms: int):
    assert parse_clock(clock(at_ms)) == at_ms


def test_the_forms_of_a_time():
    assert clock(5_025_678) == "1:23:45.678"
    assert clock(-500) == "-0:00:00.500"
    assert srt_clock(5_025_678) == "01:23:45,678"
    assert parse_clock("93.5") == parse_clock("1:33.5") == 93_500


@pytest.mark.parametrize("text", ["", "a", "1:2:3:4", "-1"])
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(InputError):
        parse_clock(text)


@pytest.mark.parametrize(
    ("text", "says"), [("2026-06-05T15:00:00", "time zone"), ("soon", "date and time")]
)
def test_an_instant_needs_its_offset(text: str, says: str):
    with pytest.raises(InputError, match=says):
        parse_instant(text)


def test_an_instant_keeps_its_zone_for_showing():
    at = parse_instant("2026-06-05T15:00:00+08:00")
    assert from_utc_ms(utc_ms(at), offset_minutes=480).isoformat() == "2026-06-05T15:00:00+08:00"
