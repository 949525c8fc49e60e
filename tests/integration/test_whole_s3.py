"""From an ``s3://`` folder into an S3 workspace with an Elasticsearch index, all genuine."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from pipeline.ingest.s3 import S3Store
from tests.command import EXAMPLES, Ran, evidence, workspace
from tests.services import needed, s3_environment, s3_settings

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def remote() -> dict[str, str]:
    """Settings of a workspace whose objects lie in a bucket of its own."""
    return s3_environment(s3_settings(bucket=f"evidence-{uuid.uuid4().hex[:12]}"))


@pytest.fixture(scope="module")
def incoming(remote: dict[str, str]) -> str:
    """A folder in a bucket: description, recording, and files that are not recordings."""
    settings = s3_settings(bucket=f"incoming-{uuid.uuid4().hex[:12]}")
    store = S3Store(settings, free_keys=True)
    store.ensure_bucket()
    for file in sorted((EXAMPLES / "zh06").iterdir()):
        store.put(f"2026/08/08/{file.name}", file)
    return f"s3://{settings.bucket}/2026/08/08/"


@pytest.fixture(scope="module")
def done(
    remote: dict[str, str], incoming: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Ran]:
    here = workspace(tmp_path_factory.mktemp("s3") / "w")
    words = EXAMPLES / "zh06" / "transcript.json"
    ran = evidence("process", incoming, "--transcript", words, "-w", here, "--json", **remote)
    assert ran.code == 0, ran.err
    return here, ran


def test_a_broadcast_goes_from_bucket_to_bucket(done: tuple[Path, Ran]):
    here, ran = done
    assert ran.json["broadcast_id"] == "sample-zh06"
    assert not [p for p in (here / "objects").rglob("*") if p.is_file()]
    assert ran.json["duration_ms"] > 200_000


def test_orders_and_clips_come_from_the_bucket(
    done: tuple[Path, Ran], remote: dict[str, str], tmp_path: Path
):
    here, _ = done
    orders = EXAMPLES / "zh06" / "orders.jsonl"
    assert evidence("orders", "import", orders, "-w", here, **remote).code == 0
    answer = evidence("order", "ORD-26080801", "-w", here, "--json", **remote).json
    assert answer["verdict"] == "found"
    claim = answer["moments"][0]["claim_id"]
    clip = evidence("clip", claim, "-w", here, "--out", tmp_path, "--json", **remote)
    assert clip.code == 0, clip.err
    assert Path(clip.json["video"]).stat().st_size > 10_000


def test_running_again_does_nothing_more(
    done: tuple[Path, Ran], remote: dict[str, str], incoming: str
):
    here, first = done
    words = EXAMPLES / "zh06" / "transcript.json"
    again = evidence("process", incoming, "--transcript", words, "-w", here, "--json", **remote)
    assert again.json["release"] == first.json["release"] == 1


def test_the_index_may_be_a_cluster(done: tuple[Path, Ran], remote: dict[str, str]):
    here, _ = done
    cluster = {
        "EVIDENCE_INDEX__KIND": "elasticsearch",
        "EVIDENCE_INDEX__URL": needed("EVIDENCE_TEST_ELASTICSEARCH_URL"),
        "EVIDENCE_INDEX__ALIAS": f"evidence-{uuid.uuid4().hex[:10]}",
    }
    assert evidence("rebuild", "-w", here, **remote, **cluster).code == 0
    query = ["search", "猫粮", "-w", here, "--json"]
    there = evidence(*query, **remote, **cluster).json
    local = evidence(*query, **remote).json
    ids = [[h["document"]["doc_id"] for h in answer["hits"]] for answer in (there, local)]
    assert ids[0]
    assert ids[0] == ids[1]


def test_secrets_never_show(done: tuple[Path, Ran], remote: dict[str, str]):
    here, ran = done
    secret = remote["EVIDENCE_STORE__SECRET_ACCESS_KEY"]
    wrong = remote | {"EVIDENCE_STORE__SECRET_ACCESS_KEY": secret + "x"}
    refused = evidence("status", "-w", here, **wrong)
    assert refused.code == 6, refused.err
    assert "Traceback" not in refused.err
    assert all(secret not in text for text in (ran.out, ran.err, refused.out, refused.err))
