"""Archived storage classes before a real S3 server that has none: a proxy that keeps S3's rules.

A cold object's bytes are refused (``InvalidObjectState``), its HEAD and its line in a listing say
its class and how far a restore is, and ``RestoreObject`` answers 202, 409 while one is under way,
and 200 where it only moves the end of a restored copy. When an object is back is the test's to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from tests.faults import Answer, Change, Fault, FaultProxy, Reply

_ROW = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)


@dataclass
class _Cold:
    kind: str
    asked: bool = False
    until: datetime | None = None


@dataclass
class Glacier(FaultProxy):
    """``chill`` and ``bring_back`` take a key as the server sees it, without the bucket."""

    cold: dict[str, _Cold] = field(default_factory=dict)

    def chill(self, key: str, kind: str = "GLACIER") -> None:
        """Move an object to an archived class, or let its restored copy end."""
        self.cold[key] = _Cold(kind)

    def bring_back(self, key: str, *, days: int = 7) -> None:
        """A restore that was asked for is done."""
        held = self.cold[key]
        assert held.asked, f"{key}: nobody asked"
        self.cold[key] = _Cold(held.kind, until=datetime.now(UTC) + timedelta(days=days))

    def take(self, method: str, path: str, headers: dict[str, str]) -> Fault | None:
        planned = super().take(method, path, headers)
        place = urlsplit(path)
        key = unquote(place.path).lstrip("/").partition("/")[2]
        held = self.cold.get(key)
        if planned is not None:
            return planned
        if method == "GET" and "list-type=2" in place.query:
            wants = "RestoreStatus" in _header(headers, "x-amz-optional-object-attributes")
            return Change(lambda reply: self._listed(reply, wants=wants))
        if held is None:
            return None
        if method == "POST" and "restore" in place.query:
            return self._asked(held)
        if method == "HEAD":
            return Change(lambda reply: reply._replace(headers=_headers(reply, held)))
        if method == "GET" and not place.query and held.until is None:
            return Answer(403, "InvalidObjectState")
        return None

    def _asked(self, held: _Cold) -> Fault:
        if held.asked:
            return Answer(409, "RestoreAlreadyInProgress")
        again = held.until is not None
        held.asked = not again
        return Change(lambda _: Reply(200 if again else 202, [], b""))

    def _listed(self, reply: Reply, *, wants: bool) -> Reply:
        def row(match: re.Match[bytes]) -> bytes:
            text = match[0]
            found = re.search(rb"<Key>(.*?)</Key>", text)
            key = found[1].decode() if found else ""
            held = self.cold.get(key) or self.cold.get(unquote(key))
            if held is None:
                return text
            text = re.sub(rb"<StorageClass>.*?</StorageClass>", b"", text)
            more = f"<StorageClass>{held.kind}</StorageClass>"
            if wants and (held.asked or held.until):
                more += f"<RestoreStatus>{_status(held)}</RestoreStatus>"
            return text.replace(b"</Contents>", more.encode() + b"</Contents>")

        return reply._replace(body=_ROW.sub(row, reply.body))


def _status(held: _Cold) -> str:
    if held.until is None:
        return "<IsRestoreInProgress>true</IsRestoreInProgress>"
    ends = held.until.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        "<IsRestoreInProgress>false</IsRestoreInProgress>"
        f"<RestoreExpiryDate>{ends}</RestoreExpiryDate>"
    )


def _headers(reply: Reply, held: _Cold) -> list[tuple[str, str]]:
    kept = [(k, v) for k, v in reply.headers if k.lower() != "x-amz-storage-class"]
    kept.append(("x-amz-storage-class", held.kind))
    if held.until is not None:
        ends = format_datetime(held.until, usegmt=True)
        kept.append(("x-amz-restore", f'ongoing-request="false", expiry-date="{ends}"'))
    elif held.asked:
        kept.append(("x-amz-restore", 'ongoing-request="true"'))
    return kept


def _header(headers: dict[str, str], name: str) -> str:
    return next((v for k, v in headers.items() if k.lower() == name), "")
