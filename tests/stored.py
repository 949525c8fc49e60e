"""A recording put into a store as the ingest puts it, without a broadcast around it."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from pipeline.media import run as media
from pipeline.model import PacketIndex, Recording, RecordingPart
from pipeline.ports import ObjectStore


class Stored(NamedTuple):
    """A recording in the store."""

    recording: Recording
    index: PacketIndex


def stored(source: media.MediaSource, store: ObjectStore) -> Stored:
    """Every part under a key of its own, with the sidecar."""
    found = media.inspect(source)
    parts = []
    for number, part in enumerate(source.parts):
        key = f"{uuid.uuid4().hex}/{number:05d}"
        sha = store.put(key, part)
        size = part.stat().st_size
        parts.append(RecordingPart(name=part.name, key=key, size_bytes=size, sha256=sha))
    recording = Recording(
        recording_id=found.recording_id,
        file_name=source.file_name,
        parts=tuple(parts),
        sha256=found.sha256,
        size_bytes=sum(p.size_bytes for p in parts),
        container=source.container,
        duration_ms=found.probed.duration_ms,
        streams=found.probed.streams,
        merkle_root=found.merkle_root,
    )
    return Stored(recording, found.sidecar)
