"""Redacted copies as the command asks for them: where the boxes come from, and the custody of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.evidence.clip import Clip
from pipeline.evidence.redaction import (
    Redacted,
    RedactedCopy,
    found_boxes,
    make_redacted,
    read_boxes,
)
from pipeline.runner import parts_of, read_bytes
from pipeline.serve.bundles import note
from pipeline.serve.service import Service

AUTO = "auto"
NOTHING_FOUND = {
    "zh": "屏幕文字中没有找到可遮盖的昵称或号码,未生成遮盖副本。",
    "en": "No nickname or number was found in the text on the screen; no redacted copy was made.",
}


def asked_boxes(redact: str | None) -> tuple[Redacted, ...]:
    """The boxes of a file, read before anything is cut.

    Raises:
        InputError: it is no file of boxes.
    """
    if redact is None or redact == AUTO:
        return ()
    return read_boxes(read_bytes(Path(redact)), file_name=redact)


def redacted(
    works: Service, clip: Clip, boxes: tuple[Redacted, ...], *, automatic: bool
) -> tuple[Path, RedactedCopy] | None:
    """The copy, written down in custody; None where nothing was found to cover.

    Raises:
        InputError: the clip has no picture. UnreadableMedia, ConfigError: ffmpeg failed.
    """
    app = works.app.glancing()
    state = app.archive.state(clip.info.broadcast_id)
    if automatic:
        screen = parts_of(app, state).screen
        boxes = found_boxes(screen.lines if screen else (), clip)
    if not boxes:
        return None
    made, copy = make_redacted(clip, boxes, automatic=automatic)
    about: dict[str, Any] = {"copy": copy.file, "sha256": copy.sha256}
    about |= {"of_sha256": copy.of_sha256, "boxes": len(boxes), "automatic": automatic}
    note(app, state, "redacted", about=about)
    return made, copy


def told(made: tuple[Path, Any] | None) -> dict[str, str]:
    """What a copy is, or that none was made, Chinese and English."""
    if made is None:
        return NOTHING_FOUND
    copy: RedactedCopy = made[1]
    return copy.statement
