"""What a run of one broadcast leaves on the server's page: a table of its stages, coverage, timings."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import task
from prefect.artifacts import create_table_artifact

from flows.workspaces import opened
from pipeline import runner
from pipeline.timeline import Span
from pipeline.transcribe.coverage import coverage

_PLAIN = re.compile(r"[^a-z0-9]+")


class Timings:
    """Seconds of each step of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Time a step."""
        begun = time.monotonic()
        yield
        self.seconds[step] = round(time.monotonic() - begun, 2)


@task
def report(workspace: str, prefix: str, seconds: dict[str, float]) -> None:
    """The table of a finished broadcast."""
    app = opened(workspace)
    state = app.archive.state_at(prefix)
    made = {output.stage: output for output in state.release.outputs}
    rows = [
        {
            "step": step,
            "seconds": seconds.get(step, ""),
            "records": made[step].records if step in made else "",
            "pack": made[step].key if step in made else "",
        }
        for step in dict.fromkeys([*seconds, *made])
    ]
    heard = runner.parts_of(app, state, screen=False).transcript
    share = coverage(heard, Span(0, state.revision.duration_ms)).share_pm if heard else 0
    name = state.revision.broadcast.broadcast_id
    create_table_artifact(
        table=rows,
        key=f"broadcast-{_PLAIN.sub('-', name.lower()).strip('-') or 'x'}",
        description=f"{name}, release {state.release.number}: "
        f"{state.revision.duration_ms / 1000:.0f} s recorded, {share / 10:.1f} % listened to",
    )
