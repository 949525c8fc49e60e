"""How fast a transcript becomes claims, beside two peers on the same text in the same run.

``python -m benchmarks.claims_speed`` makes the four-hour broadcast of ``make_marathon.py`` (forty
products, about 60,000 characters) and prints CPU seconds of one core for 15,000, 30,000 and
60,000 characters, and for the start-up of the rule set. *Cold* is the first reading by a detector
just loaded, which compiles the patterns it meets; *warm* the same again. The peers are one
compiled regular expression of product words, searched a hundred times over all lines, and
pypinyin over the same lines: machines differ, the ratios hardly.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from benchmarks.make_marathon import make
from pipeline.claims.detector import RuleDetector
from pipeline.claims.run import lines_of
from pipeline.ingest.formats import parse_broadcast
from pipeline.model import Broadcast, Line, Segment, Transcript

SIZES = (15_000, 30_000, 60_000)
WORDS = re.compile(
    r"包邮|保修|质保|退货|颜色|尺码|面料|成分|产地|正品|赠|送|发货|\d+|[一二三四五六七八九十百]+"
)
SEARCHES = 100


class Reading(NamedTuple):
    """CPU seconds for one size."""

    characters: int
    claims: int
    cold_s: float
    warm_s: float
    regex_s: float
    pinyin_s: float


def started() -> RuleDetector:
    """A detector whose rules are read and made."""
    detector = RuleDetector.load()
    _ = detector.book
    return detector


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process for one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def first_lines(segments: Sequence[dict[str, Any]], characters: int) -> tuple[Line, ...]:
    """The lines from the start that hold so many characters."""
    kept: list[Segment] = []
    count = 0
    for one in segments:
        if count >= characters:
            break
        count += len(one["text"])
        kept.append(Segment(start_ms=one["start_ms"], end_ms=one["end_ms"], text=one["text"]))
    return lines_of(Transcript(broadcast_id="m", language="zh", segments=tuple(kept)), None)


def measure(broadcast: Broadcast, lines: tuple[Line, ...], *, repeats: int) -> Reading:
    """One size, the best of the warm repeats."""
    from pypinyin import lazy_pinyin

    detector = started()

    def detect() -> int:
        found = detector.detect(broadcast, lines, screen=None, work_key="0" * 64)
        return len(found.claims)

    def searched() -> None:
        for _ in range(SEARCHES):
            for line in lines:
                WORDS.findall(line.text)

    re.purge()
    cold = seconds(detect)
    warm = min(seconds(detect) for _ in range(repeats))
    regex = min(seconds(searched) for _ in range(repeats))
    pinyin = min(seconds(lambda: [lazy_pinyin(n.text) for n in lines]) for _ in range(repeats))
    characters = sum(len(line.text) for line in lines)
    return Reading(characters, detect(), cold, warm, regex, pinyin)


def report(readings: Sequence[Reading], start_up_s: float) -> str:
    """The table as text."""
    rows = [
        "characters  claims  cold s  warm s  warm/regex  warm/pypinyin  µs per character (warm)",
        *(
            f"{r.characters:10d} {r.claims:7d} {r.cold_s:7.2f} {r.warm_s:7.2f}"
            f" {r.warm_s / r.regex_s:11.2f} {r.warm_s / r.pinyin_s:14.2f}"
            f" {1e6 * r.warm_s / r.characters:10.1f}"
            for r in readings
        ),
        f"start-up of the rule set: {start_up_s:.3f} s",
    ]
    return "\n".join(rows)


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    scene = make()
    broadcast, _ = parse_broadcast(json.dumps(scene["broadcast"]).encode(), file_name="marathon")
    start_up = min(seconds(started) for _ in range(given.repeats))
    readings = [
        measure(broadcast, first_lines(scene["transcript"]["segments"], n), repeats=given.repeats)
        for n in SIZES
    ]
    if given.json:
        told = {"start_up_s": start_up, "readings": [r._asdict() for r in readings]}
        print(json.dumps(told, indent=1))
    else:
        print(report(readings, start_up))


if __name__ == "__main__":
    main()
