"""A hall of a hundred broadcasts and twenty thousand claims, made quickly for the desk's stories.

Ninety-seven are put into the store as the stages would have left them; their titles, hosts,
products and words are hostile. Three are real recordings (MP4, FLV and HLS) whose pictures say
what time it is, processed by the command. The merchant ``M-TWO`` owns two of the hundred.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.rooms import put, revision_of
from pipeline import runner
from pipeline.archive import State
from pipeline.bootstrap import Application, open_workspace
from pipeline.model import (
    Broadcast,
    Claim,
    ClaimSet,
    Product,
    Segment,
    Transcript,
    Window,
)
from pipeline.provenance import sha256_hex, shard
from tests import media
from tests.command import evidence, spoken, workspace
from tests.desks import new_key

ROOMS, CLAIMS = 97, 207
FORMS = ("mp4", "flv", "hls")
MERCHANT = "M-TWO"
HOSTILE = (
    '<script>document.title="owned"</script>',
    '"><img src=x onerror="document.title=1">',
    "{{7*7}}${7*7}</title></textarea><svg onload=alert(1)>",
    '=HYPERLINK("//x")\u202egpj.exe\x1b[2J',
    "javascript:alert(1)//' onmouseover='alert(1)",
)
SAID = (
    ("warranty", "质保{n}年", "P{n}Y"),
    ("price", "今天直播间只要{n}块钱", "CNY{n}"),
    ("material", "纯棉的面料{n}支纱", "棉"),
    ("freight", "全国包邮{n}天内到", "free"),
    ("returns", "{n}天无理由退换", "P{n}D"),
)
LINE_MS = 4000
A_DAY = 20
STARTED = "2026-06-05T20:00:00+08:00"
SECONDS = 44
CLAIM_MS = 20_000
ORDER = "ORD-<b>1"
SKU = "LUG-01"
SPOKEN = [
    (4000, 8000, "来看这款行李箱"),
    (10_000, 14_000, "今天直播间只要299块钱，全国包邮"),
    (CLAIM_MS, CLAIM_MS + 4000, "这款行李箱质保八年，坏了直接换新"),
    (28_000, 32_000, f"铝镁合金的箱体{HOSTILE[0]}不是塑料的"),
    (36_000, 40_000, "七天无理由退换"),
]


class Hall(NamedTuple):
    """The workspace with its keys."""

    here: Path
    keys: dict[str, str]
    """By role: arbitrator, merchant, admin."""
    theirs: tuple[str, str]
    """The two broadcasts of the merchant."""


def build(folder: Path) -> Hall:
    """Everything; under a minute."""
    here = workspace(folder / "w")
    app = open_workspace(here)
    for first in range(0, ROOMS, A_DAY):
        states = [_stored(app, number) for number in range(first, min(first + A_DAY, ROOMS))]
        app.index.put([found for state in states for found in runner.documents(app, state)])
    _record(here, folder)
    limits = {"merchant": ("--merchant", MERCHANT)}
    roles = ("arbitrator", "merchant", "admin")
    keys = {role: new_key(here, role, *limits.get(role, ()))["key"] for role in roles}
    return Hall(here, keys, (room_id(0), recorded_id("mp4")))


def room_id(number: int) -> str:
    """A broadcast's id; every fifth is hostile itself."""
    return f"room-{number:03d}" + ("<b>&'/?" if number % 5 == 0 else "")


def recorded_id(form: str) -> str:
    """The broadcast of a recording."""
    return f"real {form}?"


def _stored(app: Application, number: int) -> State:
    claims = _claims(number)
    broadcast = _broadcast(number)
    length = CLAIMS * LINE_MS
    revision = revision_of(broadcast, length_ms=length)
    said = tuple(
        Segment(
            start_ms=c.start_ms,
            end_ms=c.end_ms,
            text=c.quote + (_hostile(number) if number % 7 == 0 else ""),
        )
        for number, c in enumerate(claims.claims[::3])
    )
    words = Transcript(broadcast_id=broadcast.broadcast_id, segments=said, duration_ms=length)
    work_key = sha256_hex(broadcast.broadcast_id.encode())
    return put(app.archive, revision, words, claims, work_key=work_key)


def _broadcast(number: int) -> Broadcast:
    begun = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(
        days=number // A_DAY, minutes=20 * (number % A_DAY)
    )
    return Broadcast(
        broadcast_id=room_id(number),
        title=f"第{number}场 {_hostile(number)}",
        host_id=f"host-{number % 17}{_hostile(number) if number % 17 == 3 else ''}",
        merchant_id=MERCHANT if number == 0 else f"shop-{number % 11}",
        platform="taobao",
        started_at=begun,
        products=tuple(
            Product(sku_id=sku, name=f"{_hostile(n)}货品 {sku}")
            for n, sku in enumerate(_goods(number))
        ),
    )


def _hostile(number: int) -> str:
    return HOSTILE[number % len(HOSTILE)]


def _goods(number: int) -> list[str]:
    return [f"SKU-{n:03d}" for n in sorted(random.Random(number).sample(range(500), 20))]


def _claims(number: int) -> ClaimSet:
    name, chosen, goods = room_id(number), random.Random(number), _goods(number)
    start = f"{shard(name)}-{sha256_hex(name.encode())[:12]}"
    claims = [_claim(f"{start}-{at}", name, at, chosen, goods) for at in range(CLAIMS)]
    each = CLAIMS * LINE_MS // len(goods)
    windows = [
        Window(
            start_ms=n * each,
            end_ms=(n + 1) * each,
            sku_id=sku,
            source="schedule",
            confidence_pm=950,
        )
        for n, sku in enumerate(goods)
    ]
    return ClaimSet(broadcast_id=name, claims=tuple(claims), windows=tuple(windows))


def _claim(claim_id: str, name: str, at: int, chosen: random.Random, goods: list[str]) -> Claim:
    kind, quote, value = SAID[at % len(SAID)]
    told = quote.format(n=chosen.randrange(1, 400))
    made = value.format(n=chosen.randrange(1, 400))
    fields: dict[str, Any] = {
        "claim_id": claim_id,
        "broadcast_id": name,
        "claim_type": kind,
        "start_ms": at * LINE_MS,
        "end_ms": at * LINE_MS + 3000,
        "quote": told,
        "value": (made,) if kind == "material" else made,
        "segment_index": at // 3,
        "char_start": 0,
        "char_end": len(told),
        "sku_id": chosen.choice(goods),
        "needs_review": at % 20 == 0,
        "rule_id": "made",
    }
    return Claim.model_validate(fields)


def _record(here: Path, folder: Path) -> None:
    """The three recordings, through the whole way."""
    master = media.master(folder / "master.mp4", seconds=SECONDS)
    words = spoken(folder / "words.json", SPOKEN)
    for form in FORMS:
        recording = media.contained(master, folder / form, form)
        described = folder / form / "broadcast.json"
        described.write_text(json.dumps(_about(form)), encoding="utf-8")
        given = ("--broadcast", described, "--transcript", words, "-w", here)
        done = evidence("process", recording, *given, EVIDENCE_KEYFRAMES__OCR="false")
        assert done.code == 0, done.err
    orders = folder / "orders.jsonl"
    order = {"order_id": ORDER, "broadcast_id": recorded_id("mp4"), "sku_id": SKU}
    order |= {"ordered_at": "2026-06-05T20:00:40+08:00", "reason_code": "warranty_refused"}
    order |= {"reason_text": f"主播说质保八年{HOSTILE[1]}"}
    orders.write_text(json.dumps(order), encoding="utf-8")
    done = evidence("orders", "import", orders, "-w", here)
    assert done.code == 0, done.err


def _about(form: str) -> dict[str, Any]:
    product = {"sku_id": SKU, "name": "旅者行李箱", "link_number": 1, "aliases": ["行李箱"]}
    product |= {"listing": {"warranty": "5年", "material": "铝镁合金"}}
    return {
        "broadcast_id": recorded_id(form),
        "title": HOSTILE[0] + form,
        "host_id": "host-real",
        "merchant_id": MERCHANT if form == "mp4" else "shop-real",
        "platform": "taobao",
        "started_at": STARTED,
        "language": "zh",
        "products": [product],
        "product_schedule": [{"sku_id": SKU, "start_ms": 0, "end_ms": SECONDS * 1000}],
    }
