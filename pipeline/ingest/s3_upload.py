"""Sending one object: a single request, or parts that become visible together.

Every request carries the SHA-256 of its bytes, which the server checks, and the last one
carries ``If-None-Match: *``, so that an object never replaces another. (boto3's transfer
manager has no conditional multipart upload; hence the parts are sent here.)
"""

from __future__ import annotations

import base64
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import InputError
from pipeline.provenance import sha256_file

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PART_BYTES = 16 << 20
MAX_PARTS = 10_000
"""S3's limit (Amazon S3 User Guide, *Multipart upload limits*)."""
PARALLEL = 4
"""Parts in flight; memory is this many parts."""


class Payload(NamedTuple):
    """What is sent: bytes, or a file as it was when it was hashed."""

    source: bytes | Path
    size_bytes: int
    sha256: str
    modified_ns: int = 0

    def piece(self, start: int, end: int) -> bytes:
        """Bytes ``[start, end)``.

        Raises:
            InputError: the file changed since it was hashed.
        """
        if isinstance(self.source, bytes):
            return self.source[start:end]
        with self.source.open("rb") as file:
            found = os.fstat(file.fileno())
            file.seek(start)
            piece = file.read(end - start)
        if (found.st_size, found.st_mtime_ns) != (self.size_bytes, self.modified_ns):
            raise InputError(
                f"{self.source} changed while it was being stored",
                hint="wait until the file is complete, then run this again",
                file=str(self.source),
            )
        return piece


def payload_of(source: bytes | Path) -> Payload:
    """Hash what is to be sent.

    Raises:
        InputError: the file is not there or cannot be read.
    """
    if isinstance(source, bytes):
        return Payload(source, len(source), hashlib.sha256(source).hexdigest())
    try:
        found = source.stat()
        return Payload(source, found.st_size, sha256_file(source), found.st_mtime_ns)
    except OSError as error:
        raise InputError(
            f"{source}: the file to store cannot be read ({error.strerror})",
            hint="check the path and its rights",
            file=str(source),
        ) from error


def send(
    client: S3Client,
    payload: Payload,
    *,
    bucket: str,
    key: str,
    extra: dict[str, Any],
    part_bytes: int = PART_BYTES,
) -> None:
    """Write the object unless the key exists; ``extra`` holds metadata and object lock.

    Raises:
        ClientError: ``PreconditionFailed`` where the key exists; every other refusal.
    """
    if payload.size_bytes > part_bytes:
        _send_parts(client, payload, bucket=bucket, key=key, extra=extra, part_bytes=part_bytes)
        return
    client.put_object(
        Bucket=bucket,
        Key=key,
        Body=payload.piece(0, payload.size_bytes),
        ChecksumSHA256=_base64(bytes.fromhex(payload.sha256)),
        IfNoneMatch="*",
        **extra,
    )


def _send_parts(
    client: S3Client,
    payload: Payload,
    *,
    bucket: str,
    key: str,
    extra: dict[str, Any],
    part_bytes: int,
) -> None:
    part_bytes = max(part_bytes, -(-payload.size_bytes // MAX_PARTS))
    at: dict[str, Any] = {"Bucket": bucket, "Key": key}
    opened = client.create_multipart_upload(**at, ChecksumAlgorithm="SHA256", **extra)
    at["UploadId"] = opened["UploadId"]

    def one(number: int) -> dict[str, Any]:
        start = (number - 1) * part_bytes
        piece = payload.piece(start, min(start + part_bytes, payload.size_bytes))
        digest = _base64(hashlib.sha256(piece).digest())
        sent = client.upload_part(**at, PartNumber=number, Body=piece, ChecksumSHA256=digest)
        return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": digest}

    done = False
    try:
        with ThreadPoolExecutor(PARALLEL) as pool:
            parts: Any = list(pool.map(one, range(1, -(-payload.size_bytes // part_bytes) + 1)))
        client.complete_multipart_upload(
            **at,
            MultipartUpload={"Parts": parts},
            IfNoneMatch="*",
        )
        done = True
    finally:
        if not done:
            _abandon(client, at)


def _abandon(client: S3Client, at: dict[str, Any]) -> None:
    """Give the parts back; where even that fails, the bucket's lifecycle rule clears them."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.abort_multipart_upload(**at)
    except (BotoCoreError, ClientError):
        return  # the error that led here is the one to report


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")
