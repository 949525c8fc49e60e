"""The log of a long run as one JSON object a line: what happened, where, in which broadcast and chunk.

Off unless ``log_format`` says ``json``. The ids stand in a context variable, so that whoever says
something need not know in whose work it is: a stage names the broadcast, a worker its part, and each
line said below them, by a library too, carries both. This module is the only door.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from pydantic import BaseModel

    from pipeline.settings import Settings

_IDS: ContextVar[Mapping[str, str]] = ContextVar("evidence_log_ids", default=MappingProxyType({}))
_LOG = logging.getLogger("evidence")
_MARK = "_logged_about"
_SHORTEST = 4
"""A shorter secret is none, and would blank out half of every line."""
_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_TELLING = re.compile(
    r"(?<=://)[^/\s@]+(?=@)"  # user and password of an address
    r"|(?<=\b[Bb]earer )\S+"
    r"|(?<=[?&]X-Amz-Signature=)[^&\s]+"
    r"|\bwhsec_\S+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_secrets: set[str] = set()
_finders: list[Callable[[], Mapping[str, str]]] = []


# --- saying ---------------------------------------------------------------------------------


def wanted() -> bool:
    """Whether lines are written as JSON."""
    return bool(_LOG.handlers)


def line(event: str, message: str = "", /, *, level: int = logging.INFO, **fields: object) -> None:
    """One line, where they are wanted; nothing otherwise."""
    if wanted():
        _LOG.log(level, "%s", message, extra={"event": event, "fields": fields})


def failed(error: Exception, /, **fields: object) -> None:
    """The line of an error, with the ids of the work that it ended."""
    with about(**getattr(error, _MARK, {})):
        message = str(fields.pop("message", error))
        line("failed", message, level=logging.ERROR, **fields)


def passed_on(row: Mapping[str, Any]) -> None:
    """A line of a process started from here: its own ids stand, those that it lacks are added."""
    if wanted():
        known = {k: v for k, v in _found().items() if k not in row or not row[k]}
        sys.stderr.write(_dumped({**row, **known}) + "\n")


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """What is said within is about this; an error that leaves it stays marked with it."""
    mine = {**_IDS.get(), **ids}
    token = _IDS.set(mine)
    try:
        yield
    except BaseException as error:
        error.__dict__.setdefault(_MARK, mine)
        raise
    finally:
        _IDS.reset(token)


def known() -> dict[str, str]:
    """What is said now is about this; for whoever says it in another process."""
    return dict(_IDS.get())


def henceforth(**ids: str) -> None:
    """The same for the rest of this run, once it is known what it is about."""
    _IDS.set({**_IDS.get(), **ids})


# --- setting up -----------------------------------------------------------------------------


def begin(settings: Settings | None = None) -> None:
    """Write JSON lines from now on, where the settings ask for it; without settings: in any case.

    What libraries log and warn of becomes a line, too, and so does an error nobody foresaw.
    """
    if settings is not None:
        if settings.log_format != "json":
            return
        _secrets.update(one for one in _secrets_of(settings) if len(one) >= _SHORTEST)
    if wanted():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    sys.excepthook = _unforeseen


def ids_from(finder: Callable[[], Mapping[str, str]]) -> None:
    """Whoever runs the work may know more ids, such as that of a flow run."""
    if finder not in _finders:
        _finders.append(finder)


def _secrets_of(part: BaseModel) -> Iterator[str]:
    from pydantic import BaseModel, SecretStr  # whoever has settings has imported it

    for value in part.__dict__.values():
        if isinstance(value, SecretStr):
            secret = value.get_secret_value().strip()
            yield secret
        elif isinstance(value, BaseModel):
            yield from _secrets_of(value)


def _unforeseen(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    with about(**getattr(error, _MARK, {})):
        _LOG.critical("%s", error, extra={"event": "crashed"}, exc_info=(kind, error, trace))


# --- writing --------------------------------------------------------------------------------


class Lines(logging.Formatter):
    """A log record as one JSON object in one line, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, event and broadcast always; other ids and fields where there are any."""
        said = record.__dict__
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        error = record.exc_info[1] if record.exc_info else None
        ids = {**_found(), **getattr(error, _MARK, {}), **_runs(said)}
        usual = ids.pop("event", "note" if record.name == _LOG.name else "log")
        row: dict[str, Any] = {"time": at.replace("+00:00", "Z")}
        row |= {"level": record.levelname.lower(), "event": said.get("event") or usual}
        row |= {"broadcast": ids.pop("broadcast", ""), **ids}
        if message := record.getMessage():
            row["message"] = message
        row |= said.get("fields", {})
        if record.name != _LOG.name:
            row["logger"] = record.name
        if record.exc_info:
            row["trace"] = self.formatException(record.exc_info)
        return _dumped(row)


def _found() -> dict[str, str]:
    """All ids that are known here; an empty one is none."""
    ids = {"worker": f"{socket.gethostname()}/{os.getpid()}"}
    for finder in _finders:
        ids |= finder()
    return {k: v for k, v in {**ids, **_IDS.get()}.items() if v}


def _runs(said: Mapping[str, Any]) -> dict[str, str]:
    """The ids of a run that Prefect's own lines bring with them."""
    names = (("flow_run", "flow_run_id"), ("task_run", "task_run_id"))
    return {ours: str(said[theirs]) for ours, theirs in names if said.get(theirs)}


def _dumped(row: Mapping[str, Any]) -> str:
    text = json.dumps(_safe(row), ensure_ascii=False, default=str)
    return text if text.isascii() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    """Characters that end a line, steer a terminal or turn the direction are written by number."""
    if char.isascii() or unicodedata.category(char) not in _HARMFUL:
        return char
    return json.dumps(char)[1:-1]


def _safe(value: Any) -> Any:
    """A value without secrets."""
    if isinstance(value, str):
        for secret in _secrets:
            value = value.replace(secret, "***")
        return _TELLING.sub("***", value)
    if isinstance(value, Mapping):
        return {_safe(str(key)): _safe(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_safe(one) for one in value]
    return value if isinstance(value, (int, float, bool, type(None))) else _safe(str(value))
