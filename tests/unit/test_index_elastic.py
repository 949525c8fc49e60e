"""Elasticsearch without a server: bulk replies, refusals, settings."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from pipeline.errors import ConfigError, IndexUnavailable, PartialWrite
from pipeline.index.documents import Document
from pipeline.index.elastic import ElasticIndex
from pipeline.index.elastic_bulk import BATCH, TRIES, Action, safe_id, write_all
from pipeline.index.elastic_schema import mappings, source_of
from pipeline.index.run import search
from pipeline.settings import IndexSettings
from tests.index_examples import example_documents


class Cluster:
    """Answers bulk requests; ``busy`` and ``bad`` map ids to how often, or why."""

    def __init__(
        self, busy: dict[str, int] | None = None, bad: dict[str, str] | None = None
    ) -> None:
        self.busy, self.bad = busy or {}, bad or {}
        self.written: dict[str, Any] = {}
        self.refuse_whole = 0

    def send(self, lines: list[Any]) -> dict[str, Any] | str:
        if self.refuse_whole:
            self.refuse_whole -= 1
            return "es_rejected_execution_exception"
        items = []
        for head, source in zip(lines[::2], lines[1::2], strict=True):
            doc_id = head["index"]["_id"]
            status = self._status(doc_id)
            if status < 300:
                self.written[doc_id] = source
            error = {"type": "mapper_parsing_exception", "reason": self.bad.get(doc_id, "")}
            items.append({"index": {"status": status, "error": error}})
        return {"items": items}

    def _status(self, doc_id: str) -> int:
        if self.busy.get(doc_id, 0):
            self.busy[doc_id] -= 1
            return 429
        return 400 if doc_id in self.bad else 201


def actions(count: int) -> list[Any]:
    return [Action("index", "day", f"d{n}", {"n": n}) for n in range(count)]


def test_busy_items_alone_are_sent_again() -> None:
    cluster, waits = Cluster(busy={"d3": 2, "d7": 1}), list[float]()
    assert write_all(actions(10), cluster.send, sleep=waits.append) == 10
    assert len(cluster.written) == 10
    assert waits == [0.5, 1.0]


def test_a_refused_request_is_sent_again() -> None:
    cluster = Cluster()
    cluster.refuse_whole = 2
    assert write_all(actions(BATCH + 1), cluster.send, sleep=lambda _: None) == BATCH + 1


def test_a_document_refused_for_good_is_named_and_the_rest_is_written() -> None:
    cluster = Cluster(bad={"d2": "strange field"})
    with pytest.raises(PartialWrite, match="d2") as caught:
        write_all(actions(BATCH + 5), cluster.send, sleep=lambda _: None)
    assert caught.value.failed == {"d2": "mapper_parsing_exception: strange field"}
    assert len(cluster.written) == BATCH + 4


def test_a_cluster_that_stays_busy_is_unavailable() -> None:
    waits = list[float]()
    with pytest.raises(IndexUnavailable) as caught:
        write_all(actions(3), Cluster(busy={"d1": 99}).send, sleep=waits.append)
    assert caught.value.transient
    assert len(waits) == TRIES


def test_ids_stay_below_the_servers_limit() -> None:
    assert safe_id("b/s1") == "b/s1"
    assert len(safe_id("长" * 400)) == 64


def test_every_field_sent_is_in_the_strict_mapping() -> None:
    known = mappings()["properties"]
    for document in example_documents():
        source = source_of(document)
        assert set(source) <= set(known)
        assert set(source["amounts"]) <= set(known["amounts"]["properties"])


def test_no_address_is_a_settings_error() -> None:
    with pytest.raises(ConfigError, match="EVIDENCE_INDEX__URL"):
        ElasticIndex(IndexSettings(kind="elasticsearch"))


def test_a_missing_authority_file_is_a_settings_error() -> None:
    with pytest.raises(ConfigError):
        ElasticIndex(
            IndexSettings(kind="elasticsearch", url="https://127.0.0.1:1", ca_file="/no/such.pem")
        )


def test_a_cluster_that_does_not_answer_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        index = ElasticIndex(IndexSettings(kind="elasticsearch", url=url, timeout_s=2))
        with pytest.raises(IndexUnavailable) as caught:
            search(index, "天")
        assert caught.value.transient
        with pytest.raises(IndexUnavailable):
            index.put([Document(doc_id="x", kind="line", broadcast_id="b", text="天")])
