"""The steps of a flow that open recordings, as its hand does them: asked for by ids alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.hand import Voice
from pipeline import logs, runner
from pipeline.bootstrap import Application, open_workspace
from pipeline.ingest.sources import followed
from pipeline.live import Session
from pipeline.live_lag import Pace, lag_figures
from pipeline.model import StageName
from pipeline.patience import ROOM, STORE, Result
from pipeline.plan import finish, run_stage
from pipeline.spread import Part
from pipeline.spread import do_part as do

_open: dict[Path, Application] = {}


def opened(workspace: str, voice: Voice) -> Application:
    """The workspace asked for, with the models that it has loaded, while its settings are the same."""
    fresh = open_workspace(Path(workspace) if workspace else None)
    known = _open.get(fresh.root)
    if known is None or known.settings != fresh.settings:
        known = _open[fresh.root] = fresh
    known.alive = voice.alive
    return known


def awaited(
    app: Application, action: Callable[[], Result], what: str, tell: Callable[[str], None]
) -> Result:
    """A step that waits for a store that is away, or for room, and says so."""
    return runner.awaited(app, action, what=what, tell=tell, services=(STORE, ROOM))


def take_in(voice: Voice, ids: dict[str, str], workspace: str, request: runner.Request) -> str:
    """Recordings and description into the store; the broadcast's prefix."""
    with logs.about(**ids):
        app = opened(workspace, voice)
        what = ", ".join(request.inputs)
        return awaited(app, lambda: runner.take_in(app, request).prefix, what, voice.say)


def stage(voice: Voice, ids: dict[str, str], workspace: str, prefix: str, name: StageName) -> str:
    """One stage; the content id of its output, empty where the stage does not apply."""
    with logs.about(**ids):
        app = opened(workspace, voice)
        context = app.context(voice.progress)
        output = awaited(app, lambda: run_stage(context, prefix, name), prefix, voice.say)
    return output.content if output else ""


def release(voice: Voice, ids: dict[str, str], workspace: str, prefix: str) -> None:
    """Make what the stages left the current state; the models that name it are loaded here."""
    with logs.about(**ids):
        app = opened(workspace, voice)
        awaited(app, lambda: finish(app.context(), prefix), prefix, voice.say)


def part(voice: Voice, ids: dict[str, str], workspace: str, prefix: str, one: Part, by: str) -> int:
    """One part: a stretch of the sound, or of the pictures, of a broadcast."""
    with logs.about(**ids):
        app = opened(workspace, voice)
        return awaited(
            app, lambda: do(app, prefix, one, by=by, alive=voice.alive), prefix, voice.say
        )


def follow(
    voice: Voice,
    ids: dict[str, str],
    workspace: str,
    place: str,
    broadcast_file: str,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Listen to a place until its broadcast has ended; where the recording lies now."""
    options = dict(options)
    where = {name: options.pop(name) for name in ("playlist", "marker", "quiet_s")}
    with logs.about(**ids):
        app = opened(workspace, voice)
        session = Session(
            app,
            followed(place, s3=runner.bucket_opener(app), **where),
            broadcast_file=Path(broadcast_file) if broadcast_file else None,
            pace=Pace(**options, alive=voice.alive),
            say=voice.say,
        )
        found = session.follow()
    return {
        "playlist": str(found.playlist),
        "broadcast_file": str(found.broadcast_file),
        "heard": str(session.heard),
        "amends": found.amends,
        "lag": lag_figures(found.lags),
    }
