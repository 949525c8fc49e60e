"""Stored recordings as files that can be opened: where they lie, fetched, or read by ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.media import run as media
from pipeline.model import PacketIndex, Recording

if TYPE_CHECKING:
    from pipeline.plan import Context


@contextmanager
def sources(context: Context, recordings: Sequence[Recording]) -> Iterator[list[media.MediaSource]]:
    """The stored recordings as local files; downloaded ones are removed afterwards."""
    context.scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="recordings-", dir=context.scratch) as fetched:
        yield [_source(context, recording, Path(fetched)) for recording in recordings]


@contextmanager
def span_source(
    context: Context, recording: Recording, *, index: PacketIndex | None, span_ms: tuple[int, int]
) -> Iterator[media.MediaSource]:
    """One recording for a span of its media time: as it lies on this disk, else by ranged reads
    of what the span needs, else (where that cannot be known) downloaded."""
    store = context.archive.store
    if (
        index is not None
        and store.local_path(recording.parts[0].key) is None
        and media.can_be_remote(recording, index, span_ms=span_ms)
    ):
        cache = context.scratch / "ranges"
        with media.remote_source(
            recording, index, span_ms=span_ms, store=store, cache=cache
        ) as found:
            yield found
    else:
        with sources(context, [recording]) as fetched:
            yield fetched[0]


def _source(context: Context, recording: Recording, fetched: Path) -> media.MediaSource:
    paths = []
    for part in recording.parts:
        local = context.archive.store.local_path(part.key)
        if local is None:
            local = fetched / part.key.rpartition("/")[2]
            local.parent.mkdir(parents=True, exist_ok=True)
            context.archive.store.download(part.key, local)
        paths.append(local)
    return media.source_of(paths, container=recording.container, file_name=recording.file_name)
