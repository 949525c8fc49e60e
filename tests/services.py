"""The real services of a test run, found by environment variables that infra/ sets.

Tests that need one are marked ``services`` and are skipped, with the reason printed, where
the service was not started. ``make test`` starts them all.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import SecretStr

from pipeline.ingest.s3 import S3Store
from pipeline.settings import StoreSettings

BUCKET = "evidence-test"


def needed(name: str) -> str:
    """The value of an environment variable; the test is skipped without it."""
    value = os.environ.get(name, "")
    if not value:
        pytest.skip(f"{name} is not set: the service is not running (make test starts it)")
    return value


def s3_settings(**changes: Any) -> StoreSettings:
    """Settings for the real S3 server."""
    values: dict[str, Any] = {
        "kind": "s3",
        "bucket": BUCKET,
        "endpoint_url": needed("EVIDENCE_TEST_S3_ENDPOINT"),
        "access_key_id": needed("EVIDENCE_TEST_S3_KEY"),
        "secret_access_key": SecretStr(needed("EVIDENCE_TEST_S3_SECRET")),
        "connect_timeout_s": 2,
        "read_timeout_s": 20,
        "max_attempts": 3,
    }
    return StoreSettings(**{**values, **changes})


def s3_environment(settings: StoreSettings) -> dict[str, str]:
    """The same settings for a command, as environment variables."""
    return {
        "EVIDENCE_STORE__KIND": "s3",
        "EVIDENCE_STORE__BUCKET": settings.bucket,
        "EVIDENCE_STORE__ENDPOINT_URL": settings.endpoint_url,
        "EVIDENCE_STORE__ACCESS_KEY_ID": settings.access_key_id,
        "EVIDENCE_STORE__SECRET_ACCESS_KEY": settings.secret_access_key.get_secret_value(),
    }


def s3_store(settings: StoreSettings, **more: Any) -> S3Store:
    """A store in its bucket, which is made when it is not there."""
    store = S3Store(settings, **more)
    store.ensure_bucket()
    return store
