"""Is ``sku_confidence_pm`` the share of right SKU links? A reliability table and plot.

    python benchmarks/calibration.py [--plot FILE.png] [--json FILE] [--fit]

Labelled claims of the examples and of the development scenes (never the held-out ones) are
linked under every combination of a schedule (given, absent, 30 s late, swapped) and a state of
the transcript: as labelled, with link numbers misheard, with a tenth of the Chinese characters
misheard as ones of the same sound, with a fifth of the lines that hold no claim lost, without
the products' aliases. ``--fit`` prints the steps of ``pipeline/claims/confidence.toml`` anew:
isotonic regression (pool adjacent violators; Ayer et al. 1955) of right on margin, with two
pseudo-observations a step, one right and one wrong, so that no step claims certainty. Only links
with lines lost are fitted: the cue words were chosen on these broadcasts, and undisturbed they are
right more often than on broadcasts nobody has read. The error beside the steps is measured by
leaving out one broadcast at a time.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from itertools import product as combinations
from pathlib import Path
from typing import Any, NamedTuple

from pypinyin import lazy_pinyin

from pipeline.claims.products import SkuLink, SkuLinker
from pipeline.ingest.formats import parse_broadcast
from pipeline.model import Broadcast, Line, ScheduleEntry

ROOT = Path(__file__).parents[1]
SCHEDULES = ("given", "removed", "late", "swapped")
SPEECH = ("as labelled", "numbers misheard", "words misheard", "lines lost", "no aliases")
LATE_MS = 30_000
EDGES_PM = (0, 500, 700, 800, 850, 900, 925, 950, 970, 980, 990, 1001)
STEP_NATS = (0.0, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)
MISHEARD = 0.1
LOST = 0.2
FITTED = "lines lost"
NUMBERS = re.compile(
    r"[一二三四五六七八九十]+号(?:链接)?|[一二三四五六七八九十]+链接|(?<![一-鿿])[一二三四五六七八九十]{2,3}(?=[，,])"
    r"|(?i:link|number|item) (?:one|two|three|four|five|six|\w+teen)"
)


class Scene(NamedTuple):
    """A labelled broadcast."""

    name: str
    broadcast: Broadcast
    lines: list[Line]
    claims: list[dict[str, Any]]


class Point(NamedTuple):
    """One link and whether it is right."""

    scene: str
    schedule: str
    speech: str
    link: SkuLink
    right: bool


def scenes() -> Iterator[Scene]:
    """The examples and the development scenes."""
    for path in sorted((ROOT / "tests/assets/scenes/dev").glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        yield _scene(path.stem, data["broadcast"], data["transcript"], data["labels"])
    for folder in sorted((ROOT / "examples").iterdir()):
        if (folder / "labels.json").exists():
            names = ("broadcast", "transcript", "labels")
            parts = [json.loads((folder / f"{n}.json").read_text(encoding="utf-8")) for n in names]
            yield _scene(folder.name, *parts)


def _scene(
    name: str, broadcast: dict[str, Any], transcript: dict[str, Any], labels: dict[str, Any]
) -> Scene:
    made = parse_broadcast(json.dumps(broadcast).encode(), file_name=name)[0]
    lines = [
        Line(line_id=f"s{n}", source="speech", index=n, **segment)
        for n, segment in enumerate(transcript["segments"])
    ]
    return Scene(name, made, lines, labels["claims"])


def with_schedule(broadcast: Broadcast, kind: str) -> Broadcast:
    """The broadcast with its product events removed, late or the first two swapped."""
    entries = list(broadcast.product_schedule)
    if kind == "removed":
        entries = []
    elif kind == "late":
        entries = [
            ScheduleEntry(sku_id=e.sku_id, start_ms=e.start_ms + LATE_MS, end_ms=e.end_ms + LATE_MS)
            for e in entries
        ]
    elif kind == "swapped" and len(entries) > 1:
        a, b = entries[:2]
        entries[:2] = [
            a.model_copy(update={"sku_id": b.sku_id}),
            b.model_copy(update={"sku_id": a.sku_id}),
        ]
    return broadcast.model_copy(update={"product_schedule": tuple(entries)})


def heard(scene: Scene, speech: str) -> Scene:
    """The scene as a worse recogniser hears it; character places stay where they were."""
    rnd = random.Random(f"{scene.name}/{speech}")
    if speech == "no aliases":
        bare = [p.model_copy(update={"aliases": ()}) for p in scene.broadcast.products]
        made = scene.broadcast.model_copy(update={"products": tuple(bare)})
        return scene._replace(broadcast=made)
    if speech == "numbers misheard":
        return _changed(scene, lambda _, text: NUMBERS.sub(_hidden, text))
    if speech == "words misheard":
        alike = _alike(scene)
        return _changed(scene, lambda _, text: _misheard(text, alike, rnd))
    if speech == "lines lost":
        kept = {c["segment_index"] for c in scene.claims}
        return _changed(
            scene, lambda n, text: "嗯" if n not in kept and rnd.random() < LOST else text
        )
    return scene


def _changed(scene: Scene, change: Callable[[int, str], str]) -> Scene:
    lines = [x.model_copy(update={"text": change(n, x.text)}) for n, x in enumerate(scene.lines)]
    return scene._replace(lines=lines)


def _hidden(match: re.Match[str]) -> str:
    return ("x" if match.group().isascii() else "嗯") * len(match.group())


def _alike(scene: Scene) -> dict[str, list[str]]:
    """The characters said in a scene by their toneless sound."""
    out: dict[str, list[str]] = defaultdict(list)
    for char in sorted({c for x in scene.lines for c in x.text if "一" <= c <= "鿿"}):
        out[lazy_pinyin(char)[0]].append(char)
    return out


def _misheard(text: str, alike: dict[str, list[str]], rnd: random.Random) -> str:
    return "".join(
        rnd.choice(alike[lazy_pinyin(c)[0]]) if "一" <= c <= "鿿" and rnd.random() < MISHEARD else c
        for c in text
    )


def points(given: Sequence[Scene]) -> list[Point]:
    """Every labelled claim linked under every combination."""
    out = []
    for scene, speech, schedule in combinations(given, SPEECH, SCHEDULES):
        if schedule != "given" and not scene.broadcast.product_schedule:
            continue
        changed = heard(scene, speech)
        linker = SkuLinker(with_schedule(changed.broadcast, schedule), changed.lines)
        for claim in scene.claims:
            link = linker.link(
                changed.lines[claim["segment_index"]],
                claim["char_start"],
                claim["char_end"],
                claim_type=claim["claim_type"],
            )
            right = link.sku_id == claim["sku_id"]
            out.append(Point(scene.name, schedule, speech, link, right))
    return out


def table(made: Sequence[Point]) -> list[dict[str, Any]]:
    """Claimed and true share of right links, by step of confidence."""
    rows = []
    for low, high in pairwise(EDGES_PM):
        mine = [p for p in made if low <= p.link.confidence_pm < high and not p.link.unsure]
        if mine:
            claimed = sum(p.link.confidence_pm for p in mine) / len(mine) / 1000
            right = sum(p.right for p in mine) / len(mine)
            row = {"from_pm": low, "to_pm": high - 1, "links": len(mine)}
            rows.append(row | {"claimed": round(claimed, 4), "right": round(right, 4)})
    return rows


def error(rows: Sequence[dict[str, Any]]) -> float:
    """The expected calibration error: the mean gap between claimed and right, by links."""
    total = sum(r["links"] for r in rows)
    return float(sum(abs(r["claimed"] - r["right"]) * r["links"] for r in rows) / max(total, 1))


def fit(made: Sequence[Point]) -> list[tuple[float, int]]:
    """Steps of margin (nats) and per mille right, never falling."""
    blocks: list[list[float]] = []  # first edge, right, all
    for low, high in zip(STEP_NATS, (*STEP_NATS[1:], float("inf")), strict=True):
        mine = [p for p in made if p.link.nats is not None and low <= p.link.nats < high]
        if not mine:
            continue
        blocks.append([low, sum(p.right for p in mine) + 1, len(mine) + 2])
        while len(blocks) > 1 and blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2]:
            _, right, count = blocks.pop()
            blocks[-1][1] += right
            blocks[-1][2] += count
    return [(low, round(1000 * right / count)) for low, right, count in blocks]


def fit_basis(made: Sequence[Point]) -> dict[str, tuple[int, int]]:
    """Per mille right and number of links, where something other than the stage decided."""
    found: dict[str, list[bool]] = defaultdict(list)
    for point in made:
        if point.link.nats is None:
            found[point.link.basis].append(point.right)
    return {k: (round(1000 * (sum(v) + 1) / (len(v) + 2)), len(v)) for k, v in found.items()}


def left_out_error(made: Sequence[Point]) -> float:
    """The calibration error of the stage's steps on broadcasts they were not fitted on."""
    gap = total = 0.0
    for name in sorted({p.scene for p in made}):
        steps = fit([p for p in made if p.scene != name])
        mine = [p for p in made if p.scene == name and p.link.nats is not None]
        for low, high in zip(steps, [*steps[1:], (float("inf"), 0)], strict=True):
            here = [p.right for p in mine if low[0] <= (p.link.nats or 0.0) < high[0]]
            gap += abs(sum(here) - len(here) * low[1] / 1000)
            total += len(here)
    return gap / max(total, 1)


def draw(series: dict[str, Sequence[dict[str, Any]]], path: Path) -> None:
    """The reliability plot: claimed against right, the area of a dot by its number of links."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0.5, 1], [0.5, 1], color="0.7", linestyle="--", label="as claimed")
    for title, rows in series.items():
        most = max(r["links"] for r in rows)
        sizes = [20 + 200 * r["links"] / most for r in rows]
        across, up = [r["claimed"] for r in rows], [r["right"] for r in rows]
        axes.scatter(across, up, s=sizes, alpha=0.7, label=title)
    axes.set(xlabel="claimed confidence", ylabel="share of right links", title="SKU links")
    axes.set(xlim=(0.5, 1.01), ylim=(0.5, 1.01))
    axes.legend()
    figure.savefig(path, dpi=120)


def by_variant(made: Sequence[Point]) -> Iterator[str]:
    """Accuracy by state of transcript and schedule, in lines to print."""
    yield f"{'':18}" + "".join(f"{s:>10}" for s in SCHEDULES)
    for speech in SPEECH:
        cells = []
        for schedule in SCHEDULES:
            mine = [p.right for p in made if (p.speech, p.schedule) == (speech, schedule)]
            cells.append(f"{sum(mine) / max(len(mine), 1):>10.4f}")
        yield f"{speech:18}" + "".join(cells)


def print_rows(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """The reliability table."""
    print(f"\n{title:>12}{'links':>8}{'claimed':>10}{'right':>8}")
    for r in rows:
        step = f"{r['from_pm']:>6}–{r['to_pm']:<5}"
        print(f"{step}{r['links']:>8}{r['claimed']:>10.3f}{r['right']:>8.3f}")
    print(f"calibration error {error(rows):.4f}")


def print_fit(made: Sequence[Point]) -> None:
    """New steps and shares for ``confidence.toml``."""
    print("steps =", [list(step) for step in fit(made)])
    print(f"calibration error on broadcasts left out {left_out_error(made):.4f}")
    for basis, (pm, count) in sorted(fit_basis(made).items()):
        print(f"{basis} = {pm}  # {count} links")


def main() -> None:
    """Print the table; write the plot."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fit", action="store_true", help="print new steps")
    options = parser.parse_args()
    made = points(list(scenes()))
    rows = table(made)
    print("\n".join(by_variant(made)))
    print_rows("all links", rows)
    print_rows(FITTED, table([p for p in made if p.speech == FITTED]))
    print(f"unsure {sum(p.link.unsure for p in made)} of {len(made)}")
    if options.fit:
        print_fit([p for p in made if p.speech == FITTED])
    if options.plot:
        lost = table([p for p in made if p.speech == FITTED])
        draw({"all links": rows, FITTED: lost}, options.plot)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "error": error(rows)}, indent=1))


if __name__ == "__main__":
    main()
