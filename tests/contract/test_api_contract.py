"""The API keeps to its description: generated requests against the real server, and no break."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import EXAMPLES, ROOT, evidence, short_broadcast, workspace
from tests.desks import ask, new_key, served
from tests.openapi_changes import breaking

COMMITTED = ROOT / "docs" / "openapi.json"
PROMISED = ROOT / "tests" / "assets" / "openapi-v1.json"
"""The description as it was first promised; it only ever grows with a new version."""


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_committed_description_is_current():
    made = evidence("serve", "--openapi")
    assert made.code == 0, made.err
    assert made.json == load(COMMITTED), "evidence serve --openapi > docs/openapi.json"


def test_nothing_that_was_promised_is_broken():
    assert breaking(load(PROMISED), load(COMMITTED)) == []


SEARCH = "/api/v1/search"
BREAKS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a path goes": lambda d: d["paths"].pop(SEARCH),
    "a method goes": lambda d: d["paths"]["/api/v1/clips"].pop("post"),
    "a parameter goes": lambda d: d["paths"][SEARCH]["get"]["parameters"].pop(0),
    "a parameter becomes required": lambda d: d["paths"][SEARCH]["get"]["parameters"][0].update(
        required=True
    ),
    "a new parameter is required": lambda d: d["paths"][SEARCH]["get"]["parameters"].append(
        {"name": "new", "in": "query", "required": True, "schema": {"type": "string"}}
    ),
    "a bound gets tighter": lambda d: next(
        p for p in d["paths"][SEARCH]["get"]["parameters"] if p["name"] == "size"
    )["schema"].update(maximum=10),
    "a choice goes": lambda d: next(
        p for p in d["paths"][SEARCH]["get"]["parameters"] if p["name"] == "polarity"
    )["schema"]["enum"].pop(),
    "a field of an answer goes": lambda d: d["components"]["schemas"]["Claim"]["properties"].pop(
        "quote"
    ),
    "a field of an answer changes its type": lambda d: d["components"]["schemas"]["Claim"][
        "properties"
    ]["start_ms"].update(type="string"),
    "a field of a request becomes required": lambda d: d["components"]["schemas"][
        "ClipWanted"
    ].update(required=["claim_id"]),
    "an answer goes": lambda d: d["paths"][SEARCH]["get"]["responses"].pop("200"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_noticed(name: str):
    new = copy.deepcopy(load(PROMISED))
    BREAKS[name](new)
    assert breaking(load(PROMISED), new) != []


def test_growing_is_no_break():
    new = copy.deepcopy(load(PROMISED))
    new["paths"]["/api/v1/new"] = {"get": {"responses": {"200": {"description": "New."}}}}
    new["components"]["schemas"]["Claim"]["properties"]["new"] = {"type": "string"}
    new["paths"][SEARCH]["get"]["parameters"].append(
        {"name": "new", "in": "query", "required": False, "schema": {"type": "string"}}
    )
    assert breaking(load(PROMISED), new) == []


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """A desk with one processed broadcast, an admin's key and a claim."""
    folder = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=20)
    words = folder / "words.json"
    segments = [{"start_ms": 2000, "end_ms": 7000, "text": "这款行李箱质保五年，坏了直接换新"}]
    words.write_text(json.dumps({"language": "zh", "segments": segments}), encoding="utf-8")
    here = workspace(tmp_path_factory.mktemp("desk") / "w")
    assert evidence("process", folder, "--transcript", words, "-w", here).code == 0
    orders = EXAMPLES / "zh01" / "orders.jsonl"
    assert evidence("orders", "import", orders, "-w", here).code == 0
    claim_id = evidence("claims", "sample-zh01", "--json", "-w", here).json[0]["claim_id"]
    key = new_key(here, "admin")["key"]
    loose = {"EVIDENCE_SERVE__REQUESTS_PER_MINUTE": "1000000", "EVIDENCE_SERVE__BURST": "100000"}
    loose["EVIDENCE_NOTIFY__ALLOWED_HOSTS"] = '["127.0.0.1:9"]'
    with served(here, **loose) as address:
        yield address, key, claim_id


CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


def generated(address: str, key: str, folder: Path, *options: str) -> str:
    """What schemathesis says after a run against the desk."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", str(COMMITTED)]
    command += ["--url", address, "--header", f"Authorization: Bearer {key}", "--seed", "1"]
    command += ["--checks", ",".join(CHECKS), "--generation-database", "none", "--no-color"]
    done = subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
    return done.stdout


NAMED_IN_BODY = {f"POST /api/v1/{what}" for what in ("clips", "bundles", "embeds", "webhooks")} | {
    f"POST /api/v1/cases/{{case_id}}/{what}"
    for what in ("things", "disclosures", "disclosures/{disclosure}/withdrawal")
}
"""What they are about stands in the body, which is made up: often there is none."""
REMOVED_BEFORE = {"POST /api/v1/webhooks/{hook_id}/test"}
"""The same run removes what they are about."""


def operations() -> int:
    methods = [method for path in load(COMMITTED)["paths"].values() for method in path]
    return len(methods)


@pytest.mark.slow
def test_any_request_is_answered_as_described(desk: tuple[str, str, str], tmp_path: Path):
    address, key, _ = desk
    said = generated(address, key, tmp_path, "--phases", "coverage", "--max-examples", "12")
    assert f"Tested: {operations()}" in said


@pytest.mark.slow
def test_requests_about_what_is_there_are_answered_as_described(
    desk: tuple[str, str, str], tmp_path: Path
):
    address, key, claim_id = desk
    opened = json.dumps({"title": "x", "claims": [claim_id]}).encode()
    hook = json.dumps({"name": "x", "url": "http://127.0.0.1:9/"}).encode()
    hooked = ask(
        f"{address}/api/v1/webhooks", method="POST", key=key, body=hook,
        Content_Type="application/json",
    )  # fmt: skip
    case = ask(
        f"{address}/api/v1/cases", method="POST", key=key, body=opened,
        Content_Type="application/json",
    )  # fmt: skip
    there = {"broadcast_id": "sample-zh01", "claim_id": claim_id, "clip_id": claim_id}
    there["hook_id"] = hooked.json["hook_id"]
    there |= {"sku_id": "LZ-LUG-01", "order_id": "ORD-26060501", "case_id": case.json["case_id"]}
    hits = ask(f"{address}/api/v1/search?size=100", key=key).json["hits"]
    there["line_id"] = next(h["document"]["line_id"] for h in hits if h["document"]["line_id"])
    lines = [f'"path.{name}" = "{value}"' for name, value in there.items()]
    numbers = ['"path.start_ms" = 2000', '"path.end_ms" = 7000', '"path.number" = 0']
    numbers += ['"path.release" = 1', '"path.first" = 0', '"path.after" = 1', '"path.part" = 0']
    numbers += ['"path.thing" = 1', '"path.disclosure" = 1']
    numbers += ['"path.low" = 0', '"path.high" = 1000', '"header.Range" = "bytes=0-9"']
    (tmp_path / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines, *numbers]))
    said = generated(address, key, tmp_path, "--phases", "fuzzing", "--max-examples", "8")
    assert f"Tested: {operations()}" in said
    unreached = re.search(r"core logic\n\n((?:  - .*\n)+)", said)
    assert set(re.findall(r"- (.+)", unreached[1] if unreached else "")) <= (
        NAMED_IN_BODY | REMOVED_BEFORE
    )
