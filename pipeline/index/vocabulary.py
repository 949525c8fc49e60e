"""The words of ``data/vocabulary.toml``: field names, colour families, synonyms."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files

from pydantic import ValidationError

from pipeline.errors import RuleError
from pipeline.model import Frozen
from pipeline.text.normal import normal_text

_FILE = "vocabulary.toml"
_HAN = re.compile(r"[\u3400-\u9fff]{3,}")


class ColourFamily(Frozen):
    """A family and the colours it takes in."""

    names: tuple[str, ...]
    """Words for the family."""
    colours: tuple[tuple[str, ...], ...]
    """Each colour's words."""


class Synonyms(Frozen):
    """Words of one meaning."""

    words: tuple[str, ...]
    """At least two."""


class Questions(Frozen):
    """Words of a question that say nothing about a product."""

    words: tuple[str, ...]
    """As they are written; the longest is cut out first."""


class Vocabulary(Frozen):
    """The whole file."""

    fields: dict[str, str]
    """Other name to filter field or claim type."""
    colours: dict[str, ColourFamily]
    """Family id to family."""
    synonyms: tuple[Synonyms, ...]
    """Groups."""
    questions: Questions
    """Skipped when a sentence is cut into words."""


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The packaged vocabulary.

    Raises:
        RuleError: the file breaks its shape.
    """
    text = files("pipeline.index").joinpath("data", _FILE).read_text(encoding="utf-8")
    try:
        return Vocabulary.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise RuleError(f"{_FILE}: {error}", hint="correct the file", file=_FILE) from error


def colour_words(word: str) -> tuple[str, ...]:
    """The colour words a person means: a family's all, a colour's own, else the word."""
    wanted = normal_text(word)
    for family in vocabulary().colours.values():
        if wanted in family.names:
            words = (*family.names[:1], *(w for colour in family.colours for w in colour))
            return tuple(dict.fromkeys((wanted, *words)))
    for family in vocabulary().colours.values():
        for colour in family.colours:
            if wanted in colour:
                return tuple(dict.fromkeys((wanted, *colour)))
    return (word,)


def pieces(sentence: str) -> tuple[str, ...]:
    """What a question in unspaced Chinese asks about; empty when cutting it gives nothing new.

    ``这款是不是防水的`` gives ``防水``: the sentence is cut at question words and particles,
    and pieces of two characters and more are kept.
    """
    normal = normal_text(sentence)
    if not _HAN.fullmatch(normal):
        return ()
    found = tuple(dict.fromkeys(w for w in _cutter().split(normal) if len(w) > 1))
    return () if found == (normal,) else found


@lru_cache(maxsize=1)
def _cutter() -> re.Pattern[str]:
    words = sorted(vocabulary().questions.words, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, words)))


def synonyms(term: str) -> tuple[str, ...]:
    """Other words of the same meaning; empty when none is known."""
    return _synonym_table().get(normal_text(term), ())


@lru_cache(maxsize=1)
def _synonym_table() -> dict[str, tuple[str, ...]]:
    return {
        word: tuple(other for other in group.words if other != word)
        for group in vocabulary().synonyms
        for word in group.words
    }
