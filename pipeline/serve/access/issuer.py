"""An OpenID Connect issuer as the desk sees it: where it answers, its keys, its ID tokens.

Nothing is followed or guessed: the description must name the issuer that the settings name, every
address must be HTTPS (or this machine), redirects are not followed, answers are small.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import ssl
import time
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

import jwt

from pipeline.errors import ConfigError, NotAllowed, StoreUnavailable
from pipeline.settings import OidcSettings

MOST_BYTES = 1 << 20
KNOWN_FOR_S = 3600
ASK_AGAIN_S = 30
"""A token with an unknown key makes the desk ask for the issuer's keys anew, but not more often."""
LEEWAY_S = 30
"""Clocks differ."""
OLDEST_S = 600
"""An ID token comes straight from the issuer: an old one is someone else's."""
_HERE = ("127.0.0.1", "localhost", "::1")


class Places(NamedTuple):
    """What the issuer says about itself."""

    authorize: str
    """Where people sign in."""
    token: str
    """Where a code becomes an ID token."""
    keys: str
    """Where its public keys lie."""
    names_itself: bool
    """Whether it sends its name with every answer (RFC 9207)."""
    by_body: bool
    """Whether it wants the client's secret in the form, not in a header."""


class Issuer:
    """Talks to one issuer; safe between threads."""

    def __init__(
        self, settings: OidcSettings, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._clock_s = settings, clock_s
        self._lock = Lock()
        self._places: tuple[float, Places] | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_s = float("-inf")

    def places(self) -> Places:
        """Its description, remembered for an hour.

        Raises:
            StoreUnavailable: it does not answer. ConfigError: it is not the issuer it should be.
        """
        with self._lock:
            if self._places is None or self._clock_s() - self._places[0] > KNOWN_FOR_S:
                self._places = (self._clock_s(), self._discovered())
            return self._places[1]

    def token(self, code: str, *, verifier: str, redirect_uri: str) -> str:
        """The ID token for a code.

        Raises:
            NotAllowed: the code is not taken. StoreUnavailable: the issuer does not answer.
        """
        places, settings = self.places(), self._settings
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        fields |= {"code_verifier": verifier, "client_id": settings.client_id}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        secret = settings.client_secret.get_secret_value()
        if secret and places.by_body:
            fields["client_secret"] = secret
        elif secret:
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        status, said = self._ask("POST", places.token, urlencode(fields), headers)
        found = said.get("id_token")
        if status != 200 or not isinstance(found, str):
            raise NotAllowed("the issuer did not take the code", hint="sign in again")
        return found

    def claims(self, id_token: str, *, nonce: str) -> dict[str, Any]:
        """What an ID token says, after every check.

        1. Its algorithm is one of the settings', all of which need a public key.
        2. It is signed by a key that the issuer publishes, made for that algorithm.
        3. It is from this issuer, for this client and, where it is for several, given to this one.
        4. It has not run out, is not from the future and not old.
        5. It answers this very sign-in (nonce) and names someone.

        Raises:
            NotAllowed: any of it does not hold. StoreUnavailable: the keys cannot be had.
        """
        wanted = self._settings
        try:
            head = jwt.get_unverified_header(id_token)
            if head.get("alg") not in wanted.algorithms:
                raise jwt.InvalidAlgorithmError("an algorithm that is not accepted")
            key = self._key(str(head.get("kid", "")), str(head["alg"]))
            found: dict[str, Any] = jwt.decode(
                id_token,
                key=key.key,
                algorithms=[head["alg"]],
                audience=wanted.client_id,
                issuer=wanted.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise _refused(str(error)) from error
        _fits(found, client_id=wanted.client_id, nonce=nonce)
        return found

    def _key(self, kid: str, algorithm: str) -> jwt.PyJWK:
        with self._lock:
            late = self._clock_s() - self._asked_s > KNOWN_FOR_S
            unknown = kid not in self._keys and self._clock_s() - self._asked_s > ASK_AGAIN_S
        if late or unknown:
            published = self._published()
            with self._lock:
                self._keys, self._asked_s = published, self._clock_s()
        found = self._keys.get(kid)
        if found is None and not kid and len(self._keys) == 1:
            (found,) = self._keys.values()
        if found is None or found.algorithm_name != algorithm:
            raise _refused("no published key of this name for this algorithm")
        return found

    def _published(self) -> dict[str, jwt.PyJWK]:
        """The issuer's public keys for signatures; shared secrets and unknown kinds are left out."""
        status, said = self._ask("GET", self.places().keys)
        if status != 200 or not isinstance(said.get("keys"), list):
            raise _away(self._settings.issuer)
        found = {}
        for row in said["keys"]:
            if not isinstance(row, dict) or row.get("use", "sig") != "sig":
                continue
            for algorithm in self._settings.algorithms:
                if row.get("kty") == "oct" or row.get("alg", algorithm) != algorithm:
                    continue
                try:
                    found[str(row.get("kid", ""))] = jwt.PyJWK(row, algorithm)
                except (jwt.PyJWTError, ValueError, TypeError):
                    continue
                break
        return found

    def _discovered(self) -> Places:
        name = self._settings.issuer
        status, said = self._ask("GET", f"{name.rstrip('/')}/.well-known/openid-configuration")
        if status != 200:
            raise _away(name)
        if said.get("issuer") != name:
            raise ConfigError(
                f"serve.oidc.issuer: {name} calls itself otherwise",
                hint="write it exactly as its description does",
            )
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        authorize, token, keys = (safe_url(str(said.get(field, "")), field) for field in names)
        ways = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        itself = said.get("authorization_response_iss_parameter_supported") is True
        by_body = "client_secret_basic" not in ways and "client_secret_post" in ways
        return Places(authorize, token, keys, itself, by_body)

    def _ask(
        self, method: str, url: str, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(safe_url(url, "serve.oidc.issuer"))
        line = self._line(parts.scheme, parts.hostname or "", parts.port)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Accept": "application/json", **(headers or {})}
        try:
            line.request(method, target, body or None, sent)
            answer = line.getresponse()
            data = answer.read(MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise _away(self._settings.issuer) from error
        finally:
            line.close()
        try:
            found = json.loads(data) if len(data) <= MOST_BYTES else None
        except ValueError:
            found = None
        return answer.status, found if isinstance(found, dict) else {}

    def _line(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        timeout_s = self._settings.timeout_s
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout_s)
        try:
            trust = ssl.create_default_context(cafile=self._settings.ca_file or None)
        except OSError as error:
            raise ConfigError(
                f"serve.oidc.ca_file: {error}", hint="name a PEM file that can be read"
            ) from error
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=trust)


def _fits(found: dict[str, Any], *, client_id: str, nonce: str) -> None:
    """Checks 3 to 5 as far as the library leaves them to us."""
    audience = found["aud"] if isinstance(found["aud"], list) else [found["aud"]]
    party = found.get("azp", client_id if len(audience) == 1 else None)
    if party != client_id:
        raise _refused("it was given to another client")
    if time.time() - int(found["iat"]) > OLDEST_S + LEEWAY_S:
        raise _refused("it is old")
    said = str(found.get("nonce", ""))
    if not hmac.compare_digest(said.encode(), nonce.encode()):
        raise _refused("it answers another sign-in")
    if not isinstance(found["sub"], str) or not 0 < len(found["sub"]) <= 255:
        raise _refused("it names nobody")


def safe_url(url: str, field: str) -> str:
    """An address that may be asked; plain HTTP on this machine alone.

    Raises:
        ConfigError: any other.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname in _HERE:
        return url
    raise ConfigError(f"{field}: {url!r} is not an https:// address", hint="use one")


def _refused(why: str) -> NotAllowed:
    return NotAllowed(f"the ID token does not hold: {why}", hint="sign in again")


def _away(name: str) -> StoreUnavailable:
    return StoreUnavailable(f"{name}: the issuer does not answer", hint="try again later")
