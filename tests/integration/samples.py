"""The labelled sample broadcasts as the pipeline's own types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.cases.orders_file import read_orders
from pipeline.ingest.formats import parse_broadcast
from pipeline.model import Broadcast, Claim, ClockMap, ClockSpan, Line, Order, Segment, Transcript

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("zh01", "zh02", "zh03", "zh04", "zh05", "zh06", "en01", "en02")


class Sample(NamedTuple):
    broadcast: Broadcast
    lines: list[Line]
    transcript: Transcript
    labels: dict[str, Any]
    orders: tuple[Order, ...]
    clock_map: ClockMap

    def claims(self) -> tuple[Claim, ...]:
        """The labelled claims, as a perfect detector would give them."""
        keys = ("claim_type", "start_ms", "end_ms", "quote", "polarity", "hedged", "sku_id")
        places = ("segment_index", "char_start", "char_end")
        return tuple(
            Claim(
                claim_id=f"g{n}",
                broadcast_id=self.broadcast.broadcast_id,
                rule_id="label",
                value=tuple(c["value"]) if isinstance(c["value"], list) else c["value"],
                **{k: c[k] for k in (*keys, *places)},
            )
            for n, c in enumerate(self.labels["claims"])
        )


def load(name: str) -> Sample:
    folder = EXAMPLES / name
    broadcast = parse_broadcast((folder / "broadcast.json").read_bytes(), file_name=name)[0]
    raw = json.loads((folder / "transcript.json").read_text(encoding="utf-8"))["segments"]
    lines = [Line(line_id=f"s{n}", source="speech", index=n, **s) for n, s in enumerate(raw)]
    end_ms = lines[-1].end_ms
    span = ClockSpan(
        recording_index=0,
        start_ms=0,
        end_ms=end_ms,
        media_start_ms=0,
        wall_start_utc_ms=broadcast.start_utc_ms,
        source="broadcast",
        uncertainty_ms=1000,
    )
    return Sample(
        broadcast,
        lines,
        Transcript(
            broadcast_id=broadcast.broadcast_id,
            segments=tuple(Segment(**s) for s in raw),
            duration_ms=end_ms,
        ),
        json.loads((folder / "labels.json").read_text(encoding="utf-8")),
        read_orders((folder / "orders.jsonl").read_bytes(), file_name=name).orders,
        ClockMap(spans=(span,), zone_minutes=broadcast.zone_minutes),
    )
