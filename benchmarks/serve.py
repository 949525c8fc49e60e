"""The desk under 200 users: `python -m benchmarks.serve [--users 200] [--seconds 60] [--json FILE]`.

A workspace of made-up broadcasts (100 with 1,000 claims each, 100,000 claims) is put into a folder
store and its SQLite index; `evidence serve` runs on it as a process of its own, with keys. Then

1. one user asks the mix of requests one after the other: the single-user times;
2. as many users as asked for do the same at once, each thinking 10 s (5 to 15) between requests;
3. the same searches are asked of the index in this process and of the API in turn: what HTTP, the
   gate, the record of the view and the JSON cost.

The server's resident memory is taken after warming up and at the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import psutil

from benchmarks.rooms import put, revision_of
from pipeline import runner
from pipeline.archive import State
from pipeline.bootstrap import Application, init
from pipeline.index import run as index_room
from pipeline.model import (
    Broadcast,
    Claim,
    ClaimSet,
    Product,
    Segment,
    Transcript,
)
from pipeline.provenance import sha256_hex, shard
from pipeline.serve.access.keys import KeyBook

SAID = (
    ("warranty", "质保{n}年", "P{n}Y"),
    ("price", "今天直播间只要{n}块钱", "CNY{n}"),
    ("material", "纯棉的面料{n}支纱", "棉"),
    ("freight", "全国包邮{n}天内到", "free"),
    ("returns", "{n}天无理由退换", "P{n}D"),
    ("origin", "新疆长绒棉第{n}批", "新疆"),
)
BROAD = ("包邮", "直播间 type:price")
"""Each finds a sixth of everything said."""
LINE_MS = 4000
THINK_S = (5.0, 15.0)
WARMUP = 60


def query(chosen: random.Random) -> str:
    """What someone looks for: mostly about one SKU, one broadcast or one phrase."""
    n = chosen.randrange(1, 400)
    return chosen.choice(
        (
            chosen.choice(BROAD),
            f'"质保{n}年"',
            f"{n}块钱 type:price",
            f"包邮 sku:SKU-{chosen.randrange(500):03d}",
            f"纯棉 broadcast:{_name(chosen.randrange(100))}",
            f"type:warranty sku:SKU-{chosen.randrange(500):03d}",
            f"review:yes broadcast:{_name(chosen.randrange(100))}",
            f"退换 host:host-{chosen.randrange(17)} type:returns",
        )
    )


class Timed(NamedTuple):
    """One request."""

    what: str
    ms: float
    status: int
    size_bytes: int


def build(app: Application, *, broadcasts: int, claims: int) -> list[str]:
    """The workspace; ids of some claims."""
    ids: list[str] = []
    for number in range(broadcasts):
        made = _claims(number, claims)
        ids += [claim.claim_id for claim in made.claims[:: max(1, claims // 10)]]
        state = _stored(app, number, made)
        runner.publish(app, state)
        print(f"\r{number + 1} of {broadcasts} broadcasts", end="", file=sys.stderr)
    print(file=sys.stderr)
    return ids


def _name(number: int) -> str:
    return f"room-{number:04d}"


def _goods(number: int) -> list[str]:
    """The forty SKUs of a broadcast, out of five hundred."""
    return [f"SKU-{n:03d}" for n in sorted(random.Random(number).sample(range(500), 40))]


def _claims(number: int, count: int) -> ClaimSet:
    chosen, name = random.Random(number), _name(number)
    goods = _goods(number)
    start = f"{shard(name)}-{sha256_hex(name.encode())[:12]}"
    made = []
    for index in range(count):
        kind, quote_, value = SAID[index % len(SAID)]
        n = chosen.randrange(1, 400)
        at = index * LINE_MS
        made.append(
            Claim.model_validate(
                {
                    "claim_id": f"{start}-{index}",
                    "broadcast_id": name,
                    "claim_type": kind,
                    "start_ms": at,
                    "end_ms": at + 3000,
                    "quote": quote_.format(n=n),
                    "value": (value,) if kind == "material" else value.format(n=n),
                    "segment_index": index,
                    "char_start": 0,
                    "char_end": len(quote_.format(n=n)),
                    "sku_id": chosen.choice(goods),
                    "needs_review": index % 20 == 0,
                    "rule_id": "made",
                }
            )
        )
    return ClaimSet(broadcast_id=name, claims=tuple(made))


def _stored(app: Application, number: int, made: ClaimSet) -> State:
    name, length = _name(number), len(made.claims) * LINE_MS
    begun = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(hours=number)
    broadcast = Broadcast(
        broadcast_id=name,
        host_id=f"host-{number % 17}",
        merchant_id=f"shop-{number % 11}",
        platform="taobao",
        started_at=begun,
        products=tuple(Product(sku_id=sku, name=f"货品 {sku}") for sku in _goods(number)),
    )
    revision = revision_of(broadcast, length_ms=length)
    segments = tuple(
        Segment(start_ms=c.start_ms, end_ms=c.end_ms, text=c.quote) for c in made.claims
    )
    words = Transcript(broadcast_id=name, segments=segments, duration_ms=length)
    return put(app.archive, revision, words, made, work_key=sha256_hex(name.encode()))


class User:
    """Someone with one connection."""

    def __init__(self, address: str, key: str, claim_ids: list[str], seed: int) -> None:
        place = urlsplit(address)
        self._wire = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
        self._headers = {"Authorization": f"Bearer {key}"}
        self._chosen = random.Random(seed)
        self._claim_ids = claim_ids

    def ask(self) -> Timed:
        """One request of the mix."""
        what, path = self._pick()
        begun = time.perf_counter()
        self._wire.request("GET", path, headers=self._headers)
        answer = self._wire.getresponse()
        size = len(answer.read())
        return Timed(what, (time.perf_counter() - begun) * 1000, answer.status, size)

    def _pick(self) -> tuple[str, str]:
        roll, asked = self._chosen.random(), query(self._chosen)
        if roll < 0.45:
            return "search page", f"/?q={quote(asked)}"
        if roll < 0.75:
            return "search API", f"/api/v1/search?q={quote(asked)}"
        if roll < 0.90:
            return "claim API", f"/api/v1/claims/{self._chosen.choice(self._claim_ids)}"
        if roll < 0.97:
            return "moment page", f"/m/{self._chosen.choice(self._claim_ids)}"
        return "SKU page", f"/sku/SKU-{self._chosen.randrange(500):03d}"


def together(address: str, keys: list[str], ids: list[str], *, seconds: float) -> list[Timed]:
    """All users at once, each thinking between requests."""
    found: list[Timed] = []
    end = time.monotonic() + seconds

    def work(number: int, key: str) -> None:
        chosen = random.Random(number + 1)
        user = User(address, key, ids, number)
        time.sleep(chosen.uniform(0, THINK_S[1]))
        while time.monotonic() < end:
            found.append(user.ask())
            time.sleep(chosen.uniform(*THINK_S))

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(keys)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def overhead(app: Application, address: str, key: str, rounds: int) -> dict[str, float]:
    """The same searches of the index here and of the API, in turn."""
    place = urlsplit(address)
    wire = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
    here, there = [], []
    chosen = random.Random(0)
    for _ in range(rounds):
        asked = query(chosen)
        begun = time.perf_counter()
        index_room.search(app.index, asked)
        here.append((time.perf_counter() - begun) * 1000)
        begun = time.perf_counter()
        path = f"/api/v1/search?q={quote(asked)}"
        wire.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        wire.getresponse().read()
        there.append((time.perf_counter() - begun) * 1000)
    return {
        "index_ms": statistics.median(here),
        "api_ms": statistics.median(there),
        "overhead_ms": statistics.median(b - a for a, b in zip(here, there, strict=True)),
    }


def summary(timed: list[Timed]) -> dict[str, Any]:
    """Counts, quantiles, errors."""
    times = sorted(t.ms for t in timed)
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))]  # noqa: E731
    return {
        "requests": len(times),
        "errors": sum(t.status >= 400 for t in timed),
        "p50_ms": at(0.5),
        "p95_ms": at(0.95),
        "max_ms": times[-1],
        "largest_kb": max(t.size_bytes for t in timed) / 1000,
    }


def by_kind(timed: list[Timed]) -> dict[str, dict[str, Any]]:
    """The same for each kind of request."""
    kinds = sorted({t.what for t in timed})
    return {kind: summary([t for t in timed if t.what == kind]) for kind in kinds}


def run(asked: argparse.Namespace, root: Path) -> dict[str, Any]:
    app = init(root)
    ids = build(app, broadcasts=asked.broadcasts, claims=asked.claims)
    book = KeyBook(app.keys)
    until = time.time_ns() // 1_000_000 + 86_400_000
    keys = [
        book.new(f"user {n}", role="arbitrator", expires_utc_ms=until)[1]
        for n in range(asked.users)
    ]
    command = [sys.executable, "-m", "pipeline.serve.cli", "serve", "--port", "0", "-w", str(root)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        address = server.stderr.readline().strip().rstrip("/")
        alone = User(address, keys[0], ids, 0)
        for _ in range(WARMUP):
            alone.ask()
        single = [alone.ask() for _ in range(asked.single)]
        memory = psutil.Process(server.pid)
        before = memory.memory_info().rss
        begun = time.monotonic()
        many = together(address, keys, ids, seconds=asked.seconds)
        took_s = time.monotonic() - begun
        after = memory.memory_info().rss
        found = {
            "single": summary(single),
            "together": summary(many) | {"per_second": len(many) / took_s},
            "by_kind": by_kind(many),
            "overhead": overhead(app, address, keys[0], asked.rounds),
            "rss_before_mib": before / (1 << 20),
            "rss_after_mib": after / (1 << 20),
        }
    finally:
        server.terminate()
        server.wait(60)
    found["p95_ratio"] = found["together"]["p95_ms"] / found["single"]["p95_ms"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--broadcasts", type=int, default=100)
    parser.add_argument("--claims", type=int, default=1000)
    parser.add_argument("--single", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=80)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(asked, Path(folder) / "w")
    text = json.dumps(found, indent=1)
    if asked.json:
        asked.json.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
