"""What happened, as events of the Prefect server, so that its automations can act on them."""

from __future__ import annotations

from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from pipeline.notify import Notice
from pipeline.provenance import sha256_hex


def emit(notices: list[Notice]) -> None:
    """The same events as the webhooks'; a temporary server has no automations and is not told."""
    if not PREFECT_API_URL.value():
        return
    for one in notices:
        name = one.broadcast_id or sha256_hex(one.place.encode())[:16]
        emit_event(
            event=one.type,
            resource={
                "prefect.resource.id": f"replay-evidence.{name}",
                "prefect.resource.name": one.broadcast_id or one.place,
            },
            payload=one.model_dump(mode="json"),
        )
