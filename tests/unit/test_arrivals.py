"""Finding broadcasts that wait, and remembering what became of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows.watch import Quiet
from pipeline.ingest.arrivals import Arrival, arrivals
from pipeline.ledger import KILLS, TRIES, Ledger, Try
from tests.fakes import MemoryStore


def no_bucket(_: str) -> MemoryStore:
    raise AssertionError("a folder needs no bucket")


def look(folder: Path, **options: str) -> list[Arrival]:
    return arrivals(str(folder), s3=no_bucket, **options)


def write(file: Path, size: int = 3) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)


def test_folders_with_recordings_are_found_and_what_lies_below_belongs_to_them(tmp_path: Path):
    write(tmp_path / "day1" / "a" / "live.m3u8")
    write(tmp_path / "day1" / "a" / "segments" / "0.ts", 50)
    write(tmp_path / "day2" / "b" / "broadcast.json")
    write(tmp_path / "day2" / "notes" / "readme.txt")
    write(tmp_path / "day3" / ".hidden.mp4")
    found = look(tmp_path)
    assert [Path(a.place).name for a in found] == ["a", "b"]
    assert [a.media_bytes for a in found] == [50, 0]


def test_any_change_of_a_file_is_another_digest(tmp_path: Path):
    write(tmp_path / "a" / "1.flv", 10)
    before = look(tmp_path)[0].digest
    assert look(tmp_path)[0].digest == before
    write(tmp_path / "a" / "1.flv", 11)
    grown = look(tmp_path)[0].digest
    os.utime(tmp_path / "a" / "1.flv", ns=(1, 1))
    assert len({before, grown, look(tmp_path)[0].digest}) == 3


def test_a_bucket_is_looked_at_by_its_listing():
    store = MemoryStore()
    for key in ("in/x/broadcast.json", "in/x/r.mp4", "in/y/r.mp4", "out/z/r.mp4", "in/x/_OK"):
        store.put(key, b"123")
    found = arrivals("s3://replays/in", s3=lambda _: store, marker="_OK")
    assert [(a.place, a.marked) for a in found] == [
        ("s3://replays/in/x", True),
        ("s3://replays/in/y", False),
    ]


def test_complete_means_unchanged_for_a_while():
    one, changed = Arrival("p", "d1", 1, False), Arrival("p", "d2", 2, False)
    quiet = Quiet(60)
    assert quiet.whole([one], now_s=0) == []
    assert quiet.whole([one], now_s=59) == []
    assert quiet.whole([changed], now_s=61) == []
    assert quiet.whole([changed], now_s=121) == [changed]
    assert quiet.whole([changed._replace(place="q", marked=True)], now_s=122) != []


@pytest.mark.parametrize(("transient", "standing"), [(False, "quarantined"), (True, "waiting")])
def test_only_failures_of_its_own_set_an_arrival_aside(transient: bool, standing: str):
    ledger = Ledger(MemoryStore())
    for at in range(TRIES):
        assert ledger.sheet("d").standing == "waiting"
        failed = Try(place="p", outcome="failed", at_utc_ms=at, error="e", transient=transient)
        for _ in range(2):  # the answer to the first writing was lost: it counts once
            ledger.add("d", failed)
    assert ledger.sheet("d").standing == standing
    ledger.add("d", Try(place="p", outcome="again", at_utc_ms=2))
    assert ledger.sheet("d").standing == "waiting"
    ledger.add("d", Try(place="p", outcome="done", at_utc_ms=3, broadcast_id="b"))
    assert [(s.digest, s.standing, len(s.tries)) for s in ledger.sheets()] == [
        ("d", "done", TRIES + 2)
    ]


def test_a_recording_whose_process_is_killed_again_and_again_is_set_aside():
    ledger = Ledger(MemoryStore())
    killed = [
        Try(place="p", outcome="failed", at_utc_ms=at, error="crashed", transient=True)
        for at in range(KILLS * TRIES)
    ]
    standings = [ledger.add("d", one).standing for one in killed]
    assert standings == ["waiting"] * (KILLS * TRIES - 1) + ["quarantined"]
    ledger.add("d", Try(place="p", outcome="again", at_utc_ms=2))
    assert ledger.sheet("d").standing == "waiting"
