"""Removing one object for ever, version by version, so that the server's own lock is asked.

A DELETE without a version would only hide the object, held or not; one with a version is refused
by the server where a legal hold or a retention stands, whatever this program believes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import ObjectChanged, UnderHold
from pipeline.ingest.s3_errors import code_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def remove(client: S3Client, bucket: str, name: str, *, if_match: str) -> bool:
    """Remove every version and marker of an object, oldest first; whether there was one.

    Raises:
        ObjectChanged: its newest version has another ETag.
        UnderHold: the server refuses a version. ClientError: any other refusal.
    """
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=name)
    versions: list[tuple[str, str]] = []
    markers: list[str] = []
    for page in pages:
        versions += [
            (v["VersionId"], v["ETag"].strip('"'))
            for v in page.get("Versions", ())
            if v["Key"] == name
        ]
        markers += [m["VersionId"] for m in page.get("DeleteMarkers", ()) if m["Key"] == name]
    if versions and versions[0][1] != if_match:
        raise ObjectChanged(f"{name} is no longer the object that was planned", hint="plan again")
    for version in [*markers, *(v for v, _ in reversed(versions))]:
        _remove_version(client, bucket, name, version)
    return bool(versions)


def _remove_version(client: S3Client, bucket: str, name: str, version: str) -> None:
    try:
        client.delete_object(Bucket=bucket, Key=name, VersionId=version)
    except client.exceptions.ClientError as error:
        if code_of(error) != "AccessDenied" or not _kept(client, bucket, name, version):
            raise
        raise UnderHold(
            f"{name}: the store refuses to remove it: it is under a legal hold or a retention",
            hint="`evidence holds` says by which case",
        ) from error


def _kept(client: S3Client, bucket: str, name: str, version: str) -> bool:
    """Whether the version is locked, or the key merely lacks the right to delete."""
    found = client.head_object(Bucket=bucket, Key=name, VersionId=version)
    held = found.get("ObjectLockLegalHoldStatus") == "ON"
    return held or found.get("ObjectLockRetainUntilDate") is not None
