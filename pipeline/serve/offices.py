"""Opens what all viewers of a process share, whichever way they come in."""

from __future__ import annotations

from pipeline.cases.run import KeyRing
from pipeline.serve.access.views import ViewLog
from pipeline.serve.desk import Office
from pipeline.serve.idempotency import Once
from pipeline.serve.service import Service
from pipeline.serve.shelf import Shelf
from pipeline.serve.skus import SkuDesk


def open_office(service: Service, ring: KeyRing) -> Office:
    """The office over one workspace; its log wants to be closed at the end."""
    app = service.app
    log = ViewLog(
        app.store,
        app.root / "custody",
        writer=app.writer,
        retention_days=app.settings.retention_days,
    )
    once = Once(app.root / "custody" / "once", ring)
    return Office(service, ring, log, Shelf(app), once, SkuDesk(app), {})
