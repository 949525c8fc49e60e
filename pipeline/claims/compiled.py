"""Rules ready to run: macros expanded, patterns parsed and compiled when first needed.

A lexicon or macro is parsed and compiled once and put into every pattern that names it: writing
hundreds of words into a thousand patterns and parsing each anew takes longer than reading four
hours.
"""

from __future__ import annotations

import gc
import re
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import NamedTuple

from pipeline.claims.gates import Gate, Gatekeeper, Standins, gate_of, grams_of, start_of
from pipeline.claims.grafts import Graft, Tree, compiled, grafted
from pipeline.claims.learned import Learned, Opinion
from pipeline.claims.rules import (
    CueRule,
    Language,
    Lexicon,
    Placed,
    PlacedCue,
    Rule,
    RuleSource,
    words_of,
)
from pipeline.claims.shape import Shape, shape_of
from pipeline.claims.traits import Traits
from pipeline.errors import RuleError

_NAME = re.compile(r"\{([a-z_][a-z_0-9]*|<|>)\}")
CLAUSE_START = r"(?:^|(?<=[,。!?;…:])|(?<=[.,!?;:] )|(?<=[\u4e00-\u9fff#块] ))"
CLAUSE_END = r"(?= ?(?:[,。!?;….]|$)| (?=[\u4e00-\u9fff#]))"
_NUMERAL = re.compile(
    r"[\d零一二两三四五六七八九十百千万半]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten)\b"
)
_FIRST_STANDIN = 0xE000
_FIRST_MACRO = 0xF0000
_DEEPEST = 8
"""Macros within macros."""
_TWINS = 32
"""Characters that stand for one macro, so that the parser takes no two of a pattern for the same."""
_CAPTURES = re.compile(r"(?<!\\)\((?!\?)|\(\?P")
_EDGES = {"<": CLAUSE_START, ">": CLAUSE_END}


class Vocabulary:
    """Macros and lexicons of one language, with ``any`` behind them."""

    def __init__(self, source: RuleSource, language: Language) -> None:
        self._macros = {n: t for (n, k), t in source.macros.items() if k == "any"}
        self._macros |= {n: t for (n, k), t in source.macros.items() if k == language}
        self._macros |= {f"unit_{kind}": _unit_words(table) for kind, table in source.units.items()}
        self.lexicons: dict[str, Lexicon] = {}
        for (name, kind), lexicon in source.lexicons.items():
            if kind == language or (kind == "any" and name not in self.lexicons):
                self.lexicons[name] = lexicon
        self._canonical: dict[str, dict[str, str]] = {}
        self._alternatives: dict[str, str] = {}
        self._forms: dict[str, set[str]] = {}
        self._standins: dict[str, str] = {}
        self._first_twin: dict[str, int] = {}
        self._names: dict[str, list[str]] = {}
        self._grafts: dict[int, Tree] = {}
        self.standins: Standins = {}

    def canonical(self, name: str) -> dict[str, str]:
        """Word to canonical form of one lexicon."""
        if name not in self._canonical:
            table: dict[str, str] = {}
            for word, canonical in words_of(self.lexicons[name]):
                if not _NUMERAL.search(word):
                    table[word.lower()] = canonical
                    continue
                shaped = shape_of(word)
                table[shaped.text] = canonical if "#" not in shaped.text else ""
                table[shaped.written(0, len(shaped.text))] = canonical
                figures = "".join(
                    format(shaped.numbers[i].low, "f") if c == "#" else c
                    for i, c in enumerate(shaped.text)
                )
                table[figures] = canonical
            self._canonical[name] = table
        return self._canonical[name]

    def forms(self, name: str) -> set[str]:
        """The lexicon's words as they stand in a shape."""
        if name not in self._forms:
            words = (w for w, _ in words_of(self.lexicons[name]))
            self._forms[name] = {_shaped_word(w) for w in words} - {"", "#", "#%"}
        return self._forms[name]

    def alternatives(self, name: str) -> str:
        """The lexicon as one alternation, longest word first."""
        if name not in self._alternatives:
            words = sorted(self.forms(name), key=lambda w: (-len(w), w))
            latin = all(w[:1].isascii() and w[:1].isalpha() for w in words)
            body = "|".join(re.escape(w).replace("\\ ", " ").replace("\\#", "#") for w in words)
            self._alternatives[name] = rf"(?:\b(?:{body})\b)" if latin else f"(?:{body})"
        return self._alternatives[name]

    def parsed(self, pattern: str) -> Tree:
        """The pattern's tree with macros written out and a stand-in for each lexicon.

        Raises:
            KeyError: a name that is neither.
            re.error: the pattern is no regular expression.
        """
        return sre_parser.parse(self._written(pattern, 0))

    def whole(self, tree: Tree) -> Tree:
        """The same tree with the lexicons in place of their stand-ins."""
        return grafted(tree, self._grafts)

    def _written(self, pattern: str, depth: int) -> str:
        """With stand-ins; macros that capture are written out, for groups are a pattern's own."""
        seen: Counter[str] = Counter()

        def one(found: re.Match[str]) -> str:
            name = found[1]
            macro = _EDGES.get(name) or self._macros.get(name)
            if macro is None or depth >= _DEEPEST:
                return self._standin(name)
            if _CAPTURES.search(macro):
                return f"(?:{self._written(macro, depth + 1)})"
            seen[name] += 1
            return chr(self._twins(name, macro, depth) + seen[name] % _TWINS)

        return _NAME.sub(one, pattern)

    def _twins(self, name: str, macro: str, depth: int) -> int:
        """The first of the characters that stand for a macro."""
        if name not in self._first_twin:
            tree = sre_parser.parse(f"(?:{self._written(macro, depth + 1)})")
            gate, graft = gate_of(tree, self.standins), Graft(self.whole(tree))
            first = _FIRST_MACRO + _TWINS * len(self._first_twin)
            for code in range(first, first + _TWINS):
                self.standins[code], self._grafts[code] = gate, graft
            self._first_twin[name] = first
        return self._first_twin[name]

    def _standin(self, name: str) -> str:
        """One character that stands for a lexicon."""
        if name not in self._standins:
            code = _FIRST_STANDIN + len(self._standins)
            self.standins[code] = (frozenset(start_of(w) for w in self.forms(name)),)
            self._grafts[code] = Graft(self.whole(sre_parser.parse(self.alternatives(name))))
            self._standins[name] = chr(code)
        return self._standins[name]

    def names(self, pattern: str, depth: int = 0) -> list[str]:
        """The lexicons that a pattern uses."""
        out: list[str] = []
        for found in _NAME.finditer(pattern):
            name = found[1]
            if name in self._macros and depth < _DEEPEST:
                if name not in self._names:
                    self._names[name] = self.names(self._macros[name], depth + 1)
                out += self._names[name]
            elif name in self.lexicons:
                out.append(name)
            elif name not in "<>":
                raise KeyError(name)
        return out


def _shaped_word(word: str) -> str:
    return shape_of(word).text if _NUMERAL.search(word) else word.lower()


def _unit_words(table: dict[str, str]) -> str:
    """Unit words as an alternation; Latin ones end at a word's end."""
    words = sorted(table, key=lambda w: (-len(w), w))
    latin = "|".join(re.escape(w) for w in words if w.isascii())
    others = [re.escape(w) for w in words if not w.isascii()]
    return "|".join([*others, rf" ?(?:{latin})(?![a-z])"] if latin else others)


class Compiled:
    """One pattern with its gate, compiled at first use."""

    def __init__(
        self, pattern: str, words: Vocabulary, *, owner: str, file: str, field: str
    ) -> None:
        self._pattern, self._words = pattern, words
        self._owner, self._file, self._field = owner, file, field
        self._check_names()

    def _check_names(self) -> None:
        """An unknown name is an error at load; the pattern's own syntax when first used."""
        try:
            self._words.names(self._pattern)
        except KeyError as error:
            raise self._wrong(error) from error

    @cached_property
    def _tree(self) -> Tree:
        try:
            return self._words.parsed(self._pattern)
        except (re.error, KeyError) as error:
            raise self._wrong(error) from error

    @cached_property
    def gate(self) -> Gate:
        """What any match must hold."""
        return gate_of(self._tree, self._words.standins)

    def _wrong(self, error: Exception) -> RuleError:
        what = f"unknown name {error}" if isinstance(error, KeyError) else str(error)
        return RuleError(
            f"{self._file}: rule {self._owner}, field {self._field}: {what}",
            hint="correct the pattern",
            file=self._file,
            rule_id=self._owner,
            field=self._field,
        )

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern."""
        try:
            found = compiled(self._words.whole(self._tree))
        except re.error as error:
            raise self._wrong(error) from error
        return found


class RunRule:
    """A rule ready to run."""

    def __init__(self, placed: Placed, words: Vocabulary) -> None:
        self.rule: Rule = placed.rule
        self.file, self.language, self.words = placed.file, placed.language, words
        self.pattern = self._compile(placed.rule.pattern, "pattern")
        self.unless = self._compile(placed.rule.unless, "unless") if placed.rule.unless else None
        self.requires = (
            self._compile(placed.rule.requires, "requires") if placed.rule.requires else None
        )
        self.after = self._compile(placed.rule.after, "after") if placed.rule.after else None
        names = words.names(placed.rule.pattern)
        self.lexicons = tuple(
            dict.fromkeys([*names, *filter(None, (self.rule.list, self.rule.pairs))])
        )

    def _compile(self, pattern: str, field: str) -> Compiled:
        return Compiled(pattern, self.words, owner=self.rule.id, file=self.file, field=field)


class RunCue:
    """A cue ready to run."""

    def __init__(self, placed: PlacedCue, words: Vocabulary) -> None:
        self.cue: CueRule = placed.cue
        self.file, self.language = placed.file, placed.language
        self.types, self.spare = frozenset(placed.cue.types), frozenset(placed.cue.spare)
        pattern = placed.cue.pattern
        if placed.cue.scope == "left":
            pattern = f"(?:{pattern})$"
        self.pattern = Compiled(
            pattern, words, owner=placed.cue.id, file=placed.file, field="pattern"
        )

    def concerns(self, claim_type: str) -> bool:
        """Whether the cue may touch a claim of this type."""
        return claim_type not in self.spare and (not self.types or claim_type in self.types)


class Possible(NamedTuple):
    """What a line's words do not rule out, in file order."""

    rules: list[RunRule]
    cues: list[RunCue]


class _Kept(NamedTuple):
    """The rules and cues for the lines of a script, and who lets them through."""

    rules: tuple[RunRule, ...]
    rule_keeper: Gatekeeper
    cues: tuple[RunCue, ...]
    cue_keeper: Gatekeeper


@contextmanager
def _uncollected() -> Iterator[None]:
    """While thousands of trees are made for good: looking for rubbish among them doubles the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class RuleBook:
    """All rules and cues, by language."""

    def __init__(self, source: RuleSource) -> None:
        self.words = {k: Vocabulary(source, k) for k in ("zh", "en", "any")}
        self.rules = tuple(RunRule(p, self._words(p.language)) for p in source.rules)
        self.readings = tuple(RunRule(p, self._words(p.language)) for p in source.readings)
        self._classifiers = source.classifiers
        self.cues = tuple(RunCue(c, self._words(c.language)) for c in source.cues)
        self._by_script: dict[bool, _Kept] = {}

    def _words(self, language: Language) -> Vocabulary:
        return self.words[language]

    @property
    def written(self) -> tuple[RunRule, ...]:
        """Rules and readings: everything that has a pattern and examples."""
        return (*self.rules, *self.readings)

    @cached_property
    def _learned(self) -> dict[bool, Learned]:
        return {
            k == "zh": Learned(path, self.traits(chinese=k == "zh"))
            for k, path in self._classifiers.items()
        }

    def learned(self, *, chinese: bool) -> Learned | None:
        """The classifier of a language, where the rule folder holds one."""
        return self._learned.get(chinese)

    def opinions(self, lines: Sequence[tuple[Shape, str]]) -> list[Opinion | None]:
        """What the classifiers hold of lines, each given with the shape of the line before it."""
        out: list[Opinion | None] = [None] * len(lines)
        for chinese in (True, False):
            mine = [n for n, (shape, _) in enumerate(lines) if shape.chinese is chinese]
            learned = self.learned(chinese=chinese) if mine else None
            if learned is not None:
                for n, opinion in zip(
                    mine, learned.opinions([lines[n] for n in mine]), strict=True
                ):
                    out[n] = opinion
        return out

    @cached_property
    def _readings(self) -> dict[tuple[str, bool], tuple[RunRule, ...]]:
        out: dict[tuple[str, bool], tuple[RunRule, ...]] = {}
        for one in self.readings:
            key = (one.rule.type, one.language == "zh")
            out[key] = (*out.get(key, ()), one)
        return out

    def readings_of(self, claim_type: str, *, chinese: bool) -> tuple[RunRule, ...]:
        """How clauses of a type are read, in file order."""
        return self._readings.get((claim_type, chinese), ())

    def traits(self, *, chinese: bool) -> Traits:
        """What a classifier sees of a clause, with the word lists of a language."""
        words = self.words["zh" if chinese else "en"]
        return Traits({name: words.forms(name) for name in words.lexicons}, chinese=chinese)

    def _kept(self, chinese: bool) -> _Kept:
        """The rules and cues for lines of a script with their gates; built when first asked for."""
        if chinese not in self._by_script:
            other = "en" if chinese else "zh"
            rules = tuple(r for r in self.rules if r.language != other)
            cues = tuple(c for c in self.cues if c.language != other)
            with _uncollected():
                self._by_script[chinese] = _Kept(
                    rules, Gatekeeper(r.pattern.gate for r in rules),
                    cues, Gatekeeper(c.pattern.gate for c in cues),
                )  # fmt: skip
        return self._by_script[chinese]

    def possible(self, shapes: Sequence[Shape]) -> list[Possible]:
        """For each line the rules and cues that it does not rule out."""
        out = [Possible([], [])] * len(shapes)
        for chinese in (True, False):
            mine = [n for n, shape in enumerate(shapes) if shape.chinese is chinese]
            if not mine:
                continue
            grams = [grams_of(shapes[n].text) for n in mine]
            kept = self._kept(chinese)
            opened = zip(
                mine, kept.rule_keeper.open(grams), kept.cue_keeper.open(grams), strict=True
            )
            for n, rules, cues in opened:
                out[n] = Possible([kept.rules[i] for i in rules], [kept.cues[i] for i in cues])
        return out
