"""The exact-cut viewing copy of a clip, beside it, with its lineage."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.evidence.clip import Clip
from pipeline.media import run as media
from pipeline.model import Frozen
from pipeline.provenance import sha256_file


class ViewingCopy(Frozen):
    """A re-encoded cut: for looking at, never evidence."""

    schema_version: int = 1
    """Version of this form."""
    kind: str = "viewing_copy"
    """Says what it is wherever it turns up."""
    of: str
    """File name of the evidence clip it was made from."""
    of_sha256: str
    """SHA-256 of that clip."""
    start_ms: int
    """First instant on the broadcast's timeline."""
    end_ms: int
    """End, exclusive."""
    file: str
    """Its own file name."""
    sha256: str
    """Its own hash."""
    captioned: bool = False
    """Whether the words stand in it as captions."""
    tools: dict[str, str]
    """What made it."""


def make_exact(clip: Clip) -> tuple[Path, ViewingCopy]:
    """Cut the asked span with its margin out of an evidence clip, to the millisecond, captioned.

    Raises:
        UnreadableMedia, ConfigError: ffmpeg failed, or is not there.
    """
    info = clip.info
    start = max(info.start.timeline_ms, info.asked_start_ms - info.margin_ms)
    end = min(info.end.timeline_ms, info.asked_end_ms + info.margin_ms)
    out = clip.video.with_name(f"{clip.video.stem}.exact.mp4")
    media.exact_cut(
        clip.video,
        start_ms=start - info.start.timeline_ms,
        length_ms=end - start,
        out=out,
        has_video=clip.picture is not None,
        words=clip.subtitles,
    )
    copy = ViewingCopy(
        of=clip.video.name,
        of_sha256=info.files[clip.video.name],
        start_ms=start,
        end_ms=end,
        file=out.name,
        sha256=sha256_file(out),
        captioned=clip.subtitles is not None and clip.subtitles.stat().st_size > 0,
        tools={"ffmpeg": media.ffmpeg_version()},
    )
    body = json.dumps(copy.model_dump(mode="json"), ensure_ascii=False, indent=2)
    out.with_suffix(".json").write_text(body + "\n", encoding="utf-8")
    return out, copy
