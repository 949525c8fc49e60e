"""infra/settings.example.toml is the Settings tree, no more and no less."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.errors import ConfigError
from pipeline.settings import SETTINGS_FILE, Settings, load

EXAMPLE = Path(__file__).parents[2] / "infra" / "settings.example.toml"


def keys(model: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        nested = isinstance(kind, type) and issubclass(kind, BaseModel)
        found[name] = keys(kind) if nested else None  # type: ignore[arg-type]
    return found


def shape(values: dict[str, Any]) -> dict[str, Any]:
    return {k: shape(v) if isinstance(v, dict) else None for k, v in values.items()}


def test_example_names_every_setting() -> None:
    assert shape(tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))) == keys(Settings)


def test_example_holds_the_defaults(tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).write_bytes(EXAMPLE.read_bytes())
    assert load(tmp_path) == Settings()


def test_every_setting_is_explained() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for before, line in itertools.pairwise(lines):
        if " = " in line and not line.startswith("#"):
            assert len(before) > len("# x"), line
            assert before.startswith("# "), line


@pytest.mark.parametrize("text", ["stroe = 1", "[store]\nkind = 'tape'", "[store\n", "[clip]\nx=1"])
def test_wrong_settings_name_the_place(tmp_path: Path, text: str) -> None:
    (tmp_path / SETTINGS_FILE).write_text(text)
    with pytest.raises(ConfigError, match=SETTINGS_FILE):
        load(tmp_path)
