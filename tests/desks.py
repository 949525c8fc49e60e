"""Starts the desk as a person would, and asks it over plain HTTP."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from tests.command import PROGRAM, env, evidence


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@contextmanager
def served(here: Path, *options: str, **environment: str) -> Iterator[str]:
    """Run ``evidence serve`` on a free port; its address."""
    command = [*PROGRAM, "serve", "--port", "0", "-w", str(here), *options]
    server = subprocess.Popen(command, env=env(**environment), stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        address = server.stderr.readline().strip().rstrip("/")
        Thread(
            target=server.stderr.read, daemon=True
        ).start()  # else it stops when the pipe is full
        yield address
    finally:
        server.terminate()
        assert server.wait(30) in (0, -15)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stay)


def ask(
    url: str, *, method: str = "GET", key: str = "", body: bytes | None = None, **headers: str
) -> Said:
    """One request; redirects are shown and not followed. ``key`` is sent as a bearer token."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, data=body, headers=sent, method=method)
    try:
        with _OPENER.open(request, timeout=60) as response:
            return Said(response.status, _lower(response.headers), response.read())
    except urllib.error.HTTPError as error:
        return Said(error.code, _lower(error.headers), error.read())


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): ", ".join(headers.get_all(name)) for name in headers}


def form(**fields: str) -> bytes:
    """A form's body."""
    return urllib.parse.urlencode(fields).encode()


def sign_in(desk: str, key: str, **headers: str) -> str:
    """The cookie a browser would hold after signing in with a key."""
    said = ask(f"{desk}/login", method="POST", body=form(key=key), Origin=desk, **headers)
    assert said.status == 303, said
    return said.headers["set-cookie"].partition(";")[0]


def new_key(here: Path, role: str, *options: str) -> dict[str, Any]:
    """A key of a role, made with the command."""
    made = evidence("access", "new", f"a {role}", "--role", role, "--json", "-w", here, *options)
    assert made.code == 0, made.err
    found: dict[str, Any] = made.json
    return found
