"""Rules as data: strict loading of ``rules/*.toml``.

A file may hold ``language`` (``zh``, ``en`` or ``any``), ``[macros]``, ``[[lexicon]]``,
``[[cue]]`` and ``[[rule]]``. Patterns are regular expressions over the *shape* of a line (see
:mod:`pipeline.claims.shape`): every numeral is one ``#`` (``#%`` for a percentage, ``#块`` for
九块九), text is simplified, half-width and lower-case. ``{name}`` stands for a macro or for any
term of a lexicon; ``{<}`` and ``{>}`` for the start and end of a clause.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from pipeline.errors import RuleError
from pipeline.model import ClaimType, Frozen, Polarity

RULES_FOLDER = Path(__file__).parent / "rules"

CueKind = Literal[
    "negate", "flip", "hedge", "condition", "question", "hypothetical", "other_channel",
    "comparison", "scarcity", "past", "opinion", "joke", "chat", "correction", "quoted", "announce",
]  # fmt: skip
CueScope = Literal["left", "right", "inside", "match", "clause", "beside", "rest", "line", "next"]
Language = Literal["zh", "en", "any"]


class Lexicon(Frozen):
    """Words of one kind with their canonical forms."""

    name: str
    """Used as ``{name}`` in patterns."""
    terms: tuple[str, ...] = ()
    """Words that are their own canonical form."""
    variants: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Canonical form to the other ways of saying it."""
    family: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Broader term to narrower canonical forms (blue to 藏青)."""
    sound: bool = False
    """Whether its terms are also looked for by sound."""


class CueRule(Frozen):
    """Words that change the standing of what is said around them."""

    id: str
    """Unique among cues and rules."""
    kind: CueKind
    """What it means."""
    scope: CueScope
    """``left``, ``right`` and ``inside`` touch the claim; the others cover the words matched, the
    clause (``beside``: and its neighbour, where the words are all of it), the rest of the line, the
    line."""
    pattern: str
    """Regular expression over the shape."""
    types: tuple[ClaimType, ...] = ()
    """Only these claim types; empty means all."""
    spare: tuple[ClaimType, ...] = ()
    """Never these claim types."""
    examples: tuple[str, ...] = Field(min_length=1)
    """Texts in which it must be found."""
    counter_examples: tuple[str, ...] = ()
    """Texts in which it must not be found."""


class Rule(Frozen):
    """One way of making a claim."""

    id: str
    """Unique; stands on every claim it makes."""
    type: ClaimType
    """The claim's type."""
    pattern: str
    """Regular expression over the shape; group ``s`` is the quote, else the whole match."""
    value: str = ""
    """Template: ``{group}``, ``{group|function}``, ``[optional part]``."""
    list: str = ""
    """For set types: the lexicon whose terms in the quote make the list."""
    pairs: str = ""
    """For set types: like ``list``, each term with its percentage."""
    prefix: str = ""
    """Template put before each item of ``list`` or ``pairs`` (``[{part}=]``)."""
    polarity: Polarity = "affirm"
    """What the pattern itself says."""
    negatable: bool = True
    """Whether a negation beside the quote turns the polarity."""
    hedged: bool = False
    """Whether the pattern itself is a hedge."""
    priority: int = 50
    """Of two claims over the same words the higher stays, then the longer."""
    least: int = 0
    """Smallest number allowed in group ``n``."""
    most: int = 10**9
    """Largest number allowed in group ``n``."""
    review: str = ""
    """Always to review, with this reason."""
    unless: str = ""
    """Not in a line where this is found."""
    requires: str = ""
    """Only in a line where this is found."""
    after: str = ""
    """Only after a line (or clause before) where this is found."""
    immune: tuple[CueKind, ...] = ()
    """Cue kinds that do not touch it (a conditional promise is no hypothesis)."""
    examples: tuple[str, ...] = Field(min_length=1)
    """Texts it must fire on."""
    counter_examples: tuple[str, ...] = ()
    """Texts it must not fire on."""


class RuleFile(Frozen):
    """One file."""

    language: Language = "any"
    macros: dict[str, str] = Field(default_factory=dict)
    sound: tuple[str, ...] = ()
    """Phrases that are also looked for by sound in recognised speech."""
    sound_lexicons: tuple[str, ...] = ()
    """Lexicons whose words are looked for by sound as well."""
    units: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Kind (``weight`` …) to word to ``"<factor> <unit>"``; ``{unit_weight}`` in patterns."""
    lexicon: tuple[Lexicon, ...] = ()
    cue: tuple[CueRule, ...] = ()
    rule: tuple[Rule, ...] = ()
    reading: tuple[Rule, ...] = ()
    """How a clause is read that the classifier takes for a claim of the type."""


class Placed(NamedTuple):
    """A rule with where it comes from."""

    rule: Rule
    language: Language
    file: str


class PlacedCue(NamedTuple):
    """A cue with where it comes from."""

    cue: CueRule
    language: Language
    file: str


class RuleSource(NamedTuple):
    """Everything that the rule files say, not yet compiled."""

    rules: tuple[Placed, ...]
    cues: tuple[PlacedCue, ...]
    lexicons: dict[tuple[str, Language], Lexicon]
    macros: dict[tuple[str, Language], str]
    units: dict[str, dict[str, str]]
    sound: tuple[str, ...] = ()
    sound_lexicons: tuple[tuple[str, Language], ...] = ()
    readings: tuple[Placed, ...] = ()
    classifiers: Mapping[str, Path] = {}
    """Language to the trained weights in the folder (``learned-zh.npz``)."""


def read_rules(folder: Path = RULES_FOLDER) -> RuleSource:
    """All rule files of a folder, in name order.

    Raises:
        RuleError: not TOML, an unknown key, a wrong type, a duplicate id; names file, rule
            and field.
    """
    rules: list[Placed] = []
    readings: list[Placed] = []
    cues: list[PlacedCue] = []
    lexicons: dict[tuple[str, Language], Lexicon] = {}
    macros: dict[tuple[str, Language], str] = {}
    units: dict[str, dict[str, str]] = {}
    sound: list[str] = []
    heard: list[tuple[str, Language]] = []
    for path in sorted(folder.glob("*.toml")):
        parsed = _read(path)
        rules += [Placed(r, parsed.language, path.name) for r in parsed.rule]
        readings += [Placed(r, parsed.language, path.name) for r in parsed.reading]
        cues += [PlacedCue(c, parsed.language, path.name) for c in parsed.cue]
        for lexicon in parsed.lexicon:
            _once((lexicon.name, parsed.language) in lexicons, lexicon.name, path.name)
            lexicons[lexicon.name, parsed.language] = lexicon
        macros |= {(name, parsed.language): text for name, text in parsed.macros.items()}
        sound += parsed.sound
        heard += [(name, parsed.language) for name in parsed.sound_lexicons]
        for kind, table in parsed.units.items():
            units.setdefault(kind, {}).update(table)
    if not rules:
        raise RuleError(
            f"no rules in {folder}", hint="give a folder with rule files", file=str(folder)
        )
    _unique([(p.rule.id, p.file) for p in (*rules, *readings)] + [(c.cue.id, c.file) for c in cues])
    return RuleSource(
        tuple(rules), tuple(cues), lexicons, macros, units, tuple(sound), tuple(heard),
        tuple(readings), {p.stem[8:]: p for p in sorted(folder.glob("learned-*.npz"))},
    )  # fmt: skip


def _read(path: Path) -> RuleFile:
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleError(
            f"{path.name} is not TOML: {error}", hint="correct the line named", file=path.name
        ) from error
    try:
        return RuleFile.model_validate(raw)
    except ValidationError as error:
        raise _as_rule_error(error, raw, path, text) from error


def _as_rule_error(
    error: ValidationError, raw: Mapping[str, object], path: Path, text: str
) -> RuleError:
    first = error.errors()[0]
    where = first["loc"]
    rule_id = ""
    entries = raw.get(str(where[0])) if where else None
    if isinstance(entries, list) and len(where) > 1 and isinstance(where[1], int):
        entry = entries[where[1]]
        rule_id = str(entry.get("id") or entry.get("name") or "") if isinstance(entry, dict) else ""
    field = ".".join(str(p) for p in where[2:] or where)
    line = line_of(text, rule_id, field)
    return RuleError(
        f"{path.name}:{line}: rule {rule_id or '(without id)'}, field {field}: {first['msg']}",
        hint="keys and types are listed in the documentation of the rule format",
        file=path.name,
        rule_id=rule_id,
        field=field,
    )


def line_of(text: str, rule_id: str, field: str = "") -> int:
    """The line (from 1) on which a rule, and where possible its field, stands; 1 if unknown."""
    lines = text.splitlines()
    start = next((n for n, t in enumerate(lines) if rule_id and f'"{rule_id}"' in t), 0)
    for n in range(start, len(lines)):
        if field and re.match(rf"\s*{re.escape(field.split('.')[0])}\s*=", lines[n]):
            return n + 1
        if n > start and lines[n].startswith("[["):
            break
    return start + 1


def _once(known: bool, name: str, file: str) -> None:
    if known:
        raise RuleError(
            f"{file}: lexicon {name} is defined twice", hint="rename one", file=file, rule_id=name
        )


def _unique(ids: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for rule_id, file in ids:
        if rule_id in seen:
            raise RuleError(
                f"{file}: id {rule_id} is already used in {seen[rule_id]}",
                hint="give every rule and cue its own id",
                file=file,
                rule_id=rule_id,
                field="id",
            )
        seen[rule_id] = file


_SPOKEN = re.compile(r"(?:(?![零一二两三四五六七八九十百千万半])[\u4e00-\u9fff]){2,8}")
"""Words fit to be found by sound; a numeral is never put in place of what was heard."""


def spoken_words(source: RuleSource) -> tuple[str, ...]:
    """What is looked for by sound: single phrases, and the Chinese words of marked lexicons.

    Raises:
        RuleError: a lexicon that does not exist is named.
    """
    out = dict.fromkeys(source.sound)
    marked = [k for k, one in source.lexicons.items() if one.sound]
    for key in (*source.sound_lexicons, *marked):
        if key not in source.lexicons:
            raise RuleError(f"sound_lexicons: no lexicon {key[0]}", hint="correct the name")
        words = (w for w, _ in words_of(source.lexicons[key]))
        out |= dict.fromkeys(w for w in words if _SPOKEN.fullmatch(w))
    return tuple(out)


def words_of(lexicon: Lexicon) -> Iterator[tuple[str, str]]:
    """Every (word, canonical form) of a lexicon."""
    for term in lexicon.terms:
        yield term, term
    for canonical, variants in lexicon.variants.items():
        yield canonical, canonical
        for variant in variants:
            yield variant, canonical
