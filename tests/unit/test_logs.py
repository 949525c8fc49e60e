"""Lines of the log: whole in themselves, with their ids, without secrets, whatever is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.command import ROOT, env

SECRET = "k3y+of/the-store"
HOSTILE = 'a\nb\r\x1b[2J\u2028\u202e{"event": "released"}\x85\udc80'


def said(folder: Path, program: str, **environment: str) -> list[dict[str, Any]]:
    """What a program says that has a workspace open; every line must be one JSON object."""
    (folder / "evidence.toml").write_text("", encoding="utf-8")
    begun = "from pipeline import logs\nfrom pipeline.bootstrap import open_workspace\nimport os\n"
    text = f"{begun}app = open_workspace()\n{program}"
    named = {"EVIDENCE_LOG_FORMAT": "json", "EVIDENCE_STORE__SECRET_ACCESS_KEY": SECRET}
    done = subprocess.run(
        [sys.executable, "-c", text],
        env=env(EVIDENCE_WORKSPACE=str(folder), **(named | environment)),
        cwd=ROOT,
        capture_output=True,
    )
    return [json.loads(line) for line in done.stderr.decode("utf-8").splitlines()]


def test_nothing_is_written_unless_it_is_asked_for(tmp_path: Path):
    program = "logs.line('x'); assert not logs.wanted()"
    assert said(tmp_path, program, EVIDENCE_LOG_FORMAT="text") == []


def test_a_line_has_the_ids_of_the_work_it_is_said_in(tmp_path: Path):
    program = """
import logging
with logs.about(broadcast="b-1", stage="transcribe"):
    with logs.about(chunk="c-7"):
        logs.line("chunk_heard", start_ms=5)
    logging.getLogger("some.library").warning("odd %s", "thing")
logs.line("ended")
"""
    heard, odd, ended = said(tmp_path, program)
    assert list(heard)[:4] == ["time", "level", "event", "broadcast"]
    assert heard["time"].endswith("Z")
    ids = [heard[k] for k in ("level", "event", "broadcast", "stage", "chunk", "start_ms")]
    assert ids == ["info", "chunk_heard", "b-1", "transcribe", "c-7", 5]
    assert (odd["level"], odd["event"], odd["broadcast"]) == ("warning", "log", "b-1")
    assert (odd["message"], odd["logger"], "chunk" in odd) == ("odd thing", "some.library", False)
    assert (ended["broadcast"], "stage" in ended) == ("", False)
    assert ended["worker"] == heard["worker"]


def test_hostile_text_stays_in_its_line(tmp_path: Path):
    (row,) = said(tmp_path, f"with logs.about(broadcast={HOSTILE!r}): logs.line('x', {HOSTILE!r})")
    assert (row["event"], row["message"], row["broadcast"]) == ("x", HOSTILE, HOSTILE)


def test_secrets_are_never_written(tmp_path: Path):
    program = """
secret = app.settings.store.secret_access_key.get_secret_value()
with logs.about(place="https://me:" + secret + "@s3.example/x"):
    logs.line("x", f"signed by {secret}", given=[secret, {"k": "Bearer abc.def"}])
    logs.line("y", "https://h/x?X-Amz-Signature=0123&b=1 whsec_abcdef",
              pem="-----BEGIN PRIVATE KEY-----\\nMC4CAQ\\n-----END PRIVATE KEY-----\\n")
    logs.passed_on({"event": "z", "message": secret})
    raise ValueError(secret)
"""
    rows = said(tmp_path, program)
    text = json.dumps(rows)
    for secret in (SECRET, "abc.def", "0123", "whsec_abcdef", "MC4CAQ", "me:"):
        assert secret not in text
    assert [row["event"] for row in rows] == ["x", "y", "z", "crashed"]
    assert rows[0]["message"] == "signed by ***"
    assert rows[1]["message"].startswith("https://h/x?X-Amz-Signature=***&b=1")
    assert rows[3]["trace"].endswith("ValueError: ***")


def test_an_error_is_told_with_the_work_that_it_ended(tmp_path: Path):
    program = """
from pipeline.errors import ModelMissing
try:
    with logs.about(broadcast="b-1"), logs.about(stage="transcribe"):
        raise ModelMissing("no model", hint="get one")
except ModelMissing as error:
    logs.failed(error, **error.as_dict())
"""
    (row,) = said(tmp_path, program)
    assert (row["event"], row["level"], row["error"]) == ("failed", "error", "model_missing")
    assert (row["broadcast"], row["stage"], row["hint"]) == ("b-1", "transcribe", "get one")


def test_a_line_of_another_process_keeps_its_ids_and_gets_those_it_lacks(tmp_path: Path):
    program = """
logs.ids_from(lambda: {"flow_run": "f-1", "task_run": ""})
with logs.about(broadcast="outer", place="p"):
    logs.passed_on({"event": "e", "broadcast": "inner", "worker": "w"})
    logs.passed_on({"event": "e", "broadcast": ""})
"""
    first, second = said(tmp_path, program)
    assert first == {
        "event": "e", "broadcast": "inner", "worker": "w", "flow_run": "f-1", "place": "p"
    }  # fmt: skip
    assert second["broadcast"] == "outer"
