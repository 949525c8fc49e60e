"""Bulk writes to Elasticsearch: every item is checked, refused items are tried again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Literal, NamedTuple

from pipeline.errors import IndexUnavailable, PartialWrite
from pipeline.index.elastic_errors import advice
from pipeline.provenance import sha256_hex

BATCH = 500
TRIES = 7
_FIRST_WAIT_S = 0.5
_MOST_WAIT_S = 20.0
_LONGEST_ID_BYTES = 480
_BUSY = frozenset({429, 503})
_STANDING = frozenset({"cluster_block_exception", "unavailable_shards_exception"})
"""Reasons that do not go away within seconds: a full disk, a missing shard."""
_MOST_NAMED = 1000


class Action(NamedTuple):
    """One line of a bulk request."""

    operation: Literal["index", "delete"]
    alias: str
    """Written through."""
    doc_id: str
    source: dict[str, Any] | None


Send = Callable[[list[Any]], dict[str, Any] | str]
"""Sends one bulk body; a word for the reason when the whole request was refused for now."""


def safe_id(doc_id: str) -> str:
    """An id the server takes; very long ones are hashed."""
    long = len(doc_id.encode("utf-8", "surrogatepass")) > _LONGEST_ID_BYTES
    return sha256_hex(doc_id.encode("utf-8", "surrogatepass")) if long else doc_id


def write_all(
    actions: Iterable[Action], send: Send, *, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Send all actions in batches, the next made ready meanwhile; how many succeeded.

    Raises:
        PartialWrite: some items were refused for good; all others were written.
        IndexUnavailable: the server kept refusing for about a minute.
    """
    given, failed, rest = 0, dict[str, str](), iter(actions)
    with ThreadPoolExecutor(max_workers=1) as sender:
        under_way: Future[dict[str, str]] | None = None
        while batch := list(islice(rest, BATCH)):
            if under_way is not None:
                failed |= under_way.result()
            under_way = sender.submit(_write_batch, batch, send, sleep)
            given += len(batch)
        if under_way is not None:
            failed |= under_way.result()
    done = given - len(failed)
    if failed:
        first = next(iter(failed.items()))
        raise PartialWrite(
            f"{len(failed)} of {given} documents were refused, first {first[0]}: {first[1]}",
            hint="the others were written; correct the cause and run: evidence rebuild",
            failed=dict(islice(failed.items(), _MOST_NAMED)),
        )
    return done


def _write_batch(batch: list[Action], send: Send, sleep: Callable[[float], None]) -> dict[str, str]:
    """One batch, its busy items again and again with growing waits; the items refused for good."""
    failed: dict[str, str] = {}
    waiting, wait_s, why = batch, _FIRST_WAIT_S, ""
    for _ in range(TRIES):
        reply = send([line for action in waiting for line in _lines(action)])
        if isinstance(reply, str):
            why = reply
        else:
            busy = list(_sort_out(waiting, reply, failed))
            waiting, why = [action for action, _ in busy], busy[0][1] if busy else ""
        if not waiting:
            return failed
        sleep(wait_s)
        wait_s = min(_MOST_WAIT_S, wait_s * 2)
    raise IndexUnavailable(
        f"the search cluster refused {len(waiting)} documents {TRIES} times: {why}",
        hint=advice(why),
    )


def _lines(action: Action) -> Iterator[Any]:
    yield {action.operation: {"_index": action.alias, "_id": safe_id(action.doc_id)}}
    if action.source is not None:
        yield action.source


def _sort_out(
    sent: list[Action], reply: dict[str, Any], failed: dict[str, str]
) -> Iterator[tuple[Action, str]]:
    """The items to try again, with the reason; those refused for good are added to ``failed``."""
    for action, item in zip(sent, reply["items"], strict=True):
        result = item[action.operation]
        status, error = int(result["status"]), result.get("error", {})
        if error.get("type") == "index_not_found_exception":
            raise IndexUnavailable(
                "the index is gone, or another rebuild replaced it", hint="run: evidence rebuild"
            )
        kind = str(error.get("type", status))
        if kind in _STANDING:
            raise IndexUnavailable(
                f"the search cluster takes no documents: {kind}: {error.get('reason', '')}"[:400],
                hint=advice(kind),
            )
        if status in _BUSY:
            yield action, kind
        elif status >= 300 and not (action.operation == "delete" and status == 404):
            failed[action.doc_id] = f"{kind}: {error.get('reason', '')}"[:300]
