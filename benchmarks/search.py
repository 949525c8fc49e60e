"""Speed of search: SQLite beside a single Elasticsearch node, same documents, same queries.

    python benchmarks/search.py --documents 100000 [--url http://127.0.0.1:9200] [--json FILE]

Documents come from a seeded generator: spoken lines and claims of invented broadcasts, about
nine tenths Chinese. Start a node with ``infra/elasticsearch/node.py start``; without ``--url``
(or EVIDENCE_TEST_ELASTICSEARCH_URL) only SQLite is measured. Every query is run once to
warm up; hits and totals of both backends are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.index.amounts import amounts_of
from pipeline.index.documents import Document, Summary
from pipeline.index.elastic import ElasticIndex
from pipeline.index.run import search
from pipeline.index.sqlite import SqliteIndex
from pipeline.settings import IndexSettings

PER_BROADCAST = 1000
QUERIES = {
    "two characters": "包邮",
    "one character": "棉",
    "long phrase": '"七天无理由退换"',
    "rare word": "孔雀蓝",
    "two words": "藏青 显白",
    "sound-alike": "藏清",
    "pinyin": "zangqing",
    "English stem": "returned",
    "value range": "price<200 type:price",
    "colour family": "colour:blue",
    "filters and words": "保修 negated:no after:2026-03-01 before:2026-04-01",
    "or, not": "(防水 OR 防晒) NOT 掉色",
    "one broadcast": "包邮 broadcast:b000007",
}
OPENINGS = (
    "家人们",
    "姐妹们",
    "宝宝们",
    "这款",
    "咱们这个",
    "我跟你讲",
    "来看一下",
    "对",
    "然后",
    "那个",
    "今天",
)
THINGS = (
    *("面霜", "外套", "连衣裙", "双肩包", "保温杯", "四件套", "行李箱", "猫粮", "手机壳", "电饭煲"),
    *(
        "防晒霜",
        "羽绒服",
        "运动鞋",
        "蚕丝被",
        "蜂蜜",
        "小金条",
        "翡翠手镯",
        "榴莲",
        "牛排",
        "洗地机",
    ),
)
COLOURS = ("藏青", "黑色", "米白", "军绿", "酒红", "卡其", "雾霾蓝", "玫瑰金", "驼色", "粉色")
MIDDLES = (
    *(
        "真的特别显白",
        "是百分之百纯棉的",
        "敏感肌也能用",
        "防水防风",
        "不掉色不起球",
        "机洗也没问题",
    ),
    *("保修{n}年", "净含量{n}克", "今天直播间{n}块", "买一送一", "七天无理由退换", "假一赔十"),
    *(
        "四十八小时发货",
        "江浙沪包邮",
        "新疆西藏不发",
        "运费险给你们买好了",
        "产地是云南",
        "有质检证书",
    ),
    *(
        "保质期十八个月",
        "一米六到一米七穿",
        "送两双袜子",
        "库存只剩{n}单",
        "没有{n}号链接",
        "支持防晒",
    ),
)
ENDINGS = (
    "放心拍",
    "赶紧下单",
    "三号链接",
    "点点关注",
    "啊",
    "哈哈哈哈",
    "对吧",
    "真的",
    "我自己也在用",
    "抢完就没了",
)
ENGLISH = (
    "free returns for thirty days on this one",
    "it ships within forty eight hours",
    "one year warranty on the battery",
    "this jacket is waterproof not just water resistant",
    "navy and olive are back in stock",
    "made in portugal full grain leather",
)
RARE = ("孔雀蓝", "丹宁", "锡林郭勒", "国检证书")
CLAIMS = (
    ("price", "今天直播间{n}块", "CNY{n}"),
    ("warranty", "保修{k}年", "P{k}Y"),
    ("colour", "有{c}的", "{c}"),
    ("returns", "七天无理由退换", "P7D:no_reason"),
    ("freight", "江浙沪包邮", "free"),
    ("net_content", "净含量{n}克", "{n}g"),
)


def documents(count: int, *, seed: int = 1) -> Iterator[Document]:
    """``count`` documents in broadcasts of a thousand, the same for the same seed."""
    chosen = random.Random(seed)
    for number in range(count):
        broadcast, place = divmod(number, PER_BROADCAST)
        name = f"b{broadcast:06d}"
        day_ms = 1_767_225_600_000 + (broadcast % 300) * 86_400_000
        shared: dict[str, Any] = {
            "broadcast_id": name,
            "day": time.strftime("%Y-%m-%d", time.gmtime(day_ms / 1000)),
            "host_id": f"host{broadcast % 50}",
            "merchant_id": f"shop{broadcast % 20}",
            "sku_id": f"sku{chosen.randrange(2000)}",
            "start_ms": place * 4000,
            "end_ms": place * 4000 + 3500,
            "wall_utc_ms": day_ms + place * 4000,
        }
        if place == 0:
            summary = Summary(duration_ms=4_000_000, listened_ms=3_990_000)
            yield Document(doc_id=f"{name}/broadcast", kind="broadcast", summary=summary, **shared)
        elif place % 4 == 0:
            yield claim(chosen, f"{name}-c{place}", shared)
        else:
            text = sentence(chosen)
            yield Document(doc_id=f"{name}/s{place}", kind="line", text=text, **shared)


def sentence(chosen: random.Random) -> str:
    if chosen.random() < 0.1:
        return chosen.choice(ENGLISH)
    middle = chosen.choice(MIDDLES).format(n=chosen.randrange(1, 999))
    rare = chosen.choice(RARE) if chosen.random() < 0.0005 else ""
    parts = (OPENINGS, THINGS, COLOURS)
    return "".join(chosen.choice(p) for p in parts) + rare + middle + chosen.choice(ENDINGS)


def claim(chosen: random.Random, doc_id: str, shared: dict[str, Any]) -> Document:
    kind, quote, value = chosen.choice(CLAIMS)
    words = {
        "n": chosen.randrange(9, 999),
        "k": chosen.randrange(1, 6),
        "c": chosen.choice(COLOURS),
    }
    values = (value.format(**words),)
    return Document(
        doc_id=doc_id,
        kind="claim",
        claim_id=doc_id,
        claim_type=kind,
        value=values,
        also=values,
        amounts=amounts_of(kind, values),
        polarity="negate" if chosen.random() < 0.1 else "affirm",
        text=quote.format(**words),
        **shared,
    )


def timed(index: Any, query: str, *, runs: int) -> dict[str, float]:
    answer = search(index, query)
    spent = []
    for _ in range(runs):
        begun = time.perf_counter()
        search(index, query)
        spent.append((time.perf_counter() - begun) * 1000)
    cuts = statistics.quantiles(spent, n=100, method="inclusive")
    return {"total": answer.total, "p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98]}


def fill(name: str, index: Any, count: int) -> dict[str, float]:
    begun = time.perf_counter()
    index.swap(documents(count))
    spent = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {count} documents in {spent:.1f} s, {count / spent:.0f}/s, peak {peak:.0f} MiB")
    return {"documents": count, "seconds": spent, "per_second": count / spent, "peak_mib": peak}


def compare(left: Any, right: Any) -> None:
    """Both backends must say the same before their speed is worth anything."""
    for name, query in QUERIES.items():
        one, two = search(left, query), search(right, query)
        if one.model_copy(update={"cursor": ""}) != two.model_copy(update={"cursor": ""}):
            raise SystemExit(f"the backends disagree on {name}: {query} ({one.total}, {two.total})")


def measure(backends: dict[str, Any], runs: int) -> dict[str, dict[str, dict[str, float]]]:
    results: dict[str, dict[str, dict[str, float]]] = {name: {} for name in backends}
    print(f"\n{'query':<20}{'hits':>9}" + "".join(f"{n + ' p50':>22}{'p95':>9}" for n in backends))
    for name, query in QUERIES.items():
        row = ""
        for backend, index in backends.items():
            found = results[backend][name] = timed(index, query, runs=runs)
            row += f"{found['p50_ms']:>19.1f} ms{found['p95_ms']:>6.1f} ms"
        print(f"{name:<20}{found['total']:>9.0f}{row}")
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=30, help="timed runs of each query")
    parser.add_argument("--url", default=os.environ.get("EVIDENCE_TEST_ELASTICSEARCH_URL", ""))
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evidence-search-") as folder:
        backends: dict[str, Any] = {"sqlite": SqliteIndex(Path(folder))}
        if chosen.url:
            settings = IndexSettings(kind="elasticsearch", url=chosen.url, alias="evidence-bench")
            backends["elasticsearch"] = ElasticIndex(settings)
        filled = {name: fill(name, index, chosen.documents) for name, index in backends.items()}
        size = sum(p.stat().st_size for p in Path(folder).glob("index-*"))
        print(f"sqlite: {size / 2**20:.0f} MiB, {size / chosen.documents:.0f} bytes a document")
        try:
            if chosen.url:
                compare(*backends.values())
            queries = measure(backends, chosen.runs)
        finally:
            if chosen.url:
                backends["elasticsearch"].remove()
    if chosen.json:
        found = {"filled": filled, "sqlite_bytes": size, "queries": queries}
        chosen.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
