"""Which segment of a broadcast on air is taken when, and what is recorded of the others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.errors import InputError, OutsideReference, UnreadableMedia
from pipeline.ingest.landing import Copied, Landing, Seen
from pipeline.ingest.places import BucketFiles, Place, place_of
from pipeline.media.run import Entry, closed, listing
from tests.fakes import MemoryStore


class Shore:
    """Files that land, without a disk."""

    def __init__(self, **options: float) -> None:
        self.files: dict[str, str] = {}
        self.landing = Landing(self.copy, patience_s=10, **options)
        self.named: list[Entry] | None = None

    def copy(self, name: str, /) -> Copied | None:
        if name not in self.files:
            return None
        return Copied(hashlib.sha256(self.files[name].encode()).hexdigest(), 1, 0)

    def look(self, now_s: float, *, ended: bool = False) -> bool:
        found = [Entry(int(n.split(".")[0].split("-")[0]), n) for n in sorted(self.files)]
        entries = tuple(found if self.named is None else self.named)
        return self.landing.look(Seen(entries, dict(self.files), ended), now_s=now_s)

    @property
    def taken(self) -> list[int]:
        return [one.sequence for one in self.landing.ordered()]

    @property
    def events(self) -> list[tuple[str, int]]:
        return [(e.kind, e.sequence) for e in self.landing.events]


def test_a_file_is_taken_once_it_has_not_changed_for_a_while():
    shore = Shore(settle_s=1)
    shore.files["1.ts"] = "half"
    shore.look(0)
    shore.files["1.ts"] = "whole"
    shore.look(0.9)
    shore.look(1.8)
    assert shore.taken == []
    shore.look(2)
    assert shore.taken == [1]


def test_an_overtaken_one_is_waited_for_then_given_up_and_late_when_it_comes():
    shore = Shore(settle_s=0)
    shore.files |= {"1.ts": "a", "3.ts": "c"}
    assert not shore.look(0)
    assert shore.taken == [1]
    shore.look(9)
    assert (shore.taken, shore.events) == ([1], [])
    shore.look(10)
    assert (shore.taken, shore.events) == ([1, 3], [("missing", 2)])
    shore.files["2.ts"] = "b"
    assert shore.look(11)
    assert (shore.taken, shore.events[-1]) == ([1, 2, 3], ("late", 2))
    assert not shore.look(12)


def test_one_that_comes_in_time_is_in_its_place():
    shore = Shore(settle_s=0)
    shore.files |= {"1.ts": "a", "3.ts": "c"}
    shore.look(0)
    shore.files["2.ts"] = "b"
    assert not shore.look(5)
    assert (shore.taken, shore.events) == ([1, 2, 3], [("reordered", 2)])


def test_the_same_bytes_are_taken_once_and_nothing_taken_is_replaced():
    shore = Shore(settle_s=0)
    shore.files |= {"1.ts": "a", "2.ts": "a"}
    shore.look(0)
    shore.files |= {"1-copy.ts": "a", "1-other.ts": "x"}
    shore.look(1)
    shore.files["1.ts"] = "rewritten"
    shore.look(2)
    assert shore.taken == [1]
    assert sorted(shore.events) == [
        ("changed", 1),
        ("changed", 1),
        ("repeated", 1),
        ("repeated", 2),
    ]
    kept = next(shore.landing.ordered())
    assert kept.sha256 == hashlib.sha256(b"a").hexdigest()


def test_at_the_end_what_was_named_and_never_came_is_missing():
    shore = Shore(settle_s=0)
    shore.named = [Entry(1, "1.ts"), Entry(2, "2.ts", discontinuity=True), Entry(3, "3.ts")]
    shore.files |= {"1.ts": "a", "3.ts": "c"}
    for at_s in (0, 10):
        shore.look(at_s, ended=True)
    assert shore.landing.ended
    assert shore.events == [("missing", 2)]
    assert [one.discontinuity for one in shore.landing.ordered()] == [False, True]


def test_a_session_taken_up_again_knows_what_it_had():
    first, second = Shore(settle_s=0), Shore(settle_s=0)
    first.files |= {"1.ts": "a", "3.ts": "c"}
    for at_s in (0, 10):
        first.look(at_s)
    second.landing.restore(list(first.landing.taken.values()), first.landing.events)
    second.files = dict(first.files) | {"4.ts": "d"}
    assert not second.look(0)
    assert (second.taken, second.events) == ([1, 3, 4], [("missing", 2)])


def test_numbers_far_apart_are_not_counted_one_by_one():
    shore = Shore(settle_s=0)
    shore.files |= {"1.ts": "a", "900000.ts": "b"}
    shore.look(0)
    assert (shore.taken, shore.events) == ([1, 900000], [])


# --- playlists ------------------------------------------------------------------------------

GROWING = """#EXTM3U
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="head.mp4"
#EXTINF:4.5,
a.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-06-05T15:00:04.500+08:00
#EXTINF:4.0,
sub/b.m4s
"""


def test_a_growing_playlist_is_read_and_written_as_a_finished_one():
    found = listing(GROWING.encode(), name="x")
    assert not found.ended
    assert [(e.sequence, e.uri, e.init_uri, e.claimed_ms) for e in found.entries] == [
        (7, "a.m4s", "head.mp4", 4500),
        (8, "sub/b.m4s", "head.mp4", 4000),
    ]
    again = listing(closed(found.entries), name="y")
    assert again.ended
    assert [e._replace(sequence=0) for e in again.entries] == [
        e._replace(sequence=0) for e in found.entries
    ]
    assert listing(b"#EXTM3U\n", name="x").entries == ()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("http://x/y.ts", OutsideReference),
        ("../y.ts", OutsideReference),
        ("#EXT-X-BYTERANGE:0@0\ny.ts", UnreadableMedia),
        ("#EXT-X-BYTERANGE:10@-5\ny.ts", UnreadableMedia),
        ("#EXT-X-BYTERANGE:10\ny.ts", UnreadableMedia),
        ("#EXT-X-BYTERANGE:x@0\ny.ts", UnreadableMedia),
    ],
)
def test_a_growing_playlist_names_files_beside_it_alone(line: str, error: type[Exception]):
    with pytest.raises(error):
        listing(f"#EXTM3U\n#EXTINF:1,\n{line}\n".encode(), name="x")


def test_byte_ranges_follow_each_other_where_no_offset_is_given():
    text = b"""#EXTM3U
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="y.mp4",BYTERANGE="90@0"
#EXTINF:1,
#EXT-X-BYTERANGE:10@90
y.mp4
#EXTINF:1,
#EXT-X-BYTERANGE:20
y.mp4
"""
    found = listing(text, name="x")
    assert [(e.sequence, e.byte_span, e.init_uri) for e in found.entries] == [
        (7, (90, 100), "y.mp4"),
        (8, (100, 120), "y.mp4"),
    ]


def test_a_bucket_is_followed_like_a_folder(tmp_path: Path):
    store = MemoryStore()
    for key in ("on/1.ts", "on/2.ts", "on/readme.txt", "off/3.ts", "on/_END"):
        store.put(key, key.encode())
    place = place_of("s3://replays/on", s3=lambda _: store, marker="_END")
    seen = place.look(now_s=0)
    assert ([e.sequence for e in seen.entries], seen.ended) == ([1, 2], True)
    copied = place.copy_to(tmp_path)("2.ts")
    assert copied is not None
    assert (tmp_path / "2.ts").read_bytes() == b"on/2.ts"
    assert place.copy_to(tmp_path)("9.ts") is None
    assert place.description() is None


def test_quiet_ends_a_place_without_playlist_and_marker():
    store = MemoryStore()
    store.put("1.ts", b"1")
    place = Place(BucketFiles(store, ""), playlist="", marker="", quiet_s=60)
    assert [place.look(now_s=s).ended for s in (0, 59, 60)] == [False, False, True]
    store.put("2.ts", b"2")
    assert not place.look(now_s=61).ended


def test_two_playlists_need_a_word():
    store = MemoryStore()
    for key in ("a.m3u8", "b.m3u8"):
        store.put(key, b"#EXTM3U\n")
    with pytest.raises(InputError, match="2 playlists"):
        place_of("s3://replays/", s3=lambda _: store).look(now_s=0)
    assert place_of("s3://replays/b.m3u8", s3=lambda _: store).look(now_s=0).entries == ()
