"""Who waits for a store or an index says so, and stops saying so when it is over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.bootstrap import init
from pipeline.errors import IndexUnavailable, StoreUnavailable
from pipeline.patience import INDEX, STORE, noting, patiently, waits
from pipeline.serve.backlog import metrics
from pipeline.serve.metrics import Meters
from pipeline.serve.system import status


def test_a_wait_is_seen_while_it_lasts_and_no_longer(tmp_path: Path):
    app, said = init(tmp_path / "w"), list[str]()
    answers = [StoreUnavailable("no answer from bucket"), StoreUnavailable("still none")]
    seen = []

    def action() -> str:
        if answers:
            raise answers.pop(0)
        return "done"

    def sleep(seconds: float) -> None:
        (told,) = status(app)["waits"]
        seen.append((told["service"], told["what"], told["message"]))
        assert 'evidence_waits{service="store"} 1.0' in metrics(app)
        assert 'evidence_waits{service="store"} 1.0' in Meters(app.scratch).text().decode()

    note = noting(app.scratch, STORE, "b-1")
    done = patiently(
        action, service=STORE, wait_s=60, tell=said.append, noting=note, sleep=sleep
    )  # fmt: skip
    assert done == "done"
    assert seen == [("store", "b-1", "no answer from bucket")] * 2
    assert said[-1] == "the object store is back; going on"
    assert waits(app.scratch) == []
    assert 'evidence_waits{service="store"} 0.0' in metrics(app)
    assert 'evidence_waits{service="store"} 0.0' in Meters(app.scratch).text().decode()


def test_another_service_is_not_waited_for(tmp_path: Path):
    def action() -> str:
        raise IndexUnavailable("away")

    with pytest.raises(IndexUnavailable, match=r"away$"):
        patiently(action, service=STORE, wait_s=60, tell=print)
    with pytest.raises(IndexUnavailable, match="evidence reconcile"):
        patiently(action, service=INDEX, wait_s=0, tell=print)


def test_the_note_of_a_process_that_was_killed_is_no_wait(tmp_path: Path):
    note = tmp_path / "waits" / "n.json"
    note.parent.mkdir()
    told = {"service": "store", "what": "b", "message": "m", "since_s": 0}
    note.write_text(json.dumps(told), encoding="utf-8")
    assert waits(tmp_path) == []
    assert not note.exists()
