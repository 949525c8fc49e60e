"""The record of views: appended before the answer, sealed whole, never lost with its process."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

from pipeline.ingest.local import LocalStore
from pipeline.provenance import sha256_hex
from pipeline.serve.access import views
from pipeline.serve.access.throttle import Throttle
from pipeline.serve.access.views import ViewLog


def log(root: Path) -> ViewLog:
    return ViewLog(LocalStore(root / "o"), root / "spool", writer="w1", retention_days=1)


def sealed(root: Path) -> list[bytes]:
    store = LocalStore(root / "o")
    return [store.read(stat.key) for stat in store.list("custody/")]


def rows(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def _killed(root: Path) -> None:
    kept = log(root)
    kept.add({"event": "viewed", "what": "first"})
    kept.add({"event": "viewed", "what": "second"})
    os._exit(9)


def test_what_a_killed_process_left_is_sealed_by_the_next(tmp_path: Path):
    process = multiprocessing.get_context("spawn").Process(target=_killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert sealed(tmp_path) == []
    after = log(tmp_path)
    assert after.recover() == 1
    (segment,) = sealed(tmp_path)
    assert [row["what"] for row in rows(segment)[1:]] == ["first", "second"]
    assert after.recover() == 0
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_living_process_is_left_alone(tmp_path: Path):
    living = log(tmp_path)
    living.add({"event": "viewed", "what": "now"})
    assert log(tmp_path).recover() == 0
    assert sealed(tmp_path) == []
    living.close()
    assert len(sealed(tmp_path)) == 1


def test_segments_name_the_one_before_and_themselves(tmp_path: Path):
    kept = log(tmp_path)
    for number in range(views.SEAL_AFTER_EVENTS + 1):
        kept.add({"event": "viewed", "what": str(number)})
    kept.close()
    first, second = sealed(tmp_path)
    assert len(rows(first)) == views.SEAL_AFTER_EVENTS + 1
    assert rows(first)[0]["previous"] == ""
    assert rows(second)[0]["previous"] == sha256_hex(first)
    store = LocalStore(tmp_path / "o")
    for stat, data in zip(store.list("custody/"), (first, second), strict=True):
        assert stat.key.endswith(f"-{sha256_hex(data)[:16]}.jsonl")


def test_an_event_is_readable_before_it_is_sealed_and_once_a_minute_is_once(tmp_path: Path):
    kept = log(tmp_path)
    for _ in range(3):
        kept.add_once({"event": "exported", "what": "mp4"}, "key", "clip")
    kept.add_once({"event": "exported", "what": "mp4"}, "other key", "clip")
    day = rows((tmp_path / "spool").glob("*.jsonl").__next__().read_bytes())[0]["opened_utc_ms"]
    assert day > 0
    from pipeline.timeline import from_utc_ms

    assert len(list(kept.events(from_utc_ms(day).date().isoformat()))) == 2
    assert list(kept.events("2001-01-01")) == []


def test_a_bucket_fills_again_and_memory_stays_bounded():
    now = [0.0]
    throttle = Throttle(burst=2, per_minute=60, clock_s=lambda: now[0])
    assert [throttle.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]
    assert throttle.take("b") == 0.0
    now[0] = 1.0
    assert throttle.wait_s("a") == 0.0
    assert throttle.take("a") == 0.0
    for number in range(50_000):
        throttle.take(str(number))
    assert len(throttle._buckets) <= 20_000
