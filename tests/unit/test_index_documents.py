"""Documents of a broadcast, and hits of the same moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import QueryError
from pipeline.index.documents import Document, documents_of
from pipeline.index.moments import moments
from pipeline.index.run import search
from pipeline.index.sqlite import SqliteIndex
from pipeline.timeline import Span, parse_instant, utc_ms
from tests.index_examples import broadcast_documents, broadcast_parts


def test_every_claim_and_every_line_has_a_document() -> None:
    revision, transcript, screen, claims = broadcast_parts("zh01")
    documents = broadcast_documents("zh01")
    assert len({d.doc_id for d in documents}) == len(documents)
    kinds = [d.kind for d in documents]
    assert kinds.count("line") == len(transcript.segments)
    assert kinds.count("screen") == len(screen.lines)
    assert kinds.count("claim") == len(claims.claims)
    lines = [d for d in documents if d.kind == "line"]
    assert [d.text for d in lines] == [s.text for s in transcript.segments]
    assert documents[0].kind == "broadcast"
    assert revision.broadcast.started_at is not None
    assert lines[0].wall_utc_ms == utc_ms(revision.broadcast.started_at) + lines[0].start_ms
    assert lines[0].day == revision.broadcast.started_at.date().isoformat()


def test_a_line_has_the_sku_that_was_on_stage() -> None:
    _, _, _, claims = broadcast_parts("zh01")
    window = claims.windows[0]
    inside = [
        d
        for d in broadcast_documents("zh01")
        if d.kind == "line" and window.start_ms <= d.start_ms and d.end_ms <= window.end_ms
    ]
    assert inside
    assert {d.sku_id for d in inside} == {window.sku_id}
    assert all(d.product for d in inside)


def test_a_broadcast_without_a_wall_clock_is_undated() -> None:
    revision, transcript, _, _ = broadcast_parts("zh01")
    broadcast = revision.broadcast.model_copy(update={"started_at": None})
    clock = revision.clock_map.model_copy(update={"spans": (), "zone_minutes": 0})
    bare = revision.model_copy(update={"broadcast": broadcast, "clock_map": clock})
    documents = list(documents_of(bare, transcript=transcript, screen=None, claims=None))
    assert {d.day for d in documents} == {"undated"}
    assert {d.wall_utc_ms for d in documents} == {None}


def test_nothing_listened_to_is_said_to_be_nothing() -> None:
    revision, _, _, _ = broadcast_parts("zh01")
    (summary,) = documents_of(revision, transcript=None, screen=None, claims=None)
    assert summary.summary is not None
    assert (summary.summary.listened_ms, summary.summary.listened_pm) == (0, 0)


def test_a_wall_clock_range_is_half_open(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    at = parse_instant("2026-06-05T15:00:00+08:00")
    one = Document(doc_id="a", kind="line", broadcast_id="b", text="天", wall_utc_ms=utc_ms(at))
    index.put([one])
    assert search(index, "天", after=at).total == 1
    assert search(index, "天", before=at).total == 0


def test_a_claim_and_its_line_are_one_moment(tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path)
    index.put(
        [
            Document(
                doc_id="s", kind="line", broadcast_id="b", text="防水的", start_ms=0, end_ms=4000
            ),
            Document(
                doc_id="c", kind="claim", broadcast_id="b", text="防水", start_ms=500, end_ms=900
            ),
            Document(
                doc_id="t", kind="line", broadcast_id="b", text="也防水", start_ms=4000, end_ms=5000
            ),
            Document(
                doc_id="u", kind="line", broadcast_id="x", text="防水", start_ms=0, end_ms=4000
            ),
        ]
    )
    found = moments(search(index, "防水").hits)
    assert [[h.document.doc_id for h in m.hits] for m in found] == [["c", "s"], ["t"], ["u"]]
    assert found[0].span == Span(0, 4000)


@pytest.mark.parametrize(
    "query", ["\udcff天", "sku:\udcff", "".join(map(chr, range(0x4E00, 0x51E0)))]
)
def test_strange_queries_are_answered(tmp_path: Path, query: str) -> None:
    index = SqliteIndex(tmp_path)
    index.put([Document(doc_id="s", kind="line", broadcast_id="b", text="天")])
    assert search(index, query, sku="\udcff").total == 0


def test_a_page_size_out_of_bounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError):
        search(SqliteIndex(tmp_path), "天", size=0)
