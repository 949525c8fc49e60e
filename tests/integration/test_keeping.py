"""What must stay and what may go: holds by case, disposal by plan, forgetting; on both stores."""

from __future__ import annotations

import ast
import io
import json
import os
import shutil
import sys
import uuid
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from pipeline.bootstrap import open_workspace
from pipeline.errors import AccessDenied, UnderHold
from pipeline.evidence import disposal, holds
from pipeline.evidence.signed import opened
from pipeline.ingest.s3 import S3Store
from pipeline.serve import keeping
from pipeline.serve.bundles import key_folder, stamp_custody
from pipeline.serve.cli import main
from pipeline.serve.service import Service
from tests.bundles import Desk, desk
from tests.command import ROOT, Ran, evidence
from tests.services import s3_settings, s3_store

NAME, ORDER, CASE = "b-<script>1", "ORD-1", "(2026) 沪0105 民初 123 号"
KINDS = ["folder", pytest.param("s3", marks=pytest.mark.services)]
OLD = "retention_days = 1\n"
"""The broadcast of June is past its retention."""


def store_toml(kind: str) -> str:
    if kind == "folder":
        return ""
    bucket = s3_settings(bucket=f"keep-{uuid.uuid4().hex[:12]}")
    s3_store(bucket)
    rows = bucket.model_dump(include={"kind", "bucket", "endpoint_url", "access_key_id"})
    rows["secret_access_key"] = bucket.secret_access_key.get_secret_value()
    return "[store]\n" + "".join(f'{key} = "{value}"\n' for key, value in rows.items())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Desk]:
    """In folders, to be copied."""
    root = tmp_path_factory.mktemp("made")
    return {name: desk(root / ("old" if name else "young"), store=name) for name in (OLD, "")}


def _desk(made: dict[str, Desk], kind: str, settings: str, folder: Path) -> Desk:
    if kind != "folder":
        return desk(folder, store=settings + store_toml(kind))
    origin = made[settings]
    shutil.copytree(origin.app.root.parent, folder, dirs_exist_ok=True)
    return origin._replace(works=Service(open_workspace(folder / "w")))


@pytest.fixture(params=KINDS)
def old(made: dict[str, Desk], request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return _desk(made, request.param, OLD, tmp_path)


@pytest.fixture(params=KINDS)
def young(made: dict[str, Desk], request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return _desk(made, request.param, "", tmp_path)


def run(here: Desk, *words: Any, **environment: str) -> Ran:
    """The command, in this process: there are many."""
    out, err, argv, before = io.StringIO(), io.StringIO(), sys.argv, dict(os.environ)
    sys.argv = ["evidence", *map(str, words), "-w", str(here.app.root)]
    os.environ.update({"LC_ALL": "C.UTF-8"} | environment)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        return Ran(int(end.code or 0), out.getvalue(), err.getvalue())
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(before)
    raise AssertionError("the command always ends by an exit")


def prefix(here: Desk) -> str:
    return here.app.archive.prefix(NAME)


def keys(here: Desk, room: str = "") -> list[str]:
    return [stat.key for stat in here.app.store.list(room)]


def events(here: Desk) -> list[str]:
    lines = run(here, "custody", "list", NAME, "--json").out.splitlines()
    return [json.loads(line)["event"] for line in lines]


def planned(here: Desk, file: Path) -> dict[str, Any]:
    done = run(here, "dispose", "--plan", file, "--why", "retention ended", "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = done.json
    return found


# --- holds ----------------------------------------------------------------------------------------


def test_a_hold_is_on_record_and_on_every_object_until_the_last_case_is_lifted(old: Desk) -> None:
    first = run(old, "hold", CASE, "--broadcast", NAME, "--why", "法院函", "--json")
    assert first.code == 0, first.err
    assert (first.json["action"], first.json["new"], first.json["why"]) == ("hold", True, "法院函")
    assert all(old.app.store.held(key) for key in keys(old, f"{prefix(old)}/"))
    again = run(old, "hold", CASE, "--broadcast", NAME, "--json").json
    assert (again["new"], again["number"]) == (False, 1)
    run(old, "hold", "other", "--order", ORDER)
    listed = [json.loads(line) for line in run(old, "holds", "--json").out.splitlines()]
    assert {one["case"]: one["broadcasts"] for one in listed} == {CASE: [NAME], "other": [NAME]}
    assert ORDER not in json.dumps(listed)
    by_order = run(old, "holds", "--order", ORDER, LC_ALL="zh_CN.UTF-8").out
    assert "other:冻结中" in by_order
    assert CASE not in by_order
    lifted = run(old, "hold", "--lift", CASE, "--why", "撤诉", "--json").json
    assert (lifted["action"], lifted["number"], lifted["why"]) == ("lift", 2, "撤诉")
    assert all(old.app.store.held(key) for key in keys(old, f"{prefix(old)}/media/"))
    assert run(old, "hold", "--lift", "other").code == 0
    assert not any(old.app.store.held(key) for key in keys(old))
    assert run(old, "holds").out == ""
    assert run(old, "holds", "--all").out.count("lifted") == 2
    assert sorted(events(old)[-4:]) == ["held", "held", "released", "released"]
    assert set(events(old)[:-4]) == {"ingested", "processed"}
    assert run(old, "custody", "verify").code == 0


def test_nothing_wrong_is_held_or_lifted(old: Desk) -> None:
    assert run(old, "hold", CASE, "--broadcast", "nobody").code == 12
    assert run(old, "hold", CASE, "--order", "nobody").code == 12
    assert run(old, "hold", "--lift", CASE).code == 12
    assert run(old, "hold", CASE).code == 2
    assert keys(old, "holds/") == []


def test_a_hold_stops_disposal_at_every_step(old: Desk, tmp_path: Path) -> None:
    assert len(planned(old, tmp_path / "before.json")["broadcasts"]) == 1
    run(old, "hold", CASE, "--order", ORDER)
    held = planned(old, tmp_path / "held.json")
    assert held["broadcasts"] == []
    assert held["kept_back"][0]["held_by"] == [f"case:{CASE}", "legal_hold"]
    before = keys(old)
    done = run(old, "dispose", tmp_path / "before.json", "--apply", "--json")
    assert (done.code, done.error["error"]) == (13, "under_hold")
    assert CASE in done.error["message"]
    assert keys(old) == before
    media = keys(old, f"{prefix(old)}/media/")[0]
    with pytest.raises(UnderHold):
        old.app.store.dispose(media, if_match=old.app.store.stat(media).etag)  # type: ignore[union-attr]
    assert old.app.store.stat(media) is not None


def test_a_hold_placed_while_disposal_runs_stops_it(old: Desk, tmp_path: Path) -> None:
    planned(old, tmp_path / "plan.json")
    app = old.app

    def drop(broadcast_id: str) -> int:  # the index is asked first: here somebody holds
        keeping.hold(old.works, CASE, broadcasts=[NAME], why="")
        return app.index.drop(broadcast_id)

    media = keys(old, f"{prefix(old)}/media/")
    with pytest.raises(UnderHold):
        disposal.carry_out(*_hands(old, tmp_path / "plan.json", drop))
    assert keys(old, f"{prefix(old)}/media/") == media
    assert run(old, "dispose", tmp_path / "plan.json", "--apply").code == 13
    assert "disposed" not in events(old)


def _hands(here: Desk, file: Path, drop: Any) -> Any:
    from datetime import UTC, datetime

    plan = disposal.read_plan(file.read_bytes(), name=str(file))
    app, now = here.app, datetime.now(UTC)
    signer = key_folder(app).signer()
    keep = app.settings.keep_days
    return plan, disposal.Desk(app.archive, signer, drop, keep, "t", app.writer, now, now)


@pytest.mark.services
def test_the_server_itself_refuses_to_remove_what_is_held(tmp_path: Path) -> None:
    here = desk(tmp_path, store=OLD + store_toml("s3"))
    keeping.hold(here.works, CASE, broadcasts=[NAME], why="")
    store = here.app.store
    assert isinstance(store, S3Store)
    client, bucket = store._client, store._bucket
    media = keys(here, f"{prefix(here)}/media/")[0]
    version = client.list_object_versions(Bucket=bucket, Prefix=media)["Versions"][0]["VersionId"]
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key=media, VersionId=version)
    keeping.lift(here.works, CASE, why="")
    client.delete_object(Bucket=bucket, Key=media, VersionId=version)
    assert store.stat(media) is None


@pytest.mark.services
def test_without_object_lock_the_case_holds_by_its_record(tmp_path: Path) -> None:
    toml = OLD + store_toml("s3").replace("keep-", "plain-") + "object_lock = false\n"
    here = desk(tmp_path, store=toml)
    done = run(here, "hold", CASE, "--broadcast", NAME, "--json").json
    assert done["store_objects"] == 0
    assert "no object lock" in done["store_reason"]
    assert planned(here, tmp_path / "plan.json")["kept_back"][0]["held_by"] == [f"case:{CASE}"]


# --- retention ------------------------------------------------------------------------------------


def test_what_is_not_past_its_retention_is_never_planned_nor_removed(
    young: Desk, tmp_path: Path
) -> None:
    plan = planned(young, tmp_path / "plan.json")
    assert (plan["broadcasts"], plan["kept_back"]) == ([], [])
    # Shorter settings do not reach back: the revision says until when, and the store is locked.
    shorter = run(
        young, "dispose", "--plan", tmp_path / "2.json", "--json", EVIDENCE_RETENTION_DAYS="1"
    )
    assert shorter.json["broadcasts"] == []
    until = young.app.archive.state(NAME).revision.retain_until_utc_ms
    for key in keys(young, f"{prefix(young)}/"):
        kept = young.app.store.retained_until(key)
        assert kept is not None, key
        assert round(kept.timestamp()) == round((until or 0) / 1000), key
        with pytest.raises((UnderHold, AccessDenied)):
            young.app.store.dispose(key, if_match=young.app.store.stat(key).etag)  # type: ignore[union-attr]


def test_a_merchant_can_be_kept_longer(tmp_path: Path) -> None:
    rows = 'retention_by_merchant = [{merchant_id = "m-1", days = 100000}]\n'
    here = desk(tmp_path, store=OLD + rows)
    until = here.app.archive.state(NAME).revision.retain_until_utc_ms
    assert until is not None
    assert until > 9_000_000_000_000
    assert planned(here, tmp_path / "plan.json")["broadcasts"] == []


def test_a_lengthened_retention_outlives_the_plan(old: Desk, tmp_path: Path) -> None:
    planned(old, tmp_path / "plan.json")
    before = keys(old)
    longer = '[{"merchant_id": "m-1", "days": 3000}]'
    done = run(
        old, "dispose", tmp_path / "plan.json", "--apply", EVIDENCE_RETENTION_BY_MERCHANT=longer
    )
    assert done.code == 13, done.err
    assert keys(old) == before


def test_orders_log_and_records_are_locked_too(young: Desk) -> None:
    stamp_custody(young.app)
    run(young, "hold", CASE, "--broadcast", NAME)
    run(young, "hold", "--lift", CASE)
    rooms = ("orders/", "custody-log/", "holds/", f"{prefix(young)}/logged/")
    for room in rooms:
        assert keys(young, room), room
        for key in keys(young, room):
            assert young.app.store.retained_until(key) is not None, key


# --- disposal -------------------------------------------------------------------------------------


def test_a_plan_is_carried_out_exactly_and_leaves_a_signed_record(
    old: Desk, tmp_path: Path
) -> None:
    sealed = old.seal(tmp_path / "sealed").folder
    trust = old.trust(tmp_path / "trust.json")
    recording = old.app.archive.state(NAME).revision.recordings[0].sha256
    plan = planned(old, tmp_path / "plan.json")
    before = keys(old)
    assert run(old, "dispose", tmp_path / "plan.json", LC_ALL="zh_CN.UTF-8").out.count("尚未删除")
    assert keys(old) == before, "a dry run changes nothing"
    done = run(old, "dispose", tmp_path / "plan.json", "--apply", "--json")
    assert done.code == 0, done.err
    (one,) = plan["broadcasts"]
    removed = {row["key"] for row in one["objects"]}
    assert done.json["objects"] == len(removed)
    left = set(keys(old))
    assert removed == set(before) - left
    rooms = {key.removeprefix(f"{one['prefix']}/").split("/")[0] for key in left}
    assert rooms == {"custody", "custody-roll", "disposals", "orders"}
    record, signer = opened(old.app.store.read(done.json["record"]), name="done")
    assert signer == json.loads(trust.read_text())["keys"][0]["key"]
    assert record["state"] == "done"
    (listed,) = record["plan"]["broadcasts"]
    assert listed == one
    assert recording in {row["sha256"] for row in listed["objects"]}
    assert events(old)[-1] == "disposed"
    assert json.loads(run(old, "search", "type:warranty", "--json").out)["total"] == 0
    assert run(old, "show", NAME).code == 12
    assert run(old, "reconcile").code == 0
    stamp_custody(old.app)
    assert stamp_custody(old.app).events == 0
    checked = run(old, "custody", "verify", "--json").json
    assert (checked["records"], checked["faults"]) == (2, [])
    logged = [key for e in _log(old) for key, _ in e]
    assert any(key.endswith("e000002.json") for key in logged), "the disposal is in the log"
    again = run(old, "dispose", tmp_path / "plan.json", "--apply", "--json").json
    assert again["new"] is False
    verified = evidence("verify", sealed, "--json")
    assert verified.code == 0, verified.out


def _log(here: Desk) -> list[list[list[str]]]:
    from pipeline.evidence.custody_log import entries

    return [entry.events for entry in entries(here.app.store)]


def test_a_plan_that_no_longer_fits_removes_nothing(old: Desk, tmp_path: Path) -> None:
    planned(old, tmp_path / "plan.json")
    old.app.store.put(f"{prefix(old)}/parts/more/x.json", b"{}")
    before = keys(old)
    done = run(old, "dispose", tmp_path / "plan.json", "--apply", "--json")
    assert (done.code, done.error["error"]) == (14, "plan_outdated")
    assert keys(old) == before
    assert run(old, "dispose", "--plan", tmp_path / "plan.json").code == 4, "no plan is overwritten"


def test_an_altered_plan_removes_nothing_else(old: Desk, tmp_path: Path) -> None:
    planned(old, tmp_path / "plan.json")
    before = keys(old)
    body = json.loads((tmp_path / "plan.json").read_text())
    order = keys(old, "orders/")[0]
    body["broadcasts"][0]["objects"][0]["key"] = order
    (tmp_path / "evil.json").write_text(json.dumps(body))
    assert run(old, "dispose", tmp_path / "evil.json", "--apply").code == 14
    body["format"] = "x"
    (tmp_path / "evil.json").write_text(json.dumps(body))
    assert run(old, "dispose", tmp_path / "evil.json", "--apply").code == 4
    assert keys(old) == before


def test_an_interrupted_disposal_is_finished(old: Desk, tmp_path: Path) -> None:
    plan = planned(old, tmp_path / "plan.json")
    (one,) = plan["broadcasts"]
    store = old.app.store
    desk_of = _hands(old, tmp_path / "plan.json", old.app.index.drop)
    disposal._put_signed(
        desk_of[1],
        f"disposals/{plan['plan_id']}/begun.json",
        disposal._record(desk_of[0], desk_of[1], "begun"),
    )
    for row in one["objects"][:7]:  # as a killed run leaves it
        store.dispose(row["key"], if_match=row["etag"])
    done = run(old, "dispose", tmp_path / "plan.json", "--apply", "--json")
    assert done.code == 0, done.err
    assert not {row["key"] for row in one["objects"]} & set(keys(old))
    assert events(old).count("disposed") == 1


def test_without_a_key_to_sign_with_nothing_is_removed(old: Desk, tmp_path: Path) -> None:
    planned(old, tmp_path / "plan.json")
    shutil.rmtree(old.app.keys / "signing")
    before = keys(old)
    assert run(old, "dispose", tmp_path / "plan.json", "--apply").code == 3
    assert run(old, "forget", "--order", ORDER).code == 3
    assert keys(old) == before
    assert run(old, "order", ORDER).code == 0


# --- forgetting -----------------------------------------------------------------------------------


def test_a_forgotten_person_is_gone_and_every_seal_still_verifies(
    young: Desk, tmp_path: Path
) -> None:
    sealed = tmp_path / "sealed"
    made = run(young, "order", ORDER, "--bundle", sealed, "--json")
    assert made.code == 0, made.err
    trust = young.trust(tmp_path / "trust.json")
    before = {key: young.app.store.read(key) for key in keys(young)}
    assert not any(b"ORD-1" in data or b"buyer-1" in data for data in before.values())
    done = run(young, "forget", "buyer-1", "--why", "request", "--json")
    assert done.code == 0, done.err
    assert (done.json["objects"], done.json["new"]) == (1, True)
    gone = run(young, "order", ORDER, "--json")
    assert (gone.code, gone.error["error"]) == (12, "not_found")
    assert {key: young.app.store.read(key) for key in before} == before
    record, signer = opened(young.app.store.read(done.json["record"]), name="forgotten")
    assert signer == json.loads(trust.read_text())["keys"][0]["key"]
    (row,) = record["objects"]
    assert row["key"].startswith("orders/")
    assert "buyer-1" not in json.dumps(record)
    assert not any(done.json["subject"] in p.name for p in young.app.keys.rglob("*.key"))
    again = run(young, "forget", "--order", ORDER, "--json").json
    assert (again["new"], again["record"]) == (False, done.json["record"])
    bundle = next(p for p in sealed.iterdir() if p.is_dir())
    assert evidence("verify", bundle).code == 0
    assert evidence("verify", bundle.with_name(f"{bundle.name}.zip")).code == 0
    assert '"records": 1, "faults": []' in run(young, "custody", "verify", "--json").out
    assert run(young, "custody", "verify", NAME, "--deep").code == 0


@pytest.mark.parametrize("hold", [["--order", ORDER], ["--broadcast", NAME]])
def test_nobody_is_forgotten_under_a_hold(young: Desk, hold: list[str]) -> None:
    run(young, "hold", CASE, *hold)
    for words in (["buyer-1"], ["--order", ORDER]):
        done = run(young, "forget", *words, "--json")
        assert (done.code, done.error["error"]) == (13, "under_hold")
    assert run(young, "order", ORDER).code == 0
    assert keys(young, "forgotten/") == []
    run(young, "hold", "--lift", CASE)
    assert run(young, "forget", "buyer-1").code == 0
    assert run(young, "forget", "nobody").code == 12


def test_an_altered_record_is_found(young: Desk) -> None:
    record = run(young, "forget", "buyer-1", "--json").json["record"]
    store = young.app.store
    if isinstance(store, S3Store):
        pytest.skip("the server's lock forbids altering it")
    path = store.local_path(record)
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"destroyed"', b'"kept"'))
    done = run(young, "custody", "verify", "--json")
    assert done.code == 10
    assert [fault["code"] for fault in json.loads(done.out.splitlines()[0])["faults"]] == ["record"]


# --- no other way ---------------------------------------------------------------------------------

ONLY = {
    "dispose": {"evidence/disposal.py", "glance.py"},
    "destroy": {"cases/orders.py"},
    "delete_object": {"ingest/s3_removal.py"},
    "delete_objects": set(),
    "put_object_lifecycle": set(),
    "bypass_governance_retention": set(),
}


def test_nothing_else_in_the_program_removes_objects_or_keys() -> None:
    found: dict[str, set[str]] = {name: set() for name in ONLY}
    for path in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "flows").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name = node.func.attr
                if name in found:
                    found[name].add(str(path.relative_to(ROOT / "pipeline")))
    assert found == ONLY


def test_a_short_disk_stops_ingest_and_removes_nothing(old: Desk, tmp_path: Path) -> None:
    before = {key: old.app.store.stat(key) for key in keys(old)}
    given = tmp_path / "given"
    with (given / "huge.mp4").open("wb") as file:
        file.truncate(shutil.disk_usage(tmp_path).free)
    body = json.loads((given / "broadcast.json").read_text()) | {"broadcast_id": "b-2"}
    (given / "two.json").write_text(json.dumps(body))
    done = run(old, "process", given / "huge.mp4", "--broadcast", given / "two.json", "--json")
    assert (done.code, done.error["error"]) == (11, "disk_short"), done.err
    assert {key: old.app.store.stat(key) for key in keys(old)} == before
    assert Service(open_workspace(old.app.root)).claims(NAME)


def test_cases_are_read_back_as_they_were_written(old: Desk) -> None:
    keeping.hold(old.works, "../x/<b>\u202e", broadcasts=[NAME], why="w", by="li")
    (step,) = holds.cases(old.app.store)
    assert (step.case, step.by, step.why) == ("../x/<b>\u202e", "li", "w")
    assert "\u202e" not in run(old, "holds").out
