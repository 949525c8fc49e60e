"""Broadcasts waiting in a folder or under an ``s3://`` prefix: what is there, whole or still growing.

A broadcast is a folder (or prefix) that holds ``broadcast.json``, a playlist or a recording;
what lies below it belongs to it. Nothing is opened or copied: names, sizes and version tags
say all, so that looking at a bucket of thousands costs one listing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.ingest.disk import translated
from pipeline.ingest.fetch import BROADCAST_FILE, MEDIA, PLAYLISTS, bucket_and_key
from pipeline.ports import ObjectStore
from pipeline.provenance import content_id


class Arrival(NamedTuple):
    """One broadcast as it lies there now."""

    place: str
    """What ``evidence process`` takes: a folder or an ``s3://`` URI."""
    digest: str
    """Content id of names, sizes and version tags: another file, another digest."""
    media_bytes: int
    marked: bool
    """Whether the marker file is there that says it is complete."""


class _File(NamedTuple):
    name: str
    size_bytes: int
    tag: str


def arrivals(place: str, *, s3: Callable[[str], ObjectStore], marker: str = "") -> list[Arrival]:
    """All broadcasts at and below a place, by name.

    Args:
        place: A folder or an ``s3://bucket/prefix`` URI.
        s3: Opens a bucket.
        marker: Name of the file a recorder writes last; empty where there is none.

    Raises:
        InputError: no such folder, or another scheme. StoreUnavailable, AccessDenied.
    """
    found: Iterable[_File]
    if "://" in place:
        bucket, key = bucket_and_key(place)
        prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
        listed = s3(bucket).list(prefix)
        found = (_File(o.key, o.size_bytes, o.etag) for o in listed)
        root = f"s3://{bucket}/"
    else:
        found, root = _files(Path(place)), ""
    folders: dict[str, list[_File]] = {}
    for file in found:
        folders.setdefault(file.name.rpartition("/")[0], []).append(file)
    tops = _tops({name for name, files in folders.items() if any(map(_counts, files))})
    return [_arrival(f"{root}{top}", top, folders, marker) for top in sorted(tops)]


def named(inputs: Sequence[str], *, s3: Callable[[str], ObjectStore]) -> Arrival:
    """What a person named, as one arrival: that of its folder or prefix, or the files themselves.

    Raises:
        StoreUnavailable, AccessDenied. What is not there is no error: whoever opens it says so.
    """
    if len(inputs) == 1:
        place = inputs[0] if "://" in inputs[0] else Path(inputs[0]).as_posix()
        if "://" in place or Path(place).is_dir():
            for one in arrivals(place, s3=s3):
                if one.place == place.rstrip("/"):
                    return one
    files = [file for text in inputs for file in _file(text, s3)]
    size = sum(file.size_bytes for file in files)
    listing = content_id([list(inputs), sorted(map(list, files))])
    return Arrival(", ".join(inputs), listing, size, False)


def _file(text: str, s3: Callable[[str], ObjectStore]) -> Iterator[_File]:
    """A file; with a playlist all that lies beside and below it."""
    joins = PurePosixPath(text).suffix.lower() in PLAYLISTS
    if "://" in text:
        bucket, key = bucket_and_key(text)
        prefix = key.rpartition("/")[0] if joins else key
        found = s3(bucket).list(prefix) if prefix else ()
        yield from (_File(o.key, o.size_bytes, o.etag) for o in found)
    elif joins and Path(text).is_file():
        yield from _files(Path(text).parent)
    elif Path(text).is_file():
        stat = os.stat(text)
        yield _File(text, stat.st_size, str(stat.st_mtime_ns))


def _files(folder: Path) -> Iterator[_File]:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no such folder",
            hint="give a folder of broadcasts, or an s3:// prefix",
            file=str(folder),
        )
    with translated(str(folder)):
        for inside, _, names in os.walk(folder):  # does not follow links out of the folder
            for name in names:
                stat = os.lstat(os.path.join(inside, name))
                tag = str(stat.st_mtime_ns)
                yield _File(f"{Path(inside).as_posix()}/{name}", stat.st_size, tag)


def _counts(file: _File) -> bool:
    name = PurePosixPath(file.name)
    suffix = name.suffix.lower()
    if name.name.startswith("."):
        return False
    return name.name == BROADCAST_FILE or suffix in MEDIA or suffix in PLAYLISTS


def _tops(folders: set[str]) -> set[str]:
    """Those that lie below no other."""
    return {f for f in folders if not any(str(p) in folders for p in PurePosixPath(f).parents)}


def _arrival(place: str, top: str, folders: dict[str, list[_File]], marker: str) -> Arrival:
    files = sorted(
        file
        for name, inside in folders.items()
        if name == top or name.startswith(f"{top}/")
        for file in inside
    )
    names = {PurePosixPath(f.name).name for f in folders[top]}
    listing = [[f.name.removeprefix(top), f.size_bytes, f.tag] for f in files]
    media = sum(f.size_bytes for f in files if PurePosixPath(f.name).suffix.lower() in MEDIA)
    return Arrival(place, content_id([place, listing]), media, bool(marker) and marker in names)
