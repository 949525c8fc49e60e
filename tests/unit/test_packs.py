"""Packs and the archive: what is written is what is read, by any way of reading."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive import Archive, encoded, prefix_of
from pipeline.divergence import divergences
from pipeline.errors import EntryMissing, HashMismatch, NotFound, UnknownFormat
from pipeline.ingest.local import LocalStore
from pipeline.model import Broadcast, ClockMap, Producer, Release, Revision
from pipeline.packs import pack_bytes, parse_pack, read_record, read_tables

_TABLES = st.dictionaries(
    st.sampled_from(["claims", "images", "lines"]), st.lists(st.binary(max_size=60), max_size=9)
)


@given(_TABLES)
def test_a_pack_gives_back_its_records(tables: dict[str, list[bytes]]):
    data = pack_bytes("claims", head={"a": 1}, tables=tables)
    pack = parse_pack(data, name="p")
    assert (pack.kind, pack.head) == ("claims", {"a": 1})
    assert {name: pack.records(name) for name in tables} == tables
    assert pack_bytes("claims", head={"a": 1}, tables=tables) == data


@given(_TABLES, st.data())
def test_a_cut_pack_is_refused(tables: dict[str, list[bytes]], data: st.DataObject):
    whole = pack_bytes("claims", head={}, tables=tables)
    with pytest.raises(UnknownFormat):
        parse_pack(whole[: data.draw(st.integers(0, len(whole) - 1))], name="p")


def test_one_record_and_one_table_are_read_from_the_store(tmp_path: Path):
    store = LocalStore(tmp_path)
    images = [bytes([n]) * 50_000 for n in range(4)]
    data = pack_bytes("screen", head={}, tables={"images": images, "lines": [b"x", b"yy"]})
    store.put("p.pack", data)
    assert read_record(store, "p.pack", table="images", number=2) == images[2]
    assert read_record(store, "p.pack", table="lines", number=1) == b"yy"
    some = read_tables(store, "p.pack", tables=("lines",))
    assert some.records("lines") == [b"x", b"yy"]
    assert some.records("images") == []
    with pytest.raises(EntryMissing):
        read_record(store, "p.pack", table="lines", number=2)


@given(st.text(min_size=1, max_size=200))
def test_every_id_has_one_safe_key_part(broadcast_id: str):
    try:
        broadcast_id.encode()
    except UnicodeEncodeError:
        return
    part = encoded(broadcast_id)
    assert "/" not in part
    assert not part.startswith(".")
    assert 0 < len(part) <= 120


def test_ids_that_look_like_paths_stay_inside_the_store(tmp_path: Path):
    prefix = prefix_of("../../etc/passwd", platform="..", merchant_id="/")
    LocalStore(tmp_path / "s").put(f"{prefix}/rev/1", b"x")
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.name == "1"]
    assert not (tmp_path / "etc").exists()


def _revision(broadcast_id: str = "b1", input_id: str = "i1") -> Revision:
    broadcast = Broadcast(broadcast_id=broadcast_id, platform="p", merchant_id="m")
    return Revision(
        number=1, input_id=input_id, broadcast=broadcast, clock_map=ClockMap(), duration_ms=10
    )


def test_revisions_are_numbered_and_repeat_nothing(tmp_path: Path):
    archive = Archive(LocalStore(tmp_path))
    prefix = prefix_of("b1", platform="p", merchant_id="m")
    first = archive.put_revision(prefix, _revision(), retain_until=None)
    again = archive.put_revision(prefix, _revision(), retain_until=None)
    second = archive.put_revision(prefix, _revision(input_id="i2"), retain_until=None)
    assert (first.number, again.number, second.number) == (1, 1, 2)
    assert archive.prefix("b1") == prefix


def test_two_writers_never_take_the_same_number(tmp_path: Path):
    archive = Archive(LocalStore(tmp_path))
    numbers: list[int] = []

    def write(n: int) -> None:
        kept = archive.put_revision("h/p/m/b", _revision(input_id=f"i{n}"), retain_until=None)
        numbers.append(kept.number)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(numbers) == list(range(1, 9))


def test_other_bytes_under_one_work_key_are_kept_as_a_divergence(tmp_path: Path):
    archive = Archive(LocalStore(tmp_path))
    made = Producer(stage="claims", version="1")
    common = {"work_key": "k" * 64, "producer": made, "records": 0, "retain_until": None}
    first = archive.put_output("h/p/m/b", pack=b"one", **common)
    second = archive.put_output("h/p/m/b", pack=b"two", **common)
    assert second == first
    assert archive.output("h/p/m/b", "claims", "k" * 64) == first
    diverged = [s.key for s in archive.store.list("h/p/m/b/work/") if ".diverged-" in s.key]
    assert len(diverged) == 1


def test_changed_stored_bytes_are_noticed(tmp_path: Path):
    archive = Archive(LocalStore(tmp_path))
    made = Producer(stage="claims", version="1")
    output = archive.put_output(
        "h/p/m/b", work_key="k", producer=made, pack=b"one", records=0, retain_until=None
    )
    path = tmp_path / output.key
    path.chmod(0o644)
    path.write_bytes(b"two")
    with pytest.raises(HashMismatch):
        archive.pack(output)


def test_an_unfinished_broadcast_says_so(tmp_path: Path):
    archive = Archive(LocalStore(tmp_path))
    prefix = prefix_of("b1", platform="p", merchant_id="m")
    with pytest.raises(NotFound, match="no broadcast"):
        archive.state("b1")
    archive.put_revision(prefix, _revision(), retain_until=None)
    with pytest.raises(NotFound, match="not finished"):
        archive.state("b1")
    archive.put_release(prefix, Release(number=1, revision=1, outputs=()), retain_until=None)
    assert archive.state("b1").release.number == 1


def test_a_divergence_is_told_with_both_outputs(tmp_path: Path):
    archive = Archive(LocalStore(tmp_path))
    made = Producer(stage="claims", version="1")
    common = {"work_key": "k" * 64, "producer": made, "records": 0, "retain_until": None}
    first = archive.put_output("h/p/m/b", pack=b"one", **common)
    assert list(divergences(archive.store)) == []
    archive.put_output("h/p/m/b", pack=b"two", **common)
    (found,) = divergences(archive.store)
    assert (found.broadcast_id, found.stage, found.first) == ("b", "claims", first.content)
    assert archive.store.read(found.other_key) == b"two"
