"""Viewing copies: re-encoded cuts for looking at, never evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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


class Cover(NamedTuple):
    """A rectangle of the displayed picture that is painted black for a while."""

    start_ms: int
    """From the clip's first instant."""
    end_ms: int
    """Exclusive."""
    x_px: int
    y_px: int
    w_px: int
    h_px: int

    @property
    def filter(self) -> str:
        """As FFmpeg's ``drawbox``; grown to even pixels, since colour has half the resolution."""
        left, top = self.x_px // 2 * 2, self.y_px // 2 * 2
        wide = -(-(self.x_px + self.w_px) // 2) * 2 - left
        high = -(-(self.y_px + self.h_px) // 2) * 2 - top
        when = f"gte(t,{self.start_ms / 1000:.3f})*lt(t,{self.end_ms / 1000:.3f})"
        return f"drawbox=x={left}:y={top}:w={wide}:h={high}:color=black:t=fill:enable='{when}'"


def covered(clip: Path, covers: Sequence[Cover], *, out: Path) -> None:
    """Write an MP4 once more, coded anew, with parts of the picture painted over.

    What is painted over is not in the new file at all. Titles and other metadata are left out.
    ``out`` appears whole or not at all.

    Raises:
        UnreadableMedia: ffmpeg failed.
    """
    import ffmpeg

    source = ffmpeg.input(str(clip.absolute()), protocol_whitelist=PROTOCOLS)
    part = out.with_name(f".{out.stem}.part.mp4")
    target = source.output(
        str(part.absolute()),
        movflags="+faststart",
        map_metadata=-1,
        map_chapters=-1,
        acodec="aac",
        audio_bitrate="96k",
        ar=48_000,
        vf=",".join([*(cover.filter for cover in covers), _EVEN]),
        **_VIDEO,
    )
    try:
        run_ffmpeg(target.get_args())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
