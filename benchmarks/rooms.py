"""Made-up broadcasts of any number for the search benchmark, out of clauses that hosts really say.

A room is a thousand documents: its summary, 749 spoken lines and 250 claims; forty rooms make a
day. Lines are put together from the clauses of the examples and the development scenes, drawn
unevenly (a few are said all the time, most once in a while), with other numerals each time and
now and then a name that nobody else says. The same number gives the same room.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.archive import Archive, State, prefix_of
from pipeline.index.documents import Document, documents_of
from pipeline.model import (
    Broadcast,
    Claim,
    ClaimSet,
    ClockMap,
    ClockSpan,
    Producer,
    Product,
    Release,
    Revision,
    Segment,
    Transcript,
)
from pipeline.outputs import claims_pack, transcript_pack

ROOT = Path(__file__).parents[1]
PER_ROOM = 1000
PER_DAY = 40
LINES = 749
CLAIMS = PER_ROOM - LINES - 1
LINE_MS = 4000
FIRST_DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIGITS = "一二三四五六七八九"
NAME_CHARACTERS = "林沐安若溪禾川岚屿星澜青墨知夏初晴云舒南栀北辰言蹊梧桐棠梨"
KINDS = (
    ("price", "今天直播间{n}块", "CNY{n}"),
    ("warranty", "保修{k}年", "P{k}Y"),
    ("colour", "有{c}的", "{c}"),
    ("returns", "七天无理由退换", "P7D:no_reason"),
    ("freight", "江浙沪包邮", "free"),
    ("net_content", "净含量{n}克", "{n}g"),
)
COLOURS = ("藏青", "黑色", "米白", "军绿", "酒红", "卡其", "雾霾蓝", "玫瑰金", "驼色", "粉色")


class Room(NamedTuple):
    """One broadcast, as the stages would have left it."""

    revision: Revision
    transcript: Transcript
    claims: ClaimSet


class Clauses(NamedTuple):
    """What is said, with the running sum of how often."""

    words: list[str]
    weights: list[float]

    def pick(self, chosen: random.Random) -> str:
        return chosen.choices(self.words, cum_weights=self.weights)[0]


@lru_cache(maxsize=2)
def clauses(language: str) -> Clauses:
    """All clauses of a language, the ``n``-th of them said ``1/(n+20)`` as often as the first."""
    found: dict[str, None] = {}
    files = [*ROOT.glob(f"examples/{language}0*/transcript.json")]
    files += ROOT.glob(f"tests/assets/scenes/dev/{language}_*.json")
    for file in sorted(files):
        read = json.loads(file.read_text(encoding="utf-8"))
        segments = read.get("segments") or read["transcript"]["segments"]
        for segment in segments:
            parts = re.split(r"[，。！？；、：,.!?;:]", segment["text"])
            found |= dict.fromkeys(part.strip() for part in parts if len(part.strip()) > 2)
    words = list(found)
    random.Random(1).shuffle(words)
    return Clauses(words, list(accumulate(1 / (n + 20) for n in range(len(words)))))


def sentence(chosen: random.Random, language: str) -> str:
    """One spoken line."""
    said = [clauses(language).pick(chosen) for _ in range(chosen.randint(1, 4))]
    if language == "en":
        return ", ".join(said)
    text = "，".join(said)
    text = "".join(
        chosen.choice(DIGITS) if c in DIGITS and chosen.random() < 0.6 else c for c in text
    )
    name = "".join(chosen.choices(NAME_CHARACTERS, k=2)) if chosen.random() < 0.05 else ""
    return text + name


def room(number: int) -> Room:
    """Room ``number``; the same every time."""
    chosen = random.Random(number)
    language = "en" if number % 10 == 9 else "zh"
    begun = FIRST_DAY + timedelta(days=number // PER_DAY, minutes=15 * (number % PER_DAY))
    name = f"r{number:06d}"
    goods = [f"SKU-{chosen.randrange(4000):04d}" for _ in range(8)]
    broadcast = Broadcast(
        broadcast_id=name,
        host_id=f"host-{number % 97}",
        merchant_id=f"shop-{number % 31}",
        platform="taobao",
        language=language,
        started_at=begun,
        products=tuple(Product(sku_id=s, name=f"{s} 双肩包") for s in dict.fromkeys(goods)),
    )
    length = LINES * LINE_MS
    revision = revision_of(broadcast, length_ms=length, recording_index=0)
    segments = tuple(_line(n, sentence(chosen, language)) for n in range(LINES))
    claims = tuple(_claim(chosen, name, n, goods) for n in range(CLAIMS))
    return Room(
        revision,
        Transcript(broadcast_id=name, segments=segments, duration_ms=length),
        ClaimSet(broadcast_id=name, claims=claims),
    )


def _line(number: int, text: str) -> Segment:
    start = number * LINE_MS
    return Segment(start_ms=start, end_ms=start + LINE_MS - 500, text=text)


def _claim(chosen: random.Random, name: str, number: int, goods: list[str]) -> Claim:
    kind, quote, value = chosen.choice(KINDS)
    told = {"n": chosen.randrange(9, 999), "k": chosen.randint(1, 6), "c": chosen.choice(COLOURS)}
    made = value.format(**told)
    at = number * 3 * LINE_MS
    fields: dict[str, Any] = {
        "claim_id": f"{name}-{number}",
        "broadcast_id": name,
        "claim_type": kind,
        "start_ms": at,
        "end_ms": at + 2000,
        "quote": quote.format(**told),
        "value": (made,) if kind == "colour" else made,
        "polarity": "negate" if chosen.random() < 0.1 else "affirm",
        "segment_index": number * 3,
        "char_start": 0,
        "char_end": 0,
        "sku_id": chosen.choice(goods),
        "needs_review": chosen.random() < 0.15,
        "rule_id": "made",
    }
    return Claim(**fields)


def documents(rooms: range) -> Iterator[Document]:
    """The documents of rooms, as an index is given them."""
    for number in rooms:
        made = room(number)
        yield from documents_of(
            made.revision, transcript=made.transcript, screen=None, claims=made.claims, release=1
        )


def store(archive: Archive, count: int) -> None:
    """Rooms into a store, as if they had been processed."""
    for number in range(count):
        put(archive, *room(number), work_key="0" * 64)


def revision_of(broadcast: Broadcast, *, length_ms: int, recording_index: int = -1) -> Revision:
    """A broadcast's first revision, with a clock and without stored recordings."""
    span = ClockSpan(
        recording_index=recording_index,
        start_ms=0,
        end_ms=length_ms,
        media_start_ms=0,
        wall_start_utc_ms=broadcast.start_utc_ms,
        source="broadcast",
        uncertainty_ms=2000,
    )
    return Revision(
        number=1,
        input_id="0" * 64,
        broadcast=broadcast,
        clock_map=ClockMap(spans=(span,)),
        duration_ms=length_ms,
    )


def put(
    archive: Archive, revision: Revision, words: Transcript, claims: ClaimSet, *, work_key: str
) -> State:
    """A broadcast into the store, as the stages would have left it."""
    broadcast = revision.broadcast
    prefix = prefix_of(
        broadcast.broadcast_id, platform=broadcast.platform, merchant_id=broadcast.merchant_id
    )
    archive.put_revision(prefix, revision, retain_until=None)
    outputs = tuple(
        archive.put_output(
            prefix,
            work_key=work_key,
            producer=Producer.model_validate({"stage": stage, "version": "made"}),
            pack=pack,
            records=records,
            retain_until=None,
        )
        for stage, pack, records in (
            ("transcribe", transcript_pack(words), len(words.segments)),
            ("claims", claims_pack(claims), len(claims.claims)),
        )
    )
    release = Release(number=1, revision=1, outputs=outputs)
    archive.put_release(prefix, release, retain_until=None)
    state = State(prefix, revision, release)
    archive.put_catalogue(state, {"claims": len(claims.claims)})
    return state
