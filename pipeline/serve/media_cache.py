"""Clips made when first asked for and kept beside those the command makes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pipeline.archive import State
from pipeline.evidence.clip import Clip, ClipInfo, safe_name
from pipeline.evidence.proxies import Wanted, viewing_at
from pipeline.model import Claim
from pipeline.provenance import content_id
from pipeline.serve.service import Service

if TYPE_CHECKING:
    from pipeline.serve.restores import Away

_SPAN_ID = re.compile(r"[0-9a-f]{32}")


def clip_of(service: Service, claim_id: str) -> Clip:
    """The clip of a claim: the one that is there, or a new one; two at once make it once.

    Raises:
        NotFound: no such claim, or nothing was recorded there.
    """
    service.claim(claim_id)  # an unknown id leaves no lock file behind
    return _kept(
        service.app.clips,
        safe_name(claim_id),
        lambda _: service.clip_claim(claim_id, out=None, margin_ms=None),
    )


def clip_of_span(service: Service, state: State, span_ms: tuple[int, int]) -> Clip:
    """The clip of a span of one state of a broadcast.

    Raises:
        NotFound: nothing was recorded there. InputError: an empty or over-long span.
    """
    broadcast_id = state.revision.broadcast.broadcast_id
    return _kept(
        service.app.clips / "spans" / span_id(state, span_ms),
        safe_name(f"{broadcast_id}-{span_ms[0]}-{span_ms[1]}"),
        lambda folder: service.cut(state, span=span_ms, out=folder, margin_ms=None),
    )


def away(service: Service, state: State, what: Claim | tuple[int, int]) -> Away:
    """What there is of a claim or a span while the recording is archived; copies are kept.

    Raises:
        NotFound: nothing was recorded there.
    """
    from pipeline.serve.restores import away as found
    from pipeline.serve.restores import wanted_of

    margin_ms, folder = service.app.settings.clip.margin_ms, service.app.clips
    if isinstance(what, Claim):
        wanted = wanted_of(what, margin_ms)
    else:
        folder = folder / "spans" / span_id(state, what)
        name = f"{state.revision.broadcast.broadcast_id}-{what[0]}-{what[1]}"
        wanted = Wanted(what, margin_ms, name)
    sidecar = folder / f"{safe_name(wanted.name)}.viewing.json"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{safe_name(wanted.name)}.lock"):
        there = (viewing_at(sidecar),) if sidecar.exists() else ()
        said = found(service, state, () if there else (wanted,), out=folder)
    return said.model_copy(update={"viewing": there}) if there else said


def span_id(state: State, span_ms: tuple[int, int], *, release: int = 0) -> str:
    """Names the clip of a span of one release (the current one) of a broadcast."""
    return content_id([state.prefix, release or state.release.number, *span_ms])[:32]


def span_clip(service: Service, name: str) -> Clip | None:
    """The clip of a span by its name; None when it was never made."""
    folder = service.app.clips / "spans" / name
    if not _SPAN_ID.fullmatch(name):
        return None
    found = (p for p in folder.glob("*.json") if not p.name.startswith("."))
    sidecar = next((p for p in found if not p.name.endswith(".viewing.json")), None)
    return None if sidecar is None else _clip(sidecar)


def made_from(state: State, clip: Clip, name: str) -> bool:
    """Whether a clip was made from a release of this very broadcast."""
    span = (clip.info.asked_start_ms, clip.info.asked_end_ms)
    releases = range(1, state.release.number + 1)
    return any(span_id(state, span, release=number) == name for number in releases)


def _kept(folder: Path, stem: str, make: Callable[[Path], Clip]) -> Clip:
    sidecar = folder / f"{stem}.json"
    if not sidecar.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{stem}.lock"):
            if not sidecar.exists():
                make(folder)
    return _clip(sidecar)


def _clip(sidecar: Path) -> Clip:
    folder, stem = sidecar.parent, sidecar.stem
    info = ClipInfo.model_validate_json(sidecar.read_bytes())
    return Clip(
        video=folder / f"{stem}.mp4",
        picture=folder / f"{stem}.jpg" if f"{stem}.jpg" in info.files else None,
        subtitles=folder / f"{stem}.srt" if f"{stem}.srt" in info.files else None,
        sidecar=sidecar,
        info=info,
    )
