"""Cutting one clip of a broadcast, wherever its recording lies."""

from __future__ import annotations

from pathlib import Path

from pipeline.evidence.clip import Clip, make_clip, media_span
from pipeline.model import PacketIndex, Revision, Transcript
from pipeline.plan import Context
from pipeline.sources import span_source


def cut_clip(
    context: Context,
    revision: Revision,
    *,
    number: int,
    index: PacketIndex | None,
    transcript: Transcript | None,
    span_ms: tuple[int, int],
    margin_ms: int,
    out: Path,
    name: str,
    claim_id: str | None,
) -> Clip:
    """The clip of a timeline span out of recording ``number`` of a broadcast.

    Raises:
        InputError: nothing of the span was recorded. SourceError, MediaError.
    """
    recording, clock_map = revision.recordings[number], revision.clock_map
    read = media_span(clock_map, recording_index=number, span_ms=span_ms, margin_ms=margin_ms)
    with span_source(context, recording, index=index, span_ms=read) as source:
        return make_clip(
            source=source,
            recording=recording,
            recording_index=number,
            clock_map=clock_map,
            broadcast_id=revision.broadcast.broadcast_id,
            span_ms=span_ms,
            margin_ms=margin_ms,
            transcript=transcript,
            out_dir=out,
            name=name,
            claim_id=claim_id,
            index=index,
        )
