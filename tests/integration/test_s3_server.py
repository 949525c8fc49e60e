"""The one command that starts the S3 server stops it as well, and leaves nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.services import needed

pytestmark = pytest.mark.services
SERVER = Path(__file__).parents[2] / "infra" / "s3" / "server.py"


def server(action: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SERVER), action, "--dir", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_start_status_stop(tmp_path: Path) -> None:
    needed("EVIDENCE_TEST_S3_ENDPOINT")  # so it can run here
    assert server("status", tmp_path).returncode == 3
    first = server("start", tmp_path)
    try:
        assert first.returncode == 0, first.stderr
        endpoint = re.search(r"EVIDENCE_TEST_S3_ENDPOINT=(http://127\.0\.0\.1:\d+)", first.stdout)
        assert endpoint is not None
        with urllib.request.urlopen(f"{endpoint[1]}/health") as answer:
            assert answer.status == 200
        assert server("start", tmp_path).stdout == first.stdout
        assert server("status", tmp_path).stdout == first.stdout
        assert (tmp_path / "server.json").stat().st_mode & 0o077 == 0
    finally:
        assert "stopped" in server("stop", tmp_path).stderr
    assert server("status", tmp_path).returncode == 3
    assert os.listdir(tmp_path) == ["server.log"]
    assert "was not running" in server("stop", tmp_path).stderr
