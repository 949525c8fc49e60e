"""Waiting for an index that is away: a finished broadcast is stored and need not be lost or hurried."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pipeline.errors import IndexUnavailable

Result = TypeVar("Result")
Tell = Callable[[str], None]

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
LATER = "everything is stored; once the index is back, run: evidence reconcile --apply"


def patiently(
    action: Callable[[], Result],
    *,
    wait_s: float,
    tell: Tell,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Do it; while the index is away, say so and try again with growing pauses.

    ``action`` may have been half done when it failed and must bear being done again.

    Raises:
        IndexUnavailable: it was still away after ``wait_s``.
    """
    until, pause_s, waited = clock() + wait_s, _FIRST_PAUSE_S, False
    while True:
        try:
            result = action()
        except IndexUnavailable as error:
            left_s = until - clock()
            if left_s <= 0:
                raise IndexUnavailable(error.message, hint=f"{error.hint}; {LATER}") from error
            pause_s = min(pause_s, left_s)
            tell(f"waiting for the search index ({error.message}); next try in {pause_s:.0f} s")
            waited = True
            sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
        else:
            if waited:
                tell("the search index is back; going on")
            return result
