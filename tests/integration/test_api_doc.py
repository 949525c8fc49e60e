"""docs/api.md and the client's README are run as they stand, against a real desk."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.command import PROGRAM, ROOT, env, evidence, short_broadcast, workspace
from tests.desks import new_key, served
from tests.integration.test_client import BROADCAST, WORDS

DOC, README = ROOT / "docs" / "api.md", ROOT / "client" / "README.md"


class Given(NamedTuple):
    here: Path
    address: str
    key: str


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=20)
    (folder / "words.json").write_text(WORDS, encoding="utf-8")
    here = workspace(tmp_path_factory.mktemp("doc") / "w")
    done = evidence("process", folder, "--transcript", folder / "words.json", "-w", here)
    assert done.code == 0, done.err
    assert evidence("orders", "import", folder / "orders.jsonl", "-w", here).code == 0
    assert evidence("keys", "new", "-w", here).code == 0
    key = new_key(here, "admin")["key"]
    with served(here) as address:
        yield Given(here, address, key)


def blocks(path: Path, language: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
def test_every_command_of_the_document_does_what_it_says(given: Given, tmp_path: Path):
    commands = blocks(DOC, "sh")
    assert len(commands) > 8
    script = "set -euo pipefail\n" + "\n".join(
        f"echo '=== {n}'\n{c}" for n, c in enumerate(commands)
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=env(DESK=given.address, KEY=given.key),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(re.findall(r"=== (\d+)\n(.*?)(?=\n=== |\Z)", done.stdout, re.DOTALL))
    whole = done.stdout
    assert "质保五年" in said["0"]
    assert said["1"].strip() == "1"
    assert "2000 这款行李箱质保五年" in said["2"]
    assert '"value": "P5Y"' in said["2"]
    assert '"verdict": "' in said["3"]
    assert "clip.mp4: OK" in whole
    assert "bundle.zip: OK" in whole
    assert '"holds": true' in whole
    assert '"confirmed"' in whole
    assert "not_found: " in whole
    assert "search_claims\nget_moment" in whole
    with zipfile.ZipFile(tmp_path / "bundle.zip") as packed:
        assert packed.testzip() is None


def test_the_readme_of_the_client_runs(given: Given, tmp_path: Path):
    (code,) = blocks(README, "python")
    more = {"DESK": given.address, "KEY": given.key, "PYTHONPATH": str(ROOT / "client")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env(**more), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "质保五年" in done.stdout
    assert {p.name for p in tmp_path.iterdir()} == {"clip.mp4", "bundle.zip"}


def test_an_agent_is_connected_as_the_document_says(given: Given):
    piped, remote = (json.loads(b)["mcpServers"]["replay-evidence"] for b in blocks(DOC, "json"))
    assert (piped["command"], piped["args"][:2]) == ("evidence", ["mcp", "-w"])
    by_pipe = Client(
        StdioServerParameters(
            command=PROGRAM[0],
            args=[*PROGRAM[1:], *piped["args"][:2], str(given.here)],
            env=env(**dict.fromkeys(piped["env"], given.key)),
        )
    )
    assert BROADCAST in str(anyio.run(_asked, by_pipe))
    assert (remote["type"], remote["url"]) == ("http", "https://desk.example/mcp")

    async def over_http() -> Any:
        headers = {n: v.replace("re_…", given.key) for n, v in remote["headers"].items()}
        async with httpx.AsyncClient(headers=headers, timeout=60) as http:
            url = remote["url"].replace("https://desk.example", given.address)
            return await _asked(Client(streamable_http_client(url, http_client=http)))

    assert BROADCAST in str(anyio.run(over_http))


async def _asked(client: Client) -> Any:
    async with client as open_client:
        return await open_client.call_tool("search_claims", {"query": "质保"})
