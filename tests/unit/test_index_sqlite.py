"""The embedded index under bad circumstances: old schema, damage, a killed rebuild, many processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import IndexingError, IndexUnavailable, MappingConflict, QueryError
from pipeline.index.documents import Document
from pipeline.index.hits import MOST_COUNTED
from pipeline.index.run import search
from pipeline.index.sqlite import SqliteIndex
from pipeline.text.squash import squash


def line(number: int, text: str, **more: Any) -> Document:
    values = {"doc_id": f"b/s{number}", "kind": "line", "broadcast_id": "b", "text": text, **more}
    return Document(**values)


def serving(folder: Path, day: str = "undated") -> Path:
    named: str = json.loads((folder / "current").read_text())["partitions"][day]
    return folder / named


def swapped(index: SqliteIndex, documents: Iterable[Document], **more: Any) -> int:
    return index.swap([("undated", documents)], **more)


def test_another_schema_asks_for_a_rebuild(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    index.put([line(0, "天")])
    with sqlite3.connect(serving(tmp_path)) as db:
        db.execute("UPDATE about SET value = '0.9' WHERE name = 'schema'")
    with pytest.raises(MappingConflict, match="evidence rebuild"):
        search(SqliteIndex(tmp_path), "天")
    assert swapped(index, [line(0, "天")]) == 1
    assert search(index, "天").total == 1


@pytest.mark.parametrize(
    "pointer", ["index-0123456789ab.db", '{"schema": "1.1", "partitions": {}}']
)
def test_an_index_of_an_earlier_program_serves_until_all_is_made_anew(
    tmp_path: Path, pointer: str
) -> None:
    old = tmp_path / "index-0123456789ab.db"
    old.write_bytes(b"an older index")
    (tmp_path / "current").write_text(pointer)
    index = SqliteIndex(tmp_path)
    for refused in (
        lambda: search(index, "天"),
        lambda: index.put([line(0, "天")]),
        lambda: swapped(index, [line(0, "天")]),
        index.ensure,
    ):
        with pytest.raises(MappingConflict, match="evidence rebuild"):
            refused()
    assert (tmp_path / "current").read_text() == pointer
    assert swapped(index, [line(0, "天")], whole=True) == 1
    assert search(index, "天").total == 1
    assert not old.exists()


def test_a_damaged_file_is_named_and_a_rebuild_cures_it(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    index.put([line(n, f"第{n}天") for n in range(200)])
    path = serving(tmp_path)
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(IndexingError, match=path.name):
        search(SqliteIndex(tmp_path), "天")
    swapped(index, [line(0, "天")])
    assert search(index, "天").total == 1


def test_a_lost_file_is_never_passed_over(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    index.put([line(0, "天"), line(1, "天", day="2026-06-01")])
    serving(tmp_path).unlink()
    for asked in (index, SqliteIndex(tmp_path)):
        with pytest.raises(IndexingError, match="evidence rebuild") as caught:
            search(asked, "天")
        assert not caught.value.transient
    swapped(index, [line(0, "天")])
    assert search(index, "天").total == 2


def test_a_rebuild_leaves_one_file(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    for n in range(3):
        swapped(index, [line(n, "天")])
    assert [p.name for p in tmp_path.glob("index-*.db")] == [serving(tmp_path).name]


def test_a_rebuild_of_all_ends_one_of_a_day_and_breaks_nothing(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    index.put([line(0, "旧天")])

    def overtaken() -> Iterator[Document]:
        yield line(1, "新天")
        swapped(SqliteIndex(tmp_path), [line(2, "全新天")], whole=True)

    with pytest.raises(IndexUnavailable, match="run it again"):
        swapped(index, overtaken())
    assert [h.document.doc_id for h in search(index, "天").hits] == ["b/s2"]


def test_facets_of_very_many_hits_are_counted_over_the_best(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    days = [("2026-06-01", 9_990), ("2026-06-02", 40), ("2026-06-03", 20)]
    for day, count in days:
        index.swap([(day, (line(n, "天", day=day, sku_id=day) for n in range(count)))])
    answer = search(index, "天")
    assert (answer.total, answer.facets_of) == (10_050, MOST_COUNTED)
    counted = {c.value: c.count for c in answer.facets["sku_id"]}
    assert counted == {"2026-06-01": 9_940, "2026-06-02": 40, "2026-06-03": 20}


def _rebuild_for_ever(folder: str) -> None:
    def endless() -> Iterator[Document]:
        n = 0
        while True:
            yield line(n, f"新的第{n}天")
            n += 1
            (Path(folder) / "begun").touch()

    SqliteIndex(Path(folder) / "index").swap([("undated", endless())])


def test_a_killed_rebuild_leaves_the_old_index_serving(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path / "index")
    index.put([line(0, "旧的天")])
    rebuild = multiprocessing.get_context("spawn").Process(
        target=_rebuild_for_ever, args=(str(tmp_path),)
    )
    rebuild.start()
    until = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert search(index, "天").total == 1
    assert rebuild.pid is not None
    os.kill(rebuild.pid, signal.SIGKILL)
    rebuild.join(30)
    assert search(index, "天").total == 1
    assert index.put([line(1, "又一天")]) == 1
    assert swapped(index, [line(2, "天")]) == 1
    assert len(list((tmp_path / "index").glob("index-*.db"))) == 1


def _put_many(folder: str, worker: int) -> None:
    index = SqliteIndex(Path(folder))
    for n in range(8):
        index.put([line(worker * 1000 + n, f"工人{worker}的第{n}天")])


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_put_many, args=(str(tmp_path), n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [w.exitcode for w in workers] == [0, 0, 0]
    index = SqliteIndex(tmp_path)
    assert index.count() == 24
    assert search(index, "天", size=100).total == 24


def test_an_unchanged_document_is_not_written_again(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    index.put([line(0, "天")])
    with sqlite3.connect(serving(tmp_path)) as db:
        before = db.execute("SELECT id FROM docs").fetchall()
        index.put([line(0, "天")])
        assert db.execute("SELECT id FROM docs").fetchall() == before


def test_the_words_of_removed_documents_are_removed(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    for n in range(30):
        index.put([line(0, f"第{n}版的藏青"), line(1, "藏青 navy")])
    index.drop("b", keep=["b/s0"])
    assert search(index, "navy").total == 0
    assert search(index, "藏青").total == 1
    with sqlite3.connect(serving(tmp_path)) as db:
        held = db.execute("SELECT id, doc_id FROM docs").fetchall()
        assert [doc_id for _, doc_id in held] == ["b/s0"]
        assert db.execute("SELECT id FROM bodies").fetchall() == [held[0][:1]]
        assert db.execute("SELECT COUNT(*) FROM segments").fetchone()[0] < 8


@given(
    texts=st.lists(
        st.text(
            alphabet=st.one_of(
                st.sampled_from("藏青纯棉防水买一送ab cdE 019.，。!%哈\n"),
                st.characters(exclude_categories=("Cs",)),
            ),
            min_size=1,
            max_size=20,
        ),
        min_size=1,
        max_size=6,
    ),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_the_index_finds_what_a_plain_scan_finds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    index = SqliteIndex(tmp_path_factory.mktemp("scan"))
    index.put([line(n, text) for n, text in enumerate(texts)])
    for _ in range(4):
        text = data.draw(st.sampled_from(texts))
        start = data.draw(st.integers(0, len(text) - 1))
        part = text[start : start + data.draw(st.integers(1, 8))]
        needle = squash(part).text
        try:
            hits = search(index, '"' + part.translate(_QUOTES) + '"', size=10).hits
        except QueryError:
            assert not needle
            continue
        found = {h.document.text for h in hits if h.match == "literal"}
        assert found == {t for t in texts if needle in squash(t).text}


_QUOTES = dict.fromkeys(map(ord, '"“”＂「」『』'), " ")
