"""What the system says about itself: status, models, doctor."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.bootstrap import Application, open_workspace
from pipeline.divergence import divergences
from pipeline.errors import ConfigError, EvidenceError
from pipeline.memory import budget_bytes, least
from pipeline.patience import naming_waits, waits
from pipeline.settings import SETTINGS_FILE, Settings
from pipeline.standing import standings

_MIN_MEMORY = 2 << 30


def status(app: Application, places: Sequence[str] = ()) -> dict[str, Any]:
    """Broadcasts by the catalogue, what is not done and since when, and free disk."""
    waiting = waits(app.scratch)
    with naming_waits(app.scratch):
        entries = sorted(app.archive.catalogue(), key=lambda e: (e.day, e.broadcast_id))
        work = standings(app, places)
    return {
        "workspace": str(app.root),
        "store": app.settings.store.kind,
        "index": app.settings.index.kind,
        "broadcasts": [
            {"broadcast_id": e.broadcast_id, "day": e.day, "release": e.release, "counts": e.counts}
            for e in entries
        ],
        "unfinished": [i.name for i in work if i.standing in ("running", "unfinished")],
        "work": [item.model_dump(mode="json") for item in work],
        "waits": [one.model_dump(mode="json") for one in waiting],
        "divergences": [one.model_dump(mode="json") for one in divergences(app.store)],
        "memory": memory(app),
        "free_bytes": shutil.disk_usage(app.root).free,
    }


def memory(app: Application) -> dict[str, int]:
    """What this worker may use, and what the stages need at least, bytes."""
    from pipeline.transcribe.models import model_bytes

    size = model_bytes(app.settings.transcribe.model)
    return {
        "budget_bytes": budget_bytes(app.settings),
        **{f"{stage}_bytes": need for stage, need in least(size).items()},
    }


def _anywhere(workspace: Path | None) -> Application:
    """The workspace asked for or stood in; else one with default settings, nothing written."""
    try:
        return open_workspace(workspace)
    except ConfigError:
        if workspace is not None or Path(SETTINGS_FILE).exists():
            raise
        return Application(Path.cwd(), Settings())


def models(workspace: Path | None) -> list[dict[str, Any]]:
    """Recognition models known here."""
    from pipeline.transcribe.models import list_models

    app = _anywhere(workspace)
    asked = app.settings.transcribe
    found = list_models(cache=app.model_cache, configured=asked.model, revision=asked.revision)
    return [entry._asdict() for entry in found]


def doctor(workspace: Path | None) -> list[dict[str, Any]]:
    """Every check, run now; a failing one says what to do."""
    app = _anywhere(workspace)
    checks: list[tuple[str, bool, Callable[[Application], str]]] = [
        ("python", True, _python),
        ("packages", True, _packages),
        ("ffmpeg", True, _ffmpeg),
        ("model", True, _model),
        ("rules", True, _rules),
        ("screen reader", False, _reader),
        ("store", True, _store),
        ("index", True, _index),
        ("disk", False, _disk),
        ("memory", False, _memory),
    ]
    return [_checked(name, needed, check, app) for name, needed, check in checks]


def _checked(
    name: str, needed: bool, check: Callable[[Application], str], app: Application
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "ok": True, "needed": needed, "hint": ""}
    try:
        return row | {"detail": check(app)}
    except EvidenceError as error:
        return row | {"ok": False, "detail": error.message, "hint": error.hint}


def _python(app: Application) -> str:
    return f"Python {sys.version.split()[0]} on {sys.platform}, {os.cpu_count()} processors"


def _packages(app: Application) -> str:
    try:
        version("opencv-python")
    except PackageNotFoundError:
        return f"replay-evidence {version('replay-evidence')}, OpenCV without a window system"
    raise ConfigError(
        "opencv-python is installed over opencv-python-headless",
        hint="uninstall opencv-python and reinstall opencv-python-headless (`make setup` does)",
    )


def _ffmpeg(app: Application) -> str:
    from pipeline.media.run import ffmpeg_version

    return ffmpeg_version()


def _model(app: Application) -> str:
    from pipeline.transcribe.models import resolve

    asked = app.settings.transcribe
    found = resolve(asked.model, revision=asked.revision, cache=app.model_cache, offline=True)
    return f"{found.name} from {found.source}"


def _rules(app: Application) -> str:
    return app.detector.producer


def _reader(app: Application) -> str:
    return app.reader.producer if app.settings.keyframes.ocr else "switched off"


def _store(app: Application) -> str:
    if app.settings.store.kind == "local":
        return f"folder {app.root / app.settings.store.path}"
    next(iter(app.store.list("catalogue/")), None)
    return f"bucket {app.settings.store.bucket} answers"


def _index(app: Application) -> str:
    if app.settings.index.kind == "sqlite":
        import sqlite3

        return f"SQLite {sqlite3.sqlite_version} in {app.root / app.settings.index.path}"
    app.index.ensure()
    return f"Elasticsearch at {app.settings.index.url} answers"


def _disk(app: Application) -> str:
    free = shutil.disk_usage(app.root).free
    if free < 2 << 30:
        raise ConfigError(f"{free >> 20} MiB free", hint="a 4-hour recording needs a few GiB")
    return f"{free >> 30} GiB free; a broadcast needs 1.3 times its recording"


def _memory(app: Application) -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return "unknown"
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if total < _MIN_MEMORY:
        raise ConfigError(f"{total >> 20} MiB", hint="the base model needs 2 GiB or less load")
    return f"{total >> 30} GiB; processing stays under 1.5 GiB with the base model"
