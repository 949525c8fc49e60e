"""Denials beside a claim, of things that no rule foresees."""

from __future__ import annotations

import pytest

from pipeline.claims.detector import RuleDetector
from pipeline.claims.rules import RULES_FOLDER
from pipeline.claims.values import Setting


@pytest.fixture(scope="module")
def detector() -> RuleDetector:
    return RuleDetector.load(RULES_FOLDER)


@pytest.mark.parametrize(
    ("line", "kind", "value"),
    [
        ("没荧光剂，没香味", "ingredient", ("香味",)),
        ("九九零的足银，不是八百", "material", ("800",)),
    ],
)
def test_denied_beside(detector: RuleDetector, line: str, kind: str, value: object) -> None:
    setting = Setting("CNY", None, detector.source.units)
    denied = [c for c in detector.read(line, before=None, setting=setting).kept if c.value == value]
    assert [(c.rule.rule.type, c.touch.polarity) for c in denied] == [(kind, "negate")]


@pytest.mark.parametrize(
    "line",
    ["纯棉的，不是我吹", "内胆是不锈钢，不是问题", "明天就到，不是快递慢", "纯棉的，不是珐琅胆吗"],
)
def test_talk_is_no_denial(detector: RuleDetector, line: str) -> None:
    setting = Setting("CNY", None, detector.source.units)
    kept = detector.read(line, before=None, setting=setting).kept
    assert not [c for c in kept if any(flag == "contrast" for flag, *_ in c.touch.cues)]
