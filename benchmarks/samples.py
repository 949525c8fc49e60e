"""The whole way on the labelled examples: how well, how exactly in time, how long each stage.

    .venv/bin/python -m benchmarks.samples                  # all examples, writes docs/measured.md
    .venv/bin/python -m benchmarks.samples examples/zh01    # one, prints only

The reference is each folder's labels and transcript; see pipeline/evaluate for the measures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from pipeline import runner
from pipeline.bootstrap import Application, init
from pipeline.plan import STAGES, finish, run_stage
from pipeline.serve.evaluation import from_recordings, from_words

ROOT = Path(__file__).parents[1]
SCENES = ROOT / "tests" / "assets" / "scenes"
SETS = ("dev", "held_out", "blind", "sideways", "fresh", "unread", "quiet")
LABELLED = SETS[:6]
STEPS = ("ingest", *STAGES, "index")
MEASURES = (
    ("claim F1 (micro)", "f1"),
    ("claim F1 (macro over types)", "macro_f1"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("value accuracy", "value_accuracy"),
    ("negation F1", "negation_f1"),
    ("hedge F1", "hedge_f1"),
    ("SKU accuracy", "sku_accuracy"),
    ("precision outside review", "sure_precision"),
    ("share outside review", "sure_share"),
    ("inverted outside review", "sure_inverted"),
    ("moments recall@3", "recall_at_3"),
    ("right “none”", "right_none"),
    ("time error, median ms", "time_error_median_ms"),
    ("time error, 95 % ms", "time_error_p95_ms"),
    ("CER", "cer"),
    ("length ratio", "length_ratio"),
)


def timed(app: Application, folder: Path) -> dict[str, float]:
    """Wall seconds of every stage of one broadcast."""
    seconds, begun = {}, time.monotonic()
    prefix = runner.take_in(app, runner.Request(inputs=(str(folder),))).prefix
    seconds["ingest"] = time.monotonic() - begun
    context = app.context()
    for stage in STAGES:
        begun = time.monotonic()
        run_stage(context, prefix, stage)
        seconds[stage] = time.monotonic() - begun
    begun = time.monotonic()
    runner.publish(app, finish(context, prefix))
    return seconds | {"index": time.monotonic() - begun}


def measured(folders: list[Path]) -> dict[str, Any]:
    """Both reports (from the words, from the sound) and the seconds of each stage."""
    with tempfile.TemporaryDirectory(prefix="replay-evidence-samples-") as work:
        app = init(Path(work))
        _ = app.transcriber, app.reader, app.detector  # loading is not part of a stage
        stages = {folder.name: timed(app, folder) for folder in folders}
        audio = from_recordings(app, folders)
        bare = from_recordings(app, folders, reason_text_only=True)
        lengths = {f.name: app.archive.state(_id(f)).revision.duration_ms for f in folders}
    words, words_bare = from_words(folders), from_words(folders, reason_text_only=True)
    scenes = {name: from_words(sorted((SCENES / name).glob("*.json"))) for name in SETS}
    return {
        "scenes": scenes,
        "audio": audio,
        "audio_without_code": bare,
        "words": words,
        "words_without_code": words_bare,
        "stages": stages,
        "lengths_ms": lengths,
    }


def _id(folder: Path) -> str:
    return str(json.loads((folder / "broadcast.json").read_text())["broadcast_id"])


def markdown(found: dict[str, Any]) -> str:
    """The page of measured figures."""
    words, audio = found["words"], found["audio"]
    lines = [
        "# Measured on the labelled examples",
        "",
        "Made by `.venv/bin/python -m benchmarks.samples`: the eight broadcasts in `examples/`,",
        f"Whisper base (int8), {os.cpu_count()} processors, Python {platform.python_version()}.",
        "“From the words” uses the given transcripts, “from the sound” the recordings alone. The",
        "labels are one annotator's; rules were developed, and the classifier was trained, with",
        "these examples and the scenes in `dev`. The scenes in `held_out`, `blind` (as many ways of",
        "saying a promise as could be thought of), `sideways` (promises in unusual wording), `fresh`",
        "and `unread` (both in the register of the examples; written last) were never read by those",
        "who wrote the rules, nor by the classifier; of `fresh` the list of what was missed was read",
        "once, and no rule came of it. The classifier's bounds were chosen by figures of `held_out`",
        "and `sideways`; nothing was chosen by a figure of the others.",
        "",
        *([f"While this ran: {remark}.", ""] if (remark := found.get("remark", "")) else []),
        "| measure | from the words | from the sound |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {_cell(words[key])} | {_cell(audio[key])} |" for name, key in MEASURES]
    bare = found["words_without_code"], found["audio_without_code"]
    lines += [
        f"| {name}, reason text alone | {_cell(bare[0][key])} | {_cell(bare[1][key])} |"
        for name, key in (("moments recall@3", "recall_at_3"), ("right “none”", "right_none"))
    ]
    rest = (_scenes(found["scenes"]), _by_broadcast(audio), _seconds(found))
    return "\n".join([*lines, *(line for part in rest for line in ("", *part)), ""])


def _scenes(scenes: dict[str, Any]) -> list[str]:
    rows = ["## From the words, on labelled scenes", ""]
    rows += ["| measure | " + " | ".join(LABELLED) + " |", "|---" * (len(LABELLED) + 1) + "|"]
    for name, key in MEASURES[:13]:
        rows.append(f"| {name} | " + " | ".join(_cell(scenes[s][key]) for s in LABELLED) + " |")
    for name in LABELLED:
        low, high = scenes[name]["intervals"]["f1"]
        rows.append(
            f"\n95 % interval of F1 over the broadcasts of `{name}`: {low:.3f} to {high:.3f}."
        )
    quiet = scenes["quiet"]
    sure = round(quiet["claims"] * quiet["sure_share"])
    rows.append(
        f"\nSpeech without any claim (`quiet`, {quiet['broadcasts']} files): "
        f"{quiet['claims']} false claims, {sure} of them outside review."
    )
    return rows


def _by_broadcast(audio: dict[str, Any]) -> list[str]:
    rows = [
        "## From the sound, by broadcast",
        "",
        "| broadcast | CER | length ratio | claim F1 | time error median / 95 % ms |",
        "|---|---|---|---|---|",
    ]
    for name, r in audio["by_broadcast"].items():
        error = f"{r['time_error_median_ms']} / {r['time_error_p95_ms']}"
        rows.append(
            f"| {name} | {_cell(r['cer'])} | {_cell(r['length_ratio'])} | {_cell(r['f1'])} | {error} |"
        )
    return rows


def _seconds(found: dict[str, Any]) -> list[str]:
    rows = [
        "## Wall seconds of each stage",
        "",
        f"| broadcast | length s | {' | '.join(STEPS)} |",
        "|---|---|" + "---|" * len(STEPS),
    ]
    for name, stages in found["stages"].items():
        cells = " | ".join(f"{stages[s]:.1f}" for s in STEPS)
        rows.append(f"| {name} | {found['lengths_ms'][name] / 1000:.0f} | {cells} |")
    hours = sum(found["lengths_ms"].values()) / 3_600_000
    per_hour = (sum(s[step] for s in found["stages"].values()) / hours for step in STEPS)
    return [*rows, f"| **per recorded hour** | 3600 | {' | '.join(f'{s:.0f}' for s in per_hour)} |"]


def _cell(value: float | None) -> str:
    return "–" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--json", type=Path, help="write everything as JSON")
    parser.add_argument("--remark", default="", help="what else the machine did meanwhile")
    chosen = parser.parse_args()
    every = sorted(p.parent for p in (ROOT / "examples").glob("*/labels.json"))
    found = measured([Path(f) for f in chosen.folders] or every) | {"remark": chosen.remark}
    if chosen.json:
        chosen.json.write_text(json.dumps(found, ensure_ascii=False, indent=1))
    page = markdown(found)
    print(page)
    if not chosen.folders:
        (ROOT / "docs" / "measured.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
