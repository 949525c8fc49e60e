"""Who may see what: every route with every role, on a real desk over two merchants' broadcasts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.bootstrap import open_workspace
from pipeline.serve.http import make_app
from pipeline.serve.service import Service
from tests.command import evidence, processed, workspace
from tests.desks import Said, ask, form, new_key, served, sign_in

WORDS = [
    (2000, 7000, "这款行李箱质保五年，坏了直接换新"),
    (8000, 14000, "铝镁合金的箱体，不是塑料的"),
]
OWN, OTHER = "own-01", "other-02"
ORDER = "ORD-26060501"
SKU = "LZ-LUG-01"
EVERYONE = (
    "arbitrator", "agent", "merchant", "host", "party", "operator", "auditor", "admin", "nobody",
)  # fmt: skip
READERS = {"arbitrator", "agent", "merchant", "host", "auditor", "admin"}
REVIEWERS = {"arbitrator", "admin"}
UNLIMITED = READERS - {"merchant", "host"}
TOLD = READERS | {"party"}
"""Who may see what cases disclose."""
NO_CASE, NO_HOOK = "0" * 16, "0" * 12


class Given(NamedTuple):
    """A desk with a key for each role; merchant and host see ``OWN`` only."""

    address: str
    here: Path
    keys: dict[str, dict[str, Any]]
    claims: dict[str, str]
    """A claim of each broadcast."""
    bundles: dict[str, str]
    """A sealed bundle of each."""
    lines: dict[str, str]
    """A transcript line of each."""
    case: str
    """A case of both claims, disclosed to every role that is told."""

    def ask(self, path: str, role: str, **more: Any) -> Said:
        key = self.keys[role]["key"] if role != "nobody" else ""
        return ask(self.address + path, key=key, **more)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    here = workspace(tmp_path_factory.mktemp("access") / "w")
    folder = tmp_path_factory.mktemp("in")
    own = {"broadcast_id": OWN, "merchant_id": "M-OWN", "host_id": "H-OWN"}
    other = {"broadcast_id": OTHER, "merchant_id": "M-OTHER", "host_id": "H-OTHER"}
    processed(folder / "own", here, WORDS, **own)
    processed(folder / "other", here, WORDS, **other)
    orders = folder / "own" / "orders.jsonl"
    assert evidence("orders", "import", orders, "-w", here).code == 0
    limits = {"merchant": ("--merchant", "M-OWN"), "host": ("--host", "H-OWN")}
    keys = {r: new_key(here, r, *limits.get(r, ())) for r in EVERYONE if r != "nobody"}
    claims = {
        b: next(
            c["claim_id"]
            for c in evidence("claims", b, "--json", "-w", here).json
            if c["claim_type"] == "warranty"
        )
        for b in (OWN, OTHER)
    }
    assert evidence("keys", "new", "-w", here).code == 0
    with served(here, EVIDENCE_SERVE__EMBED_ORIGINS='["https://console.example"]') as address:
        key = keys["admin"]["key"]
        lines = {b: spoken(address, key, b) for b in (OWN, OTHER)}
        case = disclosed(here, keys, claims)
        yield Given(address, here, keys, claims, sealed(address, key, claims), lines, case)


def disclosed(here: Path, keys: dict[str, dict[str, Any]], claims: dict[str, str]) -> str:
    """A case of both claims, disclosed to the keys of every role to which that is done."""
    named = [part for claim in claims.values() for part in ("--claim", claim)]
    made = evidence("cases", "create", "walked", *named, "--json", "-w", here)
    assert made.code == 0, made.err
    to = [
        part
        for role in ("agent", "merchant", "host", "party")
        for part in ("--to", keys[role]["key_id"])
    ]
    case: str = made.json["case_id"]
    told = evidence("cases", "disclose", case, "--all", *to, "--why", "walked", "-w", here)
    assert told.code == 0, told.err
    return case


def spoken(address: str, key: str, broadcast: str) -> str:
    """The first transcript line of a broadcast."""
    listed = ask(f"{address}/api/v1/broadcasts/{broadcast}/lines", key=key).json["items"]
    return str(listed[0]["line_id"])


def sealed(address: str, key: str, claims: dict[str, str]) -> dict[str, str]:
    """A bundle of each claim, by its broadcast."""
    made = {}
    for broadcast, claim_id in claims.items():
        said = ask(
            f"{address}/api/v1/bundles",
            method="POST",
            key=key,
            body=json.dumps({"claim_id": claim_id}).encode(),
            Content_Type="application/json",
        )
        assert said.status == 201, said
        made[broadcast] = said.json["bundle"]["bundle_id"]
    return made


# --- every route, every role ------------------------------------------------------------------


class Expected(NamedTuple):
    """How a route answers."""

    paths: tuple[str, ...]
    """Examples: ``{b}`` a broadcast, ``{c}`` a claim, of one merchant and of the other."""
    allowed: set[str]
    """Roles that get an answer about their own."""
    status: int = 200
    owned: bool = False
    """Whether the limited roles are told that the other merchant's is not there."""
    open: bool = False
    """Whether someone without a key gets the same."""


ROUTES: dict[str, Expected] = {
    "GET /": Expected(("/", "/?q=五年"), READERS),
    "GET /login": Expected(("/login",), set(EVERYONE), open=True),
    "GET /login/issuer": Expected(("/login/issuer",), set(EVERYONE), status=404, open=True),
    "GET /login/issuer/done": Expected(
        ("/login/issuer/done",), set(EVERYONE), status=404, open=True
    ),
    "POST /login": Expected(("/login",), set(EVERYONE), status=303, open=True),
    "POST /logout": Expected(("/logout",), set(EVERYONE) - {"nobody"}, status=303),
    "GET /m/{claim_id}": Expected(("/m/{c}",), READERS, owned=True),
    "GET /s/{start_ms}-{end_ms}/{broadcast_id:path}": Expected(
        ("/s/2000-7000/{b}",), READERS, status=303, owned=True
    ),
    "GET /s/{start_ms}-{end_ms}-r{release}/{broadcast_id:path}": Expected(
        ("/s/2000-7000-r1/{b}",), READERS, owned=True
    ),
    "GET /api/v1/spans/{start_ms}-{end_ms}-r{release}/{broadcast_id:path}/clip.{kind}": Expected(
        ("/api/v1/spans/2000-7000-r1/{b}/clip.mp4",), READERS, owned=True
    ),
    "GET /api/v1/spans/{start_ms}-{end_ms}-r{release}/{broadcast_id:path}/viewing.{kind}": Expected(
        ("/api/v1/spans/2000-7000-r1/{b}/viewing.mp4",), READERS, status=404, owned=True
    ),
    "GET /b": Expected(("/b",), READERS | {"operator"}),
    "GET /b/{broadcast_id:path}": Expected(("/b/{b}",), READERS, owned=True),
    "GET /o": Expected((f"/o?order_id={ORDER}",), set(EVERYONE) - {"nobody"}, status=303),
    "GET /o/{order_id:path}": Expected((f"/o/{ORDER}",), UNLIMITED),
    "GET /review": Expected(("/review",), REVIEWERS),
    "GET /review/{claim_id}": Expected(("/review/{c}",), REVIEWERS),
    "POST /review/{claim_id}": Expected(("/review/{c}",), REVIEWERS, status=400),
    "GET /api/v1/review": Expected(("/api/v1/review",), REVIEWERS),
    "GET /api/v1/claims/{claim_id}/reviews": Expected(("/api/v1/claims/{c}/reviews",), REVIEWERS),
    "POST /api/v1/claims/{claim_id}/reviews": Expected(
        ("/api/v1/claims/{c}/reviews",), REVIEWERS, status=201
    ),
    "GET /l/{line_id}": Expected(("/l/{l}",), READERS, owned=True),
    "POST /l/{line_id}": Expected(("/l/{l}",), REVIEWERS, status=400),
    "GET /t/{broadcast_id:path}": Expected(("/t/{b}",), READERS, owned=True),
    "GET /api/v1/lines/{line_id}": Expected(("/api/v1/lines/{l}",), READERS, owned=True),
    "POST /api/v1/lines/{line_id}/corrections": Expected(
        ("/api/v1/lines/{l}/corrections",), REVIEWERS, status=201
    ),
    "GET /api/v1/broadcasts/{broadcast_id:path}/lines": Expected(
        ("/api/v1/broadcasts/{b}/lines",), READERS, owned=True
    ),
    "GET /sku/{sku_id:path}": Expected((f"/sku/{SKU}",), READERS),
    "GET /api/v1/skus/{sku_id:path}": Expected((f"/api/v1/skus/{SKU}",), READERS),
    "GET /api/v1/broadcasts/{broadcast_id:path}/keyframes/{number}.jpg": Expected(
        ("/api/v1/broadcasts/{b}/keyframes/0.jpg",), READERS, owned=True
    ),
    "GET /api/v1/broadcasts/{broadcast_id:path}/claims.csv": Expected(
        ("/api/v1/broadcasts/{b}/claims.csv",), READERS, owned=True
    ),
    "POST /api/v1/clips": Expected(("/api/v1/clips",), READERS, status=201, owned=True),
    "GET /api/v1/clips/{clip_id}": Expected(("/api/v1/clips/{c}",), READERS, owned=True),
    "GET /api/v1/clips/{clip_id}/clip.{kind}": Expected(
        ("/api/v1/clips/{c}/clip.mp4",), READERS, owned=True
    ),
    "POST /api/v1/bundles": Expected(("/api/v1/bundles",), READERS, status=201, owned=True),
    "GET /api/v1/bundles/{bundle_id}": Expected(("/api/v1/bundles/{p}",), READERS, owned=True),
    "GET /api/v1/bundles/{bundle_id}/checks": Expected(
        ("/api/v1/bundles/{p}/checks",), READERS, owned=True
    ),
    "GET /api/v1/bundles/{bundle_id}/bundle.zip": Expected(
        ("/api/v1/bundles/{p}/bundle.zip",), READERS, owned=True
    ),
    "POST /api/v1/embeds": Expected(("/api/v1/embeds",), READERS, status=201, owned=True),
    "GET /embed/{claim_id}": Expected(("/embed/{c}",), READERS, owned=True),
    "GET /static/embed.js": Expected(("/static/embed.js",), set(EVERYONE), open=True),
    "GET /mcp": Expected(("/mcp",), set(EVERYONE) - {"nobody"}, status=406),
    "GET /api/v1/claims/{claim_id}/viewing.{kind}": Expected(
        ("/api/v1/claims/{c}/viewing.mp4",), READERS, status=404, owned=True
    ),
    "GET /api/v1/spans/{start_ms}-{end_ms}/{broadcast_id:path}/viewing.{kind}": Expected(
        ("/api/v1/spans/2000-7000/{b}/viewing.mp4",), READERS, status=404, owned=True
    ),
    "GET /metrics": Expected(("/metrics",), {"operator", "auditor", "admin"}),
    "GET /ops": Expected(("/ops",), {"operator", "auditor", "admin"}),
    "GET /api/v1/operations": Expected(("/api/v1/operations",), {"operator", "auditor", "admin"}),
    "POST /o/{order_id:path}/likeness": Expected((f"/o/{ORDER}/likeness",), UNLIMITED, status=400),
    "POST /api/v1/orders/{order_id:path}/likeness": Expected(
        (f"/api/v1/orders/{ORDER}/likeness",), UNLIMITED, status=400
    ),
    "GET /cases": Expected(("/cases",), TOLD),
    "POST /cases": Expected(("/cases",), REVIEWERS, status=400),
    "GET /cases/{case_id}": Expected(("/cases/{k}",), TOLD),
    "POST /cases/{case_id}": Expected(("/cases/{k}",), REVIEWERS, status=400),
    "GET /cases/{case_id}/{thing}": Expected(("/cases/{k}/1", "/cases/{k}/2"), TOLD),
    "GET /api/v1/cases": Expected(("/api/v1/cases",), TOLD),
    "POST /api/v1/cases": Expected(("/api/v1/cases",), REVIEWERS, status=201),
    "GET /api/v1/cases/{case_id}": Expected(("/api/v1/cases/{k}",), TOLD),
    "POST /api/v1/cases/{case_id}/things": Expected(
        (f"/api/v1/cases/{NO_CASE}/things",), REVIEWERS, status=404
    ),
    "POST /api/v1/cases/{case_id}/disclosures": Expected(
        (f"/api/v1/cases/{NO_CASE}/disclosures",), REVIEWERS, status=404
    ),
    "POST /api/v1/cases/{case_id}/disclosures/{disclosure}/withdrawal": Expected(
        (f"/api/v1/cases/{NO_CASE}/disclosures/1/withdrawal",), REVIEWERS, status=404
    ),
    "POST /api/v1/cases/{case_id}/closing": Expected(
        (f"/api/v1/cases/{NO_CASE}/closing",), REVIEWERS, status=404
    ),
    "GET /api/v1/cases/{case_id}/things/{thing}": Expected(
        ("/api/v1/cases/{k}/things/1", "/api/v1/cases/{k}/things/2"), TOLD
    ),
    "GET /api/v1/cases/{case_id}/things/{thing}/clip": Expected(
        ("/api/v1/cases/{k}/things/2/clip",), TOLD
    ),
    "GET /api/v1/cases/{case_id}/things/{thing}/clip.{kind}": Expected(
        ("/api/v1/cases/{k}/things/2/clip.mp4",), TOLD
    ),
    "GET /api/v1/webhooks": Expected(("/api/v1/webhooks",), {"admin"}),
    "POST /api/v1/webhooks": Expected(("/api/v1/webhooks",), {"admin"}, status=400),
    "DELETE /api/v1/webhooks/{hook_id}": Expected(
        (f"/api/v1/webhooks/{NO_HOOK}",), {"admin"}, status=404
    ),
    "POST /api/v1/webhooks/{hook_id}/test": Expected(
        (f"/api/v1/webhooks/{NO_HOOK}/test",), {"admin"}, status=404
    ),
    "GET /status": Expected(("/status",), {"operator", "auditor", "admin"}),
    "GET /api/v1/search": Expected(("/api/v1/search?q=五年",), READERS),
    "GET /api/v1/broadcasts": Expected(("/api/v1/broadcasts",), READERS | {"operator"}),
    "GET /api/v1/broadcasts/{broadcast_id:path}/transcript": Expected(
        ("/api/v1/broadcasts/{b}/transcript",), READERS, owned=True
    ),
    "GET /api/v1/broadcasts/{broadcast_id:path}/claims": Expected(
        ("/api/v1/broadcasts/{b}/claims",), READERS, owned=True
    ),
    "GET /api/v1/broadcasts/{broadcast_id:path}": Expected(
        ("/api/v1/broadcasts/{b}",), READERS, owned=True
    ),
    "GET /api/v1/claims/{claim_id}": Expected(("/api/v1/claims/{c}",), READERS, owned=True),
    "GET /api/v1/claims/{claim_id}/clip": Expected(
        ("/api/v1/claims/{c}/clip",), READERS, owned=True
    ),
    "GET /api/v1/claims/{claim_id}/clip.{kind}": Expected(
        tuple(f"/api/v1/claims/{{c}}/clip.{kind}" for kind in ("mp4", "jpg", "srt")),
        READERS,
        owned=True,
    ),
    "GET /api/v1/spans/{start_ms}-{end_ms}/{broadcast_id:path}/clip.{kind}": Expected(
        ("/api/v1/spans/2000-7000/{b}/clip.mp4",), READERS, owned=True
    ),
    "GET /w/{claim_id}": Expected(("/w/{c}",), READERS, owned=True),
    "GET /api/v1/claims/{claim_id}/replay.m3u8": Expected(
        ("/api/v1/claims/{c}/replay.m3u8",), READERS, owned=True
    ),
    "GET /api/v1/spans/{start_ms}-{end_ms}/{broadcast_id:path}/replay.m3u8": Expected(
        ("/api/v1/spans/2000-7000/{b}/replay.m3u8",), READERS, owned=True
    ),
    "GET /api/v1/media/{release}-{number}/{broadcast_id:path}/header.mp4": Expected(
        ("/api/v1/media/1-0/{b}/header.mp4",), READERS, owned=True
    ),
    "GET /api/v1/media/{release}-{number}/{broadcast_id:path}/groups-{first}-{after}.m4s": Expected(
        ("/api/v1/media/1-0/{b}/groups-0-1.m4s",), READERS, owned=True
    ),
    "GET /api/v1/media/{release}-{number}/{broadcast_id:path}/part-{part}-{low}-{high}": Expected(
        ("/api/v1/media/1-0/{b}/part-0-0-1000",), READERS, status=416, owned=True
    ),
    "GET /api/v1/orders/{order_id:path}": Expected((f"/api/v1/orders/{ORDER}",), UNLIMITED),
    "GET /api/v1/status": Expected(("/api/v1/status",), {"operator", "auditor", "admin"}),
    "GET /api/v1/custody/{day}": Expected(("/api/v1/custody/2026-06-05",), {"auditor", "admin"}),
    "GET /api/v1/health": Expected(("/api/v1/health",), set(EVERYONE), open=True),
    "GET /api/v1/ready": Expected(("/api/v1/ready",), set(EVERYONE), open=True),
    "GET /openapi.json": Expected(("/openapi.json",), set(EVERYONE) - {"nobody"}),
    "GET /static": Expected(("/static/desk.js",), set(EVERYONE), open=True),
}


def routes(here: Path) -> set[str]:
    """Every route of the application, as ``METHOD /path``."""
    found = set()
    for path, methods in _flat(make_app(Service(open_workspace(here)), hosts=["x"]).routes):
        found |= {f"{method} {path}" for method in methods - {"HEAD"}}
    return found


def _flat(routes: Any) -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _flat(inner.routes)
        else:
            yield route.path, set(getattr(route, "methods", None) or {"GET"})


def sent_to(path: str, role: str, claim_id: str) -> dict[str, Any]:
    """The body that a route takes."""
    bodies: dict[str, dict[str, Any]] = {
        "/clips": {"claim_id": claim_id},
        "/bundles": {"claim_id": claim_id},
        "/embeds": {"claim_id": claim_id},
        "/corrections": {"text": f"质保五年，{role}", "reason": "so it is said"},
        "/cases": {"title": f"by {role}"},
        "/things": {"claims": [claim_id]},
        "/disclosures": {"to": ["0" * 12], "things": [1], "why": "for an answer"},
        "/withdrawal": {"why": "for an answer"},
        "/closing": {"why": "for an answer"},
        "/webhooks": {"name": "x", "url": "https://127.0.0.1/"},
        "/reviews": {"step": "heard", "heard": "x"},
    }
    return next((body for end, body in bodies.items() if path.endswith(end)), {})


def test_every_route_is_walked(given: Given):
    assert routes(given.here) == set(ROUTES)


@pytest.mark.parametrize("role", EVERYONE)
@pytest.mark.parametrize("route", ROUTES)
def test_every_route_with_every_role(given: Given, route: str, role: str):
    method, expected = route.partition(" ")[0], ROUTES[route]
    for path in expected.paths:
        for broadcast in (OWN, OTHER):
            own = broadcast == OWN
            if not own and not expected.owned:
                continue
            ids = {"b": broadcast, "c": given.claims[broadcast], "p": given.bundles[broadcast]}
            ids |= {"l": given.lines[broadcast], "k": given.case}
            asked = path.format(**ids).replace("五年", "%E4%BA%94")
            known = given.keys[role]["key"] if role != "nobody" else "re_none"
            body, more = None, {}
            if method == "POST":
                body, more = form(key=known), {"Origin": given.address}
            if method == "POST" and asked.startswith("/api/"):
                sent = json.dumps(sent_to(asked, role, given.claims[broadcast]))
                body, more = sent.encode(), {"Content_Type": "application/json"}
            said = given.ask(asked, role, method=method, body=body, **more)
            limited = role in ("merchant", "host")
            if role == "nobody" and not expected.open:
                to_login = method == "GET" and not asked.startswith("/api/")
                assert said.status == (303 if to_login else 401), (asked, said)
                assert not to_login or said.headers["location"].startswith("/login?next=")
            elif role not in expected.allowed:
                assert said.status == 403, (asked, said)
            elif limited and expected.owned and not own:
                assert said.status == 404, (asked, said)
            else:
                wrong_key = route == "POST /login" and role == "nobody"
                assert said.status == (401 if wrong_key else expected.status), (asked, said)


def test_unknown_methods_and_paths_stay_shut(given: Given):
    for path in ("/nothing", "/api/v1/nothing", "/api/v1/claims", "/static/../keys/secret.key"):
        assert given.ask(path, "nobody").status in (303, 401, 404)
        assert given.ask(path, "admin").status == 404
    for method in ("PUT", "DELETE", "PATCH", "TRACE"):
        assert given.ask("/api/v1/search", "nobody", method=method).status == 401
        assert given.ask("/api/v1/search", "admin", method=method).status == 405


# --- what a merchant sees ---------------------------------------------------------------------


@pytest.mark.parametrize("role", ["merchant", "host"])
def test_search_counts_and_covers_only_what_is_theirs(given: Given, role: str):
    for query in ("", "%E4%BA%94%E5%B9%B4", f"broadcast:{OTHER}%20OR%20type:warranty", "NOT%20x"):
        answer = given.ask(f"/api/v1/search?q={query}&size=200", role).json
        whole = given.ask(f"/api/v1/search?q={query}&size=200", "admin").json
        assert answer["hits"]
        assert {h["document"]["broadcast_id"] for h in answer["hits"]} == {OWN}
        assert {h["document"]["broadcast_id"] for h in whole["hits"]} == {OWN, OTHER}
        assert answer["total"] * 2 == whole["total"] or answer["total"] < whole["total"]
        assert answer["coverage"]["broadcasts"] == 1
        assert OTHER not in json.dumps(answer["facets"])
        assert "M-OTHER" not in json.dumps(answer["facets"])
    for narrowed in ("merchant=M-OTHER", f"broadcast={OTHER}", "host=H-OTHER"):
        answer = given.ask(f"/api/v1/search?{narrowed}", role).json
        assert (answer["hits"], answer["total"], answer["coverage"]["broadcasts"]) == ([], 0, 0)
    assert [b["broadcast_id"] for b in given.ask("/api/v1/broadcasts", role).json["items"]] == [OWN]
    assert OTHER not in given.ask("/b", role).text
    assert OTHER not in given.ask("/", role).text


def test_a_cursor_of_someone_else_leads_nowhere_new(given: Given):
    cursor = given.ask("/api/v1/search?q=&size=1", "admin").json["cursor"]
    answer = given.ask(f"/api/v1/search?q=&size=200&cursor={cursor}", "merchant").json
    assert {h["document"]["broadcast_id"] for h in answer["hits"]} <= {OWN}


def test_what_is_hidden_answers_as_what_is_not_there(given: Given):
    unknown = re.sub(
        r"-\d+$", "-0", re.sub(r"-[0-9a-f]{12}-", "-000000000000-", given.claims[OTHER])
    )
    pairs = [
        ("/api/v1/broadcasts/{}", OTHER, "never-seen"),
        ("/api/v1/broadcasts/{}/transcript", OTHER, "never-seen"),
        ("/api/v1/claims/{}", given.claims[OTHER], unknown),
        ("/api/v1/claims/{}/clip", given.claims[OTHER], unknown),
        ("/m/{}", given.claims[OTHER], unknown),
        ("/b/{}", OTHER, "never-seen"),
    ]
    for path, hidden, nothing in pairs:
        first = given.ask(path.format(hidden), "merchant")
        second = given.ask(path.format(nothing), "merchant")
        assert (first.status, second.status) == (404, 404)
        assert first.text.replace(hidden, "X") == second.text.replace(nothing, "X")
    beyond = re.sub(r"-\d+$", "-99999", given.claims[OTHER])
    assert given.ask(f"/api/v1/claims/{beyond}", "merchant").text.replace(beyond, "X") == given.ask(
        f"/api/v1/claims/{unknown}", "merchant"
    ).text.replace(unknown, "X")


# --- keys -------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_only_its_hash_is_kept(given: Given):
    made = given.keys["arbitrator"]
    assert re.fullmatch(r"re_[0-9a-f]{12}_[\w-]{43}", made["key"])
    listed = evidence("access", "list", "--json", "-w", given.here)
    assert made["key_id"] in listed.out
    kept = b"".join(p.read_bytes() for p in given.here.rglob("*") if p.is_file())
    secret = made["key"].rpartition("_")[2]
    for secret in (k["key"].split("_", 2)[2] for k in given.keys.values()):
        assert secret not in listed.out
        assert secret.encode() not in kept
    (file,) = (given.here / "keys" / "api").glob(f"{made['key_id']}.json")
    assert file.stat().st_mode & 0o077 == 0


def test_a_revoked_key_opens_nothing_from_then_on(given: Given):
    made = new_key(given.here, "arbitrator")
    cookie = sign_in(given.address, made["key"])
    link = ask(f"{given.address}/api/v1/claims/{given.claims[OWN]}/clip", key=made["key"]).json[
        "links"
    ]["mp4"]
    asked = f"{given.address}/api/v1/broadcasts"
    assert ask(asked, key=made["key"]).status == 200
    assert ask(asked, Cookie=cookie).status == 200
    assert ask(given.address + link).status == 200
    assert evidence("access", "revoke", made["key_id"], "-w", given.here).code == 0
    assert ask(asked, key=made["key"]).status == 401
    assert ask(asked, Cookie=cookie).status == 401
    assert ask(given.address + link).status == 401
    assert evidence("access", "revoke", "000000000000", "-w", given.here).code == 12


def test_an_expired_key_opens_nothing(given: Given):
    until = (datetime.now(UTC) + timedelta(seconds=8)).isoformat(timespec="milliseconds")
    made = new_key(given.here, "arbitrator", "--expires", until)
    cookie = sign_in(given.address, made["key"])
    assert ask(f"{given.address}/b", Cookie=cookie).status == 200
    time.sleep(max(0.0, made["expires_utc_ms"] / 1000 - time.time()) + 0.1)
    assert ask(f"{given.address}/b", Cookie=cookie).status == 303
    assert ask(f"{given.address}/api/v1/broadcasts", key=made["key"]).status == 401


def test_wrong_keys_are_told_nothing(given: Given):
    real = given.keys["admin"]["key"]
    for wrong in ("x", real[:-1], real[:-1] + ("A" if real[-1] != "A" else "B"), real + "A"):
        said = given.ask("/api/v1/broadcasts", "nobody", Authorization=f"Bearer {wrong}")
        assert said.status == 401
        assert said.headers["www-authenticate"].startswith("Bearer")
    assert given.ask("/api/v1/broadcasts", "nobody", Authorization=f"Basic {real}").status == 401


@pytest.mark.parametrize(
    "options",
    [
        ("--role", "merchant"),
        ("--role", "host", "--merchant", "M"),
        ("--role", "merchant", "--merchant", ""),
        ("--role", "arbitrator", "--merchant", "M"),
        ("--role", "arbitrator", "--expires", "2001-01-01T00:00:00Z"),
    ],
)
def test_keys_without_sense_are_not_made(given: Given, options: tuple[str, ...]):
    assert evidence("access", "new", "x", *options, "-w", given.here).code == 4


# --- the browser's way ------------------------------------------------------------------------


def test_signing_in_gives_a_cookie_no_script_and_no_other_site_can_use(given: Given):
    key = given.keys["arbitrator"]["key"]
    body = form(key=key, next="/m/abc?x=1")
    said = ask(f"{given.address}/login", method="POST", body=body, Origin=given.address)
    assert (said.status, said.headers["location"]) == (303, "/m/abc?x=1")
    attributes = said.headers["set-cookie"].lower()
    assert "httponly" in attributes
    assert "samesite=lax" in attributes
    assert key not in said.headers["set-cookie"]
    cookie = said.headers["set-cookie"].partition(";")[0]
    assert "a arbitrator" in ask(f"{given.address}/", Cookie=cookie).text
    for forged in (cookie[:-1] + "0", cookie.replace(".", ".9", 1), "desk=..", "desk=é.1.2"):
        assert ask(f"{given.address}/", Cookie=forged).status in (303, 400), forged
    out = ask(f"{given.address}/logout", method="POST", Cookie=cookie, Origin=given.address)
    assert 'desk=""' in out.headers["set-cookie"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {},
    ],
)
def test_forms_from_elsewhere_change_nothing(given: Given, headers: dict[str, str]):
    cookie = sign_in(given.address, given.keys["arbitrator"]["key"])
    for path in ("/logout", "/login"):
        said = ask(f"{given.address}{path}", method="POST", body=b"", Cookie=cookie, **headers)
        assert said.status == 403
        assert "set-cookie" not in said.headers


@pytest.mark.parametrize(
    "address", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/\x01"]
)
def test_signing_in_never_leads_elsewhere(given: Given, address: str):
    body = form(key=given.keys["agent"]["key"], next=address)
    said = ask(f"{given.address}/login", method="POST", body=body, Origin=given.address)
    assert said.headers["location"] == "/"


def test_wrong_keys_are_slowed_down(given: Given):
    with served(given.here) as fresh:
        statuses = []
        for _ in range(7):
            body = form(key="re_000000000000_" + "x" * 43)
            said = ask(f"{fresh}/login", method="POST", body=body, Origin=fresh)
            statuses.append(said.status)
        assert statuses == [401] * 5 + [429] * 2
        assert int(said.headers["retry-after"]) >= 1
        right = form(key=given.keys["admin"]["key"])
        assert ask(f"{fresh}/login", method="POST", body=right, Origin=fresh).status == 429


# --- signed links -----------------------------------------------------------------------------


def test_a_signed_link_opens_its_object_and_nothing_else(given: Given):
    own = given.claims[OWN]
    links = given.ask(f"/api/v1/claims/{own}/clip", "merchant").json["links"]
    assert ask(given.address + links["mp4"], Range="bytes=0-9").status == 206
    query = urlsplit(links["mp4"]).query
    for path in (
        f"/api/v1/claims/{own}/clip.jpg",
        f"/api/v1/claims/{given.claims[OTHER]}/clip.mp4",
        f"/api/v1/claims/{own}/clip",
        f"/api/v1/broadcasts/{OWN}",
        "/b",
    ):
        assert ask(f"{given.address}{path}?{query}").status in (303, 401), path
    parts = parse_qs(query)
    assert int(parts["until"][0]) - time.time() <= 600
    later = links["mp4"].replace(parts["until"][0], str(int(parts["until"][0]) + 1))
    past = links["mp4"].replace(parts["until"][0], str(int(time.time()) - 1))
    bent = links["mp4"].replace(parts["by"][0], given.keys["admin"]["key_id"])
    for changed in (later, past, bent, links["mp4"][:-1]):
        assert ask(given.address + changed).status == 401, changed


def test_a_playlist_opens_its_bytes_and_nothing_else(given: Given):
    own = given.claims[OWN]
    said = given.ask(f"/api/v1/claims/{own}/replay.m3u8", "merchant").text
    header = re.findall(r'URI="([^"]+)"', said)[0]
    pieces = [line for line in said.splitlines() if line.startswith("/")]
    assert ask(given.address + header).body[4:8] == b"ftyp"
    assert ask(given.address + pieces[0]).body[4:8] == b"moof"
    path, _, query = pieces[0].partition("?")
    assert f"/media/1-0/{OWN}/groups-" in path
    for other in (
        path.replace("groups-0-", "groups-1-"),
        path.replace(OWN, OTHER),
        path.replace("/media/1-0/", "/media/1-1/"),
        f"/api/v1/claims/{own}/replay.m3u8",
        f"/api/v1/media/1-0/{OWN}/part-0-0-1000",
    ):
        assert other != path
        assert ask(f"{given.address}{other}?{query}").status in (303, 401), other
    until = parse_qs(query)["until"][0]
    assert int(until) - time.time() <= 600
    past = pieces[0].replace(until, str(int(time.time()) - 1))
    assert ask(given.address + past).status == 401
    part = f"/api/v1/media/1-0/{OWN}/part-0-100-200"
    inside = given.ask(part, "merchant", Range="bytes=120-129")
    assert (inside.status, len(inside.body)) == (206, 10)
    assert inside.headers["content-range"].startswith("bytes 120-129/")
    for beyond in ("bytes=99-110", "bytes=200-201", "bytes=-5", "bytes=130-120"):
        assert given.ask(part, "merchant", Range=beyond).status == 416


# --- without keys, and beyond this machine ----------------------------------------------------


def test_without_keys_the_desk_is_for_this_machine(tmp_path: Path):
    here = workspace(tmp_path / "w")
    refused = evidence("serve", "--host", "0.0.0.0", "-w", here)
    assert refused.code == 3
    assert "no key" in refused.err
    with served(here) as address:
        assert ask(f"{address}/").status == 200
        for header in ("X_Forwarded_For", "Forwarded", "Via"):
            assert ask(f"{address}/", **{header: "for=9.9.9.9"}).status == 403
        for origin in ("http://elsewhere.example", "null"):
            assert ask(f"{address}/logout", method="POST", body=b"", Origin=origin).status == 403
        new_key(here, "admin")
        assert ask(f"{address}/").status == 303
        assert ask(f"{address}/api/v1/status").status == 401


def test_keys_never_cross_the_network_in_the_open(given: Given):
    refused = evidence("serve", "--host", "0.0.0.0", "-w", given.here)
    assert refused.code == 3
    assert "in the open" in refused.err


def test_behind_a_proxy_that_speaks_https_the_cookie_is_for_https(given: Given):
    with served(given.here, "--proxy", "127.0.0.1", "--name", "desk.example") as address:
        headers = {
            "Host": "desk.example",
            "X-Forwarded-Proto": "https",
            "Sec_Fetch_Site": "same-origin",
        }
        body = form(key=given.keys["agent"]["key"])
        said = ask(f"{address}/login", method="POST", body=body, **headers)
        assert "secure" in said.headers["set-cookie"].lower()
        assert ask(f"{address}/login", Host="other.example").status == 400


# --- custody ----------------------------------------------------------------------------------


def test_every_view_and_export_is_written_down(given: Given):
    own, day = given.claims[OWN], datetime.now(UTC).date().isoformat()
    agent = given.keys["agent"]
    with served(given.here) as fresh:
        seen = [
            ("searched", "search", "/api/v1/search?q=secret-words"),
            ("viewed", "broadcast", f"/b/{OWN}"),
            ("viewed", "transcript", f"/api/v1/broadcasts/{OWN}/transcript"),
            ("viewed", "claims", f"/api/v1/broadcasts/{OWN}/claims"),
            ("viewed", "claim", f"/api/v1/claims/{own}"),
            ("viewed", "moment", f"/m/{own}"),
            ("exported", "mp4", f"/api/v1/claims/{own}/clip.mp4"),
            ("viewed", "dossier", f"/api/v1/orders/{ORDER}"),
        ]
        for _, _, path in seen:
            assert ask(fresh + path, key=agent["key"]).status == 200
        custody = f"{fresh}/api/v1/custody/{day}?size=1000"
        running: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = ask(f"{custody}&cursor={cursor}", key=given.keys["auditor"]["key"]).json
            running += page["items"]
            cursor = page["cursor"]
            if not cursor:
                break
    mine = [e for e in running if e.get("key_id") == agent["key_id"]][-len(seen) :]
    assert [(e["event"], e["what"]) for e in mine] == [(e, w) for e, w, _ in seen]
    assert mine[1]["broadcast_id"] == OWN
    assert mine[4]["claim_id"] == own
    assert re.fullmatch(r"[0-9a-f]{64}", mine[6]["sha256"])
    store = open_workspace(given.here).store
    sealed = b"".join(store.read(s.key) for s in store.list(f"custody/{day}/"))
    for event in mine:
        assert json.dumps(event["at_utc_ms"]).encode() in sealed
    assert b"secret-words" not in sealed
    assert ORDER.encode() not in sealed
