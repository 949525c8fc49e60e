"""Waiting for a store or an index that is away, or for room: work that was begun is not lost or hurried.

Whoever waits says so, and leaves a note in the workspace's scratch folder, which ends with the wait or
with the process, for `evidence status`, the desk and the metrics of this machine.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from filelock import FileLock, Timeout

from pipeline.errors import EvidenceError, IndexUnavailable, NoRoom, StoreUnavailable
from pipeline.logs import about
from pipeline.model import Frozen

Result = TypeVar("Result")
Tell = Callable[[str], None]

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_FOLDER = "waits"
_LONGEST_WORDS = 300


class Service(NamedTuple):
    """What may be away for a while."""

    name: str
    words: str
    error: type[EvidenceError]
    later: str
    """What to do when it was away for too long."""


INDEX = Service(
    "index",
    "the search index",
    IndexUnavailable,
    "everything is stored; once the index is back, run: evidence reconcile --apply",
)
STORE = Service(
    "store", "the object store", StoreUnavailable, "what was done is kept; run it again later"
)


ROOM = Service(
    "room", "room in the scratch folder", NoRoom, "it is taken up again when other work is done"
)
SERVICES = (STORE, INDEX, ROOM)


class Wait(Frozen):
    """A process of this workspace that waits now."""

    service: str
    """``store``, ``index``, or ``room`` in the scratch folder."""
    what: str
    """What it works on: a broadcast, or the place of one that is not taken in yet."""
    age_s: int
    """For so long."""
    message: str
    """What the service said when the wait began."""


def patiently(
    action: Callable[[], Result],
    *,
    wait_s: float,
    tell: Tell,
    service: Service = INDEX,
    noting: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Do it; while the service is away, say so and try again with growing pauses.

    ``action`` may have been half done when it failed and must bear being done again. ``noting``
    holds a note as long as the waiting lasts.

    Raises:
        EvidenceError: the service's own, when it was still away after ``wait_s``.
    """
    until, pause_s = clock() + wait_s, _FIRST_PAUSE_S
    with ExitStack() as notes:
        waited = False
        while True:
            try:
                result = action()
            except service.error as error:
                left_s = until - clock()
                if left_s <= 0:
                    hint = f"{error.hint}; {service.later}"
                    raise service.error(error.message, hint=hint) from error
                pause_s = min(pause_s, left_s)
                with about(event="waiting", waits_for=service.name):
                    words = f"waiting for {service.words} ({error.message})"
                    tell(f"{words}; next try in {pause_s:.0f} s")
                if not waited:
                    notes.enter_context(noting(error.message))
                waited = True
                sleep(pause_s)
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
            else:
                if waited:
                    with about(event="waited", waits_for=service.name):
                        tell(f"{service.words} is back; going on")
                return result


def noting(
    scratch: Path, service: Service, what: str
) -> Callable[[str], AbstractContextManager[None]]:
    """Leaves a note of a wait in a scratch folder, for :func:`patiently`."""
    return partial(_noted, scratch / _FOLDER, service.name, what)


@contextmanager
def _noted(folder: Path, service: str, what: str, message: str) -> Iterator[None]:
    """A note under a lock of this process: one that was killed waits no longer."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{uuid.uuid4().hex}.json"
    lock = FileLock(note.with_suffix(".lock"))
    with lock:
        told = {"service": service, "what": what, "message": message[:_LONGEST_WORDS]}
        note.write_text(json.dumps(told | {"since_s": int(time.time())}), encoding="utf-8")
        try:
            yield
        finally:
            note.unlink(missing_ok=True)
            note.with_suffix(".lock").unlink(missing_ok=True)


class Standing:
    """A wait that others go on beside, such as that of a broadcast on air: noted until it is over."""

    def __init__(self, scratch: Path, service: Service, what: str) -> None:
        self._noting = noting(scratch, service, what)
        self._note: ExitStack | None = None

    def begin(self, message: str) -> None:
        """It waits now, or still does."""
        if self._note is None:
            self._note = ExitStack()
            self._note.enter_context(self._noting(message))

    def end(self) -> None:
        """It waits no longer, if it did."""
        if self._note is not None:
            self._note.close()
            self._note = None


@contextmanager
def naming_waits(scratch: Path) -> Iterator[None]:
    """Whoever cannot be told anything because the store is away is told who waits for it here."""
    try:
        yield
    except StoreUnavailable as error:
        told = "; ".join(
            f"{w.what} has waited for the {w.service} for {w.age_s} s" for w in waits(scratch)
        )
        raise StoreUnavailable(error.message, hint=told or error.hint) from error


def waits(scratch: Path) -> list[Wait]:
    """Who waits in a workspace on this machine; notes of dead processes are removed."""
    found = []
    for note in sorted((scratch / _FOLDER).glob("*.json")):
        try:
            with FileLock(note.with_suffix(".lock")).acquire(timeout=0):
                note.unlink(missing_ok=True)
            note.with_suffix(".lock").unlink(missing_ok=True)
        except Timeout:
            with suppress(OSError, ValueError):
                told = json.loads(note.read_text(encoding="utf-8"))
                age_s = max(0, int(time.time()) - told.pop("since_s"))
                found.append(Wait(age_s=age_s, **told))
    return found
