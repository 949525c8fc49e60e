"""Archived objects: one suite for the fake, the folder, and S3 with its archived classes.

The S3 server here is real and has no archived class; the proxy before it keeps S3's rules for one.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.errors import ConfigError, ObjectArchived, ObjectMissing, UnknownFormat
from pipeline.ingest.local import LocalStore
from pipeline.ingest.s3 import S3Store
from pipeline.ports import Warmth
from tests.fakes import MemoryStore
from tests.faults import Answer
from tests.glacier import Glacier
from tests.services import needed, s3_settings, s3_store

STORES = ["memory", "local", pytest.param("s3", marks=pytest.mark.services)]
DATA = b"recording" * 1000


class Cellar(NamedTuple):
    """A store whose objects can be sent away and brought back."""

    store: Any
    chill: Callable[[str], None]
    bring_back: Callable[[str], None]


@pytest.fixture(params=STORES)
def cellar(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cellar]:
    if request.param == "memory":
        yield _memory()
    elif request.param == "local":
        yield _folder(LocalStore(tmp_path / "objects"))
    else:
        prefix = f"t/{uuid.uuid4().hex}"
        s3_store(s3_settings())
        with Glacier(needed("EVIDENCE_TEST_S3_ENDPOINT")) as glacier:
            store = S3Store(s3_settings(prefix=prefix, endpoint_url=glacier.url))
            yield Cellar(
                store,
                lambda key: glacier.chill(f"{prefix}/{key}"),
                lambda key: glacier.bring_back(f"{prefix}/{key}"),
            )


def _memory() -> Cellar:
    store = MemoryStore()

    def bring_back(key: str) -> None:
        assert store.cold[key].state == "restoring"
        store.cold[key] = Warmth("restored", "GLACIER", int(time.time() * 1000) + 86_400_000)

    def chill(key: str) -> None:
        store.cold[key] = Warmth("cold", "GLACIER")

    return Cellar(store, chill, bring_back)


def _folder(store: LocalStore) -> Cellar:
    def bring_back(key: str) -> None:
        """The medium is mounted sooner than was said."""
        marker = store.root / ".evidence" / "cold" / key
        said = json.loads(marker.read_text())
        said["ready_utc_ms"] = int(time.time() * 1000) - 1
        marker.write_text(json.dumps(said))

    def chill(key: str) -> None:
        store.archive(key, storage_class="GLACIER", takes_s=14_400)

    return Cellar(store, chill, bring_back)


def test_an_ordinary_object_is_warm(cellar: Cellar) -> None:
    cellar.store.put("a/k", DATA)
    assert cellar.store.stat("a/k").warmth.state == "warm"
    assert [o.warmth.state for o in cellar.store.list("a/")] == ["warm"]
    assert cellar.store.restore("a/k", days=1, tier="standard") is False
    assert cellar.store.read("a/k") == DATA


def test_nothing_is_asked_for_what_is_not_there(cellar: Cellar) -> None:
    with pytest.raises(ObjectMissing):
        cellar.store.restore("a/none", days=1, tier="standard")


def test_a_cold_object_is_known_and_not_read(cellar: Cellar, tmp_path: Path) -> None:
    store = cellar.store
    store.put("a/k", DATA)
    store.put("a/warm", b"x")
    cellar.chill("a/k")
    assert store.stat("a/k").warmth._replace(takes_s=None) == Warmth("cold", "GLACIER")
    assert {o.key: o.warmth.state for o in store.list("a/")} == {"a/k": "cold", "a/warm": "warm"}
    assert not store.stat("a/k").warmth.readable
    with pytest.raises(ObjectArchived, match="evidence restore") as caught:
        store.read("a/k", start=10, end=20)
    assert not caught.value.transient
    with pytest.raises(ObjectArchived):
        store.download("a/k", tmp_path / "out")
    assert list(tmp_path.glob("out*")) == []
    if isinstance(store, LocalStore):
        with pytest.raises(ObjectArchived):
            store.local_path("a/k")


def test_asking_twice_asks_once(cellar: Cellar) -> None:
    store = cellar.store
    store.put("a/k", DATA)
    cellar.chill("a/k")
    assert store.restore("a/k", days=7, tier="standard") is True
    assert store.restore("a/k", days=7, tier="standard") is False
    assert store.stat("a/k").warmth == Warmth("restoring", "GLACIER")
    assert [o.warmth.state for o in store.list("a/")] == ["restoring"]
    with pytest.raises(ObjectArchived):
        store.read("a/k")


def test_a_restored_object_is_read_until_it_ends(cellar: Cellar, tmp_path: Path) -> None:
    store = cellar.store
    store.put("a/k", DATA)
    cellar.chill("a/k")
    store.restore("a/k", days=7, tier="bulk")
    cellar.bring_back("a/k")
    warmth = store.stat("a/k").warmth
    assert (warmth.state, warmth.storage_class) == ("restored", "GLACIER")
    assert warmth.until_utc_ms > time.time() * 1000
    (listed,) = store.list("a/")
    assert listed.warmth.state == "restored"
    assert abs(listed.warmth.until_utc_ms - warmth.until_utc_ms) < 2000
    assert store.read("a/k") == DATA
    store.download("a/k", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == DATA
    cellar.chill("a/k")
    with pytest.raises(ObjectArchived):
        store.read("a/k")


def test_the_time_of_a_restored_folder_object_can_be_lengthened(tmp_path: Path) -> None:
    cellar = _folder(LocalStore(tmp_path))
    cellar.store.put("k", DATA)
    cellar.chill("k")
    cellar.store.restore("k", days=1, tier="standard")
    cellar.bring_back("k")
    first = cellar.store.stat("k").warmth.until_utc_ms
    assert cellar.store.restore("k", days=30, tier="standard") is True
    assert cellar.store.stat("k").warmth.until_utc_ms - first > 28 * 86_400_000


def test_a_damaged_marker_is_said(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("k", DATA)
    store.archive("k", storage_class="TAPE", takes_s=60)
    (tmp_path / ".evidence" / "cold" / "k").write_text("{")
    with pytest.raises(UnknownFormat, match="marker"):
        store.read("k")


@pytest.fixture
def glacier() -> Iterator[tuple[S3Store, Glacier, str]]:
    s3_store(s3_settings())
    prefix = f"t/{uuid.uuid4().hex}"
    with Glacier(needed("EVIDENCE_TEST_S3_ENDPOINT")) as proxy:
        yield S3Store(s3_settings(prefix=prefix, endpoint_url=proxy.url)), proxy, prefix


@pytest.mark.services
def test_what_is_sent_to_s3(glacier: tuple[S3Store, Glacier, str]) -> None:
    store, proxy, prefix = glacier
    for key, kind in (("g", "GLACIER"), ("d", "DEEP_ARCHIVE"), ("i", "GLACIER_IR")):
        store.put(key, DATA)
        proxy.chill(f"{prefix}/{key}", kind)
    assert store.restore("g", days=9, tier="expedited") is True
    body = next(body for method, path, body in proxy.bodies if "restore" in path)
    assert b"<Days>9</Days>" in body
    assert b"<Tier>Expedited</Tier>" in body
    with pytest.raises(ConfigError, match="no expedited"):
        store.restore("d", days=9, tier="expedited")
    assert store.restore("d", days=9, tier="bulk") is True
    found = store.stat("i")
    assert found is not None
    assert found.warmth == Warmth("warm", "GLACIER_IR")


@pytest.mark.services
def test_a_server_without_archived_classes_says_so(glacier: tuple[S3Store, Glacier, str]) -> None:
    store, proxy, prefix = glacier
    store.put("k", DATA)
    proxy.chill(f"{prefix}/k")
    proxy.fail(Answer(501, "NotImplemented"), method="POST")
    with pytest.raises(ConfigError, match="lacks"):
        store.restore("k", days=1, tier="standard")


@pytest.mark.services
def test_recordings_alone_are_tagged_for_the_lifecycle_rule() -> None:
    prefix = f"t/{uuid.uuid4().hex}"
    store = s3_store(s3_settings(prefix=prefix, recording_tag="kind=recording"), part_bytes=5 << 20)
    keys = {"b/media/r/1.mp4": DATA, "b/media/r/2.mp4": b"x" * (6 << 20), "b/packs/p.pack": DATA}
    for key, data in keys.items():
        store.put(key, data)
    for key in keys:
        at = {"Bucket": s3_settings().bucket, "Key": f"{prefix}/{key}"}
        tags = store._client.get_object_tagging(**at)["TagSet"]
        wanted = [{"Key": "kind", "Value": "recording"}] if "/media/" in key else []
        assert tags == wanted
