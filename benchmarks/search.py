"""Search at size: SQLite beside a single Elasticsearch node, same store, same queries, one run.

    python -m benchmarks.search --documents 1000000 [--url http://127.0.0.1:9200] [--json FILE]

Made-up rooms (``benchmarks/rooms.py``) are put into a folder store; then each backend is filled
by ``evidence rebuild`` in a process of its own, whose peak memory is taken. Beside it stand the
backend's own bulk rate (*own*: documents that lie ready in memory, given to its port, which makes
their tokens and writes them) and what its storage takes (*bare*: everything ready, written by the
plainest code there is). Hits, totals, facets and coverage of both backends are compared before
anything is timed; then queries run in turn on one backend and the other. The hand-written queries
ask Elasticsearch alone for hits, total and facets; ours also ask for the coverage.

Start a node with ``infra/elasticsearch/node.py start --heap 4g``; without ``--url`` (or
EVIDENCE_TEST_ELASTICSEARCH_URL) only SQLite is measured.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.rooms import PER_ROOM, documents, store
from pipeline.bootstrap import init
from pipeline.index.answer import FACETS
from pipeline.index.elastic import ElasticIndex
from pipeline.index.elastic_schema import SORT, mappings, source_of
from pipeline.index.hits import MOST_COUNTED
from pipeline.index.run import search
from pipeline.index.segment import pack
from pipeline.index.sqlite import SqliteIndex
from pipeline.index.sqlite_file import write_packed
from pipeline.settings import IndexSettings
from pipeline.text.tokens import index_tokens, query_tokens

ALIAS = "evidence-bench"
OWN_SAMPLE = 20_000
BATCH = 500
QUERIES = {
    "two characters": "包邮",
    "one character": "棉",
    "long phrase": '"七天无理由退换"',
    "rare word": "云舒",
    "two words": "藏青 保修",
    "sound-alike": "藏清",
    "pinyin": "zangqing",
    "English stem": "returned",
    "value range": "price<200 type:price",
    "colour family": "colour:blue",
    "filters and words": "保修 negated:no after:2026-03-02 before:2026-03-09",
    "or, not": "(防水 OR 防晒) NOT 掉色",
    "one broadcast": "包邮 broadcast:r000007",
}


def grams(words: str) -> dict[str, Any]:
    return {"match_phrase": {"grams": {"query": words}}}


def sounds(words: str) -> dict[str, Any]:
    return {"match_phrase": {"sounds": {"query": " ".join(query_tokens(words).sounds[0].tokens)}}}


def ranked(*clauses: dict[str, Any]) -> dict[str, Any]:
    """The first clause above the second, and so on."""
    boosts = range(len(clauses), 0, -1)
    scored = [
        {"constant_score": {"filter": c, "boost": b}} for c, b in zip(clauses, boosts, strict=True)
    ]
    return {"dis_max": {"queries": scored}}


HAND_WRITTEN: dict[str, dict[str, Any]] = {
    "long phrase": ranked(grams("七天 天无 无理 理由 由退 退换"), sounds("七天无理由退换")),
    "value range": {
        "bool": {
            "filter": [
                {"term": {"claim_type": "price"}},
                {"range": {"amounts.money": {"lt": 200}}},
            ]
        }
    },
    "one character": ranked({"term": {"ones": "棉"}}),
}


def run_rebuild(root: Path, variables: dict[str, str]) -> dict[str, float]:
    """``evidence rebuild`` in a process of its own: seconds and peak memory."""
    command = [sys.executable, "-m", "pipeline.serve.cli", "rebuild", "-w", str(root), "--json"]
    begun = time.perf_counter()
    run = subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE)
    assert run.stdout is not None
    said = json.loads(run.stdout.read())
    _, status, used = os.wait4(run.pid, 0)
    if status or said["problems"]:
        raise SystemExit(f"the rebuild failed: {said}")
    seconds = time.perf_counter() - begun
    return {
        "documents": said["documents"],
        "seconds": seconds,
        "per_second": said["documents"] / seconds,
        "per_cpu_second": said["documents"] / (used.ru_utime + used.ru_stime),
        "peak_mib": used.ru_maxrss / 1024,
    }


def taken(index: Any) -> dict[str, float]:
    """What the backend itself takes: documents that lie ready in memory, through its port."""
    given = list(islice(documents(range(OWN_SAMPLE // PER_ROOM)), OWN_SAMPLE))
    index_tokens("预热 warm")  # dictionaries are read once
    begun, cpu = time.perf_counter(), time.process_time()
    index.swap([(given[0].day, given)])
    spent, cpu = time.perf_counter() - begun, time.process_time() - cpu
    return {"own_per_second": len(given) / spent, "own_per_cpu_second": len(given) / cpu}


def bare_rate_sqlite(folder: Path) -> dict[str, float]:
    """Arrays and rows that are ready, into a file that nobody else uses."""
    packed = pack(islice(documents(range(OWN_SAMPLE // PER_ROOM)), OWN_SAMPLE))
    packed = packed._replace(postings=iter(list(packed.postings)))
    begun = time.perf_counter()
    write_packed(folder / "bare.db", iter([packed]))
    return {"bare_per_second": packed.size / (time.perf_counter() - begun)}


def bare_rate_elastic(url: str) -> dict[str, float]:
    """Bulk bodies that are ready, posted one after the other by the standard library."""
    given = islice(documents(range(OWN_SAMPLE // PER_ROOM)), OWN_SAMPLE)
    lines = [
        f"{json.dumps({'index': {'_id': d.doc_id}})}\n{json.dumps(source_of(d))}\n" for d in given
    ]
    bodies = ["".join(lines[at : at + BATCH]).encode() for at in range(0, len(lines), BATCH)]
    index, at = f"{ALIAS}-bare", urlsplit(url)
    link = http.client.HTTPConnection(at.hostname or "", at.port, timeout=60)

    def ask(method: str, path: str, body: bytes, kind: str = "application/json") -> None:
        link.request(method, path, body, {"Content-Type": kind})
        reply = link.getresponse()
        said = reply.read()
        if reply.status >= 300 or b'"errors":true' in said:
            raise SystemExit(f"{method} {path}: {said[:500]!r}")

    settings = {"number_of_replicas": 0, "refresh_interval": "-1"}
    made = {"mappings": mappings(), "settings": settings}
    ask("PUT", f"/{index}", json.dumps(made).encode())
    begun = time.perf_counter()
    for body in bodies:
        ask("POST", f"/{index}/_bulk", body, "application/x-ndjson")
    ask("POST", f"/{index}/_refresh", b"")
    spent = time.perf_counter() - begun
    ask("DELETE", f"/{index}", b"")
    return {"bare_per_second": len(lines) / spent}


def own_rates(name: str, url: str, folder: Path) -> dict[str, float]:
    """What the backend takes by its port, and what its storage takes from plain code."""
    if name == "sqlite":
        return {**taken(SqliteIndex(folder / "own")), **bare_rate_sqlite(folder)}
    settings = IndexSettings(kind="elasticsearch", url=url, alias=f"{ALIAS}-own", timeout_s=120)
    index = ElasticIndex(settings)
    try:
        return {**taken(index), **bare_rate_elastic(url)}
    finally:
        index.remove()


def percentiles(spent_ms: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(spent_ms, n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98]}


def by_hand(index: ElasticIndex, query: dict[str, Any]) -> int:
    """A query as someone who knows the mapping would send it."""
    counted = {f: {"terms": {"field": f, "size": 100}} for f in FACETS}
    body = {
        "query": {"bool": {"must": [query], "must_not": [{"term": {"kind": "broadcast"}}]}},
        "sort": SORT,
        "size": 20,
        "_source": ["body"],
        "track_total_hits": True,
        "aggregations": counted,
    }
    reply = index._client.search(index=ALIAS, body=body).body
    return int(reply["hits"]["total"]["value"])


def compare(left: Any, right: Any) -> None:
    """Both backends must say the same before their speed is worth anything.

    Of very many hits each counts its own best ten thousand for the facets.
    """
    for name, query in QUERIES.items():
        one, two = search(left, query), search(right, query)
        apart: dict[str, Any] = {"cursor": ""}
        if one.total > MOST_COUNTED:
            apart |= {"facets": {}, "facets_of": 0}
        if one.model_copy(update=apart) != two.model_copy(update=apart):
            raise SystemExit(f"the backends disagree on {name}: {query} ({one.total}, {two.total})")


def measure(backends: dict[str, Any], runs: int) -> dict[str, Any]:
    """Every query on every backend in turn, ``runs`` times after one to warm up."""
    results: dict[str, Any] = {}
    for name, query in QUERIES.items():
        spent: dict[str, list[float]] = {b: [] for b in (*backends, "by hand")}
        total = max(search(index, query).total for index in backends.values())
        for _ in range(runs):
            for backend, index in backends.items():
                spent[backend].append(timed(lambda i=index, q=query: search(i, q)))  # type: ignore[misc]
            if name in HAND_WRITTEN and "elasticsearch" in backends:
                asked, body = backends["elasticsearch"], HAND_WRITTEN[name]
                spent["by hand"].append(timed(lambda i=asked, b=body: by_hand(i, b)))  # type: ignore[misc]
        found = {b: percentiles(ms) for b, ms in spent.items() if ms}
        results[name] = {"query": query, "total": total, **found}
        row = "".join(
            f"  {b} {p['p50_ms']:7.1f} {p['p95_ms']:7.1f} {p['p99_ms']:7.1f}"
            for b, p in found.items()
        )
        print(f"{name:<18}{total:>8}{row}", flush=True)
    every = {b for row in results.values() for b in row if isinstance(row[b], dict)}
    for backend in sorted(every):
        worst = [row[backend]["p95_ms"] for row in results.values() if backend in row]
        print(f"{backend}: p95 mean {statistics.mean(worst):.1f} ms, worst {max(worst):.1f} ms")
    return results


def timed(action: Any) -> float:
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000


def elastic_bytes(index: ElasticIndex) -> int:
    return int(
        index._client.indices.stats(index=ALIAS, metric="store").body["_all"]["primaries"]["store"][
            "size_in_bytes"
        ]
    )


def fill(root: Path, url: str, backends: dict[str, Any]) -> dict[str, Any]:
    """Each backend from the store, and its own rate beside it."""
    filled: dict[str, Any] = {}
    for name in backends:
        there = {"KIND": name, "URL": url, "ALIAS": ALIAS, "TIMEOUT_S": "120"}
        variables = {f"EVIDENCE_INDEX__{key}": value for key, value in there.items()}
        with tempfile.TemporaryDirectory(dir=root) as apart:
            own = own_rates(name, url, Path(apart))
        done = run_rebuild(root, variables)
        size = sum(p.stat().st_size for p in (root / "index").glob("index-*"))
        done["bytes"] = size if name == "sqlite" else elastic_bytes(backends[name])
        slower = own["own_per_second"] / done["per_second"]
        filled[name] = {**done, **own, "slower": slower}
        print(f"{name}: " + ", ".join(f"{k} {v:,.1f}" for k, v in filled[name].items()), flush=True)
    return filled


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=30, help="timed runs of each query")
    parser.add_argument("--url", default=os.environ.get("EVIDENCE_TEST_ELASTICSEARCH_URL", ""))
    parser.add_argument("--only", choices=("sqlite", "elasticsearch"), help="this one alone")
    parser.add_argument("--folder", type=Path, help="where the store and the index are made")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evidence-search-", dir=chosen.folder) as folder:
        root = Path(folder)
        begun = time.perf_counter()
        store(init(root).archive, chosen.documents // PER_ROOM)
        print(f"store made in {time.perf_counter() - begun:.0f} s", flush=True)
        backends: dict[str, Any] = {"sqlite": SqliteIndex(root / "index")}
        if chosen.url:
            settings = IndexSettings(
                kind="elasticsearch", url=chosen.url, alias=ALIAS, timeout_s=120
            )
            backends["elasticsearch"] = ElasticIndex(settings)
        if chosen.only:
            backends = {chosen.only: backends[chosen.only]}
        try:
            filled = fill(root, chosen.url, backends)
            if len(backends) == 2:
                compare(*backends.values())
            queries = measure(backends, chosen.runs)
        finally:
            if "elasticsearch" in backends:
                backends["elasticsearch"].remove()
    if chosen.json:
        found = {"filled": filled, "queries": queries}
        chosen.json.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
