"""Broadcasts of late, as read: a release never changes, so it is parsed once while it is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any

from pipeline import runner
from pipeline.archive import State
from pipeline.bootstrap import Application
from pipeline.runner import Parts

_MOST = 8
"""Broadcasts in memory; the longest take some tens of megabytes each."""


class Shelf:
    """Keeps the last few; safe between threads. Two at once may read the same, and both are right."""

    def __init__(self, app: Application, *, most: int = _MOST) -> None:
        self._app = app
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def parts(self, state: State, *, screen: bool = True) -> Parts:
        """The outputs of a state."""
        key = (state.prefix, state.release.number, screen)
        found: Parts = self._once(key, lambda: runner.parts_of(self._app, state, screen=screen))
        return found

    def _once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
