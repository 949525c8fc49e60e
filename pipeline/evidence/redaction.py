"""The redacted viewing copy of a clip: boxes painted over, given by a person or found on the screen.

    {"boxes": [{"kind": "face", "x_px": 40, "y_px": 60, "w_px": 120, "h_px": 160,
                "start_ms": 61000, "end_ms": 64000}]}

Pixels are those of the displayed picture; times are the broadcast's and may be left out (the whole
clip). The clip itself stays as it is; the copy has a hash of its own and says what it was made of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from pipeline.errors import InputError
from pipeline.evidence.clip import Clip
from pipeline.media import run as media
from pipeline.media.viewing import Cover
from pipeline.model import Frozen, ScreenLine
from pipeline.provenance import sha256_file

_NUMBER = re.compile(r"\d(?:[\s\-–]?\d){4,}")
"""Five digits and more: telephones, orders, accounts."""
_AROUND_MS, _AROUND_PX = 2000, 6
"""Text was read on single pictures: it stood a little longer, and its box is a little larger."""
_MOST = 500


class Redacted(Frozen):
    """One box that is painted over."""

    kind: Literal["face", "nickname", "number", "other"] = "other"
    """What is under it."""
    x_px: int = Field(ge=0)
    """Left, pixels of the displayed picture."""
    y_px: int = Field(ge=0)
    """Top."""
    w_px: int = Field(ge=1)
    """Width."""
    h_px: int = Field(ge=1)
    """Height."""
    start_ms: int | None = None
    """From here on the broadcast's timeline; null: from the clip's beginning."""
    end_ms: int | None = None
    """Until here, exclusive; null: to the clip's end."""


class Boxes(Frozen):
    """What a file of boxes holds."""

    boxes: tuple[Redacted, ...] = Field(min_length=1, max_length=_MOST)
    """In any order."""


class RedactedCopy(Frozen):
    """A redacted copy: for showing to others, never evidence."""

    schema_version: int = 1
    """Version of this form."""
    kind: str = "redacted_copy"
    """Says what it is wherever it turns up."""
    of: str
    """File name of the evidence clip it was made from."""
    of_sha256: str
    """SHA-256 of that clip."""
    recording_sha256: str
    """Of the recording that was cut from."""
    file: str
    """Its own file name."""
    sha256: str
    """Its own hash."""
    boxes: tuple[Redacted, ...]
    """What was painted over."""
    automatic: bool
    """Whether the boxes were found by the program; then some may be missing."""
    statement: dict[str, str]
    """What that means, Chinese and English."""
    tools: dict[str, str]
    """What made it."""


_GIVEN = {
    "zh": "按人工给出的方框遮盖;声音未作处理;并非证据原件。",
    "en": "Covered by boxes that a person gave; the sound is as it was; not the evidence itself.",
}
_FOUND = {
    "zh": "由程序自动遮盖屏幕文字中的昵称与号码,可能有遗漏;不识别人脸;声音未作处理;并非证据原件。",
    "en": "Nicknames and numbers in the text on the screen were covered automatically, and some may "
    "be missing; faces are not looked for; the sound is as it was; not the evidence itself.",
}


def read_boxes(data: bytes, *, file_name: str) -> tuple[Redacted, ...]:
    """The boxes in a file.

    Raises:
        InputError: it is none; names what is wrong.
    """
    try:
        return Boxes.model_validate_json(data).boxes
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{file_name}: {place}: {first['msg']}",
            hint='write {"boxes": [{"kind": "face", "x_px": …, "y_px": …, "w_px": …, "h_px": …}]}',
            file=file_name,
            where=place,
        ) from error


def found_boxes(lines: Iterable[ScreenLine], clip: Clip) -> tuple[Redacted, ...]:
    """Viewers' lines and long numbers among the text that was read on the screen."""
    low, high = clip.info.start.timeline_ms, clip.info.end.timeline_ms
    found: list[Redacted] = []
    for line in lines:
        kind = _kind(line)
        start, end = line.start_ms - _AROUND_MS, line.end_ms + _AROUND_MS
        if kind is None or end <= low or start >= high:
            continue
        left, top = max(0, line.box.x_px - _AROUND_PX), max(0, line.box.y_px - _AROUND_PX)
        found.append(
            Redacted(
                kind=kind,
                x_px=left,
                y_px=top,
                w_px=line.box.x_px + line.box.w_px + _AROUND_PX - left,
                h_px=line.box.y_px + line.box.h_px + _AROUND_PX - top,
                start_ms=start,
                end_ms=end,
            )
        )
    return tuple(found[:_MOST])


def _kind(line: ScreenLine) -> Literal["nickname", "number"] | None:
    if line.role == "comment":
        return "nickname"
    return "number" if _NUMBER.search(line.text) else None


def make_redacted(
    clip: Clip, boxes: Sequence[Redacted], *, automatic: bool
) -> tuple[Path, RedactedCopy]:
    """Paint the boxes over in a copy beside the clip.

    Raises:
        InputError: the clip has no picture. UnreadableMedia, ConfigError: ffmpeg failed.
    """
    if clip.picture is None:
        raise InputError(f"{clip.video.name}: has no picture", hint="there is nothing to cover")
    info = clip.info
    out = clip.video.with_name(f"{clip.video.stem}.redacted.mp4")
    media.covered(clip.video, [_cover(box, clip) for box in boxes], out=out)
    copy = RedactedCopy(
        of=clip.video.name,
        of_sha256=info.files[clip.video.name],
        recording_sha256=info.recording_sha256,
        file=out.name,
        sha256=sha256_file(out),
        boxes=tuple(boxes),
        automatic=automatic,
        statement=_FOUND if automatic else _GIVEN,
        tools={"ffmpeg": media.ffmpeg_version()},
    )
    body = json.dumps(copy.model_dump(mode="json"), ensure_ascii=False, indent=2)
    out.with_suffix(".json").write_text(body + "\n", encoding="utf-8")
    return out, copy


def _cover(box: Redacted, clip: Clip) -> Cover:
    """In the clip's own time. Over a hole the two clocks part: there a box covers all the time."""
    begin, end = clip.info.start.timeline_ms, clip.info.end.timeline_ms
    start_ms = begin if box.start_ms is None or clip.info.holes else box.start_ms
    end_ms = end if box.end_ms is None or clip.info.holes else box.end_ms
    last = end_ms - begin if end_ms < end else 86_400_000  # to the very last picture
    return Cover(max(0, start_ms - begin), last, box.x_px, box.y_px, box.w_px, box.h_px)
