"""The folder store: what a crash, a full disk and a second process may not do to it."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.errors import (
    AccessDenied,
    DiskShort,
    InputError,
    ObjectChanged,
    ObjectMissing,
    SourceError,
    StoreUnavailable,
)
from pipeline.ingest.disk import as_evidence_error
from pipeline.ingest.local import OWN_FOLDER, STALE_S, LocalStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "objects")


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_nothing_is_made_before_the_first_write(store: LocalStore) -> None:
    assert list(store.list("")) == []
    assert store.stat("a") is None
    assert not store.root.exists()


def test_objects_are_read_only_and_own_files_are_no_objects(store: LocalStore) -> None:
    store.put("a/b", b"x", retain_until=datetime.now(UTC) + timedelta(days=1))
    store.hold("a/b", on=True)
    assert [o.key for o in store.list("")] == ["a/b"]
    mode = (store.root / "a" / "b").stat().st_mode
    assert mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) == 0
    assert list((store.root / OWN_FOLDER / "tmp").iterdir()) == []


def test_one_of_several_processes_wins(store: LocalStore) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pipeline.ingest.local import LocalStore\n"
        "store = LocalStore(Path(sys.argv[1])); print('ready', flush=True)\n"
        "time.sleep(max(0, float(sys.argv[3]) - time.time()))\n"
        "print([store.put_if_absent(f'k{n}', sys.argv[2].encode()) for n in range(50)])"
    )
    start = str(time.time() + 1.5)
    runs = [python(code, str(store.root), f"writer {n}", start) for n in range(3)]
    rows = [eval(run.communicate()[0].splitlines()[-1]) for run in runs]
    for n, wins in enumerate(zip(*rows, strict=True)):
        assert wins.count(True) == 1
        assert store.read(f"k{n}") == f"writer {wins.index(True)}".encode()


def test_killed_writer_leaves_no_object(store: LocalStore, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = (
        "import sys; from pathlib import Path; from pipeline.ingest.local import LocalStore\n"
        "LocalStore(Path(sys.argv[1])).put_if_absent('big', Path(sys.argv[2]))"
    )
    run = python(code, str(store.root), str(pipe))
    with pipe.open("wb") as writer:
        writer.write(b"x" * (3 << 20))
        writer.flush()
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert len(list((store.root / OWN_FOLDER / "tmp").iterdir())) == 1
        assert store.stat("big") is None
        assert list(store.list("")) == []
    assert store.put("big", b"whole") == hashlib.sha256(b"whole").hexdigest()


def test_leftovers_of_killed_writers_are_swept(store: LocalStore) -> None:
    folder = store.root / OWN_FOLDER / "tmp"
    folder.mkdir(parents=True)
    for name, age_s in (("old", STALE_S + 60), ("new", 60)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    store.put("a", b"x")
    assert [p.name for p in folder.iterdir()] == ["new"]


def test_object_changed_on_disk_is_noticed(store: LocalStore) -> None:
    store.put("a", b"one")
    found = store.stat("a")
    assert found is not None
    (store.root / "a").unlink()
    (store.root / "a").write_bytes(b"two")
    with pytest.raises(ObjectChanged):
        store.read("a", if_match=found.etag)
    with pytest.raises(ObjectChanged, match="other bytes"):
        store.put("a", b"one")


def test_held_object_says_so(store: LocalStore) -> None:
    store.put("a", b"one")
    store.hold("a", on=True)
    with pytest.raises(ObjectChanged, match="legal hold"):
        store.put("a", b"two")


def test_source_that_is_not_there(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.mp4"):
        store.put("a", tmp_path / "gone.mp4")
    assert store.stat("a") is None


def test_key_below_an_object(store: LocalStore) -> None:
    store.put("a", b"x")
    assert store.stat("a/b") is None
    assert list(store.list("a/")) == []
    with pytest.raises(SourceError):
        store.put("a/b", b"x")
    assert store.read("a") == b"x"


def test_link_name_is_a_file_uri(store: LocalStore) -> None:
    store.put("a b".replace(" ", "_"), b"x")
    assert store.presign("a_b", expires_s=1) == (store.root / "a_b").as_uri()
    with pytest.raises(ObjectMissing):
        store.presign("gone", expires_s=1)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskShort),
        (errno.EDQUOT, DiskShort),
        (errno.EACCES, AccessDenied),
        (errno.EROFS, AccessDenied),
        (errno.EIO, StoreUnavailable),
        (errno.ESTALE, StoreUnavailable),
        (errno.ENOENT, ObjectMissing),
        (errno.ENAMETOOLONG, InputError),
        (errno.EISDIR, SourceError),
    ],
)
def test_disk_errors_are_translated(number: int, kind: type[Exception]) -> None:
    error = as_evidence_error(OSError(number, os.strerror(number)), "objects/a")
    assert type(error) is kind
    assert "objects/a" in error.message
    assert error.hint


def test_disk_that_takes_no_more_leaves_nothing(store: LocalStore) -> None:
    code = (
        "import sys, resource; from pathlib import Path\n"
        "from pipeline.errors import DiskShort; from pipeline.ingest.local import LocalStore\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try:\n    LocalStore(Path(sys.argv[1])).put('big', b'x' * (2 << 20))\n"
        "except DiskShort as error:\n    print('short', error.exit_code)"
    )
    assert python(code, str(store.root)).communicate()[0].split() == ["short", "11"]
    assert store.stat("big") is None
    assert list((store.root / OWN_FOLDER / "tmp").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(AccessDenied):
        LocalStore(tmp_path / "objects").put("a", b"x")
    tmp_path.chmod(0o700)
