"""How the work stands: the backlog, what was listened to, what was set aside and why."""

from __future__ import annotations

from pipeline.budget import budget_of
from pipeline.divergence import Divergence, divergences
from pipeline.errors import IndexUnavailable
from pipeline.index.answer import BroadcastCoverage, SearchCoverage
from pipeline.model import Frozen
from pipeline.patience import Wait, naming_waits, waits
from pipeline.serve.desk import Desk
from pipeline.standing import Item, standings

STANDINGS = ("waiting", "parked", "running", "unfinished", "on_air", "quarantined")
"""In the order of a working day; the last is what a person must look at."""
MOST_ITEMS = 500


class Backlog(Frozen):
    """All that is of one standing."""

    standing: str
    """One of ``waiting``, ``parked``, ``running``, ``unfinished``, ``on_air``, ``quarantined``."""
    count: int
    """How many."""
    hours: float
    """Recorded hours of the arrivals among them, estimated from their sizes."""
    oldest_s: int | None
    """Longest since anything was known of one."""


class Operations(Frozen):
    """What whoever operates the desk looks at."""

    backlog: tuple[Backlog, ...]
    """By standing, empty ones too."""
    work: tuple[Item, ...]
    """What is not done, at most 500 of it."""
    waits: tuple[Wait, ...]
    """Who on this machine waits for a store or an index that is away, or for room, and since when."""
    index_error: str
    """Why the search index does not answer now, and nothing is known of coverage; else empty."""
    broadcasts: int
    """In the search index."""
    duration_ms: int
    """Their length together."""
    listened_ms: int
    """Of it, listened to without loss."""
    incomplete: tuple[BroadcastCoverage, ...]
    """Broadcasts with gaps, the worst first, at most 100."""
    divergences: tuple[Divergence, ...]
    """Work that gave other bytes the second time."""
    scratch_used_bytes: int
    """In this process's scratch folder."""
    scratch_budget_bytes: int
    """Its bound; 0: none."""
    free_bytes: int
    """Free on its disk."""


class OperationsDesk(Desk):
    """The desk, for whoever operates it: states, names and reasons, no content."""

    def standing(self) -> Operations:
        """How everything stands now."""
        self.viewer.require("operate")
        app = self._works.app
        with naming_waits(app.scratch):
            items = standings(app)
        covered, away = self._covered()
        disk = budget_of(app.scratch, app.settings).taken()
        return Operations(
            backlog=tuple(_of(name, items) for name in STANDINGS),
            work=tuple(items[:MOST_ITEMS]),
            waits=tuple(waits(app.scratch)),
            index_error=away,
            broadcasts=covered.broadcasts,
            duration_ms=covered.duration_ms,
            listened_ms=covered.listened_ms,
            incomplete=covered.incomplete,
            divergences=tuple(divergences(app.store)),
            scratch_used_bytes=disk.used_bytes,
            scratch_budget_bytes=disk.budget_bytes,
            free_bytes=disk.free_bytes,
        )

    def _covered(self) -> tuple[SearchCoverage, str]:
        """What was listened to; of an index that is away, why: that is looked for here."""
        try:
            return self._works.search("", size=1).coverage, ""
        except IndexUnavailable as error:
            return SearchCoverage(), error.message


def _of(standing: str, items: list[Item]) -> Backlog:
    found = [item for item in items if item.standing == standing]
    ages = [item.age_s for item in found if item.age_s is not None]
    return Backlog(
        standing=standing,
        count=len(found),
        hours=round(sum(item.hours for item in found), 2),
        oldest_s=max(ages, default=None),
    )
