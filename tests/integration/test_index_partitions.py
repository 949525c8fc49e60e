"""Index and catalogue together, on both backends: made anew, compared, killed, written to meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.bootstrap import init
from pipeline.errors import InputError, MappingConflict, TooManyChanges
from pipeline.index.documents import Document
from pipeline.index.elastic import ElasticIndex
from pipeline.serve.service import Service
from tests.broadcasts import WORDS, processed
from tests.command import ROOT, evidence
from tests.services import needed

MAY, JUNE, JULY = "2026-05-31", "2026-06-01", "2026-07-01"
REAL = pytest.param("elasticsearch", marks=pytest.mark.services)


@pytest.fixture(params=["sqlite", REAL])
def works(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A workspace with two broadcasts of May and one of June."""
    root = tmp_path / "w"
    init(root)
    if request.param == "elasticsearch":
        url, alias = needed("EVIDENCE_TEST_ELASTICSEARCH_URL"), f"test-{uuid.uuid4().hex[:10]}"
        kind = f'[index]\nkind = "elasticsearch"\nurl = "{url}"\nalias = "{alias}"\n'
        (root / "evidence.toml").write_text(kind)
    made = Service(init(root))
    for name, day in (("b1", MAY), ("b2", MAY), ("b3", JUNE)):
        processed(made, tmp_path, name, day=day)
    yield made
    if isinstance(made.app.index, ElasticIndex):
        made.app.index.remove()


def serving(works: Service) -> dict[str, str]:
    """Day to whatever serves it now."""
    index = works.app.index
    if isinstance(index, ElasticIndex):
        return {own.day: own.name for own in index._indices.own() if own.day != "undated"}
    pointer = works.app.root / "index" / "current"
    named: dict[str, str] = json.loads(pointer.read_text())["partitions"]
    return named


def found(works: Service, query: str) -> list[str]:
    return sorted({h.document.broadcast_id for h in works.search(query, size=100).hits})


def test_a_day_is_made_anew_and_no_other(works: Service) -> None:
    before = serving(works)
    done = works.rebuild(days=[MAY])
    after = serving(works)
    assert (done.partitions, done.caught_up, done.problems) == (1, 0, ())
    assert after[MAY] != before[MAY]
    assert after[JUNE] == before[JUNE]
    assert found(works, "藏青") == ["b1", "b2", "b3"]
    assert works.reconcile().changes == ()


def test_a_rebuild_of_all_gives_the_same_answers(works: Service) -> None:
    def answers() -> list[object]:
        return [works.search(q, size=100) for q in ("藏青", "warranty>=1y", "包邮 OR 七天")]

    before, steps = answers(), list[tuple[int, int]]()
    done = works.rebuild(progress=lambda n, of: steps.append((n, of)))
    assert answers() == before
    assert done.partitions >= 2
    assert steps[-1] == (3, 3)


def test_what_is_processed_while_a_rebuild_runs_is_in_the_new_index(
    works: Service, tmp_path: Path
) -> None:
    other = Service(init(works.app.root))
    ((_, listed),) = works.app.archive.days(MAY)
    first = listed[0].broadcast_id

    def meanwhile(done: int, known: int) -> None:
        if done == 1:  # May has been begun; its first broadcast has been read
            processed(other, tmp_path, "b4", day=MAY)
            processed(other, tmp_path, first, day=MAY, words=(*WORDS, "送两双袜子"), amend=True)
            processed(other, tmp_path, "b5", day=JULY)

    done = works.rebuild(progress=meanwhile)
    assert done.caught_up == 2
    assert found(works, "藏青") == ["b1", "b2", "b3", "b4", "b5"]
    assert found(works, "袜子") == [first]
    assert works.reconcile().changes == ()


def test_a_day_that_left_the_catalogue_is_dropped(works: Service) -> None:
    stray = Document(doc_id="x/s0", kind="line", broadcast_id="x", text="藏青", day=JULY, release=1)
    works.app.index.put([stray])
    assert found(works, "藏青") == ["b1", "b2", "b3", "x"]
    works.rebuild()
    assert found(works, "藏青") == ["b1", "b2", "b3"]
    assert JULY not in serving(works)
    works.app.index.put([stray])
    works.rebuild(days=[JULY])
    assert JULY not in serving(works)


def test_a_killed_rebuild_leaves_the_old_index_serving(works: Service, tmp_path: Path) -> None:
    before, flag = serving(works), tmp_path / "begun"
    code = (
        "import sys, time, pathlib\n"
        "from pipeline.bootstrap import open_workspace\n"
        "from pipeline.serve.service import Service\n"
        "def wait(done, known):\n"
        "    pathlib.Path(sys.argv[2]).touch(); time.sleep(600)\n"
        "Service(open_workspace(pathlib.Path(sys.argv[1]))).rebuild(progress=wait)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(works.app.root), str(flag)], cwd=ROOT)
    until = time.monotonic() + 120
    while not flag.exists() and time.monotonic() < until and run.poll() is None:
        time.sleep(0.05)
    assert flag.exists()
    os.kill(run.pid, signal.SIGKILL)
    run.wait(30)
    assert {day: serving(works)[day] for day in (JUNE,)} == {JUNE: before[JUNE]}
    assert found(works, "藏青") == ["b1", "b2", "b3"]
    processed(works, tmp_path, "b4", day=MAY)
    works.rebuild()
    assert found(works, "藏青") == ["b1", "b2", "b3", "b4"]
    assert len(leftovers(works)) == len(serving(works))


def leftovers(works: Service) -> list[str]:
    """Every partition there is, serving or not."""
    if isinstance(works.app.index, ElasticIndex):
        return [own.name for own in works.app.index._indices.own() if own.day != "undated"]
    return [path.name for path in (works.app.root / "index").glob("index-*.db")]


def test_reconcile_finds_every_way_to_differ_and_changes_nothing_unasked(
    works: Service, tmp_path: Path
) -> None:
    index = works.app.index
    processed(works, tmp_path, "b1", day=MAY, words=(*WORDS, "送两双袜子"), amend=True)
    index.drop("b2")  # missing
    kept = [h.document.doc_id for h in works.search("broadcast:b1 袜子", size=100).hits]
    index.drop("b1", keep=kept)  # incomplete: its summary and most lines are gone
    old = Document(doc_id="b3/s0", kind="line", broadcast_id="b3", text="旧", day=JUNE, release=0)
    index.put([old])  # one document of an older release
    stray = Document(doc_id="x/s0", kind="line", broadcast_id="x", text="藏青", day=JULY, release=1)
    index.put([stray])
    dry = works.reconcile()
    told = [(c.day, c.broadcast_id, c.kind, c.catalogued, c.indexed) for c in dry.changes]
    assert sorted(told) == [
        (MAY, "b1", "incomplete", 2, 2),
        (MAY, "b2", "missing", 1, 0),
        (JUNE, "b3", "incomplete", 1, 1),
        (JULY, "x", "surplus", 0, 1),
    ]
    assert (dry.compared, dry.share_pm, dry.applied) == (4, 1000, 0)
    assert works.reconcile().changes == dry.changes
    with pytest.raises(TooManyChanges, match="force-share"):
        works.reconcile(apply=True)
    assert works.reconcile().changes == dry.changes
    done = works.reconcile(apply=True, force_share=True)
    assert done.applied == 4
    assert works.reconcile().changes == ()
    assert found(works, "藏青") == ["b1", "b2", "b3"]


def test_words_of_a_broadcast_on_air_are_left_alone(works: Service) -> None:
    today = datetime.now(UTC).date()
    for age, day in ((1, today - timedelta(days=1)), (9, today - timedelta(days=9))):
        values = {"doc_id": f"on{age}/s0", "kind": "line", "broadcast_id": f"on{age}"}
        works.app.index.put([Document(**values, text="直播中", day=day.isoformat())])
    assert [c.broadcast_id for c in works.reconcile().changes] == ["on9"]
    works.reconcile(apply=True, force_share=True)
    assert found(works, "直播中") == ["on1"]


def test_an_amended_broadcast_that_moved_to_another_day_is_there_once(
    works: Service, tmp_path: Path
) -> None:
    processed(works, tmp_path, "b1", day=JUNE, amend=True)
    assert works.reconcile().changes == ()
    lines = [h.document for h in works.search("broadcast:b1 藏青 kind:line").hits]
    assert [d.day for d in lines] == [JUNE]
    former = [d.model_copy(update={"day": MAY, "release": 1}) for d in lines]
    works.app.index.put(former)  # as a process that was killed may leave it
    (change,) = works.reconcile(days=[MAY]).changes
    assert (change.broadcast_id, change.kind) == ("b1", "surplus")
    works.reconcile(days=[MAY], apply=True, force_share=True)
    assert [h.document.day for h in works.search("broadcast:b1 藏青 kind:line").hits] == [JUNE]
    works.rebuild()
    assert [h.document.day for h in works.search("broadcast:b1 藏青 kind:line").hits] == [JUNE]


def test_a_broadcast_that_cannot_be_read_is_named_and_the_rest_is_indexed(works: Service) -> None:
    state = works.app.archive.state("b2")
    output = state.output("claims")
    assert output is not None
    pack = works.app.root / "objects" / output.key
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:-1] + b"?")
    done = works.rebuild()
    assert [(p.broadcast_id, p.error) for p in done.problems] == [("b2", "hash_mismatch")]
    assert found(works, "藏青") == ["b1", "b3"]


def test_an_index_of_another_schema_is_replaced_at_once(works: Service) -> None:
    pointer = works.app.root / "index" / "current"
    if isinstance(works.app.index, ElasticIndex):
        older = {"schema": "1.1", "alias": works.app.index._alias, "day": MAY}
        client = works.app.index._client
        client.indices.put_mapping(index=f"{works.app.index._alias}-{MAY}", meta=older)
    else:
        pointer.write_text("index-0123456789ab.db")
    fresh = Service(init(works.app.root))
    with pytest.raises(MappingConflict, match="run: evidence rebuild"):
        fresh.search("藏青")
    with pytest.raises(MappingConflict):
        fresh.rebuild(days=[MAY])
    fresh.rebuild()
    assert found(fresh, "藏青") == ["b1", "b2", "b3"]


def test_the_command_compares_applies_and_refuses(works: Service) -> None:
    here = ["-w", works.app.root]
    agreed = evidence("reconcile", *here, "--json")
    assert (agreed.code, agreed.json["compared"], agreed.json["changes"]) == (0, 3, [])
    works.app.index.drop("b2")
    dry = evidence("reconcile", *here, "--json")
    change = {"day": MAY, "broadcast_id": "b2", "kind": "missing", "catalogued": 1, "indexed": 0}
    assert (dry.code, dry.json["changes"], dry.json["applied"]) == (14, [change], 0)
    assert "b2" in evidence("reconcile", *here).out
    refused = evidence("reconcile", *here, "--apply", "--json")
    assert (refused.code, refused.error["error"]) == (14, "too_many_changes")
    allowed = evidence(
        "reconcile", *here, "--apply", "--json", EVIDENCE_INDEX__RECONCILE_MOST_PM="400"
    )
    assert (allowed.code, allowed.json["applied"]) == (0, 1)
    assert evidence("reconcile", *here).code == 0
    assert evidence("rebuild", *here, "--day", JUNE, "--json").json["partitions"] == 1
    assert evidence("rebuild", *here, "--day", "June").code == 4


def test_a_day_that_is_no_day_is_refused(works: Service) -> None:
    with pytest.raises(InputError, match="2026-06-05"):
        works.rebuild(days=["../x"])
