"""Compose one long labelled broadcast out of the short development scenes.

``python benchmarks/make_marathon.py --seed 7 > marathon.json`` prints four hours with forty
products in the one-file form of ``tests/assets/scenes``: broadcast, transcript, orders, labels.
Six Mandarin scenes are shown again and again; a second edition of five of them has other goods,
brands, link numbers and prices, so that nothing but the words tells two products apart. House
rules are kept from one scene only, for a room has one set of them. The same seed gives the same
bytes. Durations are in milliseconds on the broadcast's timeline.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import random
import re
from pathlib import Path
from typing import Any, NamedTuple

SCENES = Path(__file__).parents[1] / "tests" / "assets" / "scenes" / "dev"
STARTED = "2026-06-17T19:00:00+08:00"
HOURS_4_MS = 4 * 3600 * 1000
RULES_SCENE = "dev-zh-downbed"
SECOND_EDITION = (
    "dev-zh-cosmetics",
    "dev-zh-downbed",
    "dev-zh-orchard",
    "dev-zh-phones",
    "dev-zh-seafood",
)
# Named rather than globbed: more development scenes must not change a measured broadcast.
FIRST_EDITION = (*SECOND_EDITION, "dev-zh-toys")
NOUNS = {
    "云茉": "青岫", "粉底液": "气垫霜", "粉底": "气垫", "洁面乳": "洁颜蜜", "洗面奶": "洁颜蜜",
    "洁面": "洁颜", "唇釉": "唇膏", "口红": "唇膏棒", "防晒": "隔离",
    "田家": "阮家", "红橙": "红柚", "脐橙": "沙田柚", "橙": "柚", "猕猴桃": "百香果",
    "蜜薯": "芋头", "红薯": "香芋", "红苕": "毛芋",
    "海波": "阿江", "梭子蟹": "青蟹", "生蚝": "扇贝", "虾仁": "鱿鱼圈", "海带": "紫菜",
    "北庭": "南栖", "羽绒服": "滑雪衣", "羽绒被": "蚕丝被", "四件套": "被单套装", "乳胶枕": "记忆枕",
    "恒信": "启明", "曜石12": "赤霄9", "曜石十二": "赤霄九", "平板": "阅读器", "充电头": "车充",
    "充电器": "车载充", "枕头": "靠枕", "被子": "被褥", "奇异果": "鸡蛋果", "床品": "床具",
}  # fmt: skip
DIGITS = "零一二三四五六七八九"
PRICE = re.compile(r"CNY(\d+)")


class Unit(NamedTuple):
    """One scene in one edition, ready to be laid on the long timeline."""

    scene: dict[str, Any]
    edition: int

    @property
    def key(self) -> str:
        """Name of the unit."""
        return f"{self.scene['broadcast']['broadcast_id']}/{self.edition}"


def spoken(number: int) -> str:
    """A whole number below 10,000 as it is read aloud."""
    if not 0 < number < 10_000:
        raise ValueError(f"cannot speak {number}: only 1 to 9999")
    if 10 <= number < 20:
        return "十" + (DIGITS[number - 10] if number > 10 else "")
    out, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        gap = gap or (digit == 0 and bool(out))
        if digit:
            out += (DIGITS[0] if gap and out else "") + DIGITS[digit] + name
            gap = False
    return out


def load_scenes() -> list[dict[str, Any]]:
    """The scenes of the first edition, in the order of their file names."""
    scenes = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(SCENES.glob("*.json"))
    ]
    return [scene for scene in scenes if scene["broadcast"]["broadcast_id"] in FIRST_EDITION]


def units_of(scenes: list[dict[str, Any]]) -> list[Unit]:
    """First editions of all scenes, then second editions of five: forty products."""
    first = [Unit(scene, 1) for scene in scenes]
    chosen = (scene for scene in scenes if scene["broadcast"]["broadcast_id"] in SECOND_EDITION)
    return first + [Unit(scene, 2) for scene in chosen]


def new_sku(unit: Unit, sku: str | None) -> str | None:
    """The SKU's name in this edition; null stays null."""
    return sku if sku is None or unit.edition == 1 else f"{sku}-E{unit.edition}"


def rename(unit: Unit, text: str) -> str:
    """The text with the goods of this edition."""
    if unit.edition == 1:
        return text
    for old in sorted(NOUNS, key=len, reverse=True):
        text = text.replace(old, NOUNS[old])
    return text


def number_links(units: list[Unit]) -> dict[str, int]:
    """New link numbers, counted through the whole room; products without one get none."""
    numbers: dict[str, int] = {}
    for unit in units:
        for product in unit.scene["broadcast"]["products"]:
            if product.get("link_number") is not None:
                numbers[str(new_sku(unit, product["sku_id"]))] = len(numbers) + 1
    return numbers


def link_edits(unit: Unit, text: str, links: dict[str, int]) -> list[tuple[int, int, str]]:
    """Edits that turn spoken old link numbers into the new ones."""
    edits = []
    for product in unit.scene["broadcast"]["products"]:
        old = product.get("link_number")
        if old is None:
            continue
        pattern = rf"(?<![一二三四五六七八九十百月]){spoken(old)}(?=号|链接|，这台)"
        fresh = spoken(links[str(new_sku(unit, product["sku_id"]))])
        edits += [(m.start(), m.end(), fresh) for m in re.finditer(pattern, text)]
    return edits


def noun_edits(unit: Unit, text: str) -> list[tuple[int, int, str]]:
    """Edits that rename the goods; the longest word wins where two begin together."""
    if unit.edition == 1:
        return []
    words = "|".join(sorted(NOUNS, key=len, reverse=True))
    return [(m.start(), m.end(), NOUNS[m[0]]) for m in re.finditer(words, text)]


def new_price(unit: Unit, claim: dict[str, Any]) -> tuple[str, tuple[int, int, str] | None]:
    """A plain price eleven yuan higher in the second edition, and the edit of its words."""
    whole = PRICE.fullmatch(str(claim["value"]))
    if unit.edition == 1 or claim["claim_type"] != "price" or whole is None:
        return claim["value"], None
    words, fresh = spoken(int(whole[1])), int(whole[1]) + 11
    at = claim["quote"].find(words)
    if at < 0 or not 0 < fresh < 10_000:
        return claim["value"], None
    start = claim["char_start"] + at
    return f"CNY{fresh}", (start, start + len(words), spoken(fresh))


def moved(position: int, edits: list[tuple[int, int, str]]) -> int:
    """Where a character boundary lies after the edits; never inside one."""
    return position + sum(len(new) - (end - start) for start, end, new in edits if end <= position)


def apply(text: str, edits: list[tuple[int, int, str]]) -> str:
    """The text after the edits, which are sorted and apart."""
    out, last = "", 0
    for start, end, new in edits:
        out += text[last:start] + new
        last = end
    return out + text[last:]


def apart(edits: list[tuple[int, int, str]], bounds: list[int]) -> list[tuple[int, int, str]]:
    """Sorted edits without overlap and without any that crosses the edge of a quote."""
    kept: list[tuple[int, int, str]] = []
    for edit in sorted(edits):
        crosses = any(edit[0] < bound < edit[1] for bound in bounds)
        if not crosses and (not kept or kept[-1][1] <= edit[0]):
            kept.append(edit)
    return kept


def is_dropped(unit: Unit, index: int) -> bool:
    """Whether an utterance is left out: another room's rules, or a list of old link numbers."""
    scene = unit.scene
    mine = [c for c in scene["labels"]["claims"] if c["segment_index"] == index]
    if any(claim["sku_id"] is None for claim in mine):
        return unit.key != f"{RULES_SCENE}/1"
    text = scene["transcript"]["segments"][index]["text"]
    return index < 3 and not mine and bool(re.search("链接|编号|个号", text))


class Marathon:
    """The long broadcast while it grows."""

    def __init__(self, units: list[Unit], seed: int) -> None:
        self.units, self.rnd = units, random.Random(seed)
        self.links = number_links(units)
        self.clock = 2000
        self.segments: list[dict[str, Any]] = []
        self.speakers: list[str] = []
        self.traps: list[dict[str, Any]] = []
        self.claims: list[dict[str, Any]] = []
        self.schedule: list[dict[str, Any]] = []
        self.copies: dict[tuple[str, int], list[int]] = {}
        """Unit and old claim index -> indexes of its copies."""

    def play(self, length_ms: int) -> None:
        """Show the units round after round, in another order each time, up to the length."""
        while True:
            order = list(self.units)
            if self.segments:
                self.rnd.shuffle(order)
            for unit in order:
                last = unit.scene["transcript"]["segments"][-1]["end_ms"]
                if self.clock + last > length_ms:
                    return
                self.show(unit)

    def show(self, unit: Unit) -> None:
        """Append one unit."""
        new_index: dict[int, int] = {}
        for index, segment in enumerate(unit.scene["transcript"]["segments"]):
            if not is_dropped(unit, index):
                new_index[index] = len(self.segments)
                self.say(unit, index, segment)
        for trap in unit.scene["labels"]["traps"]:
            if trap["utterance_index"] in new_index:
                self.traps.append(trap | {"utterance_index": new_index[trap["utterance_index"]]})
        self.announce(unit, new_index)

    def say(self, unit: Unit, index: int, segment: dict[str, Any]) -> None:
        """Append one utterance with its claims."""
        labels = unit.scene["labels"]
        mine = [(k, c) for k, c in enumerate(labels["claims"]) if c["segment_index"] == index]
        prices = [new_price(unit, claim) for _, claim in mine]
        bounds = [edge for _, c in mine for edge in (c["char_start"], c["char_end"])]
        edits = [edit for _, edit in prices if edit]
        edits += link_edits(unit, segment["text"], self.links) + noun_edits(unit, segment["text"])
        edits = apart(edits, bounds)
        text = apply(segment["text"], edits)
        start, end = self.clock, self.clock + segment["end_ms"] - segment["start_ms"]
        self.clock = end + self.rnd.randint(200, 500)
        self.segments.append({"start_ms": start, "end_ms": end, "text": text})
        self.speakers.append(labels["speakers"][index])
        for (old, claim), (value, _) in zip(mine, prices, strict=True):
            self.copies.setdefault((unit.key, old), []).append(len(self.claims))
            self.claims.append(self.copied(unit, claim, value, edits))

    def copied(
        self, unit: Unit, claim: dict[str, Any], value: Any, edits: list[tuple[int, int, str]]
    ) -> dict[str, Any]:
        """The claim as it stands in the utterance just appended."""
        segment = self.segments[-1]
        first, last = moved(claim["char_start"], edits), moved(claim["char_end"], edits)
        each = (segment["end_ms"] - segment["start_ms"]) / len(segment["text"])
        texts = [rename(unit, v) for v in ([value] if isinstance(value, str) else value)]
        return claim | {
            "quote": segment["text"][first:last],
            "segment_index": len(self.segments) - 1,
            "char_start": first,
            "char_end": last,
            "start_ms": round(segment["start_ms"] + each * first),
            "end_ms": round(segment["start_ms"] + each * last),
            "value": texts[0] if isinstance(value, str) else texts,
            "sku_id": new_sku(unit, claim["sku_id"]),
        }

    def announce(self, unit: Unit, new_index: dict[int, int]) -> None:
        """Append the platform's product windows: from the line before a product's first claim."""
        starts = []
        for product in unit.scene["broadcast"]["products"]:
            own = [
                c["segment_index"]
                for c in unit.scene["labels"]["claims"]
                if c["sku_id"] == product["sku_id"] and c["segment_index"] in new_index
            ]
            if own:
                at = self.segments[max(new_index[min(own)] - 1, min(new_index.values()))]
                starts.append((at["start_ms"], new_sku(unit, product["sku_id"])))
        for (start, sku), following in itertools.zip_longest(sorted(starts), sorted(starts)[1:]):
            end = following[0] - 300 if following else self.segments[-1]["end_ms"]
            self.schedule.append({"sku_id": sku, "start_ms": start, "end_ms": end})


def products_of(marathon: Marathon) -> list[dict[str, Any]]:
    """The forty products with their new names and numbers."""
    products = []
    for unit in marathon.units:
        for product in unit.scene["broadcast"]["products"]:
            sku = str(new_sku(unit, product["sku_id"]))
            fresh = product | {
                "sku_id": sku,
                "name": rename(unit, product["name"]),
                "aliases": list(dict.fromkeys(rename(unit, a) for a in product["aliases"])),
                "listing": {k: rename(unit, v) for k, v in product["listing"].items()},
            }
            products.append(
                fresh | ({"link_number": marathon.links[sku]} if sku in marathon.links else {})
            )
    return products


def evidence_for(marathon: Marathon, unit: Unit, dispute: dict[str, Any]) -> list[int]:
    """All copies of the claims the dispute cites, and the room's own rules of the same types."""
    cited = dispute["relevant_claim_indexes"]
    kinds = {unit.scene["labels"]["claims"][k]["claim_type"] for k in cited}
    found = {copy for k in cited for copy in marathon.copies.get((unit.key, k), [])}
    rules = (k for k, c in enumerate(marathon.claims) if c["sku_id"] is None)
    return sorted(found | {k for k in rules if marathon.claims[k]["claim_type"] in kinds})


def orders_of(marathon: Marathon) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Orders and disputes; one whose evidence was left out of the long broadcast is skipped."""
    orders, disputes = [], []
    started, end = dt.datetime.fromisoformat(STARTED), marathon.segments[-1]["end_ms"]
    for unit in marathon.units:
        pairs = zip(unit.scene["orders"], unit.scene["labels"]["disputes"], strict=True)
        for order, dispute in pairs:
            relevant = evidence_for(marathon, unit, dispute)
            if bool(relevant) != bool(dispute["relevant_claim_indexes"]):
                continue
            first = marathon.claims[relevant[0]]["end_ms"] if relevant else end // 2
            at = min(end, first + marathon.rnd.randint(3000, 600_000)) // 1000
            same = {
                "order_id": f"{order['order_id']}-E{unit.edition}",
                "sku_id": new_sku(unit, order["sku_id"]),
                "reason_code": order["reason_code"],
            }
            orders.append(
                same
                | {
                    "broadcast_id": "marathon-zh",
                    "ordered_at": (started + dt.timedelta(seconds=at)).isoformat(),
                    "reason_text": rename(unit, order["reason_text"]),
                }
            )
            disputes.append(same | {"relevant_claim_indexes": relevant})
    return orders, disputes


def make(seed: int = 7, length_ms: int = HOURS_4_MS) -> dict[str, Any]:
    """The whole scene for a seed."""
    marathon = Marathon(units_of(load_scenes()), seed)
    marathon.play(length_ms)
    orders, disputes = orders_of(marathon)
    labels = {
        "claims": marathon.claims,
        "speakers": marathon.speakers,
        "traps": marathon.traps,
        "disputes": disputes,
    }
    broadcast = {
        "broadcast_id": "marathon-zh",
        "host_id": "host_marathon",
        "merchant_id": "mch_marathon",
        "platform": "douyin_like",
        "language": "zh",
        "started_at": STARTED,
        "products": products_of(marathon),
        "product_schedule": marathon.schedule,
    }
    transcript = {
        "broadcast_id": "marathon-zh",
        "language": "zh",
        "segments": marathon.segments,
    }
    return {"broadcast": broadcast, "transcript": transcript, "orders": orders, "labels": labels}


def main() -> None:
    """Print the scene."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=7)
    print(json.dumps(make(parser.parse_args().seed), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
