"""Receivers of webhooks that were registered at the desk, each with a secret of its own.

``<workspace>/keys/hooks/<id>.json``, readable by its owner only: a secret is never in the store. An
address is given by whoever may register it, so the desk must not become a way into its own network:
only HTTPS to public addresses, or hosts that the settings name. What a name leads to is looked up
for each message, and the connection goes to the very address that was looked at.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import re
import secrets
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pipeline.archive import parsed
from pipeline.errors import InputError, NotFound
from pipeline.model import Frozen
from pipeline.private import keep_private

LONGEST_URL, LONGEST_NAME, MOST_HOOKS = 2000, 100, 50
_HOOK_ID = re.compile(r"[0-9a-f]{12}")
_SECRET = "whsec_"  # noqa: S105 - how Standard Webhooks begins a secret's text
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses behind which a gateway reaches any IPv4 address."""


class Hook(Frozen):
    """A registered receiver, as kept."""

    schema_version: int = 1
    """Version of this form."""
    hook_id: str
    """Names it; no secret."""
    name: str
    """What it is for."""
    url: str
    """Where messages go; it may hold a secret, and is not shown whole."""
    types: tuple[str, ...] = ()
    """Events it is told; empty: all."""
    secret: str
    """Key of its signatures, ``whsec_`` and base64; shown once."""
    made_utc_ms: int
    """When it was registered."""
    made_by: str
    """By whom."""

    @property
    def origin(self) -> str:
        """Its address without the part that may be secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{_shown_host(parts)}"

    @property
    def key(self) -> bytes:
        """What signs its messages."""
        return base64.b64decode(self.secret.removeprefix(_SECRET))


class HookBook:
    """Keeps, lists and removes receivers. Several processes may share one folder."""

    def __init__(self, keys: Path, *, allowed_hosts: tuple[str, ...] = ()) -> None:
        """Use the workspace's ``keys`` folder; ``allowed_hosts`` need be neither HTTPS nor public."""
        self._folder = keys / "hooks"
        self._allowed = allowed_hosts

    def every(self) -> list[Hook]:
        """Every receiver, the oldest first."""
        found = [
            parsed(path.read_bytes(), Hook, name=str(path))
            for path in self._folder.glob("????????????.json")
        ]
        return sorted(found, key=lambda hook: (hook.made_utc_ms, hook.hook_id))

    def get(self, hook_id: str) -> Hook:
        """A receiver by its id.

        Raises:
            NotFound: there is none.
        """
        path = self._folder / f"{hook_id}.json"
        if not _HOOK_ID.fullmatch(hook_id) or not path.exists():
            raise NotFound(f"no webhook {hook_id!r}", hint="`evidence webhooks list`")
        return parsed(path.read_bytes(), Hook, name=str(path))

    def add(self, name: str, url: str, *, types: tuple[str, ...], by: str, at_utc_ms: int) -> Hook:
        """Keep a receiver under a new secret.

        Raises:
            InputError: the name or the address cannot be used, or it is there already.
        """
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise InputError(f"a webhook's name has 1 to {LONGEST_NAME} printable characters")
        reached(url, allowed=self._allowed)
        known = self.every()
        if any(hook.url == url for hook in known):
            raise InputError("this address is told already", hint="remove the webhook first")
        if len(known) >= MOST_HOOKS:
            raise InputError(f"there are {MOST_HOOKS} webhooks", hint="remove one first")
        hook = Hook(
            hook_id=secrets.token_hex(6),
            name=name,
            url=url,
            types=types,
            secret=_SECRET + base64.b64encode(secrets.token_bytes(32)).decode(),
            made_utc_ms=at_utc_ms,
            made_by=by,
        )
        self._write(hook)
        return hook

    def remove(self, hook_id: str) -> Hook:
        """Forget a receiver and its secret; what it was told stays on record.

        Raises:
            NotFound: there is none.
        """
        hook = self.get(hook_id)
        (self._folder / f"{hook.hook_id}.json").unlink(missing_ok=True)
        return hook

    def line(self, hook: Hook, *, timeout_s: float) -> http.client.HTTPConnection:
        """A connection to a receiver, not opened yet.

        Raises:
            InputError: its name leads to no public address now.
        """
        return line_to(hook.url, allowed=self._allowed, timeout_s=timeout_s)

    def _write(self, hook: Hook) -> None:
        keep_private(hook, self._folder / f"{hook.hook_id}.json")


# --- where a message may go -----------------------------------------------------------------


class _Pinned(http.client.HTTPSConnection):
    """Speaks to an address that was looked at, as the host by whose name it was found."""

    def __init__(self, host: str, port: int, address: str, timeout_s: float) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(host, port, timeout=timeout_s, context=self._tls)
        self._address = address

    def connect(self) -> None:
        """Connect without asking for the name again."""
        line = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(line, server_hostname=self.host)


def line_to(url: str, *, allowed: tuple[str, ...], timeout_s: float) -> http.client.HTTPConnection:
    """A connection to an address that may be told, not opened yet.

    Raises:
        InputError: it may not be.
    """
    parts, address = reached(url, allowed=allowed)
    host, port = parts.hostname or "", parts.port
    if address:
        return _Pinned(host, port or 443, address, timeout_s)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=timeout_s)


def reached(url: str, *, allowed: tuple[str, ...]) -> tuple[SplitResult, str]:
    """The parts of an address, and the one IP address to speak to; empty for an allowed host.

    Raises:
        InputError: it may not be told.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused("it cannot be read") from error
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    if not plain or not parts.hostname or parts.username is not None or parts.fragment:
        raise _refused("write https://host/path, without a user name")
    if parts.scheme in ("http", "https") and _shown_host(parts) in allowed:
        return parts, ""
    if parts.scheme != "https":
        raise _refused("it is not https://")
    return parts, _public(parts.hostname, port or 443)


def _public(host: str, port: int) -> str:
    """The first of the addresses that a name leads to, all of which must be public."""
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _refused(f"{host} is not found") from error
    found = [str(row[4][0]) for row in rows]
    if not found or not _all_public(found):
        raise _refused(f"{host} is no public host")
    return found[0]


def _all_public(addresses: Iterable[str]) -> bool:
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        if not address.is_global or address.is_multicast:
            return False
        if isinstance(address, ipaddress.IPv6Address) and (
            address.ipv4_mapped or address.sixtofour or address.teredo or address in _TRANSLATED
        ):
            return False
    return True


def _shown_host(parts: SplitResult) -> str:
    """The host, with its port where one is given."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port else host


def _refused(why: str) -> InputError:
    return InputError(
        f"this address cannot be told: {why}",
        hint="use https:// and a public host, or name the host in notify.allowed_hosts",
    )
