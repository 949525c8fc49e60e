"""Viewing copies: re-encoded cuts for looking at, never evidence."""

from __future__ import annotations

from pathlib import Path

from pipeline.media.binary import run_ffmpeg
from pipeline.media.source import PROTOCOLS

_VIDEO = {"vcodec": "libx264", "preset": "veryfast", "crf": 20, "pix_fmt": "yuv420p"}
_EVEN = "scale=trunc(iw/2)*2:trunc(ih/2)*2"


def exact_cut(
    clip: Path,
    *,
    start_ms: int,
    length_ms: int,
    out: Path,
    has_video: bool,
    words: Path | None = None,
) -> None:
    """Write exactly ``[start_ms, start_ms + length_ms)`` of an MP4 to another, coded anew.

    Times are milliseconds from the clip's first packet, those of ``words`` (SubRip) too: they
    become captions that a player can turn off. ``out`` appears whole or not at all.

    Raises:
        UnreadableMedia: ffmpeg failed.
    """
    import ffmpeg

    sources = [ffmpeg.input(str(clip.absolute()), protocol_whitelist=PROTOCOLS)]
    codecs = {"acodec": "aac", "audio_bitrate": "96k", "ar": 48_000}
    codecs |= {**_VIDEO, "vf": _EVEN} if has_video else {"vn": None}
    if words is not None and words.stat().st_size:
        sources.append(ffmpeg.input(str(words.absolute()), protocol_whitelist=PROTOCOLS))
        codecs["scodec"] = "mov_text"
    part = out.with_name(f".{out.stem}.part.mp4")
    # -ss after the input decodes up to the instant: exact, and the clip is short.
    target = ffmpeg.output(
        *sources,
        str(part.absolute()),
        ss=start_ms / 1000,
        t=length_ms / 1000,
        movflags="+faststart",
        map_metadata=-1,
        map_chapters=-1,
        **codecs,
    )
    try:
        run_ffmpeg(target.get_args())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
