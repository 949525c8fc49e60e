"""Index documents of the example broadcasts; the labelled claims stand in for detected ones."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.index.documents import Document, documents_of
from pipeline.ingest.formats import parse_broadcast
from pipeline.model import (
    Box,
    Claim,
    ClaimSet,
    ClockMap,
    ClockSpan,
    Gap,
    Keyframe,
    Revision,
    Screen,
    ScreenLine,
    Segment,
    Transcript,
    Window,
)

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = ("zh01", "zh02", "zh05", "en01")
DURATION_MS = 300_000


@lru_cache(maxsize=1)
def example_documents() -> tuple[Document, ...]:
    """All documents of four broadcasts; ``zh02`` has a span that was not listened to."""
    return tuple(d for name in NAMES for d in broadcast_documents(name))


def broadcast_documents(name: str) -> list[Document]:
    revision, transcript, screen, claims = broadcast_parts(name)
    packs = {"claims": f"{name}/claims.pack", "transcribe": f"{name}/transcript.pack"}
    return list(
        documents_of(
            revision, transcript=transcript, screen=screen, claims=claims, release=3, packs=packs
        )
    )


def broadcast_parts(name: str) -> tuple[Revision, Transcript, Screen, ClaimSet]:
    folder = EXAMPLES / name
    broadcast, _ = parse_broadcast((folder / "broadcast.json").read_bytes(), file_name="b.json")
    clock = ClockSpan(
        recording_index=0,
        start_ms=0,
        end_ms=DURATION_MS,
        media_start_ms=0,
        wall_start_utc_ms=broadcast.start_utc_ms,
        source="broadcast",
        uncertainty_ms=2000,
    )
    zone = broadcast.zone_minutes
    revision = Revision(
        number=1,
        input_id="0" * 64,
        broadcast=broadcast,
        clock_map=ClockMap(spans=(clock,), zone_minutes=zone),
        duration_ms=DURATION_MS,
    )
    gap = Gap(stage="transcribe", start_ms=290_000, end_ms=300_000, reason="corrupt")
    transcript = Transcript(
        broadcast_id=broadcast.broadcast_id,
        segments=tuple(Segment(**s) for s in _read(folder / "transcript.json")["segments"]),
        gaps=(gap,) if name == "zh02" else (),
        duration_ms=DURATION_MS,
    )
    claims = tuple(
        _claim(broadcast.broadcast_id, n, c)
        for n, c in enumerate(_read(folder / "labels.json")["claims"])
    )
    windows = tuple(
        Window(
            sku_id=entry.sku_id,
            start_ms=entry.start_ms,
            end_ms=entry.end_ms,
            source="schedule",
            confidence_pm=900,
        )
        for entry in broadcast.product_schedule
    )
    found = ClaimSet(broadcast_id=broadcast.broadcast_id, claims=claims, windows=windows)
    return revision, transcript, _screen(broadcast.broadcast_id), found


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _claim(broadcast_id: str, number: int, label: dict[str, Any]) -> Claim:
    value = label["value"]
    return Claim(
        claim_id=f"{broadcast_id}-claim-{number:03d}",
        broadcast_id=broadcast_id,
        claim_type=label["claim_type"],
        start_ms=label["start_ms"],
        end_ms=label["end_ms"],
        quote=label["quote"],
        value=tuple(value) if isinstance(value, list) else value,
        polarity=label["polarity"],
        segment_index=0,
        char_start=0,
        char_end=0,
        sku_id=label["sku_id"],
        needs_review=number % 5 == 0,
        rule_id="label",
    )


def _screen(broadcast_id: str) -> Screen:
    box = Box(x_px=0, y_px=0, w_px=10, h_px=10)
    lines = tuple(
        ScreenLine(
            start_ms=n * 10_000,
            end_ms=n * 10_000 + 5000,
            text=text,
            box=box,
            confidence_pm=900,
            role="comment" if n % 2 else "card",
            keyframe=n,
        )
        for n, text in enumerate(
            ("限时特价 ¥199", "小鱼: 會不會掉色啊", "Free Returns", "哈" * 300)
        )
    )
    frames = tuple(
        Keyframe(
            index=n,
            at_ms=n * 10_000,
            recording_index=0,
            media_ms=n * 10_000,
            width_px=10,
            height_px=10,
            image=n,
            image_sha256="0" * 64,
            phash="0" * 16,
            sharpness=1,
            reason="interval",
        )
        for n in range(4)
    )
    return Screen(broadcast_id=broadcast_id, keyframes=frames, lines=lines)
