"""Word lists put into parsed patterns match what the same patterns written out match."""

import re
import re._compiler as sre_compiler  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]

import pytest

from pipeline.claims.grafts import grafted

LEXICON = "(?:羊毛绒|羊毛|棉)"
SIGN = chr(0xE000)
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
