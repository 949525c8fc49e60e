"""What an S3 failure means to a person: botocore's exceptions into the pipeline's errors.

Codes and statuses: Amazon S3 API Reference, *Error responses*.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import (
    AccessDenied,
    ConfigError,
    DiskShort,
    EvidenceError,
    ObjectArchived,
    ObjectChanged,
    ObjectMissing,
    SourceError,
    StoreUnavailable,
)

_DENIED_HINTS = {
    "InvalidAccessKeyId": "the server does not know this access key; check store.access_key_id",
    "XAdminUserNotFound": "the server does not know this access key; check store.access_key_id",
    "SignatureDoesNotMatch": "the secret does not fit the key; check store.secret_access_key",
    "ExpiredToken": "the session has expired; sign in again",
    "InvalidToken": "the session token is not valid; sign in again",
    "RequestTimeTooSkewed": "this machine's clock differs from the server's; set the clock (NTP)",
    "RequestExpired": "the link or the request is too old; make it again, and check the clock",
}
_DENIED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "403", "401"}
_CHANGED = {"PreconditionFailed", "412"}
_MISSING = {"NoSuchKey", "NoSuchVersion", "NotFound", "404"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507", "EntityTooLarge"}
_REGION = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}
_LATER = {
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "OperationAborted",
    "ConditionalRequestConflict",
    "BadDigest",
}
_LATER_HINT = "try again later; what is done so far is kept"


@contextmanager
def translated(what: str, *, where: str) -> Iterator[None]:
    """Turn botocore's exceptions about ``what`` (a key) at ``where`` (bucket and endpoint)."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise from_client(error, what=what, where=where) from error
    except BotoCoreError as error:
        raise _from_core(error, what=what, where=where) from error


def broken_body() -> tuple[type[Exception], ...]:
    """What reading a body raises when the connection breaks half-way."""
    from botocore.exceptions import (
        ConnectionClosedError,
        IncompleteReadError,
        ReadTimeoutError,
        ResponseStreamingError,
    )

    return IncompleteReadError, ReadTimeoutError, ResponseStreamingError, ConnectionClosedError


def code_of(error: Any) -> str:
    """The error code of a ClientError; for a HEAD, which has no body, the status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: Any) -> int:
    """The HTTP status of a ClientError; 0 when there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def from_client(error: Any, *, what: str, where: str) -> EvidenceError:
    """The pipeline's error for an answer the server gave."""
    code, status = code_of(error), status_of(error)
    said = f"{what}: {where} answered {code or status}"
    if code == "NoSuchBucket":
        return no_bucket(where)
    if code in _DENIED_HINTS:
        return AccessDenied(said, hint=_DENIED_HINTS[code])
    if code in _CHANGED:
        return ObjectChanged(
            f"{what} is no longer the object that was first looked at",
            hint="start the reading again",
        )
    if code in _MISSING:
        return ObjectMissing(f"{what}: no such object in {where}", hint="check the key")
    if code in _FULL:
        return DiskShort(said, hint="the store is full or the object too large; make room there")
    if code in _REGION:
        return ConfigError(said, hint="check store.region and store.endpoint_url")
    if code == "InvalidObjectState":
        return ObjectArchived(said, hint="it is archived; ask for it: evidence restore BROADCAST")
    if code == "NotImplemented":
        return ConfigError(said, hint="the server lacks a function; see docs/operations.md")
    if code in _LATER or status >= 500 or status == 429:
        return StoreUnavailable(said, hint=_LATER_HINT)
    if code in _DENIED or status in (401, 403):
        return AccessDenied(said, hint="check the rights of this key on bucket and prefix")
    return SourceError(f"{said}: {_message(error)}", hint="see docs/operations.md")


def no_bucket(where: str) -> ObjectMissing:
    """The bucket is not there."""
    return ObjectMissing(
        f"{where}: no such bucket", hint="check store.bucket, or make it with: evidence init"
    )


def _message(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))[:200]


def _from_core(error: Exception, *, what: str, where: str) -> EvidenceError:
    """The pipeline's error when the server gave no answer, or none was asked."""
    from botocore import exceptions as core

    said = f"{what}: {where}: {error}"
    if isinstance(error, core.SSLError):
        return ConfigError(said, hint="the server's certificate is not trusted here")
    no_answer = (core.ConnectionError, core.HTTPClientError, core.ChecksumError)
    if isinstance(error, (*no_answer, core.IncompleteReadError, core.FlexibleChecksumError)):
        return StoreUnavailable(said, hint="check that the server is up, then run this again")
    if isinstance(error, (core.NoCredentialsError, core.PartialCredentialsError)):
        return ConfigError(
            said, hint="set store.access_key_id and store.secret_access_key, or AWS_PROFILE"
        )
    return ConfigError(said, hint="check the settings under [store]")
