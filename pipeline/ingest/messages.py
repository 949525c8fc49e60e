"""Messages that say an object was written: what a store's event notification names, and nothing more.

The shapes of Amazon S3 (``Records[]``, bare, inside an SNS envelope, or as an EventBridge event)
and of MinIO. A message is hostile input: keys are decoded once and refused when they
hold what no honest recorder writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote_plus

from pipeline.errors import InputError

_MOST_BYTES = 1 << 20
_MOST_RECORDS = 1000
_LONGEST_KEY = 1024
_HINT = "an event notification of Amazon S3 or MinIO is expected"


class Letter(NamedTuple):
    """A message as it came."""

    letter_id: str
    """The same for the same message, also when it comes again."""
    body: bytes
    receipt: str = ""
    """What the queue wants to see when it is deleted."""


class Mailbox(Protocol):
    """Where messages come from. What is not deleted comes again."""

    def receive(self, *, wait_s: float) -> Sequence[Letter]:
        """Messages that are there, waiting so long for the first.

        Raises:
            StoreUnavailable, AccessDenied, ConfigError.
        """

    def delete(self, letter: Letter) -> None:
        """It was dealt with. Deleting what is deleted is no error."""


class Written(NamedTuple):
    """An object that was written."""

    bucket: str
    key: str


def written(body: bytes) -> list[Written]:
    """The objects that a message says were written; none for tests and removals.

    Raises:
        InputError: it is no event notification, or names a key that cannot be honest.
    """
    if len(body) > _MOST_BYTES:
        raise InputError("a message of more than 1 MiB", hint=_HINT)
    try:
        told = json.loads(body)
        if isinstance(told, dict) and isinstance(told.get("Message"), str):  # SNS
            told = json.loads(told["Message"])
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}"[:200], hint=_HINT) from error
    if not isinstance(told, dict):
        raise InputError("not a JSON object", hint=_HINT)
    if told.get("Event") == "s3:TestEvent":
        return []
    return list(dict.fromkeys(_written(told)))


def _written(told: dict[str, Any]) -> Iterator[Written]:
    if "detail-type" in told:  # EventBridge, whose keys are not encoded
        if told["detail-type"] == "Object Created":
            detail = told.get("detail")
            yield _checked(_text(detail, "bucket", "name"), _text(detail, "object", "key"))
        return
    records = told.get("Records")
    if not isinstance(records, list) or len(records) > _MOST_RECORDS:
        raise InputError("no list of Records", hint=_HINT)
    for record in records:
        name = _text(record, "eventName").removeprefix("s3:")
        if name.startswith("ObjectCreated:"):
            bucket = _text(record, "s3", "bucket", "name")
            yield _checked(bucket, _decoded(_text(record, "s3", "object", "key")))


def _text(value: Any, *path: str) -> str:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str):
        raise InputError(f"{'.'.join(path)} is missing", hint=_HINT, where=".".join(path))
    return value


def _decoded(key: str) -> str:
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        raise InputError("a key that is no UTF-8", hint=_HINT, where="s3.object.key") from error


def _checked(bucket: str, key: str) -> Written:
    odd = any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in key)
    steps = key.split("/")
    if odd or not key or len(key.encode("utf-8", "replace")) > _LONGEST_KEY or "\\" in key:
        raise InputError("a key with control characters, none, or too long", hint=_HINT)
    if "" in steps[:-1] or ".." in steps or "." in steps:
        raise InputError(f"{key!r}: a key that leads out of its folder"[:200], hint=_HINT)
    if "/" in bucket or not bucket:
        raise InputError(f"{bucket!r} is no bucket"[:200], hint=_HINT)
    return Written(bucket, key)


def within(one: Written, places: Sequence[str]) -> str | None:
    """The watched ``s3://`` place an object lies in; None where it lies in none."""
    for place in places:
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        inside = prefix.rstrip("/")
        if bucket == one.bucket and (not inside or one.key.startswith(f"{inside}/")):
            return place
    return None


def folders(one: Written, place: str) -> list[str]:
    """The folders of an object, from the watched place down to its own, as keys without a slash."""
    top = place.removeprefix("s3://").partition("/")[2].strip("/")
    own = [str(p) for p in PurePosixPath(one.key).parents if str(p) != "."]
    return [p for p in reversed(own) if p == top or not top or p.startswith(f"{top}/")]
