"""HLS playlists: which files they name, in which order, and nothing outside their folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from pipeline.errors import OutsideReference, UnreadableMedia
from pipeline.media.source import MediaSource, Segment
from pipeline.timeline import utc_ms

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_MAX_BYTES = 16 << 20


class Entry(NamedTuple):
    """One segment as a playlist that may still grow names it."""

    sequence: int
    """Media sequence number: its place in the broadcast."""
    uri: str
    """A relative path inside the playlist's folder."""
    init_uri: str = ""
    """The header that must be read first (EXT-X-MAP)."""
    discontinuity: bool = False
    """Clocks restart here."""
    program_utc_ms: int | None = None
    """EXT-X-PROGRAM-DATE-TIME."""
    claimed_ms: int = 0
    """EXTINF."""
    byte_span: tuple[int, int] | None = None
    """``[start, end)`` of its file (EXT-X-BYTERANGE); None: the whole file."""


class Listing(NamedTuple):
    """A media playlist as it reads now."""

    entries: tuple[Entry, ...]
    ended: bool
    """EXT-X-ENDLIST: nothing will follow."""


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


def listing(data: bytes, *, name: str) -> Listing:
    """What a playlist on air names so far; one that has only begun is empty.

    Raises:
        OutsideReference: as :func:`open_playlist`. UnreadableMedia: it cannot be read, names
            other playlists, or a byte range that is none.
    """
    read = _parsed(data, name)
    if read.is_variant:
        raise UnreadableMedia(
            f"{name}: a master playlist", hint="name the playlist of the variant to follow"
        )
    if read.segments:
        _uris(read, name)
    first = int(read.media_sequence or 0)
    found: list[Entry] = []
    for n, one in enumerate(read.segments):
        found.append(_entry(one, first + n, name, found[-1] if found else None))
    return Listing(tuple(found), bool(read.is_endlist))


def _entry(one: Any, sequence: int, name: str, before: Entry | None) -> Entry:
    date = one.program_date_time
    return Entry(
        byte_span=_byte_span(one, name, before),
        sequence=sequence,
        uri=_relative(one.uri, name),
        init_uri=_relative(one.init_section.uri, name) if one.init_section else "",
        discontinuity=bool(one.discontinuity),
        program_utc_ms=utc_ms(date) if date is not None and date.tzinfo else None,
        claimed_ms=round((one.duration or 0) * 1000),
    )


def _byte_span(one: Any, name: str, before: Entry | None) -> tuple[int, int] | None:
    """A byte range; without an offset it follows the one before (RFC 8216, 4.3.2.2)."""
    if not one.byterange:
        return None
    length, _, offset = str(one.byterange).partition("@")
    follows = before is not None and before.uri == _relative(one.uri, name) and before.byte_span
    try:
        start = int(offset) if offset else (follows[1] if follows else -1)
        span = (start, start + int(length))
    except ValueError:
        span = (-1, -1)
    if not 0 <= span[0] < span[1]:
        raise UnreadableMedia(
            f"{name}: {one.byterange!r} is no byte range", hint="check the playlist's lines"
        )
    return span


def closed(entries: Sequence[Entry]) -> bytes:
    """A finished playlist of these segments."""
    longest = max((-(-e.claimed_ms // 1000) for e in entries), default=1)
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(1, longest)}"]
    init = ""
    for n, entry in enumerate(entries):
        if entry.discontinuity and n:
            lines.append("#EXT-X-DISCONTINUITY")
        if entry.init_uri != init:
            init = entry.init_uri
            lines.append(f'#EXT-X-MAP:URI="{init}"')
        if entry.program_utc_ms is not None:
            at = datetime.fromtimestamp(entry.program_utc_ms / 1000, UTC)
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{at.isoformat(timespec='milliseconds')}")
        lines += [f"#EXTINF:{entry.claimed_ms / 1000:.3f},", entry.uri]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()


def _load(path: Path) -> Any:
    if path.stat().st_size > _MAX_BYTES:
        raise UnreadableMedia(f"{path.name}: a playlist of more than 16 MiB", hint="split it")
    return _parsed(path.read_bytes(), path.name)


def _parsed(data: bytes, name: str) -> Any:
    import m3u8

    try:
        return m3u8.loads(data.decode("utf-8-sig"))
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, m3u8.ParseError) as error:
        raise UnreadableMedia(
            f"{name}: the playlist cannot be read ({error})", hint="check its lines"
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
                init_part=_header_of(entry, part),
                discontinuity=bool(entry.discontinuity) and bool(segments),
                program_utc_ms=utc_ms(date) if date is not None and date.tzinfo else None,
                claimed_ms=round((entry.duration or 0) * 1000),
            )
        )
    return tuple(segments)


def _header_of(entry: Any, part: dict[str, int]) -> int | None:
    """The part with a segment's header; a file read whole begins with its own."""
    header = entry.init_section
    return part[header.uri] if header and header.uri != entry.uri else None


def _relative(uri: str, name: str) -> str:
    """The path a URI stands for, relative to the playlist's folder and inside it."""
    text = unquote(uri.split("?")[0].split("#")[0])
    hint = "a playlist may only name files beside it, by relative path"
    if _SCHEME.match(uri) or uri.startswith(("/", "\\")) or "\\" in text or "\0" in text:
        raise OutsideReference(f"{name}: names {uri!r}", hint=hint)
    if text.startswith("/") or ".." in text.split("/"):
        raise OutsideReference(f"{name}: names {uri!r}", hint=hint)
    return text


def _inside(folder: Path, uri: str, name: str) -> Path:
    """The file a URI names, which must be an ordinary one inside the folder."""
    file = folder / _relative(uri, name)
    if not file.resolve().is_relative_to(folder.resolve()):
        raise OutsideReference(
            f"{name}: {uri!r} leads out of its folder",
            hint="a playlist may only name files beside it, by relative path",
        )
    if not file.is_file():
        raise UnreadableMedia(
            f"{name}: segment {uri!r} is missing", hint="copy all segments beside the playlist"
        )
    return file
