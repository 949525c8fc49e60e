"""Bulk writes to Elasticsearch: every item is checked, refused items are tried again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from pipeline.errors import IndexUnavailable, PartialWrite
from pipeline.provenance import sha256_hex

BATCH = 500
TRIES = 7
_FIRST_WAIT_S = 0.5
_MOST_WAIT_S = 20.0
_LONGEST_ID_BYTES = 480
_BUSY = frozenset({429, 503})
_MOST_NAMED = 1000

Action = tuple[str, str, dict[str, Any] | None]
"""``(operation, id, source)``; operation ``index`` or ``delete``."""
Send = Callable[[list[Any]], dict[str, Any] | None]
"""Sends one bulk body; None when the whole request was refused for now."""


def safe_id(doc_id: str) -> str:
    """An id the server takes; very long ones are hashed."""
    long = len(doc_id.encode("utf-8", "surrogatepass")) > _LONGEST_ID_BYTES
    return sha256_hex(doc_id.encode("utf-8", "surrogatepass")) if long else doc_id


def write_all(
    actions: Iterable[Action], send: Send, *, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Send all actions in batches; how many succeeded.

    Raises:
        PartialWrite: some items were refused for good; all others were written.
        IndexUnavailable: the server kept refusing for about a minute.
    """
    done, failed, rest = 0, dict[str, str](), iter(actions)
    while batch := list(islice(rest, BATCH)):
        refused = _write_batch(batch, send, sleep)
        failed |= refused
        done += len(batch) - len(refused)
    if failed:
        first = next(iter(failed.items()))
        raise PartialWrite(
            f"{len(failed)} of {done + len(failed)} documents were refused, first {first[0]}: {first[1]}",
            hint="the others were written; correct the cause and run: evidence rebuild",
            failed=dict(islice(failed.items(), _MOST_NAMED)),
        )
    return done


def _write_batch(batch: list[Action], send: Send, sleep: Callable[[float], None]) -> dict[str, str]:
    """One batch, its busy items again and again with growing waits; the items refused for good."""
    failed: dict[str, str] = {}
    waiting, wait_s = batch, _FIRST_WAIT_S
    for _ in range(TRIES):
        reply = send([line for action in waiting for line in _lines(action)])
        if reply is not None:
            waiting = list(_sort_out(waiting, reply, failed))
        if not waiting:
            return failed
        sleep(wait_s)
        wait_s = min(_MOST_WAIT_S, wait_s * 2)
    raise IndexUnavailable(
        f"the search cluster refused {len(waiting)} documents {TRIES} times, it is overloaded",
        hint="nothing is lost; try again later, or give the cluster more room",
    )


def _lines(action: Action) -> Iterator[Any]:
    operation, doc_id, source = action
    yield {operation: {"_id": safe_id(doc_id)}}
    if source is not None:
        yield source


def _sort_out(
    sent: list[Action], reply: dict[str, Any], failed: dict[str, str]
) -> Iterator[Action]:
    """The items to try again; those refused for good are added to ``failed``."""
    for action, item in zip(sent, reply["items"], strict=True):
        result = item[action[0]]
        status = int(result["status"])
        if result.get("error", {}).get("type") == "index_not_found_exception":
            raise IndexUnavailable(
                "the index is gone, or another rebuild replaced it", hint="run: evidence rebuild"
            )
        if status in _BUSY:
            yield action
        elif status >= 300 and not (action[0] == "delete" and status == 404):
            error = result.get("error", {})
            failed[action[1]] = f"{error.get('type', status)}: {error.get('reason', '')}"[:300]
