"""Webhooks: a broadcast can be searched, was set aside, or was heard with too many gaps.

Receivers are the addresses of the settings, and those registered at the desk (``hooks.py``).

Messages are signed as the Standard Webhooks specification says (``webhook-id``,
``webhook-timestamp``, ``webhook-signature: v1,<base64 of HMAC-SHA256 over id.timestamp.body>``).
The id is a hash of the event, so that it is the same however often the message is sent: the
receiver drops what it knows. What was delivered stands in the store under ``notices/``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from pipeline import runner
from pipeline.archive import State, parsed
from pipeline.bootstrap import Application
from pipeline.errors import ConfigError, EvidenceError, InputError, NoticeFailed
from pipeline.hooks import Hook, HookBook
from pipeline.model import Frozen
from pipeline.provenance import VERSION, canonical_bytes, content_id, sha256_hex
from pipeline.timeline import Span
from pipeline.transcribe.coverage import coverage

Kind = Literal[
    "broadcast.searchable", "broadcast.low_coverage", "arrival.quarantined", "webhook.test"
]
_PAUSES_S = (1.0, 4.0, 16.0)
"""Between the tries of one sending; afterwards `maintain` tries again."""


class Notice(Frozen):
    """One event."""

    type: Kind
    """What happened."""
    broadcast_id: str = ""
    """To which broadcast."""
    release: int = 0
    """Release that can be searched now."""
    share_pm: int = 0
    """Share that was listened to, per mille."""
    place: str = ""
    """For a quarantined arrival: where it lies."""
    error: str = ""
    """Its error code."""
    message: str = ""
    """Its reason."""

    @property
    def notice_id(self) -> str:
        """The same for the same event: the receiver's idempotency key."""
        return f"msg_{content_id(self.model_dump(mode='json'))[:32]}"


class Receiver(NamedTuple):
    """Someone who is told."""

    url: str
    secret: bytes
    types: tuple[str, ...] = ()
    """What it is told; empty: everything."""
    hook: Hook | None = None
    """Where it was registered at the desk; null for one of the settings."""

    @property
    def to(self) -> str:
        """Names it in the store."""
        return sha256_hex(self.url.encode())

    def wants(self, notice: Notice) -> bool:
        """Whether it is told of such events."""
        return not self.types or notice.type in self.types


class Delivery(Frozen):
    """How far a notice got at one address."""

    notice: Notice
    """What."""
    to: str
    """Hash of the address: an address may hold a secret."""
    status: int
    """HTTP status; 0 where there was no answer."""
    at_utc_ms: int
    """When."""


def about(app: Application, state: State) -> list[Notice]:
    """What a finished broadcast is worth telling."""
    parts = runner.parts_of(app, state, screen=False)
    name, release = state.revision.broadcast.broadcast_id, state.release.number
    whole = Span(0, state.revision.duration_ms)
    share = coverage(parts.transcript, whole).share_pm if parts.transcript else 0
    common = {"broadcast_id": name, "release": release, "share_pm": share}
    found = [Notice.model_validate({"type": "broadcast.searchable", **common})]
    if share < app.settings.notify.coverage_below_pm:
        found.append(Notice.model_validate({"type": "broadcast.low_coverage", **common}))
    return found


def tell(
    app: Application, notices: list[Notice], *, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Send notices to every address; how many messages were delivered. What fails is kept for later.

    Raises:
        ConfigError: an address cannot be used. StoreUnavailable.
    """
    delivered = 0
    for notice in notices:
        for receiver in receivers(app):
            if receiver.wants(notice):
                delivered += _once(app, notice, receiver, sleep)
    return delivered


def receivers(app: Application) -> list[Receiver]:
    """Everyone who is told: the addresses of the settings, then those registered at the desk."""
    secret = app.settings.notify.secret.get_secret_value().encode()
    found = {url: Receiver(url, secret) for url in app.settings.notify.urls}
    for hook in book_of(app).every():
        found.setdefault(hook.url, Receiver(hook.url, hook.key, hook.types, hook))
    return list(found.values())


def book_of(app: Application) -> HookBook:
    """The receivers registered at the desk."""
    return HookBook(app.keys, allowed_hosts=app.settings.notify.allowed_hosts)


def send_again(app: Application) -> int:
    """Send what is waiting; how many were delivered.

    Raises:
        NoticeFailed: an address still does not take them.
    """
    delivered = failed = 0
    known = {receiver.to: receiver for receiver in receivers(app)}
    for waiting in _waiting(app):
        receiver = known.get(waiting.to)
        if receiver is not None:
            done = _once(app, waiting.notice, receiver, lambda _: None)
            delivered, failed = delivered + done, failed + (not done)
    if failed:
        raise NoticeFailed(
            f"{failed} notices could not be delivered",
            hint="look at the receivers: notify.urls, and `evidence webhooks list`",
        )
    return delivered


def _once(
    app: Application, notice: Notice, receiver: Receiver, sleep: Callable[[float], None]
) -> bool:
    """Send to one receiver unless that is done; whether it is delivered now."""
    to = receiver.to
    done, open_ = _keys(notice, to)
    if app.store.stat(done) is not None:
        return False
    status = 0
    for pause_s in (*_PAUSES_S, None):
        status = post(app, notice, receiver)
        if 200 <= status < 300 or pause_s is None:
            break
        sleep(pause_s)
    good = 200 <= status < 300
    delivery = Delivery(notice=notice, to=to, status=status, at_utc_ms=time.time_ns() // 1_000_000)
    body = canonical_bytes(delivery.model_dump(mode="json"))
    app.store.put_if_absent(done if good else open_, body)
    return good


def _keys(notice: Notice, to: str) -> tuple[str, str]:
    name = f"{notice.notice_id}-{to[:16]}.json"
    return f"notices/delivered/{name}", f"notices/waiting/{name}"


def _waiting(app: Application) -> Iterator[Delivery]:
    delivered = {s.key.rpartition("/")[2] for s in app.store.list("notices/delivered/")}
    for stat in app.store.list("notices/waiting/"):
        if stat.key.rpartition("/")[2] not in delivered:
            yield parsed(app.store.read(stat.key), Delivery, name=stat.key)


# --- the wire -------------------------------------------------------------------------------


def signature(secret: bytes, *, notice_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    signed = f"{notice_id}.{timestamp_s}.".encode() + body
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def post(app: Application, notice: Notice, receiver: Receiver) -> int:
    """Send one message once; the status, 0 without an answer. Redirects are not followed.

    Raises:
        ConfigError: the address or the secret cannot be used.
    """
    parts, secret = urlsplit(receiver.url), receiver.secret
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("notify.urls: not an http:// or https:// address", hint="correct it")
    if not secret:
        raise ConfigError(
            "notify.secret is not set", hint="set EVIDENCE_NOTIFY__SECRET; the receiver checks it"
        )
    body = json.dumps(notice.model_dump(mode="json"), ensure_ascii=False).encode()
    now_s, name = int(time.time()), notice.notice_id
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"replay-evidence/{VERSION}",
        "webhook-id": name,
        "webhook-timestamp": str(now_s),
        "webhook-signature": signature(secret, notice_id=name, timestamp_s=now_s, body=body),
    }
    try:
        line = _line(app, receiver)
    except InputError:  # a registered name that leads to no public address now
        return 0
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        line.request("POST", target, body, headers)
        return line.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        line.close()


def _line(app: Application, receiver: Receiver) -> http.client.HTTPConnection:
    """A connection: to a registered receiver only where its address may be told."""
    timeout_s = app.settings.notify.timeout_s
    if receiver.hook is not None:
        return book_of(app).line(receiver.hook, timeout_s=timeout_s)
    parts = urlsplit(receiver.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)


def tell_of(app: Application, state: State) -> str:
    """Tell of a finished broadcast; why it could not be told, empty where it was."""
    return safely(app, about(app, state)) if receivers(app) else ""


def safely(app: Application, notices: list[Notice]) -> str:
    """Tell, and say what went wrong instead of raising it.

    A receiver that is away, or an address mistyped, must not fail work that is done.
    """
    try:
        tell(app, notices)
    except EvidenceError as error:
        return error.message
    return ""
