"""From an order's id to the first picture playing, through the API, beside a plain GET.

    eval "$(python infra/s3/server.py start)"
    python -m benchmarks.first_frame [--times 20] [--json FILE]

An example lies in the real S3 server; ``evidence serve`` runs as a process of its own. Each time:
the order's answer, the playlist of its first moment, the header, the segment in which the moment
lies, and the moment's picture decoded from them. Beside it, in turn, a plain ranged GET of as many
bytes of the recording. *first* is the first time after the start.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import statistics
import tempfile
import time
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import av

from pipeline.ports import ObjectStore
from tests.command import EXAMPLES, evidence, workspace
from tests.desks import ask, served
from tests.services import s3_environment, s3_settings, s3_store


class Played(NamedTuple):
    """One time."""

    answer_ms: float
    playlist_ms: float
    bytes_ms: float
    picture_ms: float
    size_bytes: int

    @property
    def all_ms(self) -> float:
        """From the question to the picture."""
        return self.answer_ms + self.playlist_ms + self.bytes_ms + self.picture_ms


def play(desk: str, order_id: str) -> Played:
    """Ask, and decode the picture at the first moment."""
    clock = [time.perf_counter()]
    claim = ask(f"{desk}/api/v1/orders/{order_id}").json["moments"][0]["claim_id"]
    clock.append(time.perf_counter())
    said = ask(f"{desk}/api/v1/claims/{claim}/replay.m3u8").text
    clock.append(time.perf_counter())
    begin = float(re.findall(r"TIME-OFFSET=([\d.]+)", said)[0])
    header = re.findall(r'URI="([^"]+)"', said)[0]
    at, segments = 0.0, re.findall(r"#EXTINF:([\d.]+),\n(\S+)", said)
    while at + float(segments[0][0]) <= begin:
        at += float(segments.pop(0)[0])
    data = ask(desk + header).body + ask(desk + segments[0][1]).body
    clock.append(time.perf_counter())
    with av.open(io.BytesIO(data)) as media:
        first = None
        for frame in media.decode(video=0):
            first = first if first is not None else frame.time
            if (frame.time or 0) - (first or 0) >= begin - at:
                break
    clock.append(time.perf_counter())
    steps = [(b - a) * 1000 for a, b in pairwise(clock)]
    return Played(*steps, len(data))


def plain(store: ObjectStore, key: str, size: int) -> float:
    """Milliseconds of a GET of as many bytes."""
    begun = time.perf_counter()
    store.read(key, start=1_000_000, end=1_000_000 + size)
    return (time.perf_counter() - begun) * 1000


def measured(folder: Path, times: int) -> dict[str, Any]:
    """Process, serve, ask."""
    settings = s3_settings(bucket=f"first-{uuid.uuid4().hex[:8]}")
    store, remote = s3_store(settings), s3_environment(settings)
    here = workspace(folder / "w")
    given = EXAMPLES / "zh01"
    words = ("--transcript", given / "transcript.json")
    more = {"EVIDENCE_KEYFRAMES__OCR": "false", **remote}
    done = evidence("process", given, *words, "-w", here, **more)
    assert done.code == 0, done.err
    assert evidence("orders", "import", given / "orders.jsonl", "-w", here, **remote).code == 0
    order_id = json.loads((given / "orders.jsonl").read_text().splitlines()[0])["order_id"]
    key = next(stat.key for stat in store.list("") if "/media/" in stat.key)
    with served(here, **remote) as desk:
        found = [play(desk, order_id) for _ in range(times + 1)]
        gets = [plain(store, key, one.size_bytes) for one in found]
    warm = found[1:]
    return {
        "first_ms": round(found[0].all_ms),
        "median_ms": round(statistics.median(one.all_ms for one in warm)),
        "largest_ms": round(max(one.all_ms for one in warm)),
        "medians_ms": {
            name: round(statistics.median(getattr(one, name) for one in warm))
            for name in ("answer_ms", "playlist_ms", "bytes_ms", "picture_ms")
        },
        "bytes": warm[0].size_bytes,
        "plain_get_median_ms": round(statistics.median(gets[1:]), 1),
        "ratio_of_medians": round(
            statistics.median(one.all_ms for one in warm) / statistics.median(gets[1:]), 1
        ),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=20)
    options.add_argument("--json", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        text = json.dumps(measured(Path(scratch), asked.times), indent=2)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
