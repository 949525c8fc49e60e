"""The search cluster down, slow, without disk, red: the pipeline waits, says so, goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.bootstrap import init
from pipeline.errors import IndexUnavailable
from pipeline.index.documents import Document
from pipeline.index.elastic import ElasticIndex
from pipeline.index.elastic_schema import mappings
from pipeline.index.run import search
from pipeline.patience import patiently
from pipeline.runner import Request
from pipeline.serve.service import Service
from pipeline.settings import IndexSettings
from tests.broadcasts import described, processed
from tests.command import PROGRAM, env, evidence
from tests.faults import Answer, FaultProxy, Lost, Reset, Slow

URL = "EVIDENCE_TEST_ELASTICSEARCH_URL"
DAY = "2026-06-01"
NOON = f"{DAY}T12:00:00+08:00"
MANY = tuple(f"第{n}件是藏青色的" for n in range(600))
pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(
        not os.environ.get(URL),
        reason=f"{URL} is not set: start a node with infra/elasticsearch/node.py start",
    ),
]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def alias() -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:10]}"
    yield name
    direct(name).remove()


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(os.environ[URL]) as made:
        yield made


def direct(alias: str) -> ElasticIndex:
    return ElasticIndex(IndexSettings(kind="elasticsearch", url=os.environ[URL], alias=alias))


def settings(url: str, alias: str, **more: Any) -> dict[str, str]:
    """The environment of a workspace whose index is that cluster."""
    values = {"kind": "elasticsearch", "url": url, "alias": alias, "timeout_s": 20, **more}
    return {f"EVIDENCE_INDEX__{name.upper()}": str(value) for name, value in values.items()}


def works(folder: Path, url: str, alias: str, **more: Any) -> Service:
    values = {"kind": "elasticsearch", "url": url, "alias": alias, "timeout_s": 20, **more}
    lines = [f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in values.items()]
    (init(folder).root / "evidence.toml").write_text("[index]\n" + "\n".join(lines))
    return Service(init(folder))


def told(made: Service, request: Request) -> list[str]:
    """Process it; what was said meanwhile."""
    said: list[str] = []
    made.process(request, tell=said.append)
    return said


def holds_once(made: Service, alias: str, broadcast_id: str) -> None:
    """Everything of the broadcast is in the index, and no document twice."""
    held = {h.broadcast_id: h for h in direct(alias).inventory(DAY)}[broadcast_id]
    assert held.documents == held.expected
    assert made.reconcile().changes == ()


def test_a_cluster_that_is_down_is_waited_for(tmp_path: Path, alias: str) -> None:
    port, home = free_port(), init(tmp_path / "w").root
    asked = described(tmp_path, "b1", started_at=NOON)
    line = [
        *(*PROGRAM, "process", "-w", str(home), "--json"),
        *("--broadcast", str(asked.broadcast_file), "--transcript", str(asked.transcript_file)),
    ]
    variables = env(**settings(f"http://127.0.0.1:{port}", alias, wait_s=120))
    run = subprocess.Popen(line, env=variables, stdout=-1, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    first = run.stderr.readline()
    assert "waiting for the search index" in first, first
    with FaultProxy(os.environ[URL], port=port):
        _, rest = run.communicate(timeout=120)
    assert run.returncode == 0, rest
    assert "the search index is back" in rest
    holds_once(works(tmp_path / "w", os.environ[URL], alias), alias, "b1")


def test_a_cluster_that_stays_away_leaves_everything_stored(tmp_path: Path, alias: str) -> None:
    home = init(tmp_path / "w").root
    asked = described(tmp_path, "b1", started_at=NOON)
    given = ["--broadcast", asked.broadcast_file, "--transcript", asked.transcript_file]
    away = settings(f"http://127.0.0.1:{free_port()}", alias, wait_s=2)
    ran = evidence("process", *given, "-w", home, "--json", **away)
    assert (ran.code, ran.error["error"], ran.error["transient"]) == (9, "index_unavailable", True)
    assert "evidence reconcile --apply" in ran.error["hint"]
    assert evidence("claims", "b1", "-w", home, "--json", **away).json
    there = settings(os.environ[URL], alias)
    compared = evidence("reconcile", "-w", home, "--json", **there)
    assert [c["kind"] for c in compared.json["changes"]] == ["missing"]
    assert evidence("reconcile", "--apply", "--force-share", "-w", home, **there).code == 0
    assert evidence("search", "藏青", "-w", home, "--json", **there).json["total"] > 0
    again = evidence("process", *given, "-w", home, "--json", **there)
    assert again.json["release"] == 1
    holds_once(works(home, os.environ[URL], alias), alias, "b1")


@pytest.mark.parametrize("fault", [Reset(), Lost(), Answer(status=503), Answer(status=429)])
def test_a_failure_among_the_writes_loses_and_doubles_nothing(
    tmp_path: Path, proxy: FaultProxy, alias: str, fault: Any
) -> None:
    made = works(tmp_path / "w", proxy.url, alias)
    direct(alias).ensure()
    proxy.fail(fault, path="_bulk", times=4)
    made.process(described(tmp_path, "b1", started_at=NOON, words=MANY))
    assert direct(alias).count() > 600
    holds_once(made, alias, "b1")


def test_a_slow_cluster_is_waited_for(tmp_path: Path, proxy: FaultProxy, alias: str) -> None:
    made = works(tmp_path / "w", proxy.url, alias, timeout_s=2)
    direct(alias).ensure()
    proxy.fail(Slow(seconds=4), path="_bulk", times=1)
    said = told(made, described(tmp_path, "b1", started_at=NOON))
    assert "did not answer" in said[0]
    assert said[-1] == "the search index is back; going on"
    holds_once(made, alias, "b1")


def after(seconds: float, action: Callable[[], Any]) -> None:
    def later() -> None:
        time.sleep(seconds)
        action()

    threading.Thread(target=later, daemon=True).start()


def test_an_index_without_disk_is_waited_for_and_still_searched(tmp_path: Path, alias: str) -> None:
    made = works(tmp_path / "w", os.environ[URL], alias)
    processed(made, tmp_path, "b1", day=DAY)
    client = direct(alias)._client.indices
    block = "index.blocks.read_only_allow_delete"  # what a disk past its flood stage gives
    client.put_settings(index=f"{alias}-{DAY}", settings={block: True})
    with pytest.raises(IndexUnavailable, match="free disk") as caught:
        direct(alias).put([search(direct(alias), "藏青").hits[0].document])
    assert caught.value.transient
    assert made.search("藏青").total > 0
    after(3, lambda: client.put_settings(index=f"{alias}-{DAY}", settings={block: None}))
    said = told(made, described(tmp_path, "b2", started_at=NOON))
    assert "cluster_block_exception" in said[0]
    assert said[-1] == "the search index is back; going on"
    holds_once(made, alias, "b2")


@pytest.mark.parametrize("times", [1, 9])
def test_a_switch_whose_answer_is_lost_is_made_once(
    proxy: FaultProxy, alias: str, times: int
) -> None:
    through = ElasticIndex(
        IndexSettings(kind="elasticsearch", url=proxy.url, alias=alias, timeout_s=20)
    )
    old, new = (
        Document(doc_id=f"b/s{n}", kind="line", broadcast_id="b", text="七天", day=DAY)
        for n in range(2)
    )
    through.put([old])
    proxy.fail(Lost(), method="POST", path="_aliases", times=times)
    if times == 1:
        assert through.swap([(DAY, [new])]) == 1
    else:
        with pytest.raises(IndexUnavailable):
            through.swap([(DAY, [new])])
    (hit,) = search(direct(alias), "七天").hits
    assert hit.document == new
    assert [own.day for own in direct(alias)._indices.own()].count(DAY) == 1


@pytest.mark.slow
def test_a_red_cluster_never_answers_in_part(tmp_path: Path, alias: str) -> None:
    made = works(tmp_path / "w", os.environ[URL], alias)
    processed(made, tmp_path, "b1", day=DAY)
    client = direct(alias)._client.indices
    lost, nowhere = f"{alias}-2026-06-02", "index.routing.allocation.require._name"
    body = mappings()
    body["_meta"] |= {"alias": alias, "day": "2026-06-02"}
    client.create(
        index=f"{lost}-000001",
        mappings=body,
        settings={nowhere: "no-such-node", "number_of_replicas": 0},
        aliases={alias: {}, lost: {"is_write_index": True}},
        wait_for_active_shards="0",
    )
    with pytest.raises(IndexUnavailable, match="missing nodes") as caught:
        made.search("藏青")
    assert caught.value.transient
    with pytest.raises(IndexUnavailable):
        made.reconcile()
    after(15, lambda: client.put_settings(index=lost, settings={nowhere: None}))
    said = told(made, described(tmp_path, "b2", started_at="2026-06-02T12:00:00+08:00"))
    assert "unavailable_shards" in said[0]
    assert said[-1] == "the search index is back; going on"
    assert made.search("藏青", collapse="broadcast_id").total == 2
    assert made.reconcile().changes == ()


def test_waiting_grows_and_ends() -> None:
    now, said = [0.0], list[str]()

    def away() -> int:
        raise IndexUnavailable("nobody there", hint="look")

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(IndexUnavailable, match="look; everything is stored") as caught:
        patiently(away, wait_s=100, tell=said.append, sleep=sleep, clock=lambda: now[0])
    assert caught.value.transient
    assert now[0] == 100
    assert [line.rpartition("in ")[2] for line in said] == [
        "1 s", "2 s", "4 s", "8 s", "16 s", "32 s", "37 s"
    ]  # fmt: skip
