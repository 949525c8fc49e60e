"""S3 when it fails: each failure made by a proxy before the real server, or by its refusal."""

from __future__ import annotations

import hashlib
import os
import socket
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pipeline.errors import (
    AccessDenied,
    ConfigError,
    DiskShort,
    EvidenceError,
    HashMismatch,
    InputError,
    ObjectArchived,
    ObjectChanged,
    ObjectMissing,
    SourceError,
    StoreUnavailable,
)
from pipeline.ingest.s3 import S3Store
from pipeline.ingest.s3_upload import payload_of
from pipeline.settings import StoreSettings
from tests.faults import Answer, Before, Change, FaultProxy, Half, Lost, Reset, Slow, WrongRange
from tests.services import needed, s3_settings, s3_store

pytestmark = pytest.mark.services
DATA = bytes(range(256)) * 1000


@pytest.fixture
def prefix() -> str:
    return f"f/{uuid.uuid4().hex}"


@pytest.fixture
def direct(prefix: str) -> S3Store:
    return s3_store(s3_settings(prefix=prefix))


@pytest.fixture
def proxy(direct: S3Store) -> Iterator[FaultProxy]:
    with FaultProxy(needed("EVIDENCE_TEST_S3_ENDPOINT")) as made:
        yield made


@pytest.fixture
def store(proxy: FaultProxy, prefix: str) -> S3Store:
    return S3Store(s3_settings(prefix=prefix, endpoint_url=proxy.url), part_bytes=5 << 20)


def test_busy_server_is_asked_again(store: S3Store, proxy: FaultProxy) -> None:
    proxy.fail(Answer(503, "SlowDown"), times=2)
    assert store.put("k", DATA) == hashlib.sha256(DATA).hexdigest()
    proxy.fail(Answer(500, "InternalError"), method="GET")
    assert store.read("k") == DATA


def test_server_busy_for_long_is_transient(store: S3Store, proxy: FaultProxy) -> None:
    proxy.fail(Answer(503, "SlowDown"), times=99)
    with pytest.raises(StoreUnavailable, match="SlowDown") as caught:
        store.read("k")
    assert caught.value.transient
    assert proxy.requests() == 3  # store.max_attempts, and no more


def test_half_a_body_goes_on_from_the_byte_reached(
    store: S3Store, direct: S3Store, proxy: FaultProxy, tmp_path: Path
) -> None:
    direct.put("k", DATA)
    proxy.fail(Half(), method="GET", times=2)
    assert store.download("k", tmp_path / "out") == hashlib.sha256(DATA).hexdigest()
    ranges = [h.get("Range") for m, _, h in proxy.seen if m == "GET"]
    assert ranges == [None, "bytes=128000-", "bytes=192000-"]
    conditions = [h.get("If-Match", "").strip('"') for m, _, h in proxy.seen if m == "GET"]
    etag = direct.stat("k")
    assert etag is not None
    assert conditions == ["", etag.etag, etag.etag]


def test_half_a_body_of_a_range(store: S3Store, direct: S3Store, proxy: FaultProxy) -> None:
    direct.put("k", DATA)
    proxy.fail(Half(), method="GET")
    assert store.read("k", start=1000, end=5000) == DATA[1000:5000]


def test_a_line_that_never_holds_is_given_up(
    store: S3Store, direct: S3Store, proxy: FaultProxy, tmp_path: Path
) -> None:
    direct.put("k", DATA)
    proxy.fail(Half(share=0), method="GET", times=99)
    with pytest.raises(StoreUnavailable, match="broke off at byte 0"):
        store.download("k", tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_object_replaced_while_being_read(
    store: S3Store, proxy: FaultProxy, prefix: str, tmp_path: Path
) -> None:
    store.put("k", DATA)
    proxy.clear()
    other = DATA[::-1]

    def replace() -> None:
        store._client.put_object(Bucket=s3_settings().bucket, Key=f"{prefix}/k", Body=other)

    proxy.fail(Half(), method="GET")
    proxy.fail(Before(replace), method="GET")
    with pytest.raises(ObjectChanged):
        store.download("k", tmp_path / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("label", [True, False])
def test_wrong_range_is_noticed(
    store: S3Store, direct: S3Store, proxy: FaultProxy, label: bool
) -> None:
    direct.put("k", DATA)
    proxy.fail(WrongRange(label), method="GET")
    assert store.read("k", start=300, end=400) == DATA[300:400]
    proxy.fail(WrongRange(label), method="GET", times=99)
    with pytest.raises(StoreUnavailable, match="asked from byte 300"):
        store.read("k", start=300, end=400)


def test_changed_bytes_are_noticed(
    store: S3Store, direct: S3Store, proxy: FaultProxy, tmp_path: Path
) -> None:
    direct.put("k", DATA)
    proxy.fail(Change(lambda r: r._replace(body=b"!" + r.body[1:])), method="GET", times=9)
    with pytest.raises(HashMismatch):
        store.download("k", tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_reset_connection_is_tried_again(
    store: S3Store, direct: S3Store, proxy: FaultProxy
) -> None:
    direct.put("k", DATA)
    proxy.fail(Reset(), times=2)
    assert store.read("k") == DATA


def test_lost_answer_to_a_write_still_counts_as_ours(store: S3Store, proxy: FaultProxy) -> None:
    proxy.fail(Lost(), method="PUT")
    assert store.put_if_absent("k", DATA) is True
    assert store.put_if_absent("k", DATA) is False
    assert store.read("k") == DATA


def test_slow_server(prefix: str, proxy: FaultProxy, direct: S3Store) -> None:
    direct.put("k", DATA)
    settings = s3_settings(prefix=prefix, endpoint_url=proxy.url, read_timeout_s=1, max_attempts=2)
    hasty = S3Store(settings)
    proxy.fail(Slow(1.5), method="GET")
    assert hasty.read("k") == DATA
    proxy.fail(Slow(1.5), method="GET", times=9)
    with pytest.raises(StoreUnavailable):
        hasty.read("k")


def test_broken_part_leaves_nothing(store: S3Store, proxy: FaultProxy, prefix: str) -> None:
    data = os.urandom(11 << 20)
    proxy.fail(Answer(403, "AccessDenied"), method="PUT", path="partNumber=2", times=9)
    with pytest.raises(AccessDenied):
        store.put("big", data)
    assert store.stat("big") is None
    proxy.clear()
    left = store._client.list_multipart_uploads(Bucket=s3_settings().bucket, Prefix=prefix)
    assert left.get("Uploads", []) == []
    assert store.put("big", data) == hashlib.sha256(data).hexdigest()


def test_parts_survive_a_busy_server(store: S3Store, proxy: FaultProxy) -> None:
    data = os.urandom(11 << 20)
    proxy.fail(Answer(503, "SlowDown"), method="PUT", path="partNumber=2", times=2)
    proxy.fail(Reset(), method="PUT", path="partNumber=1")
    assert store.put("big", data) == hashlib.sha256(data).hexdigest()
    assert hashlib.sha256(store.read("big")).digest() == hashlib.sha256(data).digest()


def test_file_that_grows_while_being_stored(store: S3Store, tmp_path: Path) -> None:
    file = tmp_path / "growing.flv"
    file.write_bytes(b"x" * 1000)
    payload = payload_of(file)
    file.write_bytes(b"x" * 2000)
    with pytest.raises(InputError, match="changed while it was being stored"):
        payload.piece(0, 1000)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Answer(403, "RequestTimeTooSkewed"), AccessDenied, "clock"),
        (Answer(403, "AccessDenied"), AccessDenied, "rights"),
        (Answer(400, "ExpiredToken"), AccessDenied, "sign in again"),
        (Answer(403, "RequestExpired"), AccessDenied, "too old"),
        (Answer(507, "InsufficientStorage"), DiskShort, "full"),
        (Answer(403, "InvalidObjectState"), ObjectArchived, "archived"),
        (Answer(404, "NoSuchBucket"), ObjectMissing, "no such bucket"),
        (Answer(404, "NoSuchKey"), ObjectMissing, "no such object"),
        (Answer(400, "AuthorizationHeaderMalformed"), ConfigError, "region"),
        (Answer(501, "NotImplemented"), ConfigError, "lacks"),
        (Answer(400, "Odd"), SourceError, "Odd"),
    ],
)
def test_refusals_say_what_to_do(
    store: S3Store, proxy: FaultProxy, fault: Answer, kind: type[EvidenceError], words: str
) -> None:
    proxy.fail(fault, times=99)
    with pytest.raises(kind, match=words) as caught:
        store.read("k")
    assert type(caught.value) is kind
    assert not caught.value.transient


def test_wrong_secret_and_unknown_key(prefix: str) -> None:
    bad = S3Store(s3_settings(prefix=prefix, secret_access_key=SecretStr("no")))
    with pytest.raises(AccessDenied, match="secret_access_key"):
        bad.put("k", b"x")
    unknown = S3Store(s3_settings(prefix=prefix, access_key_id="nobody"))
    with pytest.raises(AccessDenied, match="access_key_id"):
        unknown.put("k", b"x")


def test_no_bucket_is_not_taken_for_no_object() -> None:
    lost = S3Store(s3_settings(bucket=f"absent-{uuid.uuid4().hex}"))
    for call in (lost.stat, lost.read):
        with pytest.raises(ObjectMissing, match="no such bucket"):
            call("k")
    with pytest.raises(ObjectMissing, match="no such bucket"):
        lost.put("k", b"x")
    with pytest.raises(ObjectMissing, match="no such bucket"):
        lost.ensure_bucket(create=False)


def test_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = StoreSettings(
        kind="s3",
        bucket="b",
        endpoint_url=f"http://127.0.0.1:{port}",
        access_key_id="k",
        secret_access_key=SecretStr("s"),
        max_attempts=2,
        connect_timeout_s=1,
    )
    with pytest.raises(StoreUnavailable, match="check that the server is up"):
        S3Store(settings).stat("k")
    odd = settings.model_copy(update={"endpoint_url": "nonsense"})
    with pytest.raises(ConfigError, match="endpoint"):
        S3Store(odd).stat("k")


def test_link_opens_the_object_and_expires(direct: S3Store) -> None:
    direct.put("k", DATA)
    link = direct.presign("k", expires_s=1)
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == DATA
    time.sleep(2.1)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(link)
    assert caught.value.code == 403
    for seconds in (0, 8 * 24 * 3600):
        with pytest.raises(InputError):
            direct.presign("k", expires_s=seconds)


def test_hold_needs_object_lock() -> None:
    plain = s3_store(s3_settings(bucket="evidence-plain", object_lock=False))
    plain.put(f"k-{uuid.uuid4().hex}", b"x")
    again = S3Store(s3_settings(bucket="evidence-plain"))
    assert again.locks is False
    with pytest.raises(ConfigError, match="no object lock"):
        again.hold("k", on=True)


def test_held_object_survives_deletion(direct: S3Store, prefix: str) -> None:
    direct.put("k", DATA)
    direct.hold("k", on=True)
    at: dict[str, Any] = {"Bucket": s3_settings().bucket, "Key": f"{prefix}/k"}
    version = direct._client.head_object(**at)["VersionId"]
    with pytest.raises(direct._client_error):
        direct._client.delete_object(**at, VersionId=version)
    assert direct.read("k") == DATA


def test_a_locked_version_cannot_be_deleted_before_its_time(direct: S3Store, prefix: str) -> None:
    direct.put("k", DATA, retain_until=datetime.now(UTC) + timedelta(hours=1))
    at: dict[str, Any] = {"Bucket": s3_settings().bucket, "Key": f"{prefix}/k"}
    version = direct._client.head_object(**at)["VersionId"]
    with pytest.raises(direct._client_error):
        direct._client.delete_object(**at, VersionId=version)
    assert direct.read("k") == DATA


@pytest.mark.parametrize("object_lock", [True, False])
def test_what_someone_deletes_or_replaces_is_still_there_as_a_version(object_lock: bool) -> None:
    settings = s3_settings(bucket=f"versions-{uuid.uuid4().hex[:12]}", object_lock=object_lock)
    store = s3_store(settings)
    store.put("k", DATA)
    at: dict[str, Any] = {"Bucket": settings.bucket, "Key": "k"}
    first = store._client.head_object(**at)["VersionId"]
    store._client.put_object(**at, Body=b"other")
    store._client.delete_object(**at)
    assert store.stat("k") is None
    with pytest.raises(ObjectMissing):
        store.read("k")
    assert store._client.get_object(**at, VersionId=first)["Body"].read() == DATA


def test_bucket_others_filled(direct: S3Store, prefix: str, tmp_path: Path) -> None:
    name = f"{prefix}/直播 回放/第1场.mp4"
    direct._client.put_object(Bucket=s3_settings().bucket, Key=name, Body=DATA)
    free = S3Store(s3_settings(), free_keys=True)
    assert [o.key for o in free.list(f"{prefix}/直播")] == [name]
    assert free.download(name, tmp_path / "out") == hashlib.sha256(DATA).hexdigest()
    # An object without our metadata is compared by its bytes.
    direct._client.put_object(Bucket=s3_settings().bucket, Key=f"{prefix}/foreign", Body=b"one")
    assert direct.put("foreign", b"one") == hashlib.sha256(b"one").hexdigest()
    with pytest.raises(ObjectChanged):
        direct.put("foreign", b"two")
