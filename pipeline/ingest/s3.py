"""Objects in S3 or anything that speaks its API.

Writing is conditional (``If-None-Match: *``), so that two writers cannot replace each
other's bytes; the SHA-256 travels as checksum and as metadata. Reading is conditional as
well (``If-Match``): a body that breaks off is taken up from the byte reached, and only
from the same object. Where the bucket has object lock, retention is set in the very
request that writes.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, HashMismatch, InputError, ObjectChanged
from pipeline.ingest.disk import translated as disk_translated
from pipeline.ingest.keys import checked, checked_prefix, refuse_kept
from pipeline.ingest.s3_body import Body, pause
from pipeline.ingest.s3_bucket import make_bucket
from pipeline.ingest.s3_cold import ask, listed_warmth, tag_fields, warmth_of
from pipeline.ingest.s3_errors import code_of, no_bucket, status_of, translated
from pipeline.ingest.s3_removal import remove
from pipeline.ingest.s3_upload import PART_BYTES, Payload, payload_of, send
from pipeline.ports import ObjectStat, Tier
from pipeline.provenance import VERSION
from pipeline.settings import StoreSettings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MAX_LINK_S = 7 * 24 * 3600
"""Longest life of a presigned link (Signature Version 4)."""


class S3Store:
    """An object store in one bucket under one prefix."""

    def __init__(
        self, settings: StoreSettings, *, free_keys: bool = False, part_bytes: int = PART_BYTES
    ) -> None:
        """Nothing is sent yet.

        Args:
            settings: Where and as whom.
            free_keys: Take keys of any characters (to read a bucket others filled).
            part_bytes: Larger objects are sent in parts of this size (S3 wants 5 MiB or more).

        Raises:
            ConfigError: no bucket is named.
        """
        if not settings.bucket:
            raise ConfigError("store.bucket is empty", hint="name the bucket in evidence.toml")
        self._settings = settings
        self._free = free_keys
        self._part_bytes = part_bytes
        self._prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""
        self._bucket = settings.bucket
        self._where = f"{settings.bucket} at {settings.endpoint_url or 'AWS'}"
        self._bucket_seen = False

    @cached_property
    def _client(self) -> S3Client:
        import boto3
        from botocore.config import Config

        s = self._settings
        config = Config(
            signature_version="s3v4",
            connect_timeout=s.connect_timeout_s,
            read_timeout=s.read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": s.max_attempts},
            s3={"addressing_style": s.addressing_style},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            user_agent_extra=f"replay-evidence/{VERSION}",
        )
        try:
            with translated("settings", where=self._where):
                return boto3.session.Session().client(
                    "s3",
                    region_name=s.region or None,
                    endpoint_url=s.endpoint_url or None,
                    aws_access_key_id=s.access_key_id or None,
                    aws_secret_access_key=s.secret_access_key.get_secret_value() or None,
                    config=config,
                )
        except ValueError as error:
            raise ConfigError(f"store: {error}", hint="check store.endpoint_url") from error

    # --- the bucket ---------------------------------------------------------------------

    def ensure_bucket(self, *, create: bool = True) -> None:
        """See that the bucket is there; make it, with versions, and object lock if so set.

        Raises:
            ObjectMissing: it is not there and ``create`` is false. AccessDenied, ConfigError.
        """
        if self._bucket_exists():
            return
        if not create:
            raise no_bucket(self._where)
        with translated("bucket", where=self._where):
            make_bucket(self._client, self._settings)
        self._bucket_seen = True

    def _bucket_exists(self) -> bool:
        with translated("bucket", where=self._where):
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except self._client_error as error:
                if status_of(error) != 404:
                    raise
                return False
        self._bucket_seen = True
        return True

    @cached_property
    def locks(self) -> bool:
        """Whether the bucket has object lock and the settings ask for it."""
        if not self._settings.object_lock:
            return False
        with translated("object lock", where=self._where):
            try:
                answer = self._client.get_object_lock_configuration(Bucket=self._bucket)
            except self._client_error as error:
                if code_of(error) == "NoSuchBucket" or status_of(error) not in (400, 404, 501):
                    raise
                return False
        enabled = answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled")
        return enabled == "Enabled"

    # --- reading ------------------------------------------------------------------------

    def stat(self, key: str) -> ObjectStat | None:
        """The object's size and version tag; None when there is none.

        Raises:
            ObjectMissing: there is no such bucket.
        """
        found = self._head(key)
        if found is None:
            return None
        etag = found["ETag"].strip('"')
        return ObjectStat(key, found["ContentLength"], etag, warmth_of(found))

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """All objects whose key begins with ``prefix``, in key order."""
        whole = self._prefix + (prefix if self._free else checked_prefix(prefix))
        pages = self._client.get_paginator("list_objects_v2")
        with translated(prefix or "listing", where=self._where):
            wanted: Any = {"OptionalObjectAttributes": ["RestoreStatus"]}
            for page in pages.paginate(Bucket=self._bucket, Prefix=whole, **wanted):
                for found in page.get("Contents", ()):
                    key, etag = found["Key"].removeprefix(self._prefix), found["ETag"].strip('"')
                    yield ObjectStat(key, found["Size"], etag, listed_warmth(found))

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str = ""
    ) -> bytes:
        """Bytes ``[start, end)``; fewer where the object ends earlier. One request unless it breaks.

        Raises:
            ObjectMissing: no such object. ObjectChanged: ``if_match`` no longer fits.
            StoreUnavailable: no whole answer in ``store.max_attempts`` tries.
        """
        if start < 0 or (end is not None and end < start):
            raise ValueError(f"range [{start}, {end}) is not a range")
        if start == end:
            return b""
        got = bytearray()
        self._body(key).stream(got.extend, start=start, end=end, if_match=if_match)
        return bytes(got)

    def download(self, key: str, path: Path) -> str:
        """Copy the object to a local file, resuming after a broken read; its SHA-256 hex.

        ``path`` appears whole or not at all.

        Raises:
            ObjectMissing, ObjectChanged, StoreUnavailable, DiskShort.
            HashMismatch: the bytes are not those that were stored.
        """
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
        digest = hashlib.sha256()
        try:
            with disk_translated(str(path)), part.open("xb") as file:

                def sink(block: bytes) -> None:
                    digest.update(block)
                    file.write(block)

                stored = self._body(key).stream(sink)
            if stored and stored != digest.hexdigest():
                raise HashMismatch(
                    f"{key}: the bytes received do not have the SHA-256 stored with the object",
                    hint="read it again; if it stays so, the object is damaged",
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return digest.hexdigest()

    def presign(self, key: str, *, expires_s: int) -> str:
        """A link that lets anyone read the object for ``expires_s`` seconds (at most a week).

        Raises:
            InputError: not a possible duration.
        """
        if not 1 <= expires_s <= MAX_LINK_S:
            raise InputError(
                f"a link cannot live {expires_s} s", hint=f"1 to {MAX_LINK_S}", where="expires_s"
            )
        with translated(key, where=self._where):
            return self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": self._name(key)},
                ExpiresIn=expires_s,
            )

    def local_path(self, key: str) -> Path | None:
        """None: the object is remote."""
        self._name(key)
        return None

    def restore(self, key: str, *, days: int, tier: Tier) -> bool:
        """Ask for an archived object to be readable for ``days``; whether this call asked.

        Raises:
            ObjectMissing: no such object. ConfigError: the store cannot, or not by this tier.
        """
        at, found = {"Bucket": self._bucket, "Key": self._name(key)}, self.stat(key)
        with translated(key, where=self._where):
            return ask(self._client, at, found, days=days, tier=tier)

    # --- writing ------------------------------------------------------------------------

    def put(self, key: str, source: bytes | Path, *, retain_until: datetime | None = None) -> str:
        """Write the object whole or not at all; its SHA-256 hex. Same key, same bytes: a no-op.

        Raises:
            ObjectChanged: other bytes already stand under this key.
            AccessDenied, StoreUnavailable, DiskShort, InputError.
        """
        payload = payload_of(source)
        if not self._write(key, payload, retain_until):
            if self._stored_sha256(key) != payload.sha256:
                raise ObjectChanged(
                    f"{key} exists with other bytes",
                    hint="stored objects are never replaced; write them under another key",
                )
            self._retain(key, retain_until)
        return payload.sha256

    def put_if_absent(
        self, key: str, source: bytes | Path, *, retain_until: datetime | None = None
    ) -> bool:
        """Write unless the key exists; whether it was written. Atomic between writers."""
        return self._write(key, payload_of(source), retain_until)

    def _write(self, key: str, payload: Payload, retain_until: datetime | None) -> bool:
        # A large body is not sent only to be refused at its end.
        if payload.size_bytes > self._part_bytes and self._head(key) is not None:
            return False
        writer = uuid.uuid4().hex
        extra: dict[str, Any] = {"Metadata": {"sha256": payload.sha256, "writer": writer}}
        extra |= self._lock_fields(retain_until) | tag_fields(self._settings.recording_tag, key)
        for attempt in range(1, self._settings.max_attempts + 1):
            with translated(key, where=self._where):
                try:
                    send(
                        self._client,
                        payload,
                        bucket=self._bucket,
                        key=self._name(key),
                        extra=extra,
                        part_bytes=self._part_bytes,
                    )
                    return True
                except self._client_error as error:
                    if code_of(error) == "PreconditionFailed":
                        return self._written_by(key, writer)
                    last = attempt == self._settings.max_attempts
                    if code_of(error) != "ConditionalRequestConflict" or last:
                        raise
            pause(attempt)  # two writers at the same moment: ask again who was first
        raise AssertionError("the last attempt returns or raises")

    def _written_by(self, key: str, writer: str) -> bool:
        """Whether the object is ours after all: a repeated request whose first answer was lost."""
        found = self._head(key)
        return found is not None and found.get("Metadata", {}).get("writer") == writer

    def _stored_sha256(self, key: str) -> str:
        found = self._head(key)
        known = found.get("Metadata", {}).get("sha256", "") if found else ""
        if known:
            return str(known)
        digest = hashlib.sha256()
        self._body(key).stream(digest.update)
        return digest.hexdigest()

    def _lock_fields(self, retain_until: datetime | None) -> dict[str, Any]:
        if retain_until is None or retain_until <= datetime.now(UTC) or not self.locks:
            return {}
        return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": retain_until}

    # --- holds and retention ------------------------------------------------------------

    def hold(self, key: str, *, on: bool) -> None:
        """Set or lift a legal hold.

        Raises:
            ObjectMissing: no such object.
            ConfigError: the bucket has no object lock, so that a hold would only be a word.
        """
        if not self.locks:
            raise ConfigError(
                f"{self._where} has no object lock, a legal hold cannot be set",
                hint="make the bucket with object lock (evidence init does) and move the objects",
            )
        with translated(key, where=self._where):
            self._client.put_object_legal_hold(
                Bucket=self._bucket,
                Key=self._name(key),
                LegalHold={"Status": "ON" if on else "OFF"},
            )

    def held(self, key: str) -> bool:
        """Whether a legal hold is on."""
        found = self._head(key)
        return found is not None and found.get("ObjectLockLegalHoldStatus") == "ON"

    def retained_until(self, key: str) -> datetime | None:
        """Until when the object is locked; None when it is not."""
        head: dict[str, Any] = self._head(key) or {}
        return head.get("ObjectLockRetainUntilDate")

    def dispose(self, key: str, *, if_match: str) -> bool:
        """Remove the object for ever, with all its versions; whether it was there.

        Raises:
            UnderHold: held or locked, as asked here or as the server says. ObjectChanged.
        """
        refuse_kept(key, held=self.held(key), until=self.retained_until(key))
        with translated(key, where=self._where):
            return remove(self._client, self._bucket, self._name(key), if_match=if_match)

    def _retain(self, key: str, until: datetime | None) -> None:
        """Lengthen a retention; S3 itself refuses to shorten one."""
        known = self.retained_until(key) if self._lock_fields(until) else until
        if until is None or (known is not None and known >= until):
            return
        with translated(key, where=self._where):
            self._client.put_object_retention(
                Bucket=self._bucket,
                Key=self._name(key),
                Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until},
            )

    # --- small parts --------------------------------------------------------------------

    @cached_property
    def _client_error(self) -> type[Any]:
        from botocore.exceptions import ClientError

        return ClientError

    def _name(self, key: str) -> str:
        return self._prefix + (key if self._free else checked(key))

    def _body(self, key: str) -> Body:
        return Body(
            self._client,
            bucket=self._bucket,
            name=self._name(key),
            what=key,
            where=self._where,
            attempts=self._settings.max_attempts,
        )

    def _head(self, key: str) -> Any:
        """The object's head; None when there is no such object."""
        with translated(key, where=self._where):
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=self._name(key))
            except self._client_error as error:
                if status_of(error) != 404:
                    raise
                # A HEAD cannot say which of the two is missing, the bucket or the object.
                if not self._bucket_seen and not self._bucket_exists():
                    raise no_bucket(self._where) from error
                return None
        self._bucket_seen = True
        return found
