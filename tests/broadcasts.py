"""Small broadcasts made from words alone, for tests that need several of them quickly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.archive import State
from pipeline.runner import Request
from pipeline.serve.service import Service

WORDS = ("家人们好", "这件是藏青色的", "保修五年", "七天无理由退换", "江浙沪包邮")


def described(
    folder: Path, broadcast_id: str, *, started_at: str, words: Sequence[str] = WORDS
) -> Request:
    """A broadcast of one product, one sentence every five seconds, as a request to process."""
    folder.mkdir(parents=True, exist_ok=True)
    product = {"sku_id": f"SKU-{broadcast_id}", "name": "防水双肩包", "link_number": 1}
    about = {
        "broadcast_id": broadcast_id,
        "host_id": "host-1",
        "merchant_id": "shop-1",
        "platform": "taobao",
        "language": "zh",
        "started_at": started_at,
        "products": [product],
        "product_schedule": [{"sku_id": product["sku_id"], "start_ms": 0, "end_ms": 600_000}],
    }
    said = [
        {"start_ms": n * 5000, "end_ms": n * 5000 + 4000, "text": text}
        for n, text in enumerate(words)
    ]
    described_in, heard_in = folder / f"{broadcast_id}.json", folder / f"{broadcast_id}.words.json"
    described_in.write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    heard_in.write_text(json.dumps({"segments": said}, ensure_ascii=False), encoding="utf-8")
    return Request(broadcast_file=described_in, transcript_file=heard_in)


def processed(
    works: Service,
    folder: Path,
    broadcast_id: str,
    *,
    day: str,
    words: Sequence[str] = WORDS,
    amend: bool = False,
) -> State:
    """The same, taken in and indexed; broadcast at noon of that day, Beijing time."""
    asked = described(folder, broadcast_id, started_at=f"{day}T12:00:00+08:00", words=words)
    return works.process(
        Request(
            broadcast_file=asked.broadcast_file,
            transcript_file=asked.transcript_file,
            amend=amend,
        )
    )
