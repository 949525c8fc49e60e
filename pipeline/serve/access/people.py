"""People who sign in through an issuer: one sign-in from its beginning to its end, and who they are.

A sign-in leaves nothing behind on the server. The browser keeps a signed, short-lived cookie with a
random number; state, nonce and the PKCE verifier are keyed hashes of that number, so they belong to
this browser and to this sign-in, and any process of the desk can end what another began.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pipeline.errors import ConfigError, NotAllowed
from pipeline.serve.access.issuer import Issuer, safe_url
from pipeline.serve.access.keys import LONGEST_NAME, ApiKey, KeyBook
from pipeline.serve.access.roles import LIMITED, ROLES, Role
from pipeline.settings import OidcSettings

FLOW_COOKIE = "desk_sign_in"
FLOW_S = 600
STAY_S = 8 * 3600
_MOST_ENDED = 10_000
_MOST_IDS = 1000


class Begun(NamedTuple):
    """A sign-in that began."""

    url: str
    """Where the browser goes."""
    cookie: str
    """What it keeps meanwhile."""


class People:
    """Signs people in through the issuer of the settings."""

    def __init__(self, settings: OidcSettings, book: KeyBook) -> None:
        """Refuses settings that could let in the wrong people.

        Raises:
            ConfigError: something is missing, or is not a role.
        """
        _check(settings)
        self._settings, self._book = settings, book
        self._issuer = Issuer(settings)
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def begin(self, *, after: str, redirect_uri: str) -> Begun:
        """Where to send the browser; ``after`` is the page it gets in the end."""
        flow, until = secrets.token_urlsafe(32), int(time.time()) + FLOW_S
        place = base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")
        text = f"{flow}.{until}.{place}"
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": self._of("state", flow),
            "nonce": self._of("nonce", flow),
            "code_challenge": _challenge(self._of("verifier", flow)),
            "code_challenge_method": "S256",
        }
        address = self._issuer.places().authorize
        joined = "&" if "?" in address else "?"
        return Begun(f"{address}{joined}{urlencode(asked)}", f"{text}.{self._of('cookie', text)}")

    def end(self, asked: dict[str, str], cookie: str, *, redirect_uri: str) -> tuple[ApiKey, str]:
        """Who signed in, and the page to show; ``asked`` is what the issuer sent back.

        Raises:
            NotAllowed: this sign-in did not begin in this browser, ended before, was refused by
                the issuer, its token does not hold, or the person has no role here.
        """
        flow, after = self._flow(cookie)
        if not hmac.compare_digest(
            asked.get("state", "").encode(), self._of("state", flow).encode()
        ):
            raise NotAllowed("this sign-in began elsewhere", hint="sign in again")
        self._once(flow)
        places = self._issuer.places()
        named = asked.get("iss", self._settings.issuer if not places.names_itself else "")
        if named != self._settings.issuer:
            raise NotAllowed("another issuer answered", hint="sign in again")
        if "error" in asked or not asked.get("code"):
            raise NotAllowed("the issuer let nobody in", hint="sign in again")
        verifier = self._of("verifier", flow)
        token = self._issuer.token(asked["code"], verifier=verifier, redirect_uri=redirect_uri)
        said = self._issuer.claims(token, nonce=self._of("nonce", flow))
        return self._person(said), after

    def _flow(self, cookie: str) -> tuple[str, str]:
        text, _, mac = cookie.rpartition(".")
        if not hmac.compare_digest(self._of("cookie", text).encode(), mac.encode()):
            raise NotAllowed("no sign-in began in this browser", hint="sign in again")
        flow, until, place = text.split(".")
        if int(until) <= time.time():
            raise NotAllowed("this sign-in took too long", hint="sign in again")
        return flow, base64.urlsafe_b64decode(place + "==").decode()

    def _once(self, flow: str) -> None:
        """A sign-in ends once; the issuer's codes hold once, too, whichever process is asked."""
        with self._lock:
            if flow in self._ended:
                raise NotAllowed("this sign-in has ended before", hint="sign in again")
            self._ended[flow] = None
            while len(self._ended) > _MOST_ENDED:
                self._ended.popitem(last=False)

    def _person(self, said: dict[str, Any]) -> ApiKey:
        settings = self._settings
        role = self._role(_texts(said.get(settings.role_claim)))
        limits = {"merchants": settings.merchant_claim, "hosts": settings.host_claim}
        seen = {
            field: _texts(said.get(claim)) if role == field[:-1] else ()
            for field, claim in limits.items()
        }
        if role in LIMITED and not any(seen.values()):
            raise NotAllowed(
                f"the issuer names no broadcasts for this {role}", hint="ask its administrator"
            )
        return self._book.person(
            settings.issuer,
            said["sub"],
            name=_name(said, settings.name_claim),
            role=role,
            expires_utc_ms=(int(time.time()) + STAY_S) * 1000,
            **seen,
        )

    def _role(self, values: tuple[str, ...]) -> Role:
        for known in self._settings.roles:
            if known.value in values:
                return next(role for role in ROLES if role == known.role)
        raise NotAllowed("the issuer gives this person no role here", hint="ask its administrator")

    def _of(self, kind: str, text: str) -> str:
        return self._book.ring.hashed(f"oidc-{kind}", text)


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _texts(value: Any) -> tuple[str, ...]:
    """A claim's values: one text, or several."""
    rows = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(row for row in rows[:_MOST_IDS] if isinstance(row, str) and row)


def _name(said: dict[str, Any], claim: str) -> str:
    """A name to show; whatever it is, one line of printable text."""
    for field in (claim, "preferred_username", "email", "sub"):
        text = "".join(c for c in str(said.get(field) or "") if c.isprintable()).strip()
        if text:
            return text[:LONGEST_NAME]
    return "?"


def _check(settings: OidcSettings) -> None:
    safe_url(settings.issuer, "serve.oidc.issuer")
    wrong = [known.role for known in settings.roles if known.role not in ROLES]
    if wrong:
        raise ConfigError(
            f"serve.oidc.roles: {wrong[0]!r} is no role", hint=f"one of {', '.join(ROLES)}"
        )
    if not settings.client_id or not settings.roles or "openid" not in settings.scopes:
        raise ConfigError(
            "serve.oidc: client_id, roles or the scope openid is missing",
            hint="without roles nobody would get in; see infra/settings.example.toml",
        )
