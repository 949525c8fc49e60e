"""Who is it? A key in a header, a signed cookie, or a signed link; nothing else opens.

Every one of them leads to a key that is looked up anew for each request, so that taking a key
back ends its sessions and links at once.
"""

from __future__ import annotations

import hmac
import time
from typing import Literal
from urllib.parse import urlencode

from starlette.requests import HTTPConnection

from pipeline.serve.access.keys import ApiKey, KeyBook
from pipeline.serve.access.roles import LOCAL, Viewer

COOKIE = "desk"
SESSION_S = 8 * 3600
LINK_S = 600
CARDS = "/embed/"
"""Below it stand cards in other pages' frames, where no cookie counts."""
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
Way = Literal["open", "bearer", "cookie", "link", "none"]


class Door:
    """Lets viewers in by what they show."""

    def __init__(self, book: KeyBook, *, people: bool = False) -> None:
        """``people``: some may sign in through an issuer, so it is never open to all."""
        self.book = book
        self._people = people

    @property
    def shut(self) -> bool:
        """Whether it asks who one is: from the first key on, or with an issuer."""
        return self._people or self.book.any()

    def viewer(self, connection: HTTPConnection) -> tuple[Viewer | None, Way]:
        """Whoever stands behind a request, and by what they were known."""
        if not self.shut:
            return (None, "none") if forwarded(connection) else (LOCAL, "open")
        header = connection.headers.get("authorization", "")
        if header:
            scheme, _, shown = header.partition(" ")
            key = self.book.opened_by(shown.strip()) if scheme.lower() == "bearer" else None
            return (key.viewer() if key else None), "bearer"
        carded = connection.scope["path"].startswith(CARDS)
        key = None if carded else self._by_cookie(connection.cookies.get(COOKIE, ""))
        if key is not None:
            return key.viewer(), "cookie"
        key = self._by_link(connection)
        return (key.viewer(), "link") if key is not None else (None, "none")

    def session(self, key: ApiKey) -> tuple[str, int]:
        """A cookie's value for a key, and for how many seconds it holds."""
        lasts_s = max(0, min(SESSION_S, key.expires_utc_ms // 1000 - _now_s()))
        until = _now_s() + lasts_s
        return f"{key.key_id}.{until}.{self._mac('session', key, str(until))}", lasts_s

    def link(self, path: str, viewer: Viewer) -> str:
        """A path with what lets its reader fetch this one object for some minutes."""
        key = self.book.live(viewer.key_id)
        if key is None:
            return path
        until = str(_now_s() + LINK_S)
        sig = self._mac("link", key, f"{path}\0{until}")
        return f"{path}?{urlencode({'by': key.key_id, 'until': until, 'sig': sig})}"

    def _by_cookie(self, value: str) -> ApiKey | None:
        key_id, _, rest = value.partition(".")
        until, _, mac = rest.partition(".")
        return self._signed("session", key_id, until, until, mac)

    def _by_link(self, connection: HTTPConnection) -> ApiKey | None:
        asked = connection.query_params
        until = asked.get("until", "")
        if connection.scope.get("method") not in ("GET", "HEAD"):
            return None
        text = f"{connection.scope['path']}\0{until}"
        return self._signed("link", asked.get("by", ""), until, text, asked.get("sig", ""))

    def _signed(self, kind: str, key_id: str, until: str, text: str, mac: str) -> ApiKey | None:
        if not (until.isascii() and until.isdigit() and len(until) < 12 and int(until) > _now_s()):
            return None
        key = self.book.live(key_id)
        if key is None or not mac.isascii():
            return None
        return key if hmac.compare_digest(self._mac(kind, key, text), mac) else None

    def _mac(self, kind: str, key: ApiKey, text: str) -> str:
        """Bound to the key's own digest: it dies with the key."""
        return self.book.ring.hashed(kind, f"{key.key_id}\0{key.digest}\0{text}")


def forwarded(connection: HTTPConnection) -> bool:
    """Whether a proxy brought it: then it may come from anywhere."""
    return any(name in connection.headers for name in _FORWARDED)


def _now_s() -> int:
    return int(time.time())
