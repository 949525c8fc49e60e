"""The files for Docker and Kubernetes name settings and commands that there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pipeline.serve.cli import cli
from pipeline.settings import Settings
from tests.unit.test_settings_example import keys

INFRA = Path(__file__).parents[2] / "infra"
FILES = ("compose.yaml", "kubernetes.yaml")
KNOWN = {"EVIDENCE_WORKSPACE", "PREFECT_API_URL"}


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((INFRA / name).read_text(encoding="utf-8")))


def below(value: Any, *names: str) -> Iterator[Any]:
    """Every value that stands under one of these names, however deep."""
    if isinstance(value, dict):
        for key, inside in value.items():
            if key in names:
                yield inside
            yield from below(inside, *names)
    if isinstance(value, list):
        for inside in value:
            yield from below(inside, *names)


def variables(name: str) -> dict[str, str]:
    """Everything that looks like one of our variables."""
    found: dict[str, str] = {}
    for block in below(documents(name), "environment", "data", "stringData"):
        found |= {k: str(v) for k, v in block.items() if k.startswith(("EVIDENCE_", "PREFECT_"))}
    return found


def commands(name: str) -> list[list[str]]:
    """Every command line of ours, shell lines among them."""
    found = []
    for words in below(documents(name), "command", "entrypoint"):
        if words[:2] == ["sh", "-c"]:
            lines = words[2].replace("exec ", "").split(" && ")
            found += [line.split() for line in lines]
        else:
            found.append([str(word) for word in words])
    return [words for words in found if words[0] == "evidence"]


@pytest.mark.parametrize("name", FILES)
def test_every_variable_is_a_setting_with_a_value_it_takes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, tree = variables(name), keys(Settings)
    assert len(found) > 6
    for variable, value in found.items():
        if variable in KNOWN:
            continue
        part: Any = tree
        for word in variable.removeprefix("EVIDENCE_").lower().split("__"):
            part = part[word]
        assert part is None, variable
        monkeypatch.setenv(variable, value)
    assert Settings().store.kind == "s3"


@pytest.mark.parametrize("name", FILES)
def test_every_command_is_one_with_its_options(name: str) -> None:
    found = commands(name)
    assert ["evidence", "init", "/data"] in found
    assert any(words[1:3] == ["flows", "work"] for words in found)
    for words in found:
        rest, command = words[1:], cli
        context = click.Context(cli)
        while isinstance(command, click.Group):
            inner = command.get_command(context, rest.pop(0))
            assert inner is not None, words
            command = inner  # type: ignore[assignment]
        command.make_context("it", rest)  # refuses options that it does not have


def test_the_cluster_runs_as_the_user_of_the_image_and_fits_its_own_budget() -> None:
    users = {block["runAsUser"] for block in below(documents("kubernetes.yaml"), "securityContext")}
    assert f"--uid {users.pop()} " in (INFRA / "Dockerfile").read_text(encoding="utf-8")
    assert not users
    (scratch,) = below(documents("kubernetes.yaml"), "emptyDir")
    budget_mb = int(variables("kubernetes.yaml")["EVIDENCE_SCRATCH_BUDGET_MB"])
    assert budget_mb < int(scratch["sizeLimit"].removesuffix("Gi")) * 1024
