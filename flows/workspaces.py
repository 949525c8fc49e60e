"""The workspace a flow works in."""

from __future__ import annotations

import threading
from pathlib import Path

from pipeline.bootstrap import Application, open_workspace

_HERE = threading.local()


def opened(workspace: str) -> Application:
    """The workspace asked for; without one the worker's own (``EVIDENCE_WORKSPACE``).

    The tasks of one thread share it, with the models it has loaded, while its settings are the same.
    """
    fresh = open_workspace(Path(workspace) if workspace else None)
    known: Application | None = getattr(_HERE, "app", None)
    if known is None or (known.root, known.settings) != (fresh.root, fresh.settings):
        known = _HERE.app = fresh
    return known
