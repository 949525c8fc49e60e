"""Words that advertising rules watch, marked on a claim and part of nothing else."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError

from pipeline.claims.shape import Shape
from pipeline.errors import RuleError
from pipeline.model import Frozen

RISK_FILE = Path(__file__).parent / "risk_terms.toml"


class RiskFlag(Frozen):
    """One flag with a pattern that raises it; a flag may have several."""

    name: str
    """``absolute_term``, ``medical_claim``."""
    pattern: str
    """Regular expression over the normal form of a clause."""
    examples: tuple[str, ...] = Field(min_length=1)
    """Texts that raise it."""
    counter_examples: tuple[str, ...] = ()
    """Texts that do not."""


class _File(Frozen):
    flag: tuple[RiskFlag, ...]


@lru_cache(maxsize=1)
def risk_flags() -> tuple[tuple[RiskFlag, re.Pattern[str]], ...]:
    """The flags of ``risk_terms.toml``.

    Raises:
        RuleError: the file breaks its format.
    """
    try:
        parsed = _File.model_validate(tomllib.loads(RISK_FILE.read_text(encoding="utf-8")))
        return tuple((f, re.compile(f.pattern)) for f in parsed.flag)
    except (tomllib.TOMLDecodeError, ValidationError, re.error) as error:
        raise RuleError(
            f"{RISK_FILE.name}: {error}", hint="correct the flag named", file=RISK_FILE.name
        ) from error


def risks_of(shape: Shape, start: int, end: int) -> tuple[str, ...]:
    """The flags raised in the clauses that a quote touches, each once."""
    first, last = shape.clause_of(start), shape.clause_of(max(start, end - 1))
    text = shape.written(min(first.start, start), max(last.end, end))
    return tuple(dict.fromkeys(f.name for f, pattern in risk_flags() if pattern.search(text)))
