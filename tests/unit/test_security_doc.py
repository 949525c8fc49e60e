"""docs/security.md names tests; every one of them is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[str]:
    lines = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("| ") and not line.startswith("| what")]


def test_every_line_of_the_threat_model_names_a_test():
    assert len(rows()) > 30
    for row in rows():
        assert LINK.search(row), row


def test_every_test_it_names_is_there():
    for file, name in LINK.findall("\n".join(rows())):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        known = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in known, f"{file}::{name}"
