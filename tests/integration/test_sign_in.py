"""People sign in through an issuer: a real desk and a real, small issuer, over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.serve import build
from pipeline.bootstrap import open_workspace
from pipeline.errors import NotAllowed
from pipeline.serve.access.issuer import Issuer as Keys
from pipeline.settings import OidcSettings
from tests.command import evidence, workspace
from tests.desks import Said, ask, new_key, served
from tests.issuer import CLIENT, SECRET, Issuer, Token, running

SETTINGS = """
[serve.oidc]
issuer = "{issuer}"
client_id = "desk"
roles = [
  {{value = "desk-arbitrators", role = "arbitrator"}},
  {{value = "shops", role = "merchant"}},
  {{value = "agencies", role = "host"}},
]
merchant_claim = "shop_ids"
"""


OWN, OTHER = "room-0000", "room-0001"
"""Of shop-0 and host-0, and of shop-1 and host-1."""


class Given(NamedTuple):
    """A desk that knows an issuer, and an address of one's own to come from."""

    desk: str
    here: Path
    issuer: Issuer
    client: str

    def ask(self, path: str, **more: Any) -> Said:
        return ask(f"{self.desk}{path}", X_Forwarded_For=self.client, **more)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    here = workspace(tmp_path_factory.mktemp("sign-in") / "w")
    build(open_workspace(here), broadcasts=2, claims=6)
    with opened(here) as given:
        yield given


@contextmanager
def opened(here: Path, **issuer: Any) -> Iterator[Given]:
    """A desk of its own, with an issuer of its own."""
    with running() as other:
        vars(other).update(issuer)
        settings = here / "evidence.toml"
        settings.write_text(SETTINGS.format(issuer=other.address), encoding="utf-8")
        more = {"EVIDENCE_SERVE__OIDC__CLIENT_SECRET": SECRET}
        with served(here, "--proxy", "127.0.0.1", **more) as address:
            yield Given(address, here, other, "10.9.9.9")


_CLIENTS = count(1)


@pytest.fixture
def given(desk: Given) -> Given:
    """The desk, asked from another address each time: failures are counted by address."""
    desk.issuer.person = {"sub": "u-1", "name": "李伟", "roles": ["desk-arbitrators"]}
    desk.issuer.bend = lambda token: token
    vars(desk.issuer).pop("post", None)
    desk.issuer.asked.clear()
    return desk._replace(client=f"10.0.0.{next(_CLIENTS)}")


class Way(NamedTuple):
    """A sign-in on its way back to the desk."""

    given: Given
    back: str
    cookie: str


def begun(given: Given, after: str = "/b") -> Way:
    """To the issuer, who lets the person in at once; what the browser would ask next."""
    there = given.ask(f"/login/issuer?{urlencode({'next': after})}")
    assert there.status == 303, there
    attributes = there.headers["set-cookie"].lower()
    assert "httponly" in attributes
    assert "samesite=lax" in attributes
    cookie = there.headers["set-cookie"].partition(";")[0]
    back = ask(there.headers["location"])
    assert back.status == 302, back
    path = back.headers["location"].removeprefix(given.desk)
    assert path.startswith("/login/issuer/done?")
    return Way(given, path, cookie)


def ended(way: Way) -> Said:
    return way.given.ask(way.back, Cookie=way.cookie)


def signed_in(given: Given, after: str = "/b") -> str:
    """The session's cookie."""
    said = ended(begun(given, after))
    assert said.status == 303, said.text
    return said.headers["set-cookie"].partition(";")[0]


def altered(given: Given, **claims: Any) -> None:
    """Tokens from now on say this; a null takes a claim away."""

    def bend(token: Token) -> Token:
        said, key, algorithm, head = token
        said = {k: v for k, v in (said | claims).items() if v is not None}
        return said, key, algorithm, head

    given.issuer.bend = bend


# --- in ---------------------------------------------------------------------------------------


def test_a_person_signs_in_reads_and_signs_out(given: Given):
    assert 'href="/login/issuer?next=/"' in given.ask("/login").text
    said = ended(begun(given, after="/b?x=1"))
    assert (said.status, said.headers["location"]) == (303, "/b?x=1")
    cookies = said.headers["set-cookie"].lower()
    assert "httponly" in cookies
    assert "samesite=lax" in cookies
    session = said.headers["set-cookie"].partition(";")[0]
    shown = given.ask("/b", Cookie=session)
    assert shown.status == 200
    assert "李伟" in shown.text
    assert given.ask("/api/v1/review", Cookie=session).status == 200
    assert given.ask("/api/v1/status", Cookie=session).status == 403
    out = given.ask("/logout", method="POST", Cookie=session, Origin=given.desk)
    assert 'desk=""' in out.headers["set-cookie"]


def test_with_an_issuer_nobody_is_let_in_without_signing_in(given: Given):
    assert given.ask("/b").status == 303
    assert given.ask("/api/v1/broadcasts").status == 401


def test_the_same_person_is_the_same_and_can_be_shut_out(given: Given):
    given.issuer.person |= {"sub": "u-shut"}
    first, second = signed_in(given), signed_in(given)
    key_id = first.partition("=")[2].partition(".")[0]
    assert second.startswith(f"desk={key_id}.")
    listed = evidence("access", "list", "--json", "-w", given.here).json
    (record,) = [row for row in listed if row["key_id"] == key_id]
    assert (record["subject"], record["issuer"]) == ("u-shut", given.issuer.name)
    assert record["expires_utc_ms"] <= (time.time() + 8 * 3600) * 1000
    assert evidence("access", "revoke", key_id, "-w", given.here).code == 0
    assert given.ask("/b", Cookie=first).status == 303
    assert ended(begun(given)).status == 401


def test_a_role_that_changed_holds_for_sessions_that_are_open(given: Given):
    session = signed_in(given)
    assert given.ask("/api/v1/review", Cookie=session).status == 200
    given.issuer.person |= {"roles": ["shops"], "shop_ids": ["shop-0"]}
    signed_in(given)
    assert given.ask("/api/v1/review", Cookie=session).status == 403


@pytest.mark.parametrize(
    "person",
    [{"roles": "shops", "shop_ids": "shop-0"}, {"roles": ["x", "agencies"], "hosts": ["host-0"]}],
)
def test_a_party_sees_its_own_broadcasts(given: Given, person: dict[str, Any]):
    given.issuer.person = {"sub": f"party-{len(person)}-{person['roles']}"} | person
    session = signed_in(given)
    items = given.ask("/api/v1/broadcasts", Cookie=session).json["items"]
    assert [row["broadcast_id"] for row in items] == [OWN]
    assert given.ask(f"/b/{OTHER}", Cookie=session).status == 404


@pytest.mark.parametrize(
    "person",
    [
        {"roles": []},
        {"roles": ["somebody"]},
        {"roles": None},
        {"roles": {"desk-arbitrators": 1}},
        {"roles": ["shops"]},
        {"roles": ["shops"], "shop_ids": []},
        {"roles": ["agencies"], "shop_ids": ["shop-0"]},
        {"roles": ["arbitrator"]},
    ],
)
def test_without_a_role_nobody_gets_in(given: Given, person: dict[str, Any]):
    given.issuer.person = {"sub": "nobody"} | person
    said = ended(begun(given))
    assert said.status == 401
    assert "desk=" not in said.headers.get("set-cookie", "")


def test_keys_still_open_beside_the_issuer(given: Given):
    key = new_key(given.here, "arbitrator")["key"]
    assert given.ask("/api/v1/broadcasts", key=key).status == 200


# --- attacks on the way -----------------------------------------------------------------------


def test_a_wrong_state_signs_nobody_in(given: Given):
    way = begun(given)
    state = parse_qs(urlsplit(way.back).query)["state"][0]
    for other in (way.back.replace(state, "0" * 64), way.back.replace(f"&state={state}", "")):
        said = given.ask(other, Cookie=way.cookie)
        assert said.status == 401
        assert "desk=" not in said.headers.get("set-cookie", "")
    assert "/token" not in given.issuer.asked


def test_a_sign_in_of_another_browser_is_not_taken_over(given: Given):
    mine, theirs = begun(given), begun(given)
    assert given.ask(theirs.back, Cookie=mine.cookie).status == 401
    assert given.ask(theirs.back).status == 401
    name, _, rest = mine.cookie.partition(".")
    until, _, rest = rest.partition(".")
    longer = f"{name}.{int(until) + 9}.{rest}"
    assert given.ask(mine.back, Cookie=longer).status == 401
    assert "/token" not in given.issuer.asked


def test_a_sign_in_ends_once(given: Given):
    way = begun(given)
    assert ended(way).status == 303
    assert ended(way).status == 401
    assert given.issuer.asked.count("/token") == 1


def test_a_code_of_another_sign_in_opens_nothing(given: Given):
    """PKCE: a code that was stolen is of no use with another browser's verifier."""
    mine, theirs = begun(given), begun(given)
    code = [parse_qs(urlsplit(way.back).query)["code"][0] for way in (mine, theirs)]
    assert given.ask(mine.back.replace(code[0], code[1]), Cookie=mine.cookie).status == 401


def test_a_token_of_another_sign_in_opens_nothing(given: Given):
    seen: list[dict[str, Any]] = []

    def keep(token: Token) -> Token:
        seen.append(token[0])
        return token

    given.issuer.bend = keep
    assert ended(begun(given)).status == 303
    altered(given, nonce=seen[0]["nonce"])
    assert ended(begun(given)).status == 401
    altered(given, nonce=None)
    assert ended(begun(given)).status == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"azp": "another"},
        {"aud": None},
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"iat": int(time.time()) + 7200},
        {"iat": int(time.time()) - 7200},
        {"iat": None},
        {"nbf": int(time.time()) + 7200},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
    ],
    ids="-".join,
)
def test_a_token_that_is_not_for_this_holds_nothing(given: Given, claims: dict[str, Any]):
    altered(given, **claims)
    said = ended(begun(given))
    assert said.status == 401
    assert "desk=" not in said.headers.get("set-cookie", "")
    altered(given)
    assert ended(begun(given)).status == 303


def _none(given: Given, token: Token) -> Token:
    return token[0], None, "none", token[3]


def _other_key(given: Given, token: Token) -> Token:
    return (
        token[0],
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "RS256",
        token[3],
    )


def _own_key_in_header(given: Given, token: Token) -> Token:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    row = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), True)
    return token[0], key, "RS256", {"kid": "mine", "jwk": row, "jku": f"{given.issuer.address}/x"}


def _not_listed(given: Given, token: Token) -> Token:
    return token[0], token[1], "RS512", token[3]


@pytest.mark.parametrize("bend", [_none, _other_key, _own_key_in_header, _not_listed])
def test_a_token_signed_otherwise_holds_nothing(given: Given, bend: Any):
    given.issuer.bend = lambda token: bend(given, token)
    assert ended(begun(given)).status == 401


def test_a_public_key_is_no_shared_secret(given: Given):
    """HS256 keyed with the published RSA key; made by hand, as the library refuses to."""
    way = begun(given)
    given.issuer.bend = lambda token: (token[0], "x" * 32, "HS256", token[3])

    def post(path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        status, said = Issuer.post(given.issuer, path, form, authorization)
        head, body, _ = said["id_token"].split(".")
        mac = hmac.new(given.issuer.public_pem(), f"{head}.{body}".encode(), hashlib.sha256)
        signature = urlsafe_b64encode(mac.digest()).decode().rstrip("=")
        return status, said | {"id_token": f"{head}.{body}.{signature}"}

    given.issuer.post = post  # type: ignore[method-assign]
    assert ended(way).status == 401
    assert "/token" in given.issuer.asked


@pytest.mark.parametrize(
    "after", ["//evil.example", "https://evil.example", "/\\evil.example", "evil"]
)
def test_signing_in_through_the_issuer_never_leads_elsewhere(given: Given, after: str):
    assert ended(begun(given, after)).headers["location"] == "/"


def test_keys_of_the_issuer_change(desk: Given):
    with opened(desk.here) as given:
        given.issuer.rotate("k2")
        assert ended(begun(given)).status == 303
        given.issuer.rotate("k3")
        for _ in range(3):
            assert ended(begun(given)).status == 401
        assert given.issuer.asked.count("/jwks") == 1


def test_a_key_unknown_so_far_is_asked_for():
    clock = [0.0]
    with running() as issuer:
        settings = OidcSettings(issuer=issuer.name, client_id=CLIENT)
        ours = Keys(settings, clock_s=lambda: clock[0])
        assert ours.claims(token_of(issuer), nonce="n")["sub"] == "u-1"
        issuer.rotate("k2")
        with pytest.raises(NotAllowed):
            ours.claims(token_of(issuer), nonce="n")
        clock[0] += 31
        assert ours.claims(token_of(issuer), nonce="n")["sub"] == "u-1"


def token_of(issuer: Issuer) -> str:
    """A token as the issuer would give it."""
    now = int(time.time())
    said = {"iss": issuer.name, "aud": CLIENT, "sub": "u-1", "iat": now, "exp": now + 60}
    kid, key = next(iter(issuer.keys.items()))
    return jwt.encode(said | {"nonce": "n"}, key, algorithm="RS256", headers={"kid": kid})


def test_an_issuer_that_names_itself_must(desk: Given):
    with opened(desk.here, names_itself=True) as given:
        way = begun(given)
        assert given.ask(way.back.replace("iss=http", "iss=https"), Cookie=way.cookie).status == 401
        way = begun(given)
        assert given.ask(way.back.partition("&iss=")[0], Cookie=way.cookie).status == 401
        assert ended(begun(given)).status == 303


def test_an_issuer_that_is_away_or_calls_itself_otherwise_is_not_believed(desk: Given):
    with opened(desk.here, down=True) as given:
        assert given.ask("/login/issuer").status == 503
        given.issuer.down, given.issuer.name = False, "http://127.0.0.1:1"
        said = given.ask("/login/issuer")
        assert said.status == 401
        assert "location" not in said.headers


def test_failures_are_slowed_down(given: Given):
    for _ in range(5):
        assert given.ask("/login/issuer/done?code=x&state=y").status == 401
    said = given.ask("/login/issuer/done?code=x&state=y")
    assert said.status == 429
    assert int(said.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "wrong",
    [
        'issuer = "http://login.example"\nclient_id = "d"\nroles = [{value = "a", role = "agent"}]',
        'issuer = "http://127.0.0.1:1"\nclient_id = ""\nroles = [{value = "a", role = "agent"}]',
        'issuer = "http://127.0.0.1:1"\nclient_id = "d"\nroles = []',
        'issuer = "http://127.0.0.1:1"\nclient_id = "d"\nroles = [{value = "a", role = "king"}]',
        'issuer = "http://127.0.0.1:1"\nclient_id = "d"\nroles = [{value = "a", role = "agent"}]\nalgorithms = ["HS256"]',
    ],
)
def test_settings_that_would_let_in_the_wrong_people_are_refused(tmp_path: Path, wrong: str):
    here = workspace(tmp_path / "w")
    (here / "evidence.toml").write_text(f"[serve.oidc]\n{wrong}\n", encoding="utf-8")
    refused = evidence("serve", "--port", "0", "-w", here)
    assert refused.code == 3, refused
