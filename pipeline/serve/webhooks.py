"""Receivers of webhooks, as the desk and the command offer them: registered, listed, tried, removed."""

from __future__ import annotations

import time
from typing import NamedTuple

from pipeline.bootstrap import Application
from pipeline.hooks import Hook
from pipeline.notify import Notice, Receiver, book_of, post
from pipeline.provenance import sha256_hex
from pipeline.serve.desk import Desk


class Tried(NamedTuple):
    """What became of a message sent to try a receiver."""

    hook: Hook
    status: int
    """HTTP status; 0 where there was no answer."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status < 300


def register(app: Application, name: str, url: str, *, types: tuple[str, ...], by: str) -> Hook:
    """Register a receiver, with a secret of its own.

    Raises:
        InputError: the address or the name cannot be used.
    """
    at = time.time_ns() // 1_000_000
    return book_of(app).add(name, url, types=tuple(dict.fromkeys(types)), by=by, at_utc_ms=at)


def try_out(app: Application, hook_id: str) -> Tried:
    """Send one message, which is kept nowhere and not tried again.

    Raises:
        NotFound: there is no such receiver.
    """
    hook = book_of(app).get(hook_id)
    notice = Notice(type="webhook.test", message=f"{hook_id} {time.time_ns()}")
    receiver = Receiver(hook.url, hook.key, hook.types, hook)
    return Tried(hook, post(app, notice, receiver))


class WebhookDesk(Desk):
    """The desk, for whoever administers it."""

    def hooks(self) -> list[Hook]:
        """Every registered receiver."""
        self.viewer.require("manage")
        self._wrote("viewed", "webhooks")
        return book_of(self._works.app).every()

    def register(self, name: str, url: str, *, types: tuple[str, ...]) -> Hook:
        """Register a receiver; its secret is in the answer, and shown nowhere else."""
        self.viewer.require("manage")
        hook = register(self._works.app, name, url, types=types, by=self.viewer.name)
        self._note("registered", hook)
        return hook

    def remove(self, hook_id: str) -> None:
        """Remove a receiver and its secret."""
        self.viewer.require("manage")
        self._note("removed", book_of(self._works.app).remove(hook_id))

    def try_out(self, hook_id: str) -> Tried:
        """Send a receiver one message."""
        self.viewer.require("manage")
        tried = try_out(self._works.app, hook_id)
        self._note("tried", tried.hook, status=tried.status)
        return tried

    def _note(self, event: str, hook: Hook, **more: int) -> None:
        url = sha256_hex(hook.url.encode())
        about = {"hook_id": hook.hook_id, "origin": hook.origin, "url_sha256": url}
        self._office.log.add(self._event(event, "webhook", **about, **more))
