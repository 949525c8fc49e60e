"""Reading an object's body to its end over a line that breaks."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.errors import StoreUnavailable
from pipeline.ingest.s3_errors import broken_body, status_of, translated

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BLOCK_BYTES = 1 << 20
BACKOFF_S = 0.2
BACKOFF_MAX_S = 10.0

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class WrongRange(Exception):
    """The server sent other bytes than those asked for."""


class Body:
    """The body of one object; a read that breaks off goes on from the byte reached."""

    def __init__(
        self, client: S3Client, *, bucket: str, name: str, what: str, where: str, attempts: int
    ) -> None:
        """``what`` and ``where`` are the words for errors; ``attempts`` without progress fail."""
        self._client, self._bucket, self._name = client, bucket, name
        self._what, self._where, self._attempts = what, where, attempts

    def stream(
        self,
        sink: Callable[[bytes], object],
        *,
        start: int = 0,
        end: int | None = None,
        if_match: str = "",
    ) -> str:
        """Feed bytes ``[start, end)`` to ``sink``; the SHA-256 stored with the object, or empty.

        Raises:
            ObjectMissing: no such object. ObjectChanged: it is not ``if_match``, or it was
            replaced while being read. StoreUnavailable: too many tries without progress.
        """
        at, failures, etag = start, 0, if_match
        broken: tuple[type[Exception], ...] = (*broken_body(), WrongRange)
        while True:
            answer = self._open(at, end, etag)
            if answer is None:
                return ""
            etag = etag or answer["ETag"].strip('"')
            reached = at
            try:
                self._check(answer, at)
                while block := answer["Body"].read(BLOCK_BYTES):
                    sink(block)
                    reached += len(block)
                return str(answer.get("Metadata", {}).get("sha256", ""))
            except broken as error:
                failures = 1 if reached > at else failures + 1
                at = reached
                if failures >= self._attempts:
                    raise self._broken(at, error) from error
            finally:
                answer["Body"].close()
            pause(failures)

    def _open(self, start: int, end: int | None, etag: str) -> Any:
        """One ranged GET; None where the object ends before ``start``."""
        extra: dict[str, Any] = {"IfMatch": f'"{etag}"'} if etag else {}
        if start or end is not None:
            extra["Range"] = f"bytes={start}-" + ("" if end is None else str(end - 1))
        from botocore.exceptions import ClientError

        with translated(self._what, where=self._where):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=self._name, **extra)
            except ClientError as error:
                if status_of(error) == 416:
                    return None
                raise

    def _check(self, answer: Any, start: int) -> None:
        """Refuse an answer that holds other bytes than those asked for."""
        said = answer.get("ContentRange", "")
        given = _RANGE.fullmatch(said)
        if (start and given is None) or (given is not None and int(given[1]) != start):
            raise WrongRange(f"asked from byte {start}, got {said or 'the whole'!r}")

    def _broken(self, at: int, error: BaseException) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._what}: {self._where} broke off at byte {at}: {error}",
            hint="check the server and the network, then run this again",
        )


def pause(failures: int) -> None:
    """Wait before try number ``failures`` + 1: doubling, capped, with full jitter.

    Method: M. Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015.
    """
    limit = min(BACKOFF_MAX_S, BACKOFF_S * 2 ** max(0, failures - 1))
    time.sleep(random.uniform(0, limit))  # noqa: S311
