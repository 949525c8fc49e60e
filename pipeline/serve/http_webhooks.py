"""Webhooks over HTTP, for whoever administers the desk: registered, listed, tried, removed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from pipeline.hooks import LONGEST_NAME, LONGEST_URL, Hook
from pipeline.model import Frozen
from pipeline.notify import Kind
from pipeline.serve.http_common import PROBLEMS, Cursor, Page, Size, bearer, cut, office_of
from pipeline.serve.webhooks import WebhookDesk

router = APIRouter(prefix="/api/v1", tags=["webhooks"], responses=PROBLEMS, dependencies=[bearer])


class WebhookWanted(Frozen):
    """A receiver to be told."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    """What it is for."""
    url: str = Field(min_length=1, max_length=LONGEST_URL)
    """Where messages go: HTTPS and a public host, or a host that the settings allow."""
    types: tuple[Kind, ...] = Field(default=(), max_length=10)
    """Events that it is told; empty: all."""


class WebhookRow(Frozen):
    """A registered receiver."""

    hook_id: str
    """Names it."""
    name: str
    """What it is for."""
    origin: str
    """Its address without path and query, which may be secret."""
    types: tuple[str, ...]
    """Events that it is told; empty: all."""
    made_utc_ms: int
    """When it was registered."""
    made_by: str
    """By whom."""


class WebhookMade(WebhookRow):
    """A receiver that was registered just now."""

    secret: str
    """Key of its signatures (Standard Webhooks), shown this once."""


class WebhookTried(Frozen):
    """What became of a message sent to try a receiver."""

    hook_id: str
    """Which."""
    status: int
    """HTTP status of its answer; 0 where there was none."""
    delivered: bool
    """Whether it took the message."""


def webhook_desk_of(request: Request) -> WebhookDesk:
    """The desk for webhooks, within the limits of whoever asks."""
    return WebhookDesk(office_of(request), request.state.viewer)


Works = Annotated[WebhookDesk, Depends(webhook_desk_of)]


@router.get("/webhooks")
def webhooks(works: Works, size: Size = 100, cursor: Cursor = "") -> Page[WebhookRow]:
    """The registered receivers, without their secrets; those of the settings are not among them."""
    rows, after = cut(works.hooks(), size=size, cursor=cursor)
    return Page(items=tuple(WebhookRow(**_fields(hook)) for hook in rows), cursor=after)


@router.post("/webhooks", status_code=201)
def register_webhook(works: Works, wanted: WebhookWanted) -> WebhookMade:
    """Register a receiver; the secret of its signatures is in this answer and nowhere else."""
    hook = works.register(wanted.name, wanted.url, types=wanted.types)
    return WebhookMade(**_fields(hook), secret=hook.secret)


@router.delete("/webhooks/{hook_id}", status_code=204)
def remove_webhook(works: Works, hook_id: str) -> None:
    """Remove a receiver and its secret; nothing more is sent to it."""
    works.remove(hook_id)


@router.post("/webhooks/{hook_id}/test")
def try_webhook(works: Works, hook_id: str) -> WebhookTried:
    """Send a receiver one signed message (``webhook.test``), and say how it answered."""
    tried = works.try_out(hook_id)
    return WebhookTried(hook_id=hook_id, status=tried.status, delivered=tried.delivered)


def _fields(hook: Hook) -> dict[str, object]:
    kept = ("hook_id", "name", "types", "made_utc_ms", "made_by")
    return {name: getattr(hook, name) for name in kept} | {"origin": hook.origin}
