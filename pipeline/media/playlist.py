"""HLS playlists: which files they name, in which order, and nothing outside their folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipeline.errors import OutsideReference, UnreadableMedia
from pipeline.media.source import MediaSource, Segment
from pipeline.timeline import utc_ms

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_MAX_BYTES = 16 << 20


def is_playlist(head: bytes) -> bool:
    """Whether a file that begins so is an HLS playlist."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"#EXTM3U")


def open_playlist(path: Path) -> MediaSource:
    """The source of a media playlist (or of the best variant of a master playlist).

    Raises:
        OutsideReference: it names something outside its folder, another protocol or a key.
        UnreadableMedia: it cannot be read, or a file it names is missing.
    """
    listing = _load(path)
    if listing.is_variant:
        return open_playlist(_variant(listing, path))._replace(file_name=path.name)
    uris = _uris(listing, path.name)
    files = tuple(_inside(path.parent, uri, path.name) for uri in uris)
    return MediaSource((path, *files), "hls", path.name, _segments(listing, uris))


def reopen(parts: tuple[Path, ...], *, file_name: str) -> MediaSource:
    """The source of a stored playlist and its files, by position.

    Raises:
        UnreadableMedia: the playlist names another number of files.
    """
    listing = _load(parts[0])
    uris = _uris(listing, file_name)
    if len(uris) != len(parts) - 1:
        raise UnreadableMedia(
            f"{file_name}: the playlist names {len(uris)} files, {len(parts) - 1} are stored",
            hint="ingest the recording again",
        )
    return MediaSource(parts, "hls", file_name, _segments(listing, uris))


def _load(path: Path) -> Any:
    import m3u8

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableMedia(f"{path.name}: a playlist of more than 16 MiB", hint="split it")
        return m3u8.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, m3u8.ParseError) as error:
        raise UnreadableMedia(
            f"{path.name}: the playlist cannot be read ({error})", hint="check its lines"
        ) from error


def _variant(listing: Any, path: Path) -> Path:
    if any(media.uri for media in listing.media if media.type == "AUDIO"):
        raise UnreadableMedia(
            f"{path.name}: sound and pictures are in separate playlists",
            hint="give the playlist of a variant that holds both, or join them first",
        )
    best = max(listing.playlists, key=lambda p: p.stream_info.bandwidth or 0)
    file = _inside(path.parent, best.uri, path.name)
    if _load(file).is_variant:
        raise UnreadableMedia(f"{path.name}: its variant is a master playlist", hint="check it")
    return file


def _uris(listing: Any, name: str) -> list[str]:
    """Every file the playlist names, once, in order of first use."""
    keys = [*listing.keys, *listing.session_keys]
    if any(key is not None and key.method not in (None, "NONE") for key in keys):
        raise OutsideReference(
            f"{name}: the segments are encrypted with a key the playlist names",
            hint="decrypt them first; keys are never fetched",
        )
    uris: dict[str, None] = {}
    for segment in listing.segments:
        if segment.init_section is not None:
            uris[segment.init_section.uri] = None
        uris[segment.uri] = None
    if not uris:
        raise UnreadableMedia(f"{name}: the playlist names no segment", hint="check the playlist")
    return list(uris)


def _segments(listing: Any, uris: list[str]) -> tuple[Segment, ...]:
    part = {uri: number for number, uri in enumerate(uris, start=1)}
    segments: list[Segment] = []
    seen: set[str] = set()
    for entry in listing.segments:
        if entry.uri in seen:  # byte ranges of one file: it is read once, whole
            continue
        seen.add(entry.uri)
        date = entry.program_date_time
        segments.append(
            Segment(
                part=part[entry.uri],
                init_part=part[entry.init_section.uri] if entry.init_section else None,
                discontinuity=bool(entry.discontinuity) and bool(segments),
                program_utc_ms=utc_ms(date) if date is not None and date.tzinfo else None,
                claimed_ms=round((entry.duration or 0) * 1000),
            )
        )
    return tuple(segments)


def _inside(folder: Path, uri: str, name: str) -> Path:
    """The file a URI names, which must be an ordinary one inside the folder."""
    text = unquote(uri.split("?")[0].split("#")[0])
    hint = "a playlist may only name files beside it, by relative path"
    if _SCHEME.match(uri) or uri.startswith(("/", "\\")) or "\\" in text or "\0" in text:
        raise OutsideReference(f"{name}: names {uri!r}", hint=hint)
    if text.startswith("/") or ".." in text.split("/"):
        raise OutsideReference(f"{name}: names {uri!r}", hint=hint)
    file = folder / text
    if not file.resolve().is_relative_to(folder.resolve()):
        raise OutsideReference(f"{name}: {uri!r} leads out of its folder", hint=hint)
    if not file.is_file():
        raise UnreadableMedia(
            f"{name}: segment {uri!r} is missing", hint="copy all segments beside the playlist"
        )
    return file
