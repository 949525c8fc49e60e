"""Rules as data: strict loading, and every rule against its own examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.claims.compiled import RuleBook
from pipeline.claims.rules import read_rules
from pipeline.claims.selftest import check_cue, check_rule
from pipeline.errors import RuleError

SOURCE = read_rules()
BOOK = RuleBook(SOURCE)


@pytest.mark.parametrize("rule", BOOK.written, ids=lambda r: r.rule.id)
def test_rule_fires_on_its_examples_only(rule) -> None:
    assert check_rule(rule, BOOK, SOURCE.units) == []


@pytest.mark.parametrize("cue", BOOK.cues, ids=lambda c: c.cue.id)
def test_cue_is_found_in_its_examples_only(cue) -> None:
    assert check_cue(cue) == []


def test_every_claim_type_has_a_rule() -> None:
    from pipeline.model import CLAIM_TYPES

    for language in ("zh",):
        kinds = {r.rule.type for r in BOOK.rules if r.language in (language, "any")}
        assert set(CLAIM_TYPES) <= kinds, set(CLAIM_TYPES) - kinds


GOOD = """
language = "zh"
[[rule]]
id = "t.one"
type = "price"
pattern = '#元'
value = "{s}"
examples = ["九元"]
"""


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (GOOD + 'colour = "x"\n', "colour"),
        (GOOD.replace('"price"', '"cost"'), "type"),
        (GOOD.replace('examples = ["九元"]', ""), "examples"),
        (GOOD + GOOD.replace('language = "zh"', ""), "id"),
    ],
)
def test_a_wrong_file_names_file_rule_and_field(tmp_path: Path, text: str, field: str) -> None:
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(RuleError) as caught:
        read_rules(tmp_path)
    assert caught.value.file == "a.toml"
    assert caught.value.rule_id == "t.one"
    assert caught.value.field.endswith(field)


def test_not_toml_is_a_rule_error(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[[rule]\n", encoding="utf-8")
    with pytest.raises(RuleError):
        read_rules(tmp_path)


def test_a_pattern_with_an_unknown_name_is_a_rule_error(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD.replace("#元", "#{nothing}"), encoding="utf-8")
    with pytest.raises(RuleError) as caught:
        RuleBook(read_rules(tmp_path))
    assert caught.value.rule_id == "t.one"


def test_a_rule_silent_on_its_example_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD.replace("九元", "没有"), encoding="utf-8")
    source = read_rules(tmp_path)
    book = RuleBook(source)
    assert check_rule(book.rules[0], book, source.units)
