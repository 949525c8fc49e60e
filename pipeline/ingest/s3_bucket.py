"""Making a bucket in which nothing that was written is ever lost by a later write or a deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.ingest.s3_errors import code_of, status_of
from pipeline.settings import StoreSettings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def make_bucket(client: S3Client, settings: StoreSettings) -> None:
    """Make the bucket with object lock, which keeps versions, or with versions alone.

    Raises:
        ClientError: it cannot be made.
    """
    extra: dict[str, Any] = {}
    if settings.region not in ("", "us-east-1"):
        extra["CreateBucketConfiguration"] = {"LocationConstraint": settings.region}
    try:
        client.create_bucket(
            Bucket=settings.bucket, ObjectLockEnabledForBucket=settings.object_lock, **extra
        )
    except client.exceptions.ClientError as error:
        if code_of(error) != "BucketAlreadyOwnedByYou":
            raise
        return
    if not settings.object_lock:
        _keep_versions(client, settings.bucket)


def _keep_versions(client: S3Client, bucket: str) -> None:
    """Where the server has them; without the right to say so the bucket is as good as before."""
    try:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    except client.exceptions.ClientError as error:
        if status_of(error) not in (400, 403, 405, 501):
            raise
