"""A path, a folder or an s3:// URI, as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError, ObjectMissing, OutsideReference
from pipeline.ingest.fetch import Inputs, natural, resolve
from tests.fakes import MemoryStore

EXAMPLES = Path(__file__).parents[2] / "examples"


def no_s3(bucket: str) -> Any:
    raise AssertionError(f"nobody asked for the bucket {bucket}")


def local(path: Path | str) -> Inputs:
    return resolve(str(path), scratch=Path("/nonexistent"), s3=no_s3)


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("name", "recording"),
    [
        ("zh01", "recording.mp4"),
        ("zh02", "recording.flv"),
        ("zh03", "recording.ts"),
        ("zh05", "recording.mkv"),
        ("zh06", "recording.m4a"),
        ("en01", "recording.m3u8"),
    ],
)
def test_every_example_folder(name: str, recording: str) -> None:
    folder = EXAMPLES / name
    assert local(folder) == (folder / "broadcast.json", (folder / recording,))


def test_file_alone(tmp_path: Path) -> None:
    fill(tmp_path / "f", "a.mp4", "broadcast.json")
    assert local(tmp_path / "f" / "a.mp4") == (None, (tmp_path / "f" / "a.mp4",))


def test_folder_without_description_in_natural_order(tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", "p10.flv", "p2.flv", "P1.FLV", "labels.json", ".hidden.mp4")
    assert local(folder) == (None, tuple(folder / n for n in ("P1.FLV", "p2.flv", "p10.flv")))
    assert sorted(["第10场", "第9场"], key=natural) == ["第9场", "第10场"]


def test_named_recordings_win(tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", "a.mp4", "b.mp4", "c.mp4", "z.m3u8")
    about = {"broadcast_id": "x", "recordings": [{"file": "c.mp4"}, {"file": "a.mp4"}]}
    (folder / "broadcast.json").write_text(json.dumps(about))
    assert local(folder).recordings == (folder / "c.mp4", folder / "a.mp4")
    about["recordings"] = [{"file": "gone.mp4"}]
    (folder / "broadcast.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"gone\.mp4"):
        local(folder)


def test_master_playlist_stands_for_its_variants(tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", "low.m3u8", "s1.ts")
    (folder / "all.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n")
    assert local(folder).recordings == (folder / "all.m3u8",)


@pytest.mark.parametrize("name", ["labels.json", "orders.jsonl", "transcript.srt", "cards.json"])
def test_what_is_no_recording(tmp_path: Path, name: str) -> None:
    folder = fill(tmp_path / "f", name)
    with pytest.raises(InputError, match="not a recording"):
        local(folder / name)
    with pytest.raises(InputError, match="neither"):
        local(folder)


def test_description_alone_is_allowed(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "broadcast.json").write_text('{"broadcast_id": "x"}')
    (folder / "transcript.json").write_text("{}")
    assert local(folder) == (folder / "broadcast.json", ())


@pytest.mark.parametrize("link", ["recording.m3u8", "recording.mp4"])
def test_link_out_of_the_folder_is_refused(tmp_path: Path, link: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    folder = fill(tmp_path / "f")
    (folder / link).symlink_to(secret)
    with pytest.raises(OutsideReference):
        local(folder)


@pytest.mark.parametrize("text", ["http://h/a.mp4", "file:///etc/passwd", "s3://..", "s3:///k"])
def test_other_schemes_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        local(text)


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        local(tmp_path / "gone.mp4")


class TestS3:
    @pytest.fixture
    def store(self) -> MemoryStore:
        store = MemoryStore()
        for name in ("recording.m3u8", "seg/0.ts", "labels.json", "transcript.json"):
            store.put(f"live/zh/{name}", name.encode())
        store.put("live/zh/broadcast.json", b'{"broadcast_id": "x"}')
        store.put("live/one.mp4", b"one")
        return store

    def find(self, store: MemoryStore, text: str, tmp_path: Path) -> Inputs:
        return resolve(text, scratch=tmp_path, s3=lambda bucket: {"bkt": store}[bucket])

    @pytest.mark.parametrize("text", ["s3://bkt/live/zh", "s3://bkt/live/zh/"])
    def test_prefix(self, store: MemoryStore, tmp_path: Path, text: str) -> None:
        found = self.find(store, text, tmp_path)
        assert found.broadcast_file is not None
        assert found.broadcast_file.read_bytes() == b'{"broadcast_id": "x"}'
        assert [p.name for p in found.recordings] == ["recording.m3u8"]
        copied = sorted(
            str(p.relative_to(found.broadcast_file.parent))
            for p in found.broadcast_file.parent.rglob("*")
            if p.is_file() and ".etags" not in p.parts
        )
        assert copied == ["broadcast.json", "recording.m3u8", "seg/0.ts"]

    def test_one_object(self, store: MemoryStore, tmp_path: Path) -> None:
        found = self.find(store, "s3://bkt/live/one.mp4", tmp_path)
        assert [p.read_bytes() for p in found.recordings] == [b"one"]
        assert found.broadcast_file is None

    def test_copy_is_kept_while_the_object_is_the_same(
        self, store: MemoryStore, tmp_path: Path
    ) -> None:
        first = self.find(store, "s3://bkt/live/one.mp4", tmp_path).recordings[0]
        inode = first.stat().st_mtime_ns
        assert self.find(store, "s3://bkt/live/one.mp4", tmp_path).recordings == (first,)
        assert first.stat().st_mtime_ns == inode
        store.objects["live/one.mp4"] = b"two"
        assert (
            self.find(store, "s3://bkt/live/one.mp4", tmp_path).recordings[0].read_bytes() == b"two"
        )

    def test_nothing_there(self, store: MemoryStore, tmp_path: Path) -> None:
        with pytest.raises(ObjectMissing):
            self.find(store, "s3://bkt/live/zz", tmp_path)
