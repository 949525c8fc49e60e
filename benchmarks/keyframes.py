"""Keyframes and screen text: cost and card recall, beside OCR of every key picture.

    .venv/bin/python benchmarks/keyframes.py [--examples examples] [--only zh01,en01]
                                             [--peer-every 8] [--json FILE]

The peer is stock ``rapidocr.RapidOCR()`` on the key pictures (one in ``--peer-every`` of
them, scaled up; 1 reads them all), in the same run on the same machine. Both are given in
seconds per recorded hour: wall time, and (in brackets) the process's CPU time halved, which is the
wall time of two free cores and the fairer figure on a busy machine. ``cards.json`` is read here for scoring and nowhere in the pipeline.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.keyframes.clocks import clock_readings, confirm_clock
from pipeline.keyframes.ocr import RapidReader
from pipeline.keyframes.run import run
from pipeline.media.pictures import Picture, key_pictures
from pipeline.media.source import MediaSource, open_source
from pipeline.model import Broadcast, ClockMap, ClockSpan, Screen, ScreenLine
from pipeline.settings import KeyframeSettings

BAR_S = 340
"""Seconds of reading per recorded hour that the design allows on two cores."""


class Score(NamedTuple):
    """One broadcast."""

    name: str
    pictures: int
    kept: int
    calls: int
    ours_s_per_hour: float
    ours_cpu_s_per_hour: float
    all_s_per_hour: float
    peer_s_per_hour: float
    peer_cpu_s_per_hour: float
    jpeg_mb_per_hour: float
    cards: int
    names: int
    prices: int
    links: int
    as_card: int
    start_error_ms: int
    comments_as_card: int
    clock: tuple[int, int, int]


class Timed:
    """A reader with a stop watch."""

    def __init__(self, reader: RapidReader) -> None:
        self.reader, self.seconds, self.cpu_s, self.calls = reader, 0.0, 0.0, 0
        self.producer = reader.producer

    def read(self, image: Any) -> Any:
        start, cpu = time.perf_counter(), time.process_time()
        lines = self.reader.read(image)
        self.seconds += time.perf_counter() - start
        self.cpu_s += (time.process_time() - cpu) / 2
        self.calls += 1
        return lines


def measure(folder: Path, reader: RapidReader, peer: Any, *, peer_every: int) -> Score:
    """Both on one broadcast."""
    source = open_source(_recording(folder))
    times = [p.media_ms for p in key_pictures(source, min_gap_ms=1000)]
    end_ms = times[-1] + 2000
    broadcast, clock_map = _broadcast(folder, end_ms)
    timed = Timed(reader)
    start = time.perf_counter()
    images: list[bytes] = []
    screen = run(
        broadcast,
        clock_map=clock_map,
        pictures=lambda _: key_pictures(source, min_gap_ms=1000),
        reader=timed,
        settings=KeyframeSettings(),
        keep=images.append,
    )
    whole_s = time.perf_counter() - start
    hours = end_ms / 3_600_000
    peer_s, peer_cpu_s = _peer_s(source, peer, every=peer_every)
    cards = json.loads((folder / "cards.json").read_text(encoding="utf-8"))
    return Score(
        name=folder.name,
        pictures=len(times),
        kept=len(images),
        calls=timed.calls,
        ours_s_per_hour=timed.seconds / hours,
        ours_cpu_s_per_hour=timed.cpu_s / hours,
        all_s_per_hour=whole_s / hours,
        peer_s_per_hour=peer_s / hours,
        peer_cpu_s_per_hour=peer_cpu_s / hours,
        jpeg_mb_per_hour=sum(map(len, images)) / 1e6 / hours,
        **_card_scores(screen, cards),
        clock=confirm_clock(clock_map, clock_readings(screen.lines, broadcast)),
    )


def _peer_s(source: MediaSource, peer: Any, *, every: int) -> tuple[float, float]:
    """Seconds the stock reader needs for all key pictures (sampled, scaled up)."""
    seconds, cpu_s, read, seen = 0.0, 0.0, 0, 0
    for picture in _every(key_pictures(source, min_gap_ms=2000), every):
        seen += 1
        if picture is None:
            continue
        start, cpu = time.perf_counter(), time.process_time()
        peer(picture.bgr)
        seconds += time.perf_counter() - start
        cpu_s += (time.process_time() - cpu) / 2
        read += 1
    scale = seen / max(1, read)
    return seconds * scale, cpu_s * scale


def _every(pictures: Iterator[Picture], every: int) -> Iterator[Picture | None]:
    for n, picture in enumerate(pictures):
        yield picture if n % every == every // 2 else None


def _card_scores(screen: Screen, cards: list[dict[str, Any]]) -> dict[str, Any]:
    names = prices = links = as_card = 0
    errors = []
    for card in cards:
        start, end = round(card["start"] * 1000), round(card["end"] * 1000)
        shown = [x for x in screen.lines if x.start_ms < end and x.end_ms > start]
        found = _name_lines(shown, card["name"])
        names += bool(found)
        as_card += bool(found) and all(x.role == "card" for x in found)
        errors += [abs(x.start_ms - start) for x in found[:1]]
        prices += any(_plain(card["price"]) in _plain(x.text) and x.role == "card" for x in shown)
        links += any(_link(x, card["link"]) for x in shown)
    chat = sum(x.role == "card" and "：" in x.text for x in screen.lines)
    return {
        "cards": len(cards),
        "names": names,
        "prices": prices,
        "links": links,
        "as_card": as_card,
        "start_error_ms": max(errors, default=0),
        "comments_as_card": chat,
    }


def _name_lines(lines: list[ScreenLine], name: str) -> list[ScreenLine]:
    """The line that reads the name, or the lines (wrapped) that together do."""
    want = _plain(name)
    whole = [x for x in lines if want in _plain(x.text)]
    if whole:
        return whole[:1]
    parts = [x for x in lines if x.role == "card" and _plain(x.text) in want]
    parts.sort(key=lambda x: (x.box.y_px, x.box.x_px))
    return parts if "".join(dict.fromkeys(_plain(x.text) for x in parts)) == want else []


def _link(line: ScreenLine, number: int) -> bool:
    return line.role == "card" and _plain(line.text) == f"{number}号链接"


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _recording(folder: Path) -> Path:
    files = sorted(folder.glob("recording.*"))
    return next((f for f in files if f.suffix == ".m3u8"), files[0])


def _broadcast(folder: Path, end_ms: int) -> tuple[Broadcast, ClockMap]:
    raw = json.loads((folder / "broadcast.json").read_text(encoding="utf-8"))
    broadcast = Broadcast(
        broadcast_id=raw["broadcast_id"],
        started_at=raw["started_at"],
        product_schedule=raw.get("product_schedule", []),
    )
    span = ClockSpan(
        recording_index=0,
        start_ms=0,
        end_ms=end_ms,
        media_start_ms=0,
        wall_start_utc_ms=broadcast.start_utc_ms,
        source="broadcast",
        uncertainty_ms=1000,
    )
    return broadcast, ClockMap(spans=(span,), zone_minutes=broadcast.zone_minutes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=Path, default=Path("examples"))
    parser.add_argument("--only", default="")
    parser.add_argument("--peer-every", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from rapidocr import RapidOCR

    reader, peer = RapidReader(), RapidOCR(params={"Global.log_level": "error"})
    scores = []
    print(
        "broadcast  pictures kept reads | reading s/h (cpu/2)  stage s/h  peer s/h (cpu/2)  ratio | JPEG MB/h | "
        "cards: name price link role | start error ms | comments as card | clock offset agree/all"
    )
    for folder in sorted(options.examples.iterdir()):
        recordings = list(folder.glob("recording.*"))
        wanted = not options.only or folder.name in options.only.split(",")
        if not wanted or not recordings or recordings[0].suffix == ".m4a":
            continue
        s = measure(folder, reader, peer, peer_every=options.peer_every)
        scores.append(s)
        print(
            f"{s.name:10} {s.pictures:8} {s.kept:4} {s.calls:5} | {s.ours_s_per_hour:8.0f} "
            f"({s.ours_cpu_s_per_hour:4.0f}) {s.all_s_per_hour:9.0f} {s.peer_s_per_hour:9.0f} "
            f"({s.peer_cpu_s_per_hour:4.0f}) "
            f"{s.peer_cpu_s_per_hour / max(s.ours_cpu_s_per_hour, 1e-9):6.1f} | "
            f"{s.jpeg_mb_per_hour:4.0f} | "
            f"{s.names}/{s.cards} {s.prices}/{s.cards} {s.links}/{s.cards} {s.as_card}/{s.cards} | "
            f"{s.start_error_ms:5} | {s.comments_as_card} | {s.clock[0]} {s.clock[1]}/{s.clock[2]}",
            flush=True,
        )
    wall = sum(s.ours_s_per_hour for s in scores) / max(1, len(scores))
    cpu = sum(s.ours_cpu_s_per_hour for s in scores) / max(1, len(scores))
    print(f"mean reading {wall:.0f} s ({cpu:.0f}) per recorded hour; the bar is {BAR_S}")
    if options.json:
        options.json.write_text(json.dumps([s._asdict() for s in scores], indent=1))


if __name__ == "__main__":
    main()
