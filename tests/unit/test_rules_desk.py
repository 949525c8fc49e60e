"""The rule authors' desk: places, failing sentences, broken rule folders, trials, explanations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.bootstrap import open_workspace
from pipeline.claims.desk import cards, faults, open_detector, open_rules, trial
from pipeline.claims.detector import RuleDetector
from pipeline.claims.rules import RULES_FOLDER
from pipeline.errors import NotFound, RuleError
from pipeline.serve.cli import cli
from pipeline.serve.service import Service
from tests.command import EXAMPLES, ROOT, evidence, workspace

DETECTOR = RuleDetector.load()
GOOD = """\
language = "zh"

[[cue]]
id = "t.ask"
kind = "question"
scope = "clause"
pattern = '吗'
examples = ["九元吗"]

[[rule]]
id = "t.price"
type = "price"
pattern = '#元'
value = "CNY{n}"
most = 5000
unless = '别家'
examples = [
  "九元",
  "一百元",
]
counter_examples = ["九块"]
"""
GOOD = GOOD.replace("'#元'", "'(?P<n>#)元'")


def folder(tmp_path: Path, text: str, **more: str) -> Path:
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    for name, other in more.items():
        (tmp_path / f"{name}.toml").write_text(other, encoding="utf-8")
    return tmp_path


def test_every_card_points_at_its_own_line() -> None:
    found = cards()
    assert {c.kind for c in found} == {"rule", "cue"}
    for card in found:
        line = (RULES_FOLDER / card.file).read_text(encoding="utf-8").splitlines()[card.line - 1]
        assert line.strip() == f'id = "{card.id}"'
        assert card.examples > 0


def test_good_rules_have_no_fault(tmp_path: Path) -> None:
    assert faults(folder(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence", "line", "problem"),
    [
        ('"一百元"', '"一百块"', "一百块", 19, "does not fire on its example"),
        ('["九块"]', '["九元", "九块"]', "九元", 21, "fires on its counter-example"),
        ('["九元吗"]', '["九元呢"]', "九元呢", 8, "is not found in its example"),
    ],
)
def test_a_fault_names_rule_line_and_sentence(
    tmp_path: Path, old: str, new: str, sentence: str, line: int, problem: str
) -> None:
    (fault,) = faults(folder(tmp_path, GOOD.replace(old, new)))
    assert (fault.file, fault.line, fault.sentence) == ("a.toml", line, sentence)
    assert fault.problem == problem
    assert fault.id == ("t.ask" if line == 8 else "t.price")


def test_a_rule_that_never_fires_fails_on_each_example(tmp_path: Path) -> None:
    found = faults(folder(tmp_path, GOOD.replace("(?P<n>#)元", "(?P<n>#)镑")))
    assert [(f.line, f.sentence) for f in found] == [(18, "九元"), (19, "一百元")]


def test_the_documented_file_is_true(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    here = folder(tmp_path, example)
    assert faults(here) == []
    detector = open_detector(here)
    found = trial("填充是白鹅绒，净重两斤", detector=detector).claims
    assert [(c.claim_type, c.value) for c in found] == [
        ("material", ("鹅绒",)),
        ("net_content", "1000g"),
    ]
    (denied,) = trial("里面不是鹅绒", detector=detector).claims
    assert denied.polarity == "negate"
    assert trial("填充是鹅绒吗", detector=detector).claims == ()


BROKEN = {
    "unknown key": (GOOD.replace("most = 5000", "mots = 5000"), 15),
    "unknown key in cue": (GOOD.replace('scope = "clause"', 'scope = "clause"\nx = 1'), 7),
    "wrong type": (GOOD.replace('"price"\n', '"cost"\n'), 12),
    "no examples": (GOOD.replace('["九元吗"]', "[]"), 8),
    "duplicate in one file": (GOOD + GOOD[GOOD.index("[[rule]]") :], 23),
    "pattern": (GOOD.replace("(?P<n>#)元", "(?P<n>#元"), 13),
    "unknown name": (GOOD.replace("(?P<n>#)元", "{nothing}元"), 13),
    "condition": (GOOD.replace("'别家'", "'别(家'"), 16),
    "function": (GOOD.replace("CNY{n}", "CNY{n|nothing}"), 14),
    "group": (GOOD.replace("CNY{n}", "CNY{m}"), 14),
    "template": (GOOD.replace("CNY{n}", "CNY{n |money}"), 14),
    "units": (GOOD.replace("CNY{n}", "{n|weight}"), 14),
    "lexicon": (GOOD.replace("most = 5000", 'list = "nothing"'), 15),
    "prefix": (GOOD.replace("most = 5000", 'prefix = "{part}"'), 15),
    "not TOML": (GOOD.replace("most = 5000", "most = = 5000"), 15),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_told_with_its_line(tmp_path: Path, what: str) -> None:
    text, line = BROKEN[what]
    with pytest.raises(RuleError, match=rf"^a\.toml:{line}: ") as caught:
        open_rules(folder(tmp_path, text))
    assert caught.value.hint


def test_a_duplicate_in_another_file_is_told_where_it_is_used_again(tmp_path: Path) -> None:
    again = "\n" + GOOD[GOOD.index("[[rule]]") :]
    with pytest.raises(RuleError, match=r"^b\.toml:3: id t\.price is already used in a\.toml"):
        open_rules(folder(tmp_path, GOOD, b=again))


def test_bytes_that_are_no_text_are_a_rule_error(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(GOOD.encode("gb18030"))
    with pytest.raises(RuleError, match=r"a\.toml"):
        open_rules(tmp_path)


def test_a_trial_shows_claims_with_the_words_behind_flags() -> None:
    found = trial("大概一百二十九元，质保两年", detector=DETECTOR, products=["羊毛大衣"])
    price = next(c for c in found.claims if c.claim_type == "price")
    assert price.hedged
    assert "大概" in [cue.words for cue in price.cues if cue.flag == "hedge"]
    assert {c.sku_id for c in found.claims} == {"SKU1"}


def test_a_trial_without_products_doubts_no_sku() -> None:
    (claim,) = trial("质保两年", detector=DETECTOR).claims
    assert "unsure_sku" not in claim.review_reasons


def test_a_trial_shows_what_a_question_kept_from_being_a_claim() -> None:
    found = trial("有人问保修五年吗", detector=DETECTOR)
    assert found.claims == ()
    assert [m for m in found.near_misses if m.reason == "question" and "五年" in m.quote]


def test_a_trial_shows_what_a_correction_in_the_same_breath_replaced() -> None:
    found = trial("今天一百二十九，说错了，是一百三十九", detector=DETECTOR)
    assert [c.value for c in found.claims] == ["CNY139"]
    (miss,) = [m for m in found.near_misses if m.reason == "said again in the same line"]
    assert miss.quote == "一百二十九"
    assert "说错了" in miss.words


def test_a_trial_reads_lines_in_turn() -> None:
    found = trial("码数有哪些? | S到3XL", detector=DETECTOR)
    assert [(c.segment_index, c.value) for c in found.claims] == [(1, ("S-3XL",))]


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("别家九元", "unless", "别家"),
        ("九千元", "number outside 0 to 5000", "九千"),
        ("九元吗", "question", "吗"),
    ],
)
def test_a_near_miss_names_the_condition(
    tmp_path: Path, text: str, reason: str, words: str
) -> None:
    found = trial(text, detector=open_detector(folder(tmp_path, GOOD)))
    assert found.claims == ()
    (miss,) = found.near_misses
    assert (miss.rule_id, miss.reason, miss.words) == ("t.price", reason, words)


def test_commands_use_their_exit_codes_and_print_json(tmp_path: Path) -> None:
    rules = folder(tmp_path, GOOD)
    assert evidence("rules", "test", "--rules", rules, "--json").json == {
        "rules": 1,
        "cues": 1,
        "sentences": 4,
        "failures": [],
    }
    (rule, cue) = evidence("rules", "list", "--rules", rules, "--json").json
    assert (rule["id"], rule["line"], cue["id"], cue["line"]) == ("t.price", 11, "t.ask", 4)
    folder(tmp_path, GOOD.replace('"一百元"', '"一百块"'))
    failed = evidence("rules", "test", "--rules", rules)
    assert failed.code == 5
    assert "a.toml:19: t.price does not fire on its example: 一百块" in failed.err
    folder(tmp_path, GOOD.replace("most", "mots"))
    broken = evidence("rules", "try", "九元", "--rules", rules, "--json")
    assert broken.code == 5
    assert broken.error["message"].startswith("a.toml:15: ")
    folder(tmp_path, GOOD.replace("(?P<n>#)元", "(?P<n>#元"))
    broken = evidence("rules", "try", "九元", "--rules", rules)
    assert broken.code == 5
    assert broken.err.startswith("error: a.toml:13: ")
    assert evidence("rules", "test", "--rules", rules / "none").code == 5


def test_try_marks_the_span_and_cleans_hostile_text() -> None:
    done = evidence("rules", "try", "质保两年，\x1b[31m，保修五年吗")
    assert done.code == 0
    assert "【质保两年】" in done.out
    assert "\x1b" not in done.out
    assert "question (吗)" in done.out
    assert evidence("rules", "try", " | ").code == 2


def explain(*arguments: str | Path) -> Result:
    """`evidence rules explain` in this process: starting one costs more than the work."""
    return CliRunner().invoke(cli, ["rules", "explain", *map(str, arguments)])


def test_explain_tells_rule_place_and_reasons(tmp_path: Path) -> None:
    here, example = workspace(tmp_path / "w"), EXAMPLES / "zh01"
    files = ("--broadcast", example / "broadcast.json", "--transcript", example / "transcript.json")
    assert evidence("process", *files, "-w", here).code == 0
    claims = Service(open_workspace(here)).claims("sample-zh01")
    claim = next(c for c in claims if c.hedged and c.listing)
    told = json.loads(explain(claim.claim_id, "-w", here, "--json").stdout)
    assert told["claim"] == claim.model_dump(mode="json")
    assert told["same_rules"] is True
    assert told["rule"]["id"] == claim.rule_id
    shown = explain(claim.claim_id, "-w", here).stdout
    assert f"{told['rule']['file']}:{told['rule']['line']}: {claim.rule_id}" in shown
    assert f"hedge: {next(c.words for c in claim.cues if c.flag == 'hedge')}" in shown
    assert claim.sku_reasons[0] in shown
    assert claim.listing is not None
    assert f"listing: {claim.listing.agreement}" in shown
    for unknown in ("0000-000000000000-0", "x"):
        assert isinstance(explain(unknown, "-w", here).exception, NotFound)
    other = explain(claim.claim_id, "-w", here, "--rules", folder(tmp_path / "w", GOOD))
    assert f"no rule has the id {claim.rule_id} any more" in other.stderr
