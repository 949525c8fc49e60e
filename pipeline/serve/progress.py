"""Progress bars on standard error: rate and time left, and nothing when nobody looks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline import logs

if TYPE_CHECKING:
    from pipeline.plan import Progress

_LOG_EVERY_S = 60


@contextmanager
def stage_bars() -> Iterator[Progress | None]:
    """A bar for each stage, in recorded time; None when standard error is no terminal.

    Where the log is JSON, a line a minute in its place.
    """
    if logs.wanted():
        yield progress_lines(_LOG_EVERY_S)
        return
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<11}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]:>12}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=max(1, total), rate="")
            task = bars.tasks[bars.task_ids.index(tasks[stage])]
            rate = done / 1000 / task.elapsed if task.elapsed else 0
            words = f"{rate:.1f}× real" if rate else ""
            bars.update(tasks[stage], completed=done, total=max(1, total), rate=words)

        yield report


def progress_lines(every_s: float = 1.0) -> Progress:
    """JSON lines on standard error for whoever started this process: a sign of life that advances."""
    told: dict[str, int] = {}
    said_s = -every_s

    def report(stage: str, done: int, total: int) -> None:
        nonlocal said_s
        now_s = time.monotonic()
        if done <= told.get(stage, -1) or (now_s - said_s < every_s and done < total):
            return
        told[stage], said_s = done, now_s
        line(stage=stage, done_ms=done, total_ms=total)

    return report


def line(**fields: Any) -> None:
    """One of those lines; of the log, where that is JSON, and with the same fields."""
    from pipeline.serve.render import note

    if logs.wanted():
        logs.line("waiting" if "waiting" in fields else "progress", **fields)
    else:
        note(json.dumps(fields, ensure_ascii=False))


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """One bar over a number of things; None when standard error is no terminal."""
    with stage_bars() as bars:
        yield None if bars is None else partial(bars, what)
