"""The hand of a flow run: a process of its own for the steps that open recordings.

A decoder that crashes ends the hand, and one that hangs is ended with it; the flow run itself goes on,
says so and fails with a reason. The hand is started once and does one step after the other, so that a
run does not pay for a process a step. When whoever asked is gone, it ends as well.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Concatenate, ParamSpec, TypeVar

from pipeline import logs
from pipeline.errors import Crashed, EvidenceError, Hung, Killed, MemoryShort

_PROGRAM = [sys.executable, "-m", "flows.hand"]
_EVERY_S = 1.0
_MINE = threading.local()
_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Voice:
    """How a step says that it goes on, in the hand."""

    def __init__(self, send: Callable[[Any], None]) -> None:
        self._send, self._said_s = send, float("-inf")

    def say(self, text: str) -> None:
        """For the log of the run."""
        self._send(("say", (text, logs.known())))

    def progress(self, stage: str, done_ms: int, total_ms: int) -> None:
        """How far a stage is; see :data:`pipeline.plan.Progress`."""
        self._sign(f"{stage} {done_ms} of {total_ms} ms")

    def alive(self) -> None:
        """It waits for something from outside, and does not hang."""
        self._sign("")

    def _sign(self, at: str) -> None:
        if time.monotonic() - self._said_s >= _EVERY_S:
            self._said_s = time.monotonic()
            self._send(("at", at))


# --- in the flow run ------------------------------------------------------------------------


@contextmanager
def ready() -> Iterator[None]:
    """Start it before it is needed, as it takes a while to be ready; it ends with the block."""
    _start()
    try:
        yield
    finally:
        hand: _Hand | None = _MINE.hand
        if hand is not None:
            hand.end()
        _MINE.hand = None


def _start() -> _Hand:
    """The hand of this run, started unless there is one."""
    hand: _Hand | None = getattr(_MINE, "hand", None)
    if hand is None:
        hand = _MINE.hand = _Hand()
    return hand


def ask(
    what: str,
    limit_s: float,
    step: Callable[Concatenate[Voice, Asked], Answer],
    *args: Asked.args,
    **options: Asked.kwargs,
) -> Answer:
    """Have one step of :mod:`flows.steps` done by the hand of this run.

    Args:
        what: What it is about, for the words of an error.
        limit_s: Without a sign of life for so long it is ended.
        step: Which one.
        args: What it is given, beside its voice.
        options: The same, by name.

    Raises:
        Hung: it was ended for its silence, with all that it started.
        Crashed: it ended by itself; Killed: from outside. Whatever the step raises.
    """
    hand = _start()
    try:
        answer: Answer = hand.do(what, limit_s, (step, args, options))
        return answer
    finally:
        if hand.ended:  # the next step begins with another
            _MINE.hand = None


class _Hand:
    def __init__(self) -> None:
        self._line, theirs = Pipe()
        with theirs:
            end = theirs.fileno()
            self._child = subprocess.Popen(
                [*_PROGRAM, str(end)],
                pass_fds=(end,),
                stdin=subprocess.DEVNULL,
                stdout=2,
                start_new_session=True,
            )
        self.ended = False

    def do(self, what: str, limit_s: float, asked: Any) -> Any:
        """The answer; the hand is gone where there is none."""
        try:
            self._line.send(asked)
            kind, answer = self._heard(what, limit_s)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise crash_of(what, self.end()) from error
        except BaseException:  # told to stop, or hung: it may be in the middle of something
            self.end()
            raise
        if kind == "error":
            raise answer
        return answer

    def _heard(self, what: str, limit_s: float) -> tuple[str, Any]:
        at = ""
        while self._line.poll(limit_s):
            kind, said = self._line.recv()
            if kind == "say":
                text, ids = said
                with logs.about(**ids):
                    print(text)  # Prefect puts it into the log of the run
            elif kind == "at":
                at = said or at
            else:
                return kind, said
        raise hang_of(what, limit_s, at)

    def end(self) -> int:
        """Make sure that it is gone, with what it started; its exit code."""
        self.ended = True
        self._line.close()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_EVERY_S)  # one that crashed says how by itself
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        return self._child.wait()


def hang_of(what: str, limit_s: float, at: str) -> Hung:
    """The error of a process that was ended for its silence."""
    after = f" after {at}" if at else ""
    return Hung(
        f"{what}: nothing was heard of its process for {limit_s:.0f} s{after}; it was ended",
        hint="see hang_s and hang_pm",
    )


def crash_of(what: str, code: int) -> Crashed:
    """The error of a process that ended without an answer."""
    if code >= 0:
        return Crashed(f"{what}: it ended with exit code {code}", hint="see what it said above")
    number = signal.Signals(-code)
    # A kill comes from outside (an operator, a restart, the kernel short of memory).
    kind = Killed if number in _OUTSIDE else Crashed
    return kind(f"{what}: the process was ended by {number.name}")


# --- in the hand ----------------------------------------------------------------------------


def main() -> None:
    """Do what is asked, one step after the other, until nobody asks any more."""
    line = Connection(int(sys.argv[1]))
    os.set_inheritable(line.fileno(), False)
    asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(line, asked), daemon=True).start()
    import flows.steps  # noqa: F401  while the first request is on its way

    voice = Voice(line.send)
    while True:
        step, args, options = asked.get()
        line.send(_done(step, voice, args, options))


def _receive(line: Connection, asked: queue.SimpleQueue[Any]) -> None:
    """Hand requests on; the end of the line is the end of this process, whatever it does."""
    while True:
        try:
            asked.put(line.recv())
        except (EOFError, OSError):
            os.killpg(os.getpgrp(), signal.SIGKILL)  # what it started goes with it


def _done(step: Callable[..., Any], voice: Voice, args: Any, options: Any) -> tuple[str, Any]:
    try:
        return "done", step(voice, *args, **options)
    except EvidenceError as error:
        return "error", error
    except MemoryError:
        return "error", MemoryShort("the memory of this machine is used up", hint="run it again")


if __name__ == "__main__":
    main()
