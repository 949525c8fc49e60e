"""A small OpenID Connect issuer over HTTP, with its own RSA key: as strict as a real one.

It describes itself, publishes its keys, lets in whoever :attr:`person` is at ``/authorize`` and gives
an ID token for a code at ``/token``: once, to the right client, redirect address and PKCE verifier.
:attr:`bend` lets a test alter what a token says, and with what it is signed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "desk", "s3cret:with %"
Token = tuple[dict[str, Any], Any, str, dict[str, Any]]
"""Claims, key, algorithm, header."""


class Issuer:
    """The issuer; tests change its fields between sign-ins."""

    def __init__(self) -> None:
        self.address = ""
        self.name = ""
        self.person: dict[str, Any] = {"sub": "u-1", "name": "李伟", "roles": ["desk-arbitrators"]}
        self.keys = {"k1": rsa.generate_private_key(public_exponent=65537, key_size=2048)}
        self.bend: Callable[[Token], Token] = lambda token: token
        self.names_itself = False
        self.down = False
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def rotate(self, kid: str) -> None:
        """Another key takes over."""
        self.keys = {kid: rsa.generate_private_key(public_exponent=65537, key_size=2048)}

    def public_pem(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = next(iter(self.keys.values())).public_key()
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def get(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/.well-known/openid-configuration":
            return 200, self._description()
        if path == "/jwks":
            rows = [
                (kid, RSAAlgorithm.to_jwk(k.public_key(), True)) for kid, k in self.keys.items()
            ]
            return 200, {"keys": [row | {"kid": kid, "use": "sig"} for kid, row in rows]}
        if path == "/authorize":
            return self._authorize(query)
        return 404, {}

    def _description(self) -> dict[str, Any]:
        at = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return (
            {"issuer": self.name}
            | {"authorization_response_iss_parameter_supported": self.names_itself}
            | {field: f"{self.address}/{path}" for field, path in at.items()}
        )

    def _authorize(self, query: dict[str, str]) -> tuple[int, Any]:
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        more = {"iss": self.name} if self.names_itself else {}
        back = urlencode({"code": code, "state": query["state"]} | more)
        return 302, f"{query['redirect_uri']}?{back}"

    def post(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        asked = self._codes.pop(form.get("code", ""), None)
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
        if path != "/token" or [unquote_plus(part) for part in pair] != [CLIENT, SECRET]:
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        if asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        kid, key = next(iter(self.keys.items()))
        said = {"iss": self.name, "aud": CLIENT, "iat": now, "exp": now + 300}
        said |= self.person | {"nonce": asked["nonce"]}
        claims, signer, algorithm, head = self.bend((said, key, "RS256", {"kid": kid}))
        token = jwt.encode(claims, signer, algorithm=algorithm, headers=head)
        return 200, {"id_token": token, "access_token": "x", "token_type": "Bearer"}


@contextmanager
def running() -> Iterator[Issuer]:
    """The issuer on a free port of this machine."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {k: v[0] for k, v in parse_qs(parts.query).items()}
            self._answer(parts.path, *issuer.get(parts.path, query))

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {k: v[0] for k, v in parse_qs(data).items()}
            said = issuer.post(self.path, form, self.headers.get("authorization", ""))
            self._answer(self.path, *said)

        def _answer(self, path: str, status: int, said: Any) -> None:
            issuer.asked.append(path)
            status = 500 if issuer.down else status
            self.send_response(status)
            if status == 302:
                self.send_header("Location", said)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = json.dumps(said).encode()
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.address = issuer.name = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
