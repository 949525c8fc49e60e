"""Words as they were said find the lines in which a recogniser wrote something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.index.documents import Document
from pipeline.index.run import search
from pipeline.index.sqlite import SqliteIndex
from pipeline.text.sound import sound_key

ASSET = Path(__file__).parents[1] / "assets" / "confusions.json"
"""Made by ``benchmarks/confusions.py`` from recognised and given words of the examples."""
TOP = 10


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> SqliteIndex:
    """The recognised lines of the examples."""
    index = SqliteIndex(tmp_path_factory.mktemp("heard"))
    lines = json.loads(ASSET.read_text(encoding="utf-8"))["lines"]
    index.put(
        Document(doc_id=f"b/s{n}", kind="line", broadcast_id="b", text=text, start_ms=n)
        for n, text in enumerate(lines)
    )
    return index


def test_words_are_found_where_something_else_was_written(heard: SqliteIndex) -> None:
    told = json.loads(ASSET.read_text(encoding="utf-8"))["confusions"]
    alike = [c for c in told if sound_key(c["said"]) == sound_key(c["heard"])]
    assert len(told) == 200
    assert len(alike) > 140  # the others were misheard as something that sounds otherwise
    found_alike, missed_alike = recall(heard, alike)
    assert found_alike >= 0.95, missed_alike
    found, missed = recall(heard, told)
    assert found >= 0.95, missed


def recall(index: SqliteIndex, told: list[dict[str, str]]) -> tuple[float, list[str]]:
    """The share found among the first ten, and those that were not."""
    missed = [f"{c['said']} → {c['heard']}" for c in told if c["line"] not in top(index, c["said"])]
    return 1 - len(missed) / len(told), missed


def top(index: SqliteIndex, words: str) -> list[str]:
    return [hit.document.text for hit in search(index, words, size=TOP, facets=False).hits]
