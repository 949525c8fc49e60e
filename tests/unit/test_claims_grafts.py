"""Word lists put into parsed patterns match what the same patterns written out match."""

import re
import re._compiler as sre_compiler  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from pathlib import Path

import pytest

from pipeline.claims.compiled import RuleBook
from pipeline.claims.grafts import Graft, compiled, grafted
from pipeline.claims.rules import read_rules
from pipeline.claims.shape import shape_of

LEXICON = "(?:羊毛绒|羊毛|棉)"
SIGN = chr(0xE000)
RULES = read_rules().rules
TEXTS = ("纯羊毛绒的", "不是棉", "白棉羊毛", "羊毛羊毛绒料", "白的", "棉棉棉", "不含羊毛", "没有")


@pytest.mark.parametrize(
    "pattern",
    [
        "纯%(的)?",
        "(?:%|白)",
        "白|%",
        "(?:%|白|黑)+料?",
        "(?P<v>%)(?=绒|羊)",
        "(?<!不是)%",
        "不(?:是|含)(?P<v>%|没有)|没(?:%)?有",
        "(?P<a>%)(?P<b>%)",
    ],
)
def test_a_graft_matches_like_the_pattern_written_out(pattern: str) -> None:
    written = re.compile(pattern.replace("%", LEXICON))
    graft = {ord(SIGN): sre_parser.parse(LEXICON)}
    made = sre_compiler.compile(grafted(sre_parser.parse(pattern.replace("%", SIGN)), graft))
    for text in TEXTS:
        assert [(m.span(), m.groupdict()) for m in made.finditer(text)] == [
            (m.span(), m.groupdict()) for m in written.finditer(text)
        ]


def test_a_lexicon_shared_by_patterns_is_left_as_it_was() -> None:
    lexicon = sre_parser.parse(LEXICON)
    before = repr(lexicon)
    grafted(sre_parser.parse(f"{SIGN}(?:{SIGN}|白)"), {ord(SIGN): lexicon})
    assert repr(lexicon) == before


def test_a_graft_is_copied_to_the_very_code_that_the_compiler_makes() -> None:
    for pattern in ("纯%(的)?", "(?P<a>%)+?(?P<b>%)|白", "(?<!不是)%(?!料)", "(?:%|白)*"):
        graft = {ord(SIGN): Graft(sre_parser.parse(LEXICON))}
        tree = grafted(sre_parser.parse(pattern.replace("%", SIGN)), graft)
        assert compiled(tree) == sre_compiler.compile(tree), pattern


def test_a_look_ahead_before_many_alternatives_changes_no_match() -> None:
    book, lines = RuleBook(read_rules()), [e for r in RULES[::9] for e in r.rule.examples]
    for rule in book.rules[::40]:
        tree = rule.words.whole(rule.words.parsed(rule.rule.pattern))
        quick, plain = compiled(tree), sre_compiler.compile(tree)
        for line in lines:
            text = shape_of(line).text
            found = [(m.span(), m.groups()) for m in quick.finditer(text)]
            assert found == [(m.span(), m.groups()) for m in plain.finditer(text)], rule.rule.id


def test_two_places_of_one_macro_are_not_taken_for_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        "language = 'zh'\n[macros]\nm = '(?:羊毛绒|羊毛)'\n"
        "[[rule]]\nid = 'a'\ntype = 'material'\npattern = '(?P<s>{m}(?=绒)|{m})'\n"
        "value = '{s}'\nexamples = ['羊毛绒']\n",
        encoding="utf-8",
    )
    (rule,) = RuleBook(read_rules(tmp_path)).rules
    found = rule.pattern.regex.search("羊毛绒料")
    assert found is not None
    assert found["s"] == "羊毛"
