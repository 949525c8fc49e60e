"""Rules ready to run: macros expanded, patterns parsed and compiled when first needed.

A lexicon is parsed once and its tree put into every pattern that names it: writing hundreds of
words into a thousand patterns and parsing each anew takes longer than reading four hours.
"""

from __future__ import annotations

import re
import re._compiler as sre_compiler  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from functools import cached_property

from pipeline.claims.gates import Gate, Gatekeeper, Standins, gate_of, start_of
from pipeline.claims.grafts import Tree, grafted
from pipeline.claims.learned import Learned
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
from pipeline.claims.shape import shape_of
from pipeline.claims.traits import Traits
from pipeline.errors import RuleError

_NAME = re.compile(r"\{([a-z_][a-z_0-9]*|<|>)\}")
CLAUSE_START = r"(?:^|(?<=[,。!?;…:])|(?<=[.,!?;:] )|(?<=[\u4e00-\u9fff#块] ))"
CLAUSE_END = r"(?= ?(?:[,。!?;….]|$)| (?=[\u4e00-\u9fff#]))"
_NUMERAL = re.compile(
    r"[\d零一二两三四五六七八九十百千万半]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten)\b"
)
_FIRST_STANDIN = 0xE000


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
        def one(found: re.Match[str]) -> str:
            name = found[1]
            if name in "<>":
                return CLAUSE_START if name == "<" else CLAUSE_END
            if name in self._macros and depth < 8:
                return f"(?:{self._written(self._macros[name], depth + 1)})"
            return self._standin(name)

        return _NAME.sub(one, pattern)

    def _standin(self, name: str) -> str:
        """One character that stands for a lexicon."""
        if name not in self._standins:
            code = _FIRST_STANDIN + len(self.standins)
            self.standins[code] = frozenset(start_of(w) for w in self.forms(name))
            self._grafts[code] = sre_parser.parse(self.alternatives(name))
            self._standins[name] = chr(code)
        return self._standins[name]

    def names(self, pattern: str, depth: int = 0) -> list[str]:
        """The lexicons that a pattern uses."""
        out: list[str] = []
        for found in _NAME.finditer(pattern):
            name = found[1]
            if name in self._macros and depth < 8:
                out += self.names(self._macros[name], depth + 1)
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
            found: re.Pattern[str] = sre_compiler.compile(self._words.whole(self._tree))
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


class RuleBook:
    """All rules and cues, by language."""

    def __init__(self, source: RuleSource) -> None:
        self.words = {k: Vocabulary(source, k) for k in ("zh", "en", "any")}
        self.rules = tuple(RunRule(p, self._words(p.language)) for p in source.rules)
        self.readings = tuple(RunRule(p, self._words(p.language)) for p in source.readings)
        self._classifiers = source.classifiers
        self.cues = tuple(RunCue(c, self._words(c.language)) for c in source.cues)

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

    @cached_property
    def _rules_by_script(self) -> dict[bool, tuple[tuple[RunRule, ...], Gatekeeper]]:
        out = {}
        for chinese, other in ((True, "en"), (False, "zh")):
            rules = tuple(r for r in self.rules if r.language != other)
            out[chinese] = (rules, Gatekeeper(r.pattern.gate for r in rules))
        return out

    @cached_property
    def _cues_by_script(self) -> dict[bool, tuple[tuple[RunCue, ...], Gatekeeper]]:
        out = {}
        for chinese, other in ((True, "en"), (False, "zh")):
            cues = tuple(c for c in self.cues if c.language != other)
            out[chinese] = (cues, Gatekeeper(c.pattern.gate for c in cues))
        return out

    def rules_for(self, grams: set[str], *, chinese: bool) -> list[RunRule]:
        """The rules that a line of these grams could match, in file order."""
        rules, keeper = self._rules_by_script[chinese]
        return [rules[n] for n in keeper.open(grams)]

    def cues_for(self, grams: set[str], *, chinese: bool) -> list[RunCue]:
        """The cues that a line of these grams could hold, in file order."""
        cues, keeper = self._cues_by_script[chinese]
        return [cues[n] for n in keeper.open(grams)]
