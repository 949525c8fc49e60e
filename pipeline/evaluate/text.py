"""Character error rate and length ratio, over letters and digits only."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple


class TextScore(NamedTuple):
    """Edits against a reference."""

    errors: int
    characters: int
    """Of the reference."""
    kept: int
    """Of the recognised text."""


def clean(text: str) -> str:
    """Half-width, lower case, letters and digits only."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).lower())


def score_text(reference: str, found: str) -> TextScore:
    """Levenshtein distance over :func:`clean` characters (Wagner and Fischer 1974)."""
    import numpy as np

    a, b = clean(reference), clean(found)
    row = np.arange(len(b) + 1)
    letters = np.array([ord(c) for c in b], dtype=np.int64)
    for i, x in enumerate(a, 1):
        change = np.concatenate([[i], np.minimum(row[1:] + 1, row[:-1] + (letters != ord(x)))])
        # An insertion costs 1 a step, so the running minimum of (cost - column) settles it.
        columns = np.arange(len(b) + 1)
        row = np.minimum.accumulate(change - columns) + columns
    return TextScore(int(row[-1]), len(a), len(b))
