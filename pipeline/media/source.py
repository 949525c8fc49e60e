"""What a recording is made of: its files, its kind, and a playlist's segments.

The kind is decided by content, never by name; a file's name is hostile text and
only kept for the record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import UnreadableMedia
from pipeline.model import Container

PROTOCOLS = "file,pipe"
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,flv,live_flv,mpegts,matroska,webm,ogg,wav,w64,mp3,aac,flac,"
    "aiff,caf,ac3,eac3,amr,amrnb,amrwb,asf,avi,mpeg,loas"
)
"""Demuxers that may run. None of them opens a second file; concat, HLS, DASH and SDP would."""

_SNIFF_BYTES = 4096
_PROBE_BYTES = 50_000_000
_ANALYSE_US = 30_000_000


class Segment(NamedTuple):
    """One stretch of media that is opened on its own: a file, or a playlist's segment."""

    part: int
    """Index into the source's parts."""
    init_part: int | None = None
    """Part with the header that must be read first (EXT-X-MAP)."""
    discontinuity: bool = False
    """The playlist says that clocks restart here."""
    program_utc_ms: int | None = None
    """EXT-X-PROGRAM-DATE-TIME at its start."""
    claimed_ms: int = 0
    """EXTINF."""


class MediaSource(NamedTuple):
    """One recording as local files."""

    parts: tuple[Path, ...]
    """One file; for a playlist the playlist itself and then its files in playlist order."""
    container: Container
    """Kind of container, ``audio`` where there is no moving picture."""
    file_name: str
    """The name it came with; never used as a path."""
    segments: tuple[Segment, ...] = (Segment(0),)
    """What is opened, in order."""


def open_source(path: Path) -> MediaSource:
    """Look at a local recording and say what it is.

    Raises:
        UnreadableMedia: nothing there, empty, or not a recording that can be opened.
        OutsideReference: a playlist names something outside its folder.
    """
    from pipeline.media import playlist

    head = _head(path)
    if playlist.is_playlist(head):
        return playlist.open_playlist(path)
    return MediaSource((path,), _kind(path, head), path.name)


def source_of(parts: Sequence[Path], *, container: Container, file_name: str) -> MediaSource:
    """The source of stored parts, whatever their local names are now.

    ``parts`` are in the order of :attr:`MediaSource.parts`; a playlist's segments
    are found by position, so its names need not be kept.

    Raises:
        UnreadableMedia: the playlist does not fit the parts.
    """
    from pipeline.media import playlist

    if container == "hls":
        return playlist.reopen(tuple(parts), file_name=file_name)
    return MediaSource(tuple(parts), container, file_name)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFF_BYTES)
    except OSError as error:
        raise UnreadableMedia(
            f"{path.name}: cannot be read ({error.strerror})",
            hint="give the path of a recording file",
        ) from error
    if not head:
        raise UnreadableMedia(
            f"{path.name}: the file is empty", hint="download or copy the recording again"
        )
    return head


def _kind(path: Path, head: bytes) -> Container:
    from pipeline.media import layout

    with opened(path, name=path.name) as media:
        if not video_of(media) and not audio_of(media):
            raise UnreadableMedia(
                f"{path.name}: neither sound nor pictures in it",
                hint="give a recording, not a text, image or subtitle file",
            )
        moving = video_of(media) is not None
        kind = _NAMES.get(media.format.name.split(",")[0], "other")
    if not moving:
        return "audio"
    if kind == "mp4" and layout.mp4_boxes(path).fragments:
        return "fmp4"
    return kind


_NAMES: dict[str, Container] = {
    "mov": "mp4",
    "flv": "flv",
    "live_flv": "flv",
    "mpegts": "mpegts",
    "matroska": "matroska",
}


@contextmanager
def opened(file: Path | Any, *, name: str) -> Iterator[Any]:
    """An open PyAV container; FFmpeg may read this one file and nothing else.

    Raises:
        UnreadableMedia: FFmpeg does not take the bytes for a recording.
    """
    import av
    import av.error

    options = {
        "protocol_whitelist": PROTOCOLS,
        "format_whitelist": FORMATS,
        "probesize": str(_PROBE_BYTES),
        "analyzeduration": str(_ANALYSE_US),
    }
    target = f"file:{file}" if isinstance(file, Path) else _stream(file)
    try:
        container = av.open(target, mode="r", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        raise UnreadableMedia(_why(name, error), hint=_hint(file)) from error
    try:
        yield container
    finally:
        container.close()


def _stream(file: Any) -> Any:
    """A file object, or that of a part that is read where it lies."""
    return file if hasattr(file, "read") and hasattr(file, "seek") else file.open("rb")


def _why(name: str, error: Exception) -> str:
    return f"{name}: cannot be opened as a recording ({getattr(error, 'strerror', None) or error})"


def _hint(file: Path | Any) -> str:
    if isinstance(file, Path) and _head(file)[4:8] in (b"ftyp", b"mdat", b"free", b"wide"):
        return (
            "the MP4 has no index (moov): its writer was stopped before it finished; "
            "repair it with a tool such as untrunc, or get the platform's own copy"
        )
    return "check that it is a video or audio file and that it was copied completely"


def video_of(media: Any) -> Any | None:
    """The picture stream that is used: the first that is not a cover picture."""
    import av.stream

    cover = av.stream.Disposition.attached_pic
    streams = (s for s in media.streams.video if not s.disposition & cover)
    return next((s for s in streams if s.codec_context is not None), None)


def audio_of(media: Any) -> Any | None:
    """The sound stream that is used: the first that can be decoded."""
    return next((s for s in media.streams.audio if s.codec_context is not None), None)
