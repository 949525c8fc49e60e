"""The verifier over any endpoint that speaks OpenAI's ``/v1/chat/completions``.

Plain ``http.client``: no redirect is followed (it would carry the key elsewhere), no proxy is
taken from the environment, and one deadline covers a claim from connecting to the last byte,
however slowly the bytes drip. Request and response form: the OpenAI API reference, "Create chat
completion", of which only ``model``, ``messages``, ``temperature``, ``max_tokens`` and
``response_format`` are used; llama.cpp, vLLM and Ollama serve the same.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.claims.verifier import PROMPT_DIGEST, Question, answer_in, question_about
from pipeline.errors import ConfigError
from pipeline.model import Claim, Verification
from pipeline.provenance import content_id
from pipeline.settings import ClaimSettings

MAX_REPLY_BYTES = 1 << 16
"""A longer reply is no verdict."""
_OPTIONS: dict[str, Any] = {
    "temperature": 0,
    "max_tokens": 64,
    "response_format": {"type": "json_object"},
}


class _Place(NamedTuple):
    secure: bool
    host: str
    port: int | None
    path: str


class _Refused(Exception):
    """There is no verdict; the reason is the message."""


class OpenAiVerifier:
    """Implements ``ports.ClaimVerifier``.

    Raises:
        ConfigError: the address, the model's name or the key cannot be used.
    """

    def __init__(self, settings: ClaimSettings) -> None:
        self._place = _place(settings.verifier_url)
        self._model = settings.verifier_model
        self._timeout_s = settings.verifier_timeout_s
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if not self._model:
            raise ConfigError(
                "claims.verifier_url is set and claims.verifier_model is not",
                hint="name the model as the endpoint does",
            )
        key = settings.verifier_api_key.get_secret_value()
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(
                "claims.verifier_api_key holds characters that no header can",
                hint="copy the key again, without line ends",
            )
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    @property
    def producer(self) -> str:
        """Model name and prompt digest."""
        return f"verifier {self._model} prompt {PROMPT_DIGEST[:12]}"

    @property
    def digest(self) -> str:
        """SHA-256 over model, prompt and options; where the endpoint lies is no part of it."""
        options = json.dumps(_OPTIONS, sort_keys=True)
        return content_id([self._model, PROMPT_DIGEST, options])

    def verify(self, claim: Claim, *, context: Sequence[str]) -> Verification:
        """The verdict; ``unverified`` with its reason where there is none."""
        question = question_about(claim, context)
        asked = {
            "model": self._model,
            "prompt_digest": PROMPT_DIGEST,
            "question_digest": question.digest,
        }
        try:
            answer = answer_in(_content(self._post(question)))
        except _Refused as refused:
            return Verification(answer="unverified", reason=str(refused), **asked)
        if answer is None:
            return Verification(answer="unverified", reason="not_an_answer", **asked)
        return Verification(answer=answer, **asked)

    def _post(self, question: Question) -> bytes:
        messages = [
            {"role": "system", "content": question.system},
            {"role": "user", "content": question.user},
        ]
        body = json.dumps({"model": self._model, "messages": messages} | _OPTIONS).encode()
        until = time.monotonic() + self._timeout_s
        connection = self._connection()
        try:
            connection.connect()
            with _deadline(connection.sock, until):
                reply = self._exchange(connection, body)
        except (OSError, HTTPException, ValueError) as error:
            late = isinstance(error, TimeoutError) or time.monotonic() >= until
            raise _Refused("timeout" if late else "unreachable") from error
        finally:
            connection.close()
        if time.monotonic() >= until:  # what was cut off may look whole
            raise _Refused("timeout")
        return reply

    def _exchange(self, connection: HTTPConnection, body: bytes) -> bytes:
        connection.request("POST", self._place.path, body=body, headers=self._headers)
        with connection.getresponse() as response:
            if response.status != HTTPStatus.OK:
                raise _Refused(f"http_{response.status}")
            reply = response.read(MAX_REPLY_BYTES + 1)
        if len(reply) > MAX_REPLY_BYTES:
            raise _Refused("reply_too_long")
        return reply

    def _connection(self) -> HTTPConnection:
        _, host, port, _ = self._place
        if self._place.secure:
            context = ssl.create_default_context()
            return HTTPSConnection(host, port, timeout=self._timeout_s, context=context)
        return HTTPConnection(host, port, timeout=self._timeout_s)


@contextmanager
def _deadline(sock: socket.socket, until: float) -> Iterator[None]:
    """Shut the socket down from outside when the time is up, whatever it waits for."""
    watch = Timer(max(0.0, until - time.monotonic()), _cut, [sock])
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _cut(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # TLS has no say in it
    except OSError:
        return  # it ended by itself


def _content(reply: bytes) -> str:
    """The text of the first choice."""
    try:
        content = json.loads(reply)["choices"][0]["message"]["content"]
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise _Refused("not_a_completion") from error
    if not isinstance(content, str):
        raise _Refused("not_a_completion")
    return content


def _place(url: str) -> _Place:
    """Where to post to; ``/chat/completions`` is added to a base like ``…/v1``."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong(str(error)) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _wrong("it must begin with http:// or https:// and name a host")
    if parts.username or parts.query or parts.fragment or not url.isascii() or " " in url:
        raise _wrong("it must hold neither a user nor a query")
    path = parts.path.rstrip("/") or "/v1"
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return _Place(parts.scheme == "https", parts.hostname, port, path)


def _wrong(why: str) -> ConfigError:
    return ConfigError(
        f"claims.verifier_url cannot be used: {why}", hint="give one like http://localhost:8000/v1"
    )
