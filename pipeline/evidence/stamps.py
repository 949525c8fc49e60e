"""Time-stamps of RFC 3161 authorities, asked for with ``openssl ts``.

A token is kept only after it was checked: it answers this request, stamps these bytes, and
its certificate leads to the certificates named for the authority.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pipeline.evidence.verify_bundle import Broken, openssl
from pipeline.settings import AuthoritySettings

_MAX_REPLY_BYTES = 1 << 20


class Stamp(NamedTuple):
    """A request and the reply to it."""

    authority: str
    query: bytes
    reply: bytes


class Refusal(NamedTuple):
    """An authority that gave no token, and why."""

    authority: str
    reason: str


def stamp_of(data: bytes, authority: AuthoritySettings, *, timeout_s: int) -> Stamp | Refusal:
    """A token over ``data``; never raises for an authority that fails."""
    try:
        return _stamp(data, authority, timeout_s)
    except (Broken, OSError, ValueError) as error:
        reason = error.args[-1] if isinstance(error, Broken) else str(error)
        return Refusal(authority.name, str(reason))


def _stamp(data: bytes, authority: AuthoritySettings, timeout_s: int) -> Stamp:
    with TemporaryDirectory() as folder:
        stamped, query, reply = (Path(folder, n) for n in ("data", "query.tsq", "reply.tsr"))
        stamped.write_bytes(data)
        _run("a request cannot be made", "ts", "-query", "-data", stamped, "-sha256", "-cert",
             "-out", query)  # fmt: skip
        reply.write_bytes(_post(authority.url, query.read_bytes(), timeout_s))
        rest = ("-in", reply, "-CAfile", authority.ca_file)
        for asked in (("-data", stamped), ("-queryfile", query)):
            _run("the reply does not verify", "ts", "-verify", *asked, *rest)
        return Stamp(authority.name, query.read_bytes(), reply.read_bytes())


def _run(words: str, *arguments: object) -> None:
    code, said = openssl(*arguments)
    if code:
        raise Broken("openssl", f"{words}: {' '.join(said.split())[-200:]}")


def _post(url: str, query: bytes, timeout_s: int) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url}: an authority's address begins with http:// or https://")
    request = urllib.request.Request(  # noqa: S310
        url, data=query, headers={"Content-Type": "application/timestamp-query"}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            reply: bytes = answer.read(_MAX_REPLY_BYTES)
    except urllib.error.URLError as error:
        raise ValueError(f"{url}: {error.reason}") from error
    return reply
