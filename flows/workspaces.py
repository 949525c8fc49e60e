"""The workspace a flow works in."""

from __future__ import annotations

from pathlib import Path

from pipeline.bootstrap import Application, open_workspace


def opened(workspace: str) -> Application:
    """The workspace asked for; without one the worker's own (``EVIDENCE_WORKSPACE``)."""
    return open_workspace(Path(workspace) if workspace else None)
