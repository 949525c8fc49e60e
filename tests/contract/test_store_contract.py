"""One suite for every object store: the fake, the folder, and S3 on a real server."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError, ObjectChanged, ObjectMissing, UnderHold
from pipeline.ingest.local import LocalStore
from tests.fakes import MemoryStore
from tests.services import s3_settings, s3_store

STORES = ["memory", "local", pytest.param("s3", marks=pytest.mark.services)]
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "local":
        yield LocalStore(tmp_path / "objects")
    else:
        # Parts of 5 MiB, the least S3 takes, so that a small test sends several.
        yield s3_store(s3_settings(prefix=f"t/{uuid.uuid4().hex}"), part_bytes=5 << 20)


def test_absent_object(store: Any, tmp_path: Path) -> None:
    assert store.stat("a/b") is None
    assert list(store.list("a/")) == []
    with pytest.raises(ObjectMissing):
        store.read("a/b")
    with pytest.raises(ObjectMissing):
        store.download("a/b", tmp_path / "out")
    assert list(tmp_path.glob("out*")) == []
    with pytest.raises(ObjectMissing):
        store.hold("a/b", on=True)


def test_bytes_come_back(store: Any, tmp_path: Path) -> None:
    data = os.urandom(70_000)
    assert store.put("a/b.bin", data) == sha256(data)
    found = store.stat("a/b.bin")
    assert (found.key, found.size_bytes) == ("a/b.bin", 70_000)
    assert store.read("a/b.bin") == data
    assert store.download("a/b.bin", tmp_path / "out") == sha256(data)
    assert (tmp_path / "out").read_bytes() == data


def test_file_as_source(store: Any, tmp_path: Path) -> None:
    source = tmp_path / "录像 1.bin"
    source.write_bytes(b"recording" * 1000)
    assert store.put("a/file", source) == sha256(b"recording" * 1000)
    assert store.read("a/file", start=9, end=18) == b"recording"


def test_empty_object(store: Any, tmp_path: Path) -> None:
    assert store.put("empty", b"") == sha256(b"")
    assert store.stat("empty").size_bytes == 0
    assert store.read("empty") == b""
    assert store.download("empty", tmp_path / "out") == sha256(b"")


def test_ranges(store: Any) -> None:
    store.put("r", b"0123456789")
    assert store.read("r", start=3, end=6) == b"345"
    assert store.read("r", start=7) == b"789"
    assert store.read("r", end=2) == b"01"
    assert store.read("r", start=8, end=99) == b"89"
    assert store.read("r", start=10) == b""
    assert store.read("r", start=50, end=60) == b""
    assert store.read("r", start=4, end=4) == b""
    with pytest.raises(ValueError, match="not a range"):
        store.read("r", start=5, end=4)
    with pytest.raises(ValueError, match="not a range"):
        store.read("r", start=-1)


def test_if_match(store: Any) -> None:
    store.put("m", b"0123456789")
    etag = store.stat("m").etag
    assert etag
    assert store.read("m", start=2, end=4, if_match=etag) == b"23"
    with pytest.raises(ObjectChanged):
        store.read("m", if_match="d41d8cd98f00b204e9800998ecf8427e")


def test_put_again_is_a_no_op(store: Any) -> None:
    store.put("p", b"one")
    before = store.stat("p")
    assert store.put("p", b"one") == sha256(b"one")
    assert store.stat("p") == before


def test_put_never_replaces(store: Any) -> None:
    store.put("p", b"one")
    with pytest.raises(ObjectChanged):
        store.put("p", b"two")
    assert store.put_if_absent("p", b"two") is False
    assert store.read("p") == b"one"


def test_put_if_absent(store: Any) -> None:
    assert store.put_if_absent("q", b"one") is True
    assert store.put_if_absent("q", b"one") is False
    assert store.read("q") == b"one"


def test_one_of_many_writers_wins(store: Any) -> None:
    bodies = [f"writer {n}".encode() for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda body: store.put_if_absent("race", body), bodies))
    assert won.count(True) == 1
    assert store.read("race") == bodies[won.index(True)]


def test_several_parts(store: Any, tmp_path: Path) -> None:
    data = os.urandom(11 << 20)
    source = tmp_path / "big"
    source.write_bytes(data)
    assert store.put("big/one", source) == sha256(data)
    assert store.put("big/one", source) == sha256(data)
    assert store.put_if_absent("big/one", data) is False
    assert store.put_if_absent("big/two", data) is True
    assert store.download("big/one", tmp_path / "out") == sha256(data)
    assert (
        store.read("big/two", start=(5 << 20) - 3, end=(5 << 20) + 3)
        == data[(5 << 20) - 3 : (5 << 20) + 3]
    )
    with pytest.raises(ObjectChanged):
        store.put("big/one", data[:-1] + bytes([data[-1] ^ 1]))


def test_listing_is_in_key_order(store: Any) -> None:
    keys = ["a/b/c", "a/b-c", "a.b", "ab", "a/C", "a/b/a=1", "b/x", "a/b/%E5%BD%95"]
    for key in keys:
        store.put(key, key.encode())
    assert [o.key for o in store.list("")] == sorted(keys)
    assert [o.key for o in store.list("a/b")] == sorted(k for k in keys if k.startswith("a/b"))
    assert [o.key for o in store.list("a/b/")] == ["a/b/%E5%BD%95", "a/b/a=1", "a/b/c"]
    assert [(o.size_bytes, o.etag) for o in store.list("ab")] == [(2, store.stat("ab").etag)]
    assert list(store.list("zz")) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        ".hidden",
        "a/.x",
        "a\\b",
        "a b",
        "录",
        "a\x00",
        "?",
        "x" * 256,
        "/".join(["x" * 200] * 6),
    ],
)
def test_unsafe_keys_are_refused(store: Any, key: str) -> None:
    for call in (store.stat, store.read, store.local_path):
        with pytest.raises(InputError):
            call(key)
    with pytest.raises(InputError):
        store.put(key, b"x")
    with pytest.raises(InputError):
        store.put_if_absent(key, b"x")


def test_hold_and_lift(store: Any) -> None:
    store.put("h", b"held")
    assert store.held("h") is False
    store.hold("h", on=True)
    store.hold("h", on=True)
    assert store.held("h") is True
    with pytest.raises(ObjectChanged):
        store.put("h", b"other")
    store.hold("h", on=False)
    store.hold("h", on=False)
    assert store.held("h") is False
    assert store.read("h") == b"held"


def test_retention_is_recorded_and_only_grows(store: Any) -> None:
    store.put("kept", b"x", retain_until=SOON)
    assert store.retained_until("kept") == SOON
    store.put("kept", b"x", retain_until=SOON - timedelta(minutes=30))
    assert store.retained_until("kept") == SOON
    store.put("kept", b"x", retain_until=SOON + timedelta(hours=1))
    assert store.retained_until("kept") == SOON + timedelta(hours=1)
    assert store.put_if_absent("kept2", b"x", retain_until=SOON) is True
    assert store.retained_until("kept2") == SOON
    store.put("free", b"x")
    assert store.retained_until("free") is None


def test_what_is_held_or_kept_is_never_disposed_of(store: Any) -> None:
    store.put("d/free", b"x")
    store.put("d/held", b"x")
    store.hold("d/held", on=True)
    store.put("d/kept", b"x", retain_until=SOON)
    for key in ("d/held", "d/kept"):
        with pytest.raises(UnderHold):
            store.dispose(key, if_match=store.stat(key).etag)
        assert store.read(key) == b"x"
    with pytest.raises(ObjectChanged):
        store.dispose("d/free", if_match="another")
    assert store.dispose("d/free", if_match=store.stat("d/free").etag) is True
    assert store.stat("d/free") is None
    assert store.dispose("d/free", if_match="any") is False
    store.hold("d/held", on=False)
    assert store.dispose("d/held", if_match=store.stat("d/held").etag) is True
    assert [found.key for found in store.list("d/")] == ["d/kept"]
    assert store.put_if_absent("d/free", b"anew") is True
    assert store.read("d/free") == b"anew"


def test_presigned_link_names_the_object(store: Any) -> None:
    store.put("link", b"x")
    assert "link" in store.presign("link", expires_s=60)


def test_local_path_is_there_only_when_local(store: Any) -> None:
    store.put("lp", b"bytes")
    path = store.local_path("lp")
    assert isinstance(store, LocalStore) == (path is not None)
    if path is not None:
        assert path.read_bytes() == b"bytes"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300), cut=st.tuples(st.integers(0, 320), st.integers(0, 320)))
def test_any_range_equals_a_slice(store: Any, data: bytes, cut: tuple[int, int]) -> None:
    key = f"slice/{sha256(data)}"
    store.put(key, data)
    start, end = sorted(cut)
    assert store.read(key, start=start, end=end) == data[start:end]
