from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.model import Gap, Segment, Transcript
from pipeline.timeline import Span
from pipeline.transcribe.coverage import coverage
from pipeline.transcribe.given import from_given, given_warnings


def read(payload: bytes | str, name: str = "words.json") -> Transcript:
    data = payload.encode() if isinstance(payload, str) else payload
    return from_given(data, file_name=name, broadcast_id="b1", duration_ms=None)


def segment(start: object = 0, end: object = 1000, text: object = "好") -> dict[str, object]:
    return {"start_ms": start, "end_ms": end, "text": text}


def test_json_srt_and_vtt_say_the_same() -> None:
    rows = [segment(1670, 5758, "下午好"), segment(6570, 9709, "買一送一")]
    srt = "1\n00:00:01,670 --> 00:00:05,758\n下午好\n\n2\n00:00:06,570 --> 00:00:09,709\n買一送一\n"
    vtt = (
        "WEBVTT\n\n00:00:01.670 --> 00:00:05.758\n下午好\n\n"
        "00:00:06.570 --> 00:00:09.709\n買一送一\n"
    )
    found = [
        read(json.dumps({"segments": rows})),
        read(srt, "a.srt"),
        read("\ufeff" + vtt, "a.vtt"),
    ]
    for transcript in found:
        assert [(s.start_ms, s.end_ms, s.text) for s in transcript.segments] == [
            (1670, 5758, "下午好"),
            (6570, 9709, "買一送一"),
        ]
        assert transcript.segments[1].normal_text == "买一送一"
        assert transcript.duration_ms == 9709


def test_segments_come_out_in_order_of_time() -> None:
    found = read(json.dumps({"segments": [segment(5000, 6000, "乙"), segment(0, 900, "甲")]}))
    assert [s.text for s in found.segments] == ["甲", "乙"]


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        (b"", ""),
        (b"\xff\xfe\x00", "byte 0"),
        (b'{"segments": [', "line 1"),
        (b'{"segments": 3}', "segments"),
        (b'{"segments": [3]}', "segments[0]"),
        (json.dumps({"segments": [segment(), segment(start=-1)]}).encode(), "segments[1].start_ms"),
        (json.dumps({"segments": [segment(start=5, end=4)]}).encode(), "segments[0]"),
        (json.dumps({"segments": [segment(end="1")]}).encode(), "segments[0].end_ms"),
        (json.dumps({"segments": [segment(end=1.5)]}).encode(), "segments[0].end_ms"),
        (json.dumps({"segments": [segment(text=None)]}).encode(), "segments[0].text"),
        (json.dumps({"schema_version": 9, "segments": []}).encode(), "schema_version"),
        (b"just some prose", ""),
        (b"[" * 100_000, ""),
        (b'[{"start_ms": ' + b"9" * 5000 + b"}]", ""),
    ],
)
def test_bad_files_name_the_place(payload: bytes, where: str) -> None:
    with pytest.raises(InputError) as caught:
        read(payload)
    assert "words.json" in str(caught.value)
    assert where in str(caught.value)
    assert caught.value.hint


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    refused = ""
    try:
        read(payload)
    except InputError as error:
        refused = error.file
    assert refused in ("", "words.json")


def test_coverage_counts_what_was_listened_to() -> None:
    gap = Gap(stage="transcribe", start_ms=2000, end_ms=5000, reason="blank")
    still = Gap(stage="transcribe", start_ms=6000, end_ms=7000, reason="silence", missing=False)
    words = Segment(start_ms=0, end_ms=1000, text="好", prob_pm=500)
    transcript = Transcript(
        broadcast_id="b", segments=(words,), gaps=(gap, still), duration_ms=8000
    )
    found = coverage(transcript, Span(500, 10_000))
    assert found.listened_ms == 8000 - 500 - 3000
    assert found.speech_ms == 500
    assert found.mean_prob_pm == 500
    assert [g.reason for g in found.gaps] == ["blank"]
    assert coverage(transcript, Span(9000, 9000)).share_pm == 0


def warned(value: object) -> tuple[str, ...]:
    return given_warnings(json.dumps(value).encode(), file_name="words.json")


def test_a_plain_transcript_gives_no_warning() -> None:
    rows = [segment(0, 1000), segment(1000, 2000)]
    assert (
        warned({"schema_version": 1, "broadcast_id": "b", "language": "zh", "segments": rows}) == ()
    )
    assert warned(rows) == ()


def test_unknown_fields_are_told_once_with_their_number() -> None:
    rows = [{**segment(n, n + 1), "speaker": "host"} for n in range(3)]
    told = warned({"segments": rows, "engine": "x"})
    assert len(told) == 2
    assert "'engine'" in told[0]
    assert "'speaker' of segments (3 times)" in told[1]


def test_a_flood_of_unknown_fields_gives_few_warnings() -> None:
    told = warned({"segments": [{**segment(), **{f"f{n}": n for n in range(500)}}]})
    assert len(told) == 6
    assert "495 more" in told[-1]


def test_overlaps_and_empty_segments_are_told() -> None:
    told = warned([segment(5000, 9000), segment(0, 6000), segment(5500, 5600, " ")])
    assert told[0].startswith("words.json: 2 segments begin before")
    assert "5000 to 6000 ms" in told[0]
    assert "1 segments hold no text" in told[1]
    srt = b"1\n00:00:01,000 --> 00:00:05,000\na\n\n2\n00:00:04,000 --> 00:00:06,000\nb\n"
    assert len(given_warnings(srt, file_name="a.srt")) == 1
