"""Recognition in a process of its own, so that a chunk that breaks it costs that chunk alone.

The process that listens loads the model once and answers over its pipes. What ends it (a crash of
the engine, the kernel short of memory), passes its memory limit or leaves it without an answer for
too long is a failure of the chunks it had in hand; the next request starts another. Who asks tries fewer at once, then leaves the chunk out with its
reason (:mod:`pipeline.transcribe.run`). When whoever asked is gone, it ends as well.
"""

from __future__ import annotations

import os
import pickle
import queue
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from pipeline.errors import EvidenceError, MemoryShort, ModelError, TranscriptionFailed
from pipeline.memory import MIB, PARENT_MIB, fitting
from pipeline.ports import Heard
from pipeline.settings import TranscribeSettings
from pipeline.transcribe.models import ModelFiles
from pipeline.transcribe.whisper import SAMPLE_RATE_HZ, WhisperTranscriber

if TYPE_CHECKING:
    from pipeline.ports import Audio

PATIENCE = 12
"""Failures in a row after which it is the machine and not the chunks: one bad chunk makes four."""
_TOO_MUCH = 70
"""Exit code of a process that could not even take the request in."""
_LIMIT = "the recogniser's memory limit was reached"
_HINT = "give the worker more memory, or take a smaller model"
_PROGRAM = [sys.executable, "-m", "pipeline.transcribe.apart"]


class ApartTranscriber:
    """A :class:`pipeline.ports.Transcriber` that listens in another process.

    Args:
        files: The model.
        settings: As for :class:`WhisperTranscriber`.
        budget_bytes: What this worker may use, that process among it; 0: no bound.
    """

    def __init__(
        self, files: ModelFiles, settings: TranscribeSettings, *, budget_bytes: int = 0
    ) -> None:
        self._files, self._settings, self._budget = files, settings, budget_bytes
        self._named = WhisperTranscriber(files, settings)  # loads nothing by itself
        self._child: subprocess.Popen[bytes] | None = None
        self._in_a_row = 0

    @property
    def producer(self) -> str:
        """As in this process."""
        return self._named.producer

    @property
    def digest(self) -> str:
        """As in this process: where a chunk is heard never changes its text."""
        return self._named.digest

    def transcribe(
        self, chunks: Sequence[Audio], *, language: str, retry: bool = False
    ) -> list[list[Heard]]:
        """See :meth:`WhisperTranscriber.transcribe`.

        Raises:
            TranscriptionFailed: also when these chunks ended the process, or passed its limit.
            MemoryShort: nothing can be heard here, whatever the chunk.
        """
        if not chunks:
            return []
        self._child = self._child or self._started()
        sound_s = sum(len(chunk) for chunk in chunks) / SAMPLE_RATE_HZ
        kind, found = self._asked(self._child, (list(chunks), language, retry), sound_s)
        if kind == "heard":
            self._in_a_row = 0
            heard: list[list[Heard]] = found
            return heard
        self._end()  # whatever went wrong, the next try begins afresh
        raise self._broken(kind, found, len(chunks))

    def rest(self) -> None:
        """End the process, if there is one; the next chunk starts another."""
        self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        """Another one, with its model loaded, if there is memory for it."""
        size = sum(file.stat().st_size for file in self._files.folder.iterdir())
        batch = fitting(self._settings.batch_chunks, model_bytes=size, budget=self._budget)
        settings = self._settings.model_copy(update={"batch_chunks": batch})
        limit = max(0, self._budget - PARENT_MIB * MIB)
        self._child = subprocess.Popen(_PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        kind, found = self._asked(self._child, (self._files, settings, limit), 0)
        if kind == "error":
            self._end()
            raise found
        if kind != "ready":
            self._end()
            raise MemoryShort(f"the model could not be loaded: {found}", hint=_HINT)
        return self._child

    def _asked(self, child: subprocess.Popen[bytes], what: Any, sound_s: float) -> tuple[str, Any]:
        """Its answer; ``ended`` with the reason where it gave none, or none in time."""
        limit_s = self._settings.hang_s + sound_s * self._settings.hang_pm / 1000
        hung = threading.Event()

        def give_up() -> None:
            hung.set()
            child.kill()  # the end of its pipes is the end of the waiting

        timer = threading.Timer(limit_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            return _ask(child, what)
        except (EOFError, OSError, pickle.UnpicklingError):
            why = self._end()
        finally:
            timer.cancel()
        silent = f"the recogniser gave no answer for {limit_s:.0f} s and was ended"
        return "ended", silent if hung.is_set() else why

    def _broken(self, kind: str, why: str | EvidenceError, count: int) -> EvidenceError:
        """What is told of a failure: these chunks, or, after many in a row, the machine."""
        self._in_a_row += 1
        told = str(why)
        if self._in_a_row >= PATIENCE:
            kinds = ModelError if kind == "error" else MemoryShort
            return kinds(
                f"{self._in_a_row} times in a row nothing could be heard: {told}", hint=_HINT
            )
        if isinstance(why, EvidenceError):
            return why
        return TranscriptionFailed(
            f"{told} while it heard {count} chunk{'s' * (count > 1)}",
            hint="see transcribe.batch_chunks and memory_budget_mb",
        )

    def _end(self) -> str:
        """Make sure that it is gone; how it ended."""
        child, self._child = self._child, None
        if child is None:
            return "the recogniser had ended"
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not yet sent to it
                    pipe.close()
        try:
            code = child.wait(5)  # it ends by itself when nobody asks any more
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        if code == _TOO_MUCH:
            return _LIMIT
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"the recogniser was ended by {name}"


def _ask(child: subprocess.Popen[bytes], what: Any) -> tuple[str, Any]:
    if child.stdin is None or child.stdout is None:
        raise EOFError
    pickle.dump(what, child.stdin)
    child.stdin.flush()
    answer: tuple[str, Any] = pickle.load(child.stdout)  # noqa: S301  our own process
    return answer


# --- in the process that listens --------------------------------------------------------------


def main() -> None:
    """Listen until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks was told to stop, and ends this
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints goes where errors go
    asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, asked), daemon=True).start()
    files, settings, limit_bytes = asked.get()
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    listener = WhisperTranscriber(files, settings)
    _answer(answers, "ready", listener.load)
    while True:
        chunks, language, retry = asked.get()
        _answer(
            answers, "heard", partial(listener.transcribe, chunks, language=language, retry=retry)
        )


def _receive(requests: IO[bytes], asked: queue.SimpleQueue[Any]) -> None:
    """Hand requests on; the end of the pipe is the end of this process, whatever it does."""
    while True:
        try:
            asked.put(pickle.load(requests))  # noqa: S301  from the process that started this one
        except EOFError:
            os._exit(0)
        except MemoryError:
            os._exit(_TOO_MUCH)


def _answer(answers: IO[bytes], kind: str, work: Callable[[], object]) -> None:
    try:
        answer = kind, work()
    except EvidenceError as error:
        answer = "error", error
    except MemoryError:
        answer = "memory", _LIMIT
    pickle.dump(answer, answers)
    answers.flush()


if __name__ == "__main__":
    main()
