"""What a recogniser writes instead of what was said: a list for measuring search by sound.

    python -m benchmarks.confusions heard-zh01.json … --out tests/assets/confusions.json

Each argument is what ``evidence transcript sample-zh01 --json --verbatim`` prints after a run
without ``--transcript``; the words really said stand in ``examples/``. Both are aligned by
character. A confusion is one to three Chinese characters that were written as as many others,
with the right characters beside them (two on either side at most, none across a pause). Which
are kept says the position alone: every one there is, or a seeded choice where there are more
than ``--most``. Nothing is chosen by whether search finds it.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.text.normal import normal_text

ROOT = Path(__file__).parents[1]
HAN = re.compile(r"[\u4e00-\u9fff]+")
BESIDE = 2


class Confusion(NamedTuple):
    """A word as it was said, as it was written, and the line in which that stands."""

    said: str
    heard: str
    line: str


class Spoken(NamedTuple):
    """Chinese characters one after the other, and where each stands."""

    text: str
    clause: list[int]
    """Number of the unbroken run of characters, over all lines."""
    line: list[int]


def spoken(lines: list[str]) -> Spoken:
    chars, clause, line, runs = "", list[int](), list[int](), 0
    for number, text in enumerate(lines):
        for run in HAN.findall(normal_text(text)):
            chars += run
            clause += [runs] * len(run)
            line += [number] * len(run)
            runs += 1
    return Spoken(chars, clause, line)


def confusions(given: list[str], lines: list[str]) -> Iterator[Confusion]:
    """Every confusion of a broadcast."""
    said, heard = spoken(given), spoken(lines)
    matched = SequenceMatcher(None, said.text, heard.text, autojunk=False).get_opcodes()
    for before, change, behind in zip(matched, matched[1:], matched[2:], strict=False):
        tag, a, b, c, d = change
        if tag != "replace" or b - a != d - c or b - a > 3 or not whole(said, heard, a, b, c, d):
            continue
        left = right = 0
        most = before[2] - before[1] if before[0] == "equal" else 0
        while left < min(BESIDE, most) and whole(said, heard, a - left - 1, b, c - left - 1, d):
            left += 1
        most = behind[2] - behind[1] if behind[0] == "equal" else 0
        while right < min(BESIDE, most) and whole(said, heard, a, b + right + 1, c, d + right + 1):
            right += 1
        if left + right:
            word, written = said.text[a - left : b + right], heard.text[c - left : d + right]
            yield Confusion(word, written, lines[heard.line[c]])


def whole(said: Spoken, heard: Spoken, a: int, b: int, c: int, d: int) -> bool:
    """Whether both spans are spoken, and written, without a pause within."""
    return said.clause[a] == said.clause[b - 1] and heard.clause[c] == heard.clause[d - 1]


def read(path: Path) -> tuple[list[str], list[str]]:
    heard: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    name = heard["broadcast_id"].removeprefix("sample-")
    given = json.loads((ROOT / "examples" / name / "transcript.json").read_text(encoding="utf-8"))
    return [s["text"] for s in given["segments"]], [s["text"] for s in heard["segments"]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("heard", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    found: list[Confusion] = []
    every: list[str] = []
    for path in chosen.heard:
        given, lines = read(path)
        found += confusions(given, lines)
        every += lines
    found = list(dict.fromkeys(found))
    print(f"{len(found)} confusions in {len(every)} lines", file=sys.stderr)
    kept = sorted(random.Random(1).sample(found, min(chosen.most, len(found))))
    told = {"lines": every, "confusions": [c._asdict() for c in kept]}
    chosen.out.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
