"""The measures, on small cases worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.evaluate.run import Case, evaluate, labelled
from pipeline.evaluate.text import clean, score_text
from pipeline.evaluate.values import same_value
from pipeline.model import Claim, Moment
from tests.command import EXAMPLES, evidence

LABELS: dict[str, Any] = json.loads((EXAMPLES / "zh01" / "labels.json").read_text())


def perfect(label: dict[str, Any], number: int) -> Claim:
    value = label["value"]
    return Claim(
        claim_id=f"0000-000000000000-{number}",
        broadcast_id="b",
        value=tuple(value) if isinstance(value, list) else value,
        rule_id="label",
        **{k: v for k, v in label.items() if k != "value"},
    )


def moment(claim: Claim) -> Moment:
    return Moment(
        start_ms=claim.start_ms,
        end_ms=claim.start_ms + 10_000,
        claim_id=claim.claim_id,
        standing="before",
        score=1,
        claim=claim,
    )


def case(claims: list[Claim]) -> Case:
    by_index = dict(enumerate(claims))
    answers = {
        d["order_id"]: [moment(by_index[i]) for i in d["relevant_claim_indexes"] if i in by_index]
        for d in LABELS["disputes"]
    }
    return Case("zh01", LABELS, "", claims, answers, None)


GOLD = [perfect(label, n) for n, label in enumerate(LABELS["claims"])]


def test_the_labels_themselves_score_full_marks():
    report = evaluate([case(GOLD)], audio=False)
    full = ("f1", "macro_f1", "value_accuracy", "negation_f1", "sku_accuracy", "recall_at_3")
    assert {report[name] for name in (*full, "right_none", "sure_precision")} == {1.0}
    assert (report["sure_inverted"], report["time_error_p95_ms"]) == (0.0, 0)
    assert report["missed"] == report["extra"] == report["wrong"] == report["moments_wrong"] == []


def test_a_dropped_an_inverted_and_an_invented_claim_are_each_counted():
    inverted = GOLD[1].model_copy(update={"polarity": "negate"})
    invented = GOLD[2].model_copy(update={"claim_type": "warranty", "quote": "没有说过的话"})
    report = evaluate([case([inverted, *GOLD[2:], invented])], audio=False)
    n = len(GOLD)
    assert report["recall"] == round((n - 1) / n, 4)
    assert report["precision"] == round((n - 1) / n, 4)
    assert report["sure_inverted"] == round(1 / (n - 1), 4)
    assert report["missed"] == [["zh01", GOLD[0].claim_type, GOLD[0].quote]]
    assert report["extra"] == [["zh01", "warranty", "没有说过的话"]]


def test_a_claim_far_from_its_label_is_no_hit():
    late = [
        c.model_copy(update={"start_ms": c.start_ms + 9000, "end_ms": c.end_ms + 9000})
        for c in GOLD
    ]
    assert evaluate([case(late)], audio=True)["f1"] < 0.2


@pytest.mark.parametrize(
    ("kind", "gold", "got", "right"),
    [
        ("warranty", "P2Y", "P24M", True),
        ("warranty", "P2Y", "P1Y", False),
        ("net_content", "1.5kg", "1500g", True),
        ("price", "CNY129", "CNY129", True),
        ("price", "CNY129", None, False),
        ("colour", ["黑色"], ["黑色", "白色"], True),
        ("colour", ["黑色"], ["白色"], False),
        ("performance", "静音", "别的", None),
        ("performance", "noise:70dB", "70dB", True),
    ],
)
def test_values_are_compared_as_strictly_as_their_type(
    kind: str, gold: object, got: object, right: bool | None
):
    assert same_value(kind, gold, got) is right


def edits(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


@given(st.text("abc中文", max_size=12), st.text("abc中文", max_size=12))
def test_the_error_count_is_the_edit_distance(a: str, b: str):
    assert score_text(a, b).errors == edits(clean(a), clean(b))


def test_a_folder_without_labels_says_what_is_missing(tmp_path: Path):
    with pytest.raises(InputError, match=r"labels\.json|broadcast\.json"):
        labelled(tmp_path)


def test_the_command_scores_compares_and_draws(tmp_path: Path):
    out, plot = tmp_path / "now.json", tmp_path / "now.png"
    done = evidence("evaluate", EXAMPLES / "zh01", "--out", out, "--plot", plot, "--json")
    assert done.code == 0, done.err
    assert done.json["labels"] == len(GOLD)
    assert json.loads(out.read_text()) == done.json
    assert plot.read_bytes().startswith(b"\x89PNG")
    compared = evidence("evaluate", EXAMPLES / "zh01", "--against", out)
    assert "+0" in compared.out
