"""One suite for every search index: the scan fake, SQLite, and the real Elasticsearch node."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import NotFound, QueryError
from pipeline.index.answer import Answer
from pipeline.index.documents import Document, Summary
from pipeline.index.elastic import ElasticIndex
from pipeline.index.run import index_broadcast, search
from pipeline.index.sqlite import SqliteIndex
from pipeline.settings import IndexSettings
from pipeline.text.squash import squash
from tests.fakes import ScanIndex
from tests.index_examples import broadcast_parts, example_documents

URL = "EVIDENCE_TEST_ELASTICSEARCH_URL"
REAL = pytest.param("elasticsearch", marks=pytest.mark.services)


def make(kind: str, folder: Path) -> Any:
    if kind == "fake":
        return ScanIndex()
    if kind == "sqlite":
        return SqliteIndex(folder / "index")
    if not os.environ.get(URL):
        pytest.skip(f"{URL} is not set: start a node with infra/elasticsearch/node.py start")
    alias = f"test-{uuid.uuid4().hex[:10]}"
    return ElasticIndex(IndexSettings(kind="elasticsearch", url=os.environ[URL], alias=alias))


def close(index: Any) -> None:
    if isinstance(index, ElasticIndex):
        index.remove()


@pytest.fixture(params=["fake", "sqlite", REAL])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made = make(request.param, tmp_path)
    yield made
    close(made)


@pytest.fixture(scope="module", params=["fake", "sqlite", REAL])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    made = make(request.param, tmp_path_factory.mktemp("filled"))
    made.put(example_documents())
    yield made
    close(made)


@pytest.fixture(scope="module")
def scan() -> ScanIndex:
    made = ScanIndex()
    made.put(example_documents())
    return made


def line(doc_id: str, text: str, **more: Any) -> Document:
    values = {"doc_id": doc_id, "kind": "line", "broadcast_id": "b1", "text": text, **more}
    return Document(**values)


def ids(answer: Answer) -> list[str]:
    return [hit.document.doc_id for hit in answer.hits]


QUERIES = [
    "",
    "防水",
    "机",
    "re",
    "returns",
    "returned",
    "fangshui",
    "fang shui",
    "纯棉 OR 包邮",
    "七天 -无理由",
    "NOT 的",
    "(发货 OR 退货) 天",
    '"七天无理由"',
    "price<100",
    "price>=100 price<200",
    "warranty>=1y",
    "colour:blue",
    "颜色:黑",
    "material:*",
    "negated:yes",
    "review:yes 天",
    "said:天",
    "shown:*",
    "role:comment",
    "掉色",
    "掉涩",
    "是不是防水",
    "三天发货吗",
    "这个包防水的吗",
    "product:包",
    "type:warranty,returns",
    "before:2030-01-01",
    "after:2030-01-01T00:00:00+08:00",
    "before:2000-01-01 OR 防水",
    "买一送益",
    "哈" * 40,
    '"\';DROP TABLE docs;--" OR *天*',
]


@pytest.mark.parametrize("query", QUERIES)
def test_every_index_answers_as_a_plain_scan_does(filled: Any, scan: ScanIndex, query: str) -> None:
    found = search(filled, query, size=50)
    expected = search(scan, query, size=50)
    assert found.model_copy(update={"cursor": ""}) == expected.model_copy(update={"cursor": ""})


def test_the_queries_of_this_suite_find_something(scan: ScanIndex) -> None:
    empty = [q for q in QUERIES if not search(scan, q).total]
    assert len(empty) < 7, empty


def test_every_short_substring_of_every_line_is_found(filled: Any) -> None:
    chosen = random.Random(7)
    texts = [d for d in example_documents() if d.kind != "broadcast"]
    squashed = {d.doc_id: [squash(t).text for t in (d.text, *d.also)] for d in texts}
    for document in chosen.sample(texts, 60):
        length = chosen.randint(1, 8)
        at = chosen.randrange(max(1, len(document.text) - length + 1))
        part = document.text[at : at + length].replace('"', " ")
        needle = squash(part).text
        if not needle:
            continue
        total, cursor, seen = 0, "", set[str]()
        while True:
            answer = search(filled, f'"{part}"', size=400, cursor=cursor, facets=False)
            seen |= {h.document.doc_id for h in answer.hits if h.match == "literal"}
            total, cursor = answer.total, answer.cursor
            if not cursor:
                break
        held = {name for name, forms in squashed.items() if any(needle in f for f in forms)}
        assert seen == held, part
        assert total >= len(held)


def test_paging_gives_every_hit_once_in_order(filled: Any) -> None:
    whole = ids(search(filled, "天 OR day", size=1000))
    assert len(whole) > 20
    pages, cursor = list[str](), ""
    while True:
        answer = search(filled, "天 OR day", size=7, cursor=cursor, facets=False)
        pages += ids(answer)
        cursor = answer.cursor
        if not cursor:
            break
    assert pages == whole


@pytest.mark.parametrize("field", ["broadcast_id", "sku_id"])
def test_collapsing_keeps_the_best_of_each_group(filled: Any, field: str) -> None:
    flat = search(filled, "天 OR day", size=1000)
    groups = search(filled, "天 OR day", size=2, collapse=field)
    rest = search(filled, "天 OR day", size=50, collapse=field, cursor=groups.cursor)
    hits = (*groups.hits, *rest.hits)
    names = [getattr(h.document, field) for h in hits]
    assert len(names) > 2
    assert sorted(set(names)) == sorted(names)
    assert groups.total == len(names)
    assert sum(h.grouped for h in hits) == flat.total
    first = {getattr(h.document, field): h.document.doc_id for h in reversed(flat.hits)}
    assert {getattr(h.document, field): h.document.doc_id for h in hits} == first


def test_a_misheard_word_comes_after_the_word_itself_and_says_so(index: Any) -> None:
    index.put([line("b1/s0", "这件是藏清色的"), line("b1/s1", "藏青色显白"), line("b1/s2", "黑色")])
    answer = search(index, "藏青")
    assert [(h.document.doc_id, h.match) for h in answer.hits] == [
        ("b1/s1", "literal"),
        ("b1/s0", "sound"),
    ]
    sound = answer.hits[1]
    assert [sound.document.text[a:b] for a, b in sound.highlights] == ["藏清"]
    typed = search(index, "zangqing").hits
    assert {h.match for h in typed} == {"sound"}
    assert [h.document.text[a:b] for h in typed for a, b in h.highlights] == ["藏青"]


def test_a_word_with_a_syllable_misheard_comes_last_and_says_so(index: Any) -> None:
    index.put(
        [
            line("b1/s0", "這是莫國際大牌"),
            line("b1/s1", "某锅机大牌"),
            line("b1/s2", "某国际大牌"),
            line("b1/s3", "整机三年质保"),
            line("b1/s4", "整机五年质保"),
        ]
    )
    hits = search(index, "某国际").hits
    assert [(h.document.doc_id, h.match) for h in hits[:1]] == [("b1/s2", "literal")]
    last = hits[-1]
    assert (last.document.doc_id, last.match) == ("b1/s0", "near")
    assert [last.document.text[a:b] for a, b in last.highlights] == ["國際"]
    assert [h.document.doc_id for h in search(index, "三年质保").hits] == ["b1/s3"]
    assert [h.document.doc_id for h in search(index, '"某国际"').hits] == ["b1/s2", "b1/s1"]
    (dropped,) = search(index, "整某机五年质保").hits
    assert (dropped.document.doc_id, dropped.match) == ("b1/s4", "near")


def test_what_is_found_often_is_not_looked_for_nearly(index: Any) -> None:
    index.put([*(line(f"b1/s{n}", "某国际大牌") for n in range(10)), line("b2/s0", "莫国际")])
    answer = search(index, "某国际", size=20)
    assert answer.total == 10
    assert {h.match for h in answer.hits} == {"literal"}


def test_a_question_finds_what_has_all_its_words(index: Any) -> None:
    index.put(
        [line("b1/s0", "防水的双肩背包"), line("b1/s1", "防水"), line("b1/s2", "双肩包防水吗")]
    )
    answer = search(index, "双肩包防水吗")
    assert [(h.document.doc_id, h.match) for h in answer.hits] == [("b1/s2", "literal")]
    hit, other = search(index, "是不是防水的双肩").hits
    assert (hit.document.doc_id, hit.match) == ("b1/s0", "related")
    assert (other.document.doc_id, other.match) == ("b1/s2", "related")
    assert [hit.document.text[a:b] for a, b in hit.highlights] == ["防水", "双肩"]


def test_traditional_text_is_found_by_simplified_words_and_back(index: Any) -> None:
    index.put([line("b1/s0", "頭髮會不會變乾"), line("b1/s1", "看着干净")])
    assert ids(search(index, "头发会不会变干")) == ["b1/s0"]
    assert ids(search(index, "看著乾淨")) == ["b1/s1"]


def test_a_document_of_the_same_id_is_replaced(index: Any) -> None:
    index.put([line("b1/s0", "第一版")])
    index.put([line("b1/s0", "第二版")])
    assert index.count() == 1
    assert search(index, "第一版").total == 0
    assert ids(search(index, "第二版")) == ["b1/s0"]


def test_a_dropped_broadcast_is_gone_and_the_others_stay(index: Any) -> None:
    index.put([line("b1/s0", "甲天"), line("b2/s0", "乙天", broadcast_id="b2")])
    assert index.drop("b1") == 1
    assert index.drop("b1") == 0
    assert index.drop("b2", keep=["b2/s0"]) == 0
    assert ids(search(index, "天")) == ["b2/s0"]


MAY, JUNE = "2026-05-31", "2026-06-01"


def summary(broadcast_id: str, documents: int, **more: Any) -> Document:
    told = Summary(duration_ms=1000, listened_ms=1000, documents=documents)
    values = {"doc_id": f"{broadcast_id}/broadcast", "kind": "broadcast", **more}
    return Document(broadcast_id=broadcast_id, summary=told, **values)


def test_a_swap_replaces_its_day_alone(index: Any) -> None:
    index.put([line("b1/s0", "旧的天", day=MAY), line("b2/s0", "旧天", day=JUNE)])
    new = [line("b1/s1", "新的天", day=MAY), line("b1/s2", "新的地", day=MAY)]
    assert index.swap([(MAY, iter(new))]) == 2
    assert ids(search(index, "天")) == ["b2/s0", "b1/s1"]
    index.put([line("b1/s3", "又一天", day=MAY)])
    assert search(index, "天").total == 3
    assert index.partitions() == [MAY, JUNE]


def test_a_day_swapped_for_nothing_is_dropped(index: Any) -> None:
    index.put([line("b1/s0", "旧的天", day=MAY), line("b2/s0", "旧天", day=JUNE)])
    assert index.swap([(MAY, [])]) == 0
    assert ids(search(index, "天")) == ["b2/s0"]
    assert index.partitions() == [JUNE]
    assert index.swap([(JUNE, [])]) == 0
    assert search(index, "天").total == 0
    assert index.partitions() == []
    index.put([line("b1/s0", "又一天", day=MAY)])
    assert ids(search(index, "天")) == ["b1/s0"]


def test_a_whole_swap_drops_what_it_does_not_name(index: Any) -> None:
    index.put([line("b1/s0", "旧的天", day=MAY), line("b2/s0", "旧天", day=JUNE)])
    days = [(JUNE, iter([line("b2/s1", "新天", day=JUNE)])), ("undated", [line("b3/s0", "天")])]
    assert index.swap(iter(days), whole=True) == 2
    assert ids(search(index, "天")) == ["b2/s1", "b3/s0"]
    assert index.partitions() == [JUNE, "undated"]


@pytest.mark.parametrize("whole", [False, True])
def test_a_broken_swap_leaves_the_old_day_serving(index: Any, whole: bool) -> None:
    def broken() -> Iterator[Document]:
        yield line("b1/s9", "新的天", day=MAY)
        raise NotFound("the store lost a pack")

    index.put([line("b1/s0", "旧的天", day=MAY)])
    with pytest.raises(NotFound):
        index.swap([(MAY, broken())], whole=whole)
    assert ids(search(index, "天")) == ["b1/s0"]
    assert index.swap([(MAY, [line("b1/s1", "天", day=MAY)])]) == 1
    assert ids(search(index, "天")) == ["b1/s1"]


def test_searches_go_on_and_writes_to_other_days_stay_while_a_day_is_made_anew(index: Any) -> None:
    def slow() -> Iterator[Document]:
        for number in range(3):
            assert ids(search(index, "旧天")) == ["b1/s0"]
            index.put([line(f"b2/s{number}", "别天", day=JUNE, broadcast_id="b2")])
            yield line(f"b1/s{number + 1}", "新天", day=MAY)

    index.put([line("b1/s0", "旧天", day=MAY)])
    assert index.swap([(MAY, slow())]) == 3
    assert search(index, "别天").total == 3
    assert search(index, "新天").total == 3
    assert search(index, "旧天").total == 0


def test_a_broadcast_that_changed_its_day_is_not_there_twice(index: Any) -> None:
    index.put([line("b1/s0", "天", day=MAY)])
    index.put([line("b1/s0", "天", day=JUNE)])
    assert index.drop("b1", keep=["b1/s0"], day=JUNE) == 1
    assert [h.document.day for h in search(index, "天").hits] == [JUNE]


def test_the_inventory_tells_what_a_day_holds(index: Any) -> None:
    index.put([summary("b1", 2, day=MAY, release=3), line("b1/s0", "天", day=MAY, release=2)])
    index.put([line("b2/s0", "天", day=MAY, release=1, broadcast_id="b2")])
    index.put([summary("b3", 1, day=JUNE, release=1)])
    assert [tuple(held) for held in index.inventory(MAY)] == [
        ("b1", 2, 3, 2, 2),
        ("b2", 1, 1, 1, 0),
    ]
    assert [held.broadcast_id for held in index.inventory(JUNE)] == ["b3"]
    assert list(index.inventory("2020-01-01")) == []


def test_a_query_reaches_every_day_in_one_order(index: Any) -> None:
    days = [f"2026-06-{n:02d}" for n in range(1, 8)]
    texts = ("一天", "两天都好", "藏清一天")
    made = [
        line(f"{day}/{n}", text, day=day, broadcast_id=f"b{day}", sku_id=f"k{n}")
        for day in days
        for n, text in enumerate(texts)
    ]
    index.put(made)
    scan = ScanIndex()
    scan.put(made)
    for query in ("天", "藏青 OR 两天"):
        for collapse in ("", "broadcast_id", "sku_id"):
            cursors, pages = ["", ""], list[list[Any]]()
            while True:
                answers = [
                    search(i, query, size=4, cursor=c, collapse=collapse)
                    for i, c in zip((index, scan), cursors, strict=True)
                ]
                one, two = (a.model_copy(update={"cursor": ""}) for a in answers)
                assert one == two
                cursors = [a.cursor for a in answers]
                pages.append(ids(one))
                assert bool(cursors[0]) == bool(cursors[1])
                if not cursors[0]:
                    break
            assert sum(map(len, pages)) == one.total


def test_an_empty_index_answers_with_nothing_searched(index: Any) -> None:
    answer = search(index, "天")
    assert (answer.total, answer.hits, answer.coverage.broadcasts) == (0, (), 0)


def test_coverage_names_what_was_not_listened_to(filled: Any) -> None:
    coverage = search(filled, "不存在的词语啊").coverage
    assert coverage.broadcasts == 4
    assert coverage.duration_ms == 4 * 300_000
    assert coverage.listened_ms == 4 * 300_000 - 10_000
    (lossy,) = coverage.incomplete
    assert [(g.start_ms, g.end_ms, g.reason) for g in lossy.gaps] == [(290_000, 300_000, "corrupt")]
    only = search(filled, f"天 broadcast:{lossy.broadcast_id}").coverage
    assert (only.broadcasts, only.listened_pm) == (1, 966)


def test_hits_carry_what_an_arbitrator_needs(filled: Any) -> None:
    hit = next(h for h in search(filled, "kind:claim type:warranty").hits)
    document = hit.document
    assert document.claim_id == document.doc_id
    assert document.host_id
    assert document.merchant_id
    assert document.day.startswith("20")
    assert document.keyframe is not None
    assert document.pack.endswith("claims.pack")
    assert document.release == 3
    assert hit.wall_time.endswith(("+08:00", "-05:00", "-07:00", "-04:00", "-08:00"))
    assert hit.media_time.count(":") == 2


def test_a_viewers_comment_is_found_and_marked(filled: Any) -> None:
    hits = search(filled, "会不会掉色").hits
    assert {h.document.role for h in hits if h.document.kind == "screen"} == {"comment"}
    assert all(h.document.kind != "claim" for h in hits if h.document.role == "comment")


def test_indexing_a_broadcast_again_changes_nothing(index: Any) -> None:
    revision, transcript, screen, claims = broadcast_parts("zh01")
    parts = {"transcript": transcript, "screen": screen, "claims": claims}
    first = index_broadcast(index, revision, **parts)
    before = search(index, "天", size=100)
    assert index_broadcast(index, revision, **parts) == first == index.count()
    assert search(index, "天", size=100) == before


@pytest.mark.parametrize("cursor", ["x", "!!!", "WzFd", "W10"])
def test_a_foreign_cursor_is_refused(filled: Any, cursor: str) -> None:
    if isinstance(filled, ScanIndex):
        pytest.skip("the fake's cursor is a bare number")
    with pytest.raises(QueryError):
        search(filled, "天", cursor=cursor)


def test_long_words_and_ids_survive(index: Any) -> None:
    long = "b1/" + "长" * 400
    index.put([line(long, "a" * 700 + " 的 天"), line("b1/s1", "哈" * 5000)])
    assert ids(search(index, "a" * 300)) == [long]
    assert ids(search(index, "哈" * 30)) == ["b1/s1"]
