"""What became of a recording that hung or crashed its process: a failed try, and after three set aside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from flows.events import emit
from flows.tasks import awaited
from flows.workspaces import opened
from pipeline import notify
from pipeline.archive import broadcast_id_of
from pipeline.bootstrap import Application
from pipeline.errors import Crashed, EvidenceError, Hung, SetAside
from pipeline.ingest.arrivals import Arrival, named
from pipeline.ledger import Ledger, Sheet, Try
from pipeline.provenance import content_id
from pipeline.runner import bucket_opener


class Trial:
    """One try at a recording, by a flow of its own."""

    def __init__(self, app: Application, arrival: Arrival) -> None:
        self.app, self.arrival = app, arrival
        self.prefix = ""
        """Of the broadcast that it became, once that is known."""

    def enter(self, outcome: str, error: EvidenceError | None = None) -> Sheet:
        """Write down how it ended, or a person's word."""
        one = Try.model_validate(
            {
                "place": self.arrival.place,
                "outcome": outcome,
                "at_utc_ms": time.time_ns() // 1_000_000,
                "broadcast_id": broadcast_id_of(self.prefix) if outcome == "done" else "",
                "error": error.code if error else "",
                "message": str(error)[:4000] if error else "",
                "transient": bool(error and error.transient),
            }
        )
        return self._patient(lambda: Ledger(self.app.store).add(self.arrival.digest, one))

    def sheet(self) -> Sheet:
        """All tries at it so far."""
        return self._patient(lambda: Ledger(self.app.store).sheet(self.arrival.digest))

    def _patient(self, action: Callable[[], Sheet]) -> Sheet:
        return awaited(self.app, action, self.arrival.place)


@contextmanager
def tried(
    workspace: str, inputs: Sequence[str], *, again: bool, on_air: bool = False
) -> Iterator[Trial]:
    """A run of one recording: where it hangs or crashes its process, that is a failed try.

    Raises:
        SetAside: it did so too often, and nobody said ``again``. Whatever the run raises.
    """
    app, what = opened(workspace), ", ".join(inputs)
    arrival = Arrival(what, content_id(["on air", what]), 0, False)
    if not on_air:  # what is on air is another thing with each look
        arrival = awaited(app, lambda: named(inputs, s3=bucket_opener(app)), what)
    trial = Trial(app, arrival)
    sheet = trial.sheet()
    _admit(trial, sheet, again=again)
    try:
        yield trial
    except (Hung, Crashed) as error:
        if trial.enter("failed", error).standing == "quarantined":
            told = [quarantined(what, error.code, error.message)]
            emit(told)
            if notify.receivers(app):
                print(notify.safely(app, told))
        raise
    if sheet.tries and sheet.standing != "done":
        trial.enter("done")


def _admit(trial: Trial, sheet: Sheet, *, again: bool) -> None:
    last = sheet.tries[-1] if sheet.tries else None
    if sheet.standing != "quarantined" or last is None:
        return
    if again:
        trial.enter("again")
    elif last.error in (Hung.code, Crashed.code):
        raise SetAside(
            f"{trial.arrival.place}: set aside after {len(sheet.tries)} tries: {last.message}",
            hint="to try it once more, say --again; other files get a clean sheet",
        )


def quarantined(place: str, error: str, message: str) -> notify.Notice:
    """What is told of a recording that was set aside."""
    return notify.Notice(
        type="arrival.quarantined", place=place, error=error, message=message[:1000]
    )
