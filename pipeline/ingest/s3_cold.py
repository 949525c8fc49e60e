"""Archived storage classes of S3: what a server says about them, and asking for a restore.

Amazon S3 API Reference, *HeadObject*, *ListObjectsV2* and *RestoreObject*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, ObjectMissing
from pipeline.ingest.s3_errors import code_of
from pipeline.ports import ObjectStat, Tier, Warmth
from pipeline.timeline import utc_ms

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""``GLACIER_IR`` is not among them: it is read at once."""
_TIERED = frozenset({"ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"})
"""Where Intelligent-Tiering keeps what was long not asked for; only a HEAD tells."""
_UNTIL = re.compile(r'expiry-date="([^"]+)"')


def warmth_of(head: Mapping[str, Any]) -> Warmth:
    """By an object's HEAD."""
    kind = str(head.get("ArchiveStatus") or head.get("StorageClass") or "")
    restore = str(head.get("Restore") or "")
    if kind not in _ARCHIVED | _TIERED:
        return Warmth("warm", kind)
    until = _UNTIL.search(restore)
    if until is not None:
        return Warmth("restored", kind, utc_ms(parsedate_to_datetime(until[1])))
    return Warmth("restoring" if 'ongoing-request="true"' in restore else "cold", kind)


def listed_warmth(row: Mapping[str, Any]) -> Warmth:
    """By an object's line in a listing; of Intelligent-Tiering it tells the class alone."""
    kind = str(row.get("StorageClass") or "")
    said = row.get("RestoreStatus") or {}
    if kind not in _ARCHIVED:
        return Warmth("warm", kind)
    if said.get("IsRestoreInProgress"):
        return Warmth("restoring", kind)
    until = said.get("RestoreExpiryDate")
    return Warmth("restored", kind, utc_ms(until)) if until else Warmth("cold", kind)


def tag_fields(tag: str, key: str) -> dict[str, Any]:
    """What is sent with a recording so that a lifecycle rule finds it; nothing for all else.

    Keys begin with a hash, so that no rule can tell recordings from packs by their prefix.
    """
    return {"Tagging": tag} if tag and "/media/" in key else {}


def ask(
    client: S3Client, at: Mapping[str, str], found: ObjectStat | None, *, days: int, tier: Tier
) -> bool:
    """Send the request where one is needed; whether it was the first. ``at`` is bucket and key.

    Raises:
        ObjectMissing: there is no such object. ConfigError: the class has no such tier.
        ClientError: every other refusal.
    """
    if found is None:
        raise ObjectMissing(f"{at['Key']}: no such object", hint="check the key")
    warmth = found.warmth
    if warmth.state in ("warm", "restoring"):
        return False
    if tier == "expedited" and warmth.storage_class.startswith("DEEP_ARCHIVE"):
        raise ConfigError(
            f"{at['Key']}: {warmth.storage_class} has no expedited restore",
            hint="ask with --tier standard or --tier bulk",
        )
    wanted: Any = {"GlacierJobParameters": {"Tier": tier.capitalize()}}
    if warmth.storage_class not in _TIERED:  # there it stays, once it is back
        wanted["Days"] = days
    if warmth.state == "restored":  # only its end is moved
        wanted = {"Days": days}
    try:
        client.restore_object(Bucket=at["Bucket"], Key=at["Key"], RestoreRequest=wanted)
    except client.exceptions.ClientError as error:
        if code_of(error) != "RestoreAlreadyInProgress":
            raise
        return False
    return True
