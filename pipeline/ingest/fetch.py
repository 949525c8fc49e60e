"""What a person names on the command line, as files on this machine.

A path, a folder or an ``s3://bucket/key-or-prefix`` URI. In a folder (or under a prefix)
``broadcast.json`` describes the broadcast, and the recordings are, in this order: those its
``recordings[]`` names, the playlists, the media files. Labels, cards, orders and transcripts
are never taken for recordings, and a transcript is never used unless asked for by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.errors import (
    InputError,
    ObjectMissing,
    OutsideReference,
    SourceError,
    StoreUnavailable,
)
from pipeline.ingest.disk import translated
from pipeline.ingest.formats import parse_broadcast
from pipeline.ports import ObjectStat, ObjectStore
from pipeline.provenance import sha256_hex

BROADCAST_FILE = "broadcast.json"
PLAYLISTS = frozenset({".m3u8", ".m3u"})
MEDIA = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".flv",
        ".f4v",
        ".ts",
        ".m2ts",
        ".mts",
        ".mkv",
        ".webm",
        ".avi",
        ".wmv",
        ".3gp",
        ".mpg",
        ".mpeg",
        ".m4a",
        ".aac",
        ".mp3",
        ".wav",
        ".ogg",
        ".opus",
        ".flac",
        ".m4s",
        ".cmfv",
    ]
)
NOT_RECORDINGS = frozenset(
    [".json", ".jsonl", ".srt", ".vtt", ".csv", ".toml", ".txt", ".md", ".yaml", ".yml", ".xml"]
)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_ETAGS = ".etags"


class Inputs(NamedTuple):
    """What one argument stands for."""

    broadcast_file: Path | None
    """``broadcast.json``; None where there is none beside the recordings."""
    recordings: tuple[Path, ...]
    """In order; empty where a folder holds a description alone."""


def resolve(
    text: str,
    *,
    scratch: Path,
    s3: Callable[[str], ObjectStore],
    admit: Callable[[int, Path], None] = lambda _, __: None,
) -> Inputs:
    """Find the files; those in S3 are copied into a folder of their own under ``scratch``.

    Args:
        text: A path or an ``s3://`` URI.
        scratch: Where copies go; a copy that is still the same object is not fetched again.
        s3: Makes a store for a bucket, taking keys of any characters.
        admit: Asked before the first byte is fetched: how many bytes a folder will hold.

    Raises:
        InputError: not there, not a recording, or a scheme that is not supported.
        OutsideReference: a link or a name leads out of the folder.
        ObjectMissing, AccessDenied, StoreUnavailable: from the store.
    """
    if _SCHEME.match(text) is None:
        return _from_path(Path(text))
    bucket, key = bucket_and_key(text)
    copies = scratch / sha256_hex(f"{bucket}/{key}".encode())[:16]
    admit(_size_of(s3(bucket), key), copies)
    return _from_s3(s3(bucket), key, name=text, copies=copies)


def merchant_of(place: str, *, s3: Callable[[str], ObjectStore]) -> str:
    """Whose broadcast lies in a folder or under a prefix, by its description alone; empty: unknown.

    Raises:
        StoreUnavailable: nothing can be asked now.
    """
    try:
        if _SCHEME.match(place):
            bucket, key = bucket_and_key(place)
            payload = s3(bucket).read(f"{key.rstrip('/')}/{BROADCAST_FILE}".lstrip("/"))
        else:
            with translated(place):
                payload = (Path(place) / BROADCAST_FILE).read_bytes()
        return parse_broadcast(payload, file_name=place)[0].merchant_id
    except StoreUnavailable:
        raise
    except (InputError, SourceError):  # whoever processes it says what is wrong
        return ""


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The two parts of an ``s3://bucket/key`` URI; the key may be empty.

    Raises:
        InputError: another scheme, or no bucket name.
    """
    scheme, _, rest = uri.partition("://")
    if scheme.lower() != "s3":
        raise InputError(
            f"{uri[:200]}: {scheme}: is not supported",
            hint="give a file, a folder or an s3:// URI; download anything else first",
        )
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise InputError(f"{uri[:200]}: {bucket!r} is no bucket name", hint="s3://bucket/key")
    return bucket, key


# --- paths -----------------------------------------------------------------------------------


def _from_path(path: Path) -> Inputs:
    with translated(str(path)):
        if path.is_dir():
            return _from_folder(path)
        if not path.exists():
            raise InputError(
                f"{path}: there is no such file or folder", hint="check the path", file=str(path)
            )
    if path.suffix.lower() in NOT_RECORDINGS:
        raise InputError(
            f"{path}: not a recording",
            hint="give a recording or its folder; descriptions go with --broadcast, "
            "transcripts with --transcript",
            file=str(path),
        )
    return Inputs(None, (path,))


def _from_folder(folder: Path) -> Inputs:
    with translated(str(folder)):
        names = sorted((p.name for p in folder.iterdir() if p.is_file()), key=natural)
    described = folder / BROADCAST_FILE if BROADCAST_FILE in names else None
    chosen = _named(described) or chosen_recordings(names, head=lambda n: _head(folder / n))
    recordings = tuple(_inside(folder, name) for name in chosen)
    if described is None and not recordings:
        raise InputError(
            f"{folder}: neither {BROADCAST_FILE} nor a recording in this folder",
            hint="give a folder that holds a recording",
            file=str(folder),
        )
    return Inputs(described, recordings)


def chosen_recordings(names: Iterable[str], *, head: Callable[[str], bytes]) -> tuple[str, ...]:
    """The recordings among file names: the playlists where there are any, else the media files.

    A master playlist stands for its variants.
    """
    shown = [n for n in names if not PurePosixPath(n).name.startswith(".")]
    playlists = [n for n in shown if PurePosixPath(n).suffix.lower() in PLAYLISTS]
    masters = [n for n in playlists if b"#EXT-X-STREAM-INF" in head(n)]
    media = [n for n in shown if PurePosixPath(n).suffix.lower() in MEDIA]
    return tuple(masters or playlists or media)


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key that puts ``part2`` before ``part10``."""
    return tuple(
        (int(piece), "") if piece.isascii() and piece.isdigit() else (-1, piece)
        for piece in re.split(r"(\d{1,18})", name)
        if piece
    )


def _named(described: Path | None) -> tuple[str, ...]:
    if described is None:
        return ()
    with translated(str(described)):
        broadcast, _ = parse_broadcast(described.read_bytes(), file_name=str(described))
    return tuple(recording.file for recording in broadcast.recordings)


def _inside(folder: Path, name: str) -> Path:
    """The file, which must lie in the folder also after following links."""
    path = folder / name
    if not path.is_file():
        raise InputError(
            f"{folder / BROADCAST_FILE}: recordings name {name!r}, which is not in the folder",
            hint="put the recording there, or correct the name",
            file=str(folder / BROADCAST_FILE),
            where="recordings",
        )
    if not path.resolve().is_relative_to(folder.resolve()):
        raise OutsideReference(
            f"{path}: a link that leads out of its folder",
            hint="give the path of the file itself, or copy it into the folder",
        )
    return path


def _head(path: Path) -> bytes:
    with translated(str(path)), path.open("rb") as file:
        return file.read(1 << 16)


# --- S3 --------------------------------------------------------------------------------------


def _from_s3(store: ObjectStore, key: str, *, name: str, copies: Path) -> Inputs:
    found = store.stat(key) if key and not key.endswith("/") else None
    if found is not None:
        parent = key.rpartition("/")[0]
        copy = _copy(store, found, prefix=f"{parent}/" if parent else "", copies=copies)
        if copy.suffix.lower() in PLAYLISTS:
            _copy_media(store, parent, copies)
        return _from_path(copy)
    folder = key.rstrip("/")
    prefix = f"{folder}/" if folder else ""
    objects = {o.key.removeprefix(prefix): o for o in store.list(prefix) if o.key != prefix}
    if not objects:
        raise ObjectMissing(f"{name}: nothing is stored there", hint="check bucket and key")
    copies.mkdir(parents=True, exist_ok=True)
    if BROADCAST_FILE in objects:
        _copy(store, objects[BROADCAST_FILE], prefix=prefix, copies=copies)
    named = _named(copies / BROADCAST_FILE if BROADCAST_FILE in objects else None)
    for item in objects:
        if item in named or ("/" not in item and PurePosixPath(item).suffix.lower() in _COPIED):
            _copy(store, objects[item], prefix=prefix, copies=copies)
    if any(PurePosixPath(item).suffix.lower() in PLAYLISTS for item in (*named, *objects)):
        _copy_media(store, folder, copies)
    return _from_folder(copies)


_COPIED = MEDIA | PLAYLISTS


def _size_of(store: ObjectStore, key: str) -> int:
    """Bytes of everything under a key that may have to be copied."""
    one = store.stat(key) if key and not key.endswith("/") else None
    if one is not None and PurePosixPath(key).suffix.lower() not in PLAYLISTS:
        return one.size_bytes
    folder = key.rpartition("/")[0] if one is not None else key.rstrip("/")
    inside = store.list(f"{folder}/" if folder else "")
    return sum(o.size_bytes for o in inside if PurePosixPath(o.key).suffix.lower() in _COPIED)


def _copy_media(store: ObjectStore, parent: str, copies: Path) -> None:
    """All media beside and below a playlist; the media room checks what the playlist names."""
    prefix = f"{parent}/" if parent else ""
    for found in store.list(prefix):
        if PurePosixPath(found.key).suffix.lower() in _COPIED:
            _copy(store, found, prefix=prefix, copies=copies)


def _copy(store: ObjectStore, found: ObjectStat, *, prefix: str, copies: Path) -> Path:
    """The object as a file under ``copies``, fetched unless it is there already."""
    relative = found.key.removeprefix(prefix)
    parts = relative.split("/")
    if any(part in ("", ".", "..") or part == _ETAGS or "\x00" in part for part in parts):
        raise OutsideReference(
            f"{found.key!r}: a key that is no file name", hint="rename the object"
        )
    path = copies.joinpath(*parts)
    note = copies / _ETAGS / sha256_hex(relative.encode())[:32]
    with translated(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        note.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and note.is_file() and note.read_text() == found.etag:
            return path
    store.download(found.key, path)
    with translated(str(note)):
        note.write_text(found.etag)
    return path
