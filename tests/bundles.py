"""A small broadcast with words that make claims, processed for real, and its sealed bundle."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pipeline.bootstrap import Application, init, open_workspace
from pipeline.evidence.seal import Sealed
from pipeline.runner import Request
from pipeline.serve.bundles import bundle_claim, key_folder, trust_file
from pipeline.serve.service import Service
from tests import media as made
from tests.authority import Authority

SPOKEN = [
    (500, 2_500, "这个箱子五年质保，拉杆断了免费换"),
    (2_600, 4_600, "全国包邮，新疆西藏除外"),
    (4_700, 7_000, "外壳是纯聚碳酸酯，二十寸二十四寸都有"),
    (7_100, 9_000, "说错了，质保是三年"),
    (9_100, 11_500, "下单就送一个防尘套"),
]
BROADCAST = {
    "broadcast_id": "b-<script>1",
    "host_id": "host-1",
    "merchant_id": "m-1",
    "platform": "p",
    "language": "zh",
    "title": "箱包专场 <img src=x onerror=alert(1)> \u202eabc",
    "started_at": "2026-06-05T15:00:00+08:00",
    "products": [
        {
            "sku_id": "LUG-1",
            "link_number": 1,
            "name": "铝框箱",
            "aliases": ["箱子"],
            "listing": {"质保": "三年", "尺寸": "20寸,24寸"},
            "variants": [{"colour": "银", "weight_kg": 3.5}],
        },
        {"sku_id": "TEA-2", "link_number": 2, "name": "茶", "listing": {}},
    ],
    "product_schedule": [
        {"sku_id": "LUG-1", "start_ms": 0, "end_ms": 9_000},
        {"sku_id": "TEA-2", "start_ms": 9_000, "end_ms": 12_000},
    ],
}
ORDER = {
    "order_id": "ORD-1",
    "broadcast_id": "b-<script>1",
    "sku_id": "LUG-1",
    "ordered_at": "2026-06-05T15:00:11+08:00",
    "reason_code": "warranty_refused",
    "reason_text": "拉杆断了不给换",
    "buyer_id": "buyer-1",
}


class Desk(NamedTuple):
    """A workspace with one processed broadcast, a key and an authority that is set up."""

    works: Service
    authority: Authority
    recording: Path

    @property
    def app(self) -> Application:
        """Its application."""
        return self.works.app

    def seal(self, out: Path, *, nth: int = 0) -> Sealed:
        """The bundle of the nth spoken claim."""
        spoken = [c for c in self.works.claims("b-<script>1") if c.source == "speech"]
        return bundle_claim(self.works, spoken[nth].claim_id, out=out)

    def trust(self, file: Path) -> Path:
        """The trust file of this workspace."""
        file.write_text(json.dumps(trust_file(self.app), ensure_ascii=False), encoding="utf-8")
        return file


def described(folder: Path, recording: Path) -> Path:
    """A folder to process: the recording, its description and its words."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in recording.parent.iterdir() if recording.suffix == ".m3u8" else [recording]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "broadcast.json").write_text(json.dumps(BROADCAST), encoding="utf-8")
    segments = [{"start_ms": a, "end_ms": b, "text": text} for a, b, text in SPOKEN]
    (folder / "transcript.json").write_text(json.dumps({"segments": segments}), encoding="utf-8")
    (folder / "orders.jsonl").write_text(json.dumps(ORDER) + "\n", encoding="utf-8")
    return folder


def desk(
    folder: Path,
    *,
    form: str = "mp4",
    authority: Authority | None = None,
    portrait: bool = False,
    store: str = "",
) -> Desk:
    """A workspace in which the broadcast was processed from one kind of container.

    ``store`` is TOML for another store than a folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recording = made.contained(
        made.master(folder / "master.mp4", portrait=portrait), folder / "made", form
    )
    given = described(folder / "given", recording)
    stamps = authority or Authority(folder / "authority")
    app = init(folder / "w")
    seal = {"name": "Test authority", "url": getattr(stamps, "url", "http://127.0.0.1:9/")}
    rows = f'[{{name = "{seal["name"]}", url = "{seal["url"]}", ca_file = "{stamps.root}"}}]'
    settings = f"{store}\n[keyframes]\nocr = false\n[seal]\nauthorities = {rows}\nauthority_timeout_s = 5\n"
    (app.root / "evidence.toml").write_text(settings, encoding="utf-8")
    works = Service(open_workspace(app.root))
    inputs = (str(given / recording.name),)
    request = Request(inputs, given / "broadcast.json", given / "transcript.json")
    works.process(request)
    works.import_orders(given / "orders.jsonl")
    now = int(datetime.now(UTC).timestamp() * 1000)
    key_folder(works.app).new(name="Test desk", now_utc_ms=now - 1000)
    return Desk(works, stamps, given / recording.name)
