"""Rules ready to run: macros expanded, patterns compiled when first needed, cheap prefilters.

A prefilter is a set of character groups that any match must hold one of; most rules are ruled
out for most lines by it, which keeps a long transcript linear and fast.
"""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Iterable
from functools import cached_property
from typing import Any

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
from pipeline.errors import RuleError

_NAME = re.compile(r"\{([a-z_][a-z_0-9]*|<|>)\}")
CLAUSE_START = r"(?:^|(?<=[,。!?;…:])|(?<=[.,!?;:] )|(?<=[\u4e00-\u9fff#块] ))"
CLAUSE_END = r"(?= ?(?:[,。!?;….]|$)| (?=[\u4e00-\u9fff#]))"
_NUMERAL = re.compile(
    r"[\d零一二两三四五六七八九十百千万半]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten)\b"
)
Gate = tuple[frozenset[str], ...]
Standins = dict[int, frozenset[str]]
"""Code point standing for a lexicon in a gist to what its words begin with."""
_FIRST_STANDIN = 0xE000
_LONGEST_GRAM = 5
_LATIN_RUN = re.compile(r"[a-z]{3,}")


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
        self._gists: dict[str, str] = {}
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

    def _shaped(self, name: str) -> set[str]:
        """The lexicon's words as they stand in a shape."""
        if name not in self._forms:
            words = (w for w, _ in words_of(self.lexicons[name]))
            self._forms[name] = {_shaped_word(w) for w in words} - {"", "#", "#%"}
        return self._forms[name]

    def alternatives(self, name: str) -> str:
        """The lexicon as one alternation, longest word first."""
        if name not in self._alternatives:
            words = sorted(self._shaped(name), key=lambda w: (-len(w), w))
            latin = all(w[:1].isascii() and w[:1].isalpha() for w in words)
            body = "|".join(re.escape(w).replace("\\ ", " ").replace("\\#", "#") for w in words)
            self._alternatives[name] = rf"(?:\b(?:{body})\b)" if latin else f"(?:{body})"
        return self._alternatives[name]

    def expand(self, pattern: str, depth: int = 0) -> str:
        """The pattern with macros and lexicons written out.

        Raises:
            KeyError: a name that is neither.
        """

        def one(found: re.Match[str]) -> str:
            name = found[1]
            if name == "<":
                return CLAUSE_START
            if name == ">":
                return CLAUSE_END
            if name in self._macros and depth < 8:
                return f"(?:{self.expand(self._macros[name], depth + 1)})"
            return self.alternatives(name)

        return _NAME.sub(one, pattern)

    def gist(self, pattern: str, depth: int = 0) -> str:
        """Like :meth:`expand`, a lexicon shrunk to the beginnings of its words (for gates)."""

        def one(found: re.Match[str]) -> str:
            name = found[1]
            if name in "<>":
                return ""
            if name in self._macros and depth < 8:
                return f"(?:{self.gist(self._macros[name], depth + 1)})"
            return self._gist_of(name)

        return _NAME.sub(one, pattern)

    def _gist_of(self, name: str) -> str:
        """A lexicon for gates: one character that stands for what its words begin with."""
        if name not in self._gists:
            starts = {_start_of(w) for w in self._shaped(name)}
            self._gists[name] = chr(_FIRST_STANDIN + len(self.standins))
            self.standins[_FIRST_STANDIN + len(self.standins)] = frozenset(starts)
        return self._gists[name]

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
    def gate(self) -> Gate:
        """What any match must hold."""
        try:
            parsed = sre_parser.parse(self._words.gist(self._pattern))
        except (re.error, KeyError) as error:
            raise self._wrong(error) from error
        return tuple(_required(parsed, self._words.standins))

    def _wrong(self, error: Exception) -> RuleError:
        what = f"unknown name {error}" if isinstance(error, KeyError) else str(error)
        return RuleError(
            f"{self._file}: rule {self._owner}, field {self._field}: {what}",
            hint="correct the pattern",
            file=self._file,
            rule_id=self._owner,
            field=self._field,
        )

    def may_match(self, grams: frozenset[str] | set[str]) -> bool:
        """Whether a line with these characters and trigrams could match at all."""
        return not any(map(grams.isdisjoint, self.gate))

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern."""
        try:
            return re.compile(self._words.expand(self._pattern))
        except (re.error, KeyError) as error:
            raise self._wrong(error) from error


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


class Gatekeeper:
    """Finds the few patterns that a line could match, without asking each one."""

    def __init__(self, patterns: Iterable[Compiled]) -> None:
        self._patterns = tuple(patterns)
        self._always: list[int] = []
        self._by_gram: dict[str, list[int]] = {}
        for n, pattern in enumerate(self._patterns):
            if not pattern.gate:
                self._always.append(n)
                continue
            for gram in min(pattern.gate, key=_width):
                self._by_gram.setdefault(gram, []).append(n)

    def open(self, grams: set[str]) -> list[int]:
        """Indexes, in order, of the patterns that these grams do not rule out."""
        possible = set(self._always)
        for gram in grams:
            possible.update(self._by_gram.get(gram, ()))
        return sorted(n for n in possible if self._patterns[n].may_match(grams))


def _width(group: frozenset[str]) -> int:
    """How much a group lets through: its size, numeral sign and single characters counting many."""
    return sum(1 if len(g) > 1 else 60 if g.isascii() else 5 for g in group)


class RuleBook:
    """All rules and cues, by language."""

    def __init__(self, source: RuleSource) -> None:
        self.words = {k: Vocabulary(source, k) for k in ("zh", "en", "any")}
        self.rules = tuple(RunRule(p, self._words(p.language)) for p in source.rules)
        self.cues = tuple(RunCue(c, self._words(c.language)) for c in source.cues)

    def _words(self, language: Language) -> Vocabulary:
        return self.words[language]

    @cached_property
    def _rules_by_script(self) -> dict[bool, tuple[tuple[RunRule, ...], Gatekeeper]]:
        out = {}
        for chinese, other in ((True, "en"), (False, "zh")):
            rules = tuple(r for r in self.rules if r.language != other)
            out[chinese] = (rules, Gatekeeper(r.pattern for r in rules))
        return out

    @cached_property
    def _cues_by_script(self) -> dict[bool, tuple[tuple[RunCue, ...], Gatekeeper]]:
        out = {}
        for chinese, other in ((True, "en"), (False, "zh")):
            cues = tuple(c for c in self.cues if c.language != other)
            out[chinese] = (cues, Gatekeeper(c.pattern for c in cues))
        return out

    def rules_for(self, grams: set[str], *, chinese: bool) -> list[RunRule]:
        """The rules that a line of these grams could match, in file order."""
        rules, keeper = self._rules_by_script[chinese]
        return [rules[n] for n in keeper.open(grams)]

    def cues_for(self, grams: set[str], *, chinese: bool) -> list[RunCue]:
        """The cues that a line of these grams could hold, in file order."""
        cues, keeper = self._cues_by_script[chinese]
        return [cues[n] for n in keeper.open(grams)]


def grams_of(text: str) -> set[str]:
    """The characters and pairs of a text, and where it is Latin its groups of 3 to 5 letters."""
    grams = set(text)
    grams.update(map(str.__add__, text, text[1:]))
    for run in _LATIN_RUN.findall(text):
        for size in range(3, min(_LONGEST_GRAM, len(run)) + 1):
            grams.update(run[n : n + size] for n in range(len(run) - size + 1))
    return grams


def _start_of(word: str) -> str:
    """A gram that any text with the word holds: its first letters, else its first two characters."""
    found = _LATIN_RUN.search(word)
    return found[0][:_LONGEST_GRAM] if found else word[:2]


# --- what any match must hold --------------------------------------------------------------


def _required(parsed: Any, standins: Standins) -> list[frozenset[str]]:
    """Groups of which any match holds at least one member each; empty when nothing is sure."""
    out: list[frozenset[str]] = []
    run = ""
    for op, arg in parsed:
        if op is sre.LITERAL and arg not in standins:
            run += chr(arg)
            continue
        out += _of_run(run)
        run = ""
        out += [standins[arg]] if op is sre.LITERAL else _of_op(op, arg, standins)
    return [*out, *_of_run(run)]


def _of_run(run: str) -> Iterable[frozenset[str]]:
    words = _LATIN_RUN.findall(run)
    if words:
        return [frozenset([max(words, key=len)[:_LONGEST_GRAM]])]
    if len(run) > 1:
        return [frozenset([run[n : n + 2]]) for n in range(len(run) - 1)]
    return [frozenset([c]) for c in run]


def _of_op(op: Any, arg: Any, standins: Standins) -> list[frozenset[str]]:
    if op is sre.IN:
        chars = _class(arg, standins)
        return [chars] if chars else []
    if op is sre.BRANCH:
        return _of_branch(arg[1], standins)
    if op is sre.SUBPATTERN:
        return _required(arg[3], standins)
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and arg[0] > 0:
        return _required(arg[2], standins)
    return []


def _class(items: Any, standins: Standins) -> frozenset[str]:
    chars: set[str] = set()
    for op, arg in items:
        if op is sre.LITERAL:
            chars |= standins.get(arg, {chr(arg)})
        elif op is sre.RANGE and arg[1] - arg[0] < 64:
            chars.update(chr(c) for c in range(arg[0], arg[1] + 1))
        else:
            return frozenset()
    return frozenset(chars)


def _of_branch(branches: Any, standins: Standins) -> list[frozenset[str]]:
    """One member from each branch's rarest group."""
    union: set[str] = set()
    for branch in branches:
        groups = _required(branch, standins)
        if not groups:
            return []
        union |= min(groups, key=lambda g: (min(map(_commonness, g), default=0), len(g)))
    return [frozenset(union)]


def _commonness(gram: str) -> int:
    if len(gram) > 1:
        return 0 if len(gram) > 2 else 1
    return 3 if gram.isascii() else 2
