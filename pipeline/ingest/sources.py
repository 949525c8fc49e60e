"""What a person names as a broadcast on air: a place where segments land, or something that grows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import InputError
from pipeline.ingest.fetch import MEDIA
from pipeline.ingest.http_tail import HttpTail
from pipeline.ingest.places import Place, place_of
from pipeline.ingest.tails import FileTail, Tail
from pipeline.ports import ObjectStore


def followed(
    text: str,
    *,
    s3: Callable[[str], ObjectStore],
    playlist: str = "",
    marker: str = "",
    quiet_s: float = 120,
) -> Place | Tail:
    """A growing file, an ``http://`` stream; else a folder, an ``s3://`` prefix or a playlist.

    Raises:
        InputError: no such folder, or another scheme.
    """
    if text.lower().startswith(("http://", "https://")):
        return HttpTail(text, quiet_s=quiet_s)
    path = Path(text)
    if "://" not in text and path.suffix.lower() in MEDIA and not path.is_dir():
        if not path.parent.is_dir():
            raise InputError(
                f"{path.parent}: there is no such folder",
                hint="give the file that the recorder writes",
                file=str(path),
            )
        return FileTail(path, marker=marker, quiet_s=quiet_s)
    return place_of(text, s3=s3, playlist=playlist, marker=marker, quiet_s=quiet_s)
