"""The room's door: labelled broadcasts and what was found for them, to one report."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from pipeline.errors import InputError
from pipeline.evaluate.match import Scored, score
from pipeline.evaluate.moments import score_moments
from pipeline.evaluate.text import score_text
from pipeline.model import Claim, Moment, Transcript

RESAMPLES = 1000


class Case(NamedTuple):
    """One labelled broadcast with what was found."""

    name: str
    labels: Mapping[str, Any]
    reference: str
    """The words really said."""
    claims: Sequence[Claim]
    answers: Mapping[str, Sequence[Moment]]
    transcript: Transcript | None
    """What was recognised; None when the given words were used."""


class _Counted(NamedTuple):
    case: Case
    scored: Scored
    moments: Counter[str]
    wrong: list[tuple[str, str]]


def evaluate(cases: Sequence[Case], *, audio: bool) -> dict[str, Any]:
    """All measures, over everything and by broadcast, with every miss in words.

    Intervals are 95 % bootstrap intervals over broadcasts, not over claims: claims of one
    host are not independent (Efron and Tibshirani 1993, percentile method).
    """
    counted = [_counted(case, audio=audio) for case in cases]
    report = {"audio": audio, "broadcasts": len(cases), **_measures(counted)}
    report["intervals"] = _intervals(counted)
    report["by_broadcast"] = {one.case.name: _measures([one]) for one in counted}
    report["f1_by_type"] = _f1_by_type(counted)
    for name in ("missed", "extra", "wrong"):
        report[name] = [[c.case.name, *row] for c in counted for row in getattr(c.scored, name)]
    report["moments_wrong"] = [[c.case.name, *row] for c in counted for row in c.wrong]
    return report


def _counted(case: Case, *, audio: bool) -> _Counted:
    moments, wrong = score_moments(case.labels, case.answers)
    return _Counted(case, score(case.labels["claims"], case.claims, audio=audio), moments, wrong)


def _measures(counted: Sequence[_Counted]) -> dict[str, Any]:
    n: Counter[str] = Counter()
    for one in counted:
        n.update(one.scored.counts)
        n.update(one.moments)
    errors = sorted(e for one in counted for e in one.scored.errors_ms)
    by_type = _f1_by_type(counted)
    texts = [_text(one.case) for one in counted if one.case.transcript is not None]
    return {
        "labels": n["gold"],
        "claims": n["got"],
        "precision": _share(n["hit"], n["got"]),
        "recall": _share(n["hit"], n["gold"]),
        "f1": _f1(n["hit"], n["gold"], n["got"]),
        "macro_f1": round(sum(by_type.values()) / len(by_type), 4) if by_type else 0.0,
        "value_accuracy": _share(n["value"], n["valued"]),
        "negation_f1": _f1(n["neg_hit"], n["neg_gold"], n["neg_got"]),
        "hedge_f1": _f1(n["hed_hit"], n["hed_gold"], n["hed_got"]),
        "sku_accuracy": _share(n["sku"], n["hit"]),
        "sure_precision": _share(n["sure_hit"], n["sure"]),
        "sure_share": _share(n["sure"], n["got"]),
        "sure_inverted": _share(n["sure_inverted"], n["sure_hit"]),
        "recall_at_1": _share(n["first"], n["present"]),
        "recall_at_3": _share(n["top"], n["present"]),
        "right_none": _share(n["absent_right"], n["absent"]),
        "time_error_median_ms": round(median(errors)) if errors else None,
        "time_error_p95_ms": errors[min(len(errors) - 1, len(errors) * 95 // 100)]
        if errors
        else None,
        "cer": _share(sum(t[0] for t in texts), sum(t[1] for t in texts)) if texts else None,
        "length_ratio": _share(sum(t[2] for t in texts), sum(t[1] for t in texts))
        if texts
        else None,
    }


def _text(case: Case) -> tuple[int, int, int]:
    found = case.transcript
    words = "".join(s.normal_text or s.text for s in found.segments) if found else ""
    return tuple(score_text(case.reference, words))  # type: ignore[return-value]


def _f1_by_type(counted: Sequence[_Counted]) -> dict[str, float]:
    per: dict[str, Counter[str]] = {}
    for one in counted:
        for kind, n in one.scored.by_type.items():
            per.setdefault(kind, Counter()).update(n)
    return {k: _f1(n["hit"], n["gold"], n["got"]) for k, n in sorted(per.items()) if n["gold"]}


def _intervals(counted: Sequence[_Counted]) -> dict[str, tuple[float, float]]:
    names = ("f1", "value_accuracy", "sku_accuracy", "recall_at_3", "right_none")
    chance = random.Random(2026)  # noqa: S311 - resampling, not a secret
    drawn: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(RESAMPLES if len(counted) > 1 else 0):
        measures = _counts_only(chance.choices(counted, k=len(counted)))
        for name in names:
            drawn[name].append(measures[name])
    low, high = RESAMPLES * 25 // 1000, RESAMPLES * 975 // 1000
    return {k: (sorted(v)[low], sorted(v)[high - 1]) for k, v in drawn.items() if v}


def _counts_only(counted: Sequence[_Counted]) -> dict[str, float]:
    n: Counter[str] = Counter()
    for one in counted:
        n.update(one.scored.counts)
        n.update(one.moments)
    return {
        "f1": _f1(n["hit"], n["gold"], n["got"]),
        "value_accuracy": _share(n["value"], n["valued"]),
        "sku_accuracy": _share(n["sku"], n["hit"]),
        "recall_at_3": _share(n["top"], n["present"]),
        "right_none": _share(n["absent_right"], n["absent"]),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _f1(hit: int, gold: int, got: int) -> float:
    return round(2 * hit / (gold + got), 4) if gold + got else 0.0


class Labelled(NamedTuple):
    """A labelled broadcast as files or as one file."""

    name: str
    broadcast: bytes
    transcript: bytes
    orders: bytes
    labels: Mapping[str, Any]
    folder: Path | None
    """Where its recording lies; None for a one-file scene."""


def labelled(path: Path) -> Labelled:
    """A folder of the sample's shape, or one JSON file with all four parts.

    Raises:
        InputError: a part is missing or not JSON.
    """
    try:
        if path.is_dir():
            parts = [
                (path / name).read_bytes()
                for name in ("broadcast.json", "transcript.json", "orders.jsonl", "labels.json")
            ]
            return Labelled(path.name, parts[0], parts[1], parts[2], json.loads(parts[3]), path)
        whole = json.loads(path.read_text(encoding="utf-8"))
        orders = "\n".join(json.dumps(order) for order in whole["orders"])
        body = [json.dumps(whole[part]).encode() for part in ("broadcast", "transcript")]
        return Labelled(path.stem, body[0], body[1], orders.encode(), whole["labels"], None)
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path}: is not a labelled broadcast ({error})",
            hint="give a folder with broadcast.json, transcript.json, orders.jsonl, labels.json",
            file=str(path),
        ) from error
