"""Where segments land: a folder or an ``s3://`` prefix, with or without a playlist."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Protocol

from pipeline.errors import InputError, ObjectMissing, UnreadableMedia
from pipeline.ingest.disk import translated
from pipeline.ingest.fetch import BROADCAST_FILE, MEDIA, PLAYLISTS, bucket_and_key
from pipeline.ingest.landing import Copied, Seen
from pipeline.media.run import Entry, listing
from pipeline.ports import ObjectStore
from pipeline.provenance import sha256_file

_NUMBER = re.compile(r"\d{1,18}")


class Files(Protocol):
    """The files of a place."""

    settles: bool
    """Whether a file may be seen half written."""

    def tags(self) -> dict[str, str]:
        """Every file by its relative name, with what changes when it changes."""

    def read(self, name: str) -> bytes:
        """A small file.

        Raises:
            ObjectMissing: it is gone.
        """

    def span(self, name: str, start: int, end: int) -> bytes:
        """Bytes ``[start, end)`` as far as they are there; empty behind the end.

        Raises:
            ObjectMissing: it is not there.
        """

    def copy(self, name: str, target: Path) -> None:
        """Copy a file.

        Raises:
            ObjectMissing: it is gone.
        """

    def age_s(self, name: str) -> float:
        """Seconds since it was last written; 0 where that is not known."""


class FolderFiles:
    """Files in and below a folder; links that lead out of it are not followed."""

    settles = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wall_ahead_s = time.time() - time.monotonic()

    def tags(self) -> dict[str, str]:
        """Sizes and times of regular files."""
        found: dict[str, str] = {}
        for inside, _, names in os.walk(self._folder):
            for name in names:
                path = Path(inside, name)
                try:
                    seen = path.lstat()
                except FileNotFoundError:
                    continue  # a recorder took it away between the two
                if stat.S_ISREG(seen.st_mode):
                    relative = path.relative_to(self._folder).as_posix()
                    found[relative] = f"{seen.st_size}-{seen.st_mtime_ns}"
        return found

    def read(self, name: str) -> bytes:
        """The file's bytes."""
        with translated(name):
            return (self._folder / name).read_bytes()

    def span(self, name: str, start: int, end: int) -> bytes:
        """Part of the file's bytes."""
        with translated(name), (self._folder / name).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def copy(self, name: str, target: Path) -> None:
        """A copy that survives what is done to the file later."""
        with translated(name), (self._folder / name).open("rb") as file, target.open("wb") as out:
            while block := file.read(1 << 20):
                out.write(block)

    def age_s(self, name: str) -> float:
        """By the file's time and the wall clock of the beginning, which may have jumped since."""
        now_s = self._wall_ahead_s + time.monotonic()
        try:
            return max(0.0, now_s - (self._folder / name).stat().st_mtime)
        except FileNotFoundError:
            return 0.0


class BucketFiles:
    """Objects under a prefix; an object is whole as soon as it is there."""

    settles = False

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def tags(self) -> dict[str, str]:
        """Version tags."""
        found = self._store.list(self._prefix)
        return {o.key.removeprefix(self._prefix): o.etag for o in found if o.key != self._prefix}

    def read(self, name: str) -> bytes:
        """The object's bytes."""
        return self._store.read(self._prefix + name)

    def span(self, name: str, start: int, end: int) -> bytes:
        """Part of the object's bytes; an object that grows is put again and again."""
        found = self._store.stat(self._prefix + name)
        if found is None:
            raise ObjectMissing(f"{name}: not there yet", hint="wait for the recorder")
        end = min(end, found.size_bytes)
        return self._store.read(self._prefix + name, start=start, end=end) if start < end else b""

    def copy(self, name: str, target: Path) -> None:
        """The object as a file."""
        self._store.download(self._prefix + name, target)

    def age_s(self, name: str) -> float:
        """Not known."""
        return 0.0


class Place:
    """A place as :class:`pipeline.ingest.landing.Landing` looks at it.

    Args:
        files: Its files.
        playlist: Name of the playlist; empty: the one that is there, if there is one.
        marker: The broadcast has ended once this file is there.
        quiet_s: Without a playlist and marker, it has ended when nothing new came for so long.
    """

    def __init__(self, files: Files, *, playlist: str, marker: str, quiet_s: float) -> None:
        self.files, self.playlist = files, playlist
        self._marker, self._quiet_s = marker, quiet_s
        self._last: tuple[dict[str, str], float] = ({}, 0.0)

    def look(self, *, now_s: float) -> Seen:
        """What is there now.

        Raises:
            InputError: more than one playlist, and none was named.
        """
        tags = self.files.tags()
        if tags != self._last[0]:
            self._last = (tags, now_s)
        self.playlist = self.playlist or self._only_playlist(tags)
        ended = bool(self._marker) and self._marker in tags
        if self.playlist:
            if self.playlist not in tags:
                return Seen((), tags, ended)
            read = listing(self.files.read(self.playlist), name=self.playlist)
            if any(entry.byte_span for entry in read.entries):
                raise InputError(
                    f"{self.playlist}: names byte ranges, and numbered files were there before it",
                    hint=f"start again with --playlist {self.playlist}",
                )
            return Seen(read.entries, tags, ended or read.ended)
        quiet = bool(tags) and now_s - self._last[1] >= self._quiet_s
        return Seen(_numbered(tags), tags, ended or (not self._marker and quiet))

    def names_ranges(self) -> bool | None:
        """Whether its playlist names byte ranges of files that grow; None while nothing is there.

        Raises:
            InputError: as :meth:`look`.
        """
        tags = self.files.tags()
        self.playlist = self.playlist or self._only_playlist(tags)
        if self.playlist and self.playlist in tags:
            try:
                entries = listing(self.files.read(self.playlist), name=self.playlist).entries
            except (UnreadableMedia, ObjectMissing):  # it has just been begun
                entries = ()
            if entries:
                return any(entry.byte_span for entry in entries)
        there = not self.playlist and bool(_numbered(tags))
        return False if there or (self._marker and self._marker in tags) else None

    @property
    def marker(self) -> str:
        """The broadcast has ended once this file is there."""
        return self._marker

    def description(self) -> bytes | None:
        """``broadcast.json`` beside the segments; None where there is none."""
        try:
            return self.files.read(BROADCAST_FILE)
        except ObjectMissing:
            return None

    def copy_to(self, folder: Path) -> Callable[[str], Copied | None]:
        """Copies files of this place into a folder, each whole or not at all."""

        def copy(name: str) -> Copied | None:
            target = folder / name
            if not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(target.name + ".part")
                try:
                    self.files.copy(name, part)
                except ObjectMissing:
                    return None
                part.replace(target)
            age_s = self.files.age_s(name)
            return Copied(sha256_file(target), target.stat().st_size, age_s)

        return copy

    def _only_playlist(self, tags: dict[str, str]) -> str:
        found = [n for n in tags if PurePosixPath(n).suffix.lower() in PLAYLISTS]
        if len(found) > 1:
            raise InputError(
                f"{len(found)} playlists here: {', '.join(sorted(found)[:4])}",
                hint="name the one to follow with --playlist",
            )
        return found[0] if found else ""


def place_of(
    text: str,
    *,
    s3: Callable[[str], ObjectStore],
    playlist: str = "",
    marker: str = "",
    quiet_s: float = 120,
) -> Place:
    """A folder, an ``s3://`` prefix, or a playlist in one of them.

    Raises:
        InputError: no such folder, or another scheme.
    """
    if "://" in text:
        bucket, key = bucket_and_key(text)
        if PurePosixPath(key).suffix.lower() in PLAYLISTS:
            key, _, playlist = key.rpartition("/")
        prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
        files: Files = BucketFiles(s3(bucket), prefix)
        return Place(files, playlist=playlist, marker=marker, quiet_s=quiet_s)
    path = Path(text)
    if path.suffix.lower() in PLAYLISTS:
        path, playlist = path.parent, path.name
    if not path.is_dir():
        raise InputError(
            f"{path}: there is no such folder",
            hint="give the folder into which the segments land, or its playlist",
            file=str(path),
        )
    return Place(FolderFiles(path), playlist=playlist, marker=marker, quiet_s=quiet_s)


def _numbered(tags: dict[str, str]) -> tuple[Entry, ...]:
    """Media files by the last number in their names; those without one are no segments."""
    found = []
    for name in sorted(tags):
        path = PurePosixPath(name)
        numbers = _NUMBER.findall(path.stem)
        if path.suffix.lower() in MEDIA and numbers and not path.name.startswith("."):
            found.append(Entry(int(numbers[-1]), name))
    return tuple(found)
