"""The workspace a flow works in."""

from __future__ import annotations

import threading
from pathlib import Path

from prefect.context import FlowRunContext, TaskRunContext

from pipeline import logs
from pipeline.archive import broadcast_id_of
from pipeline.bootstrap import Application, open_workspace

_HERE = threading.local()


def run_ids() -> dict[str, str]:
    """What Prefect knows of the run that says something: its ids, and the broadcast asked for."""
    flow, task = FlowRunContext.get(), TaskRunContext.get()
    found = {"flow_run": str(flow.flow_run.id)} if flow and flow.flow_run else {}
    if task:
        found = {
            "flow_run": str(task.task_run.flow_run_id or ""),
            "task_run": str(task.task_run.id),
        }
    asked = (task.parameters if task else flow.parameters if flow else None) or {}
    if asked.get("prefix"):
        found["broadcast"] = broadcast_id_of(str(asked["prefix"]))
    return found | ({"place": str(asked["place"])} if asked.get("place") else {})


logs.ids_from(run_ids)


def opened(workspace: str) -> Application:
    """The workspace asked for; without one the worker's own (``EVIDENCE_WORKSPACE``).

    The tasks of one thread share it, with the models it has loaded, while its settings are the same.
    """
    fresh = open_workspace(Path(workspace) if workspace else None)
    known: Application | None = getattr(_HERE, "app", None)
    if known is None or (known.root, known.settings) != (fresh.root, fresh.settings):
        known = _HERE.app = fresh
    return known
