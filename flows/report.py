"""What a run of one broadcast leaves on the server's page: its stages, timings, coverage and links."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact

from flows.workspaces import opened
from pipeline import runner
from pipeline.bootstrap import Application
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
    """The table of a finished broadcast: a row a step, then the whole, and what was listened to."""
    app = opened(workspace)
    state = app.archive.state_at(prefix)
    made = {output.stage: output for output in state.release.outputs}
    rows: list[dict[str, Any]] = [
        {
            "step": step,
            "seconds": seconds.get(step, ""),
            "records": made[step].records if step in made else "",
            "link": link(app, made[step].key) if step in made else "",
        }
        for step in dict.fromkeys([*seconds, *made])
    ]
    name = state.revision.broadcast.broadcast_id
    spent_s, recorded_s = round(sum(seconds.values()), 2), state.revision.duration_ms / 1000
    rows.append({"step": "whole", "seconds": spent_s, "records": "", "link": link(app, prefix)})
    heard = runner.parts_of(app, state, screen=False).transcript
    found = coverage(heard, Span(0, state.revision.duration_ms)) if heard else None
    share = found.share_pm if found else 0
    missing = sum(gap.span.length_ms for gap in found.gaps) if found else 0
    words = f"{share / 10:.1f} % listened to, {missing / 1000:.0f} s missing"
    rows.append({"step": "coverage", "seconds": "", "records": words, "link": ""})
    fast = f", {recorded_s / spent_s:.1f} times real time" if spent_s else ""
    create_table_artifact(
        table=rows,
        key=f"broadcast-{_PLAIN.sub('-', name.lower()).strip('-') or 'x'}",
        description=f"{name}, release {state.release.number}: {recorded_s:.0f} s recorded in "
        f"{spent_s:.0f} s{fast}; {words}. To read it: `evidence show {name}`",
    )


def link(app: Application, key: str) -> str:
    """Where an object lies, as a person or a tool opens it."""
    store = app.settings.store
    if store.kind == "s3":
        inside = f"{store.prefix.strip('/')}/" if store.prefix.strip("/") else ""
        return f"s3://{store.bucket}/{inside}{key}"
    return (app.root / store.path / key).as_uri()
