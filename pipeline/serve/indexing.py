"""The index of a workspace: made anew, compared with its store."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from pipeline import runner
from pipeline.bootstrap import Application
from pipeline.errors import InputError
from pipeline.index import rebuild as room
from pipeline.index.documents import UNDATED
from pipeline.index.rebuild import Rebuilt, Reconciled

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def rebuild(
    app: Application, *, days: Sequence[str], progress: Callable[[int, int], None] | None
) -> Rebuilt:
    """Make partitions anew from the store alone; searches go on in the old ones."""
    return room.rebuild(
        app.index,
        app.archive,
        read=partial(runner.documents, app),
        publish=partial(runner.publish, app),
        days=_checked(days),
        progress=progress,
    )


def reconcile(
    app: Application, *, days: Sequence[str], apply: bool, force_share: bool
) -> Reconciled:
    """Compare index and catalogue; with ``apply`` bring the index into step."""
    return room.reconcile(
        app.index,
        app.archive,
        publish=partial(runner.publish, app),
        days=_checked(days),
        apply=apply,
        most_pm=1000 if force_share else app.settings.index.reconcile_most_pm,
    )


def _checked(days: Sequence[str]) -> tuple[str, ...]:
    for day in days:
        if day != UNDATED and not _DAY.fullmatch(day):
            raise InputError(
                f"{day!r} is not a broadcast day",
                hint=f"write 2026-06-05, or {UNDATED} for broadcasts without a clock",
            )
    return tuple(dict.fromkeys(days))
