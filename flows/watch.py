"""The flow that finds recordings as they land and processes them once they are whole."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from prefect import flow

from flows.backfill import run_these
from flows.server import patient_server
from flows.workspaces import opened
from pipeline.bootstrap import Application
from pipeline.errors import EvidenceError
from pipeline.ingest.arrivals import Arrival, arrivals
from pipeline.ingest.mailboxes import mailbox
from pipeline.ledger import Ledger
from pipeline.runner import bucket_opener
from pipeline.told import Told


class Quiet:
    """Which arrivals have not changed for a while.

    Two looks at names, sizes and version tags are compared; the clock is monotonic, so a jump
    of the wall clock neither hurries nor holds anything.
    """

    def __init__(self, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._since: dict[str, tuple[str, float]] = {}

    def whole(self, found: list[Arrival], *, now_s: float) -> list[Arrival]:
        """Those with their marker, and those unchanged for ``quiet_s`` seconds."""
        for arrival in found:
            known = self._since.get(arrival.place)
            if known is None or known[0] != arrival.digest:
                self._since[arrival.place] = (arrival.digest, now_s)
        return [a for a in found if a.marked or now_s - self._since[a.place][1] >= self._quiet_s]


@flow(name="watch", log_prints=True)
def watch(
    workspace: str,
    places: list[str],
    *,
    marker: str = "",
    quiet_s: float = 120,
    every_s: float = 30,
    rounds: int = 0,
    at_once: int = 1,
    events: str = "",
    token_file: str = "",
) -> list[dict[str, Any]]:
    """Look again and again; process what is new and complete; rows of what was done.

    Complete means: the marker file is there, or nothing has changed for ``quiet_s`` seconds
    (with a marker named, only the marker counts). ``rounds`` ends it after so many looks;
    0 goes on until stopped. With ``events`` (a queue, a folder of messages, a port) nothing is
    listed but what a message tells of, and a message is deleted once its recording is taken.
    """
    app = opened(workspace)
    quiet, rows, look = Quiet(quiet_s), list[dict[str, Any]](), 0
    with ExitStack() as stack:
        told: Told | None = None
        if events:
            token = Path(token_file).read_text(encoding="utf-8").strip() if token_file else ""
            box = mailbox(events, store=app.settings.store, spool=app.root / "inbox", token=token)
            opener = bucket_opener(app)
            told = Told(app, stack.enter_context(box), places, marker=marker, s3=opener)
        while True:
            rows += _look(workspace, places, told, quiet, marker, every_s, at_once)
            look += 1
            if look == rounds:
                return rows
            if told is None:
                time.sleep(every_s)


def _look(
    workspace: str,
    places: list[str],
    told: Told | None,
    quiet: Quiet,
    marker: str,
    every_s: float,
    at_once: int,
) -> list[dict[str, Any]]:
    """One look: by message, or by listing every place."""
    app = opened(workspace)
    try:
        new = told.arrivals(wait_s=every_s) if told else _listed(app, places, marker)
        whole = quiet.whole(new, now_s=time.monotonic())
        chosen = [a for a in whole if a.marked] if marker else whole
        rows = run_these(workspace, chosen, at_once=at_once)
        if told:
            told.settle()
    except EvidenceError as error:
        if not error.transient:
            raise
        print(f"looked in vain, again in {every_s} s: {error.message}")
        time.sleep(every_s if told else 0)
        return []
    return rows


def _listed(app: Application, places: list[str], marker: str) -> list[Arrival]:
    """What lies in the places and is neither done nor set aside."""
    ledger = Ledger(app.store)
    found = [a for p in places for a in arrivals(p, s3=bucket_opener(app), marker=marker)]
    return [a for a in found if ledger.sheet(a.digest).standing == "waiting"]


def run(workspace: str, places: list[str], **options: Any) -> list[dict[str, Any]]:
    """The flow from the command line."""
    with patient_server():
        rows: list[dict[str, Any]] = watch(workspace, places, **options)
    return rows
