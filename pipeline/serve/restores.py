"""Restoring archived recordings, and what is answered while one is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import runner
from pipeline.archive import State
from pipeline.errors import NotFound, ObjectArchived
from pipeline.evidence import cold
from pipeline.evidence.cold import Availability
from pipeline.evidence.proxies import Viewing, Wanted, viewing_clip
from pipeline.model import Claim, Dossier, Frozen
from pipeline.ports import Tier
from pipeline.serve.bundles import bundle_claim, bundle_order, note
from pipeline.serve.service import Service, recording_of

if TYPE_CHECKING:
    from pipeline.evidence.clip import Clip
    from pipeline.evidence.seal import Sealed


class Restore(Frozen):
    """What `evidence restore` says."""

    asked: bool
    """Whether this call asked for anything; false where it was asked for already, or is there."""
    recording: Availability
    """How it stands now."""


class Away(Frozen):
    """What is answered instead of a clip or a bundle while the recording is archived."""

    recording: Availability
    """Its state, and when it can be read."""
    viewing: tuple[Viewing, ...] = ()
    """Copies to look at meanwhile, which are no evidence; empty where none were made."""


def restore(works: Service, broadcast_id: str, *, days: int, tier: Tier) -> Restore:
    """Ask for a broadcast's recordings; asking again changes nothing.

    Raises:
        NotFound: no such broadcast. ConfigError: the store has no archived classes, or no such tier.
    """
    once = works.app.glancing()
    state = once.archive.state(broadcast_id)
    asked = cold.ask(
        once.archive, state, days=days, tier=tier, writer=works.app.writer, now=datetime.now(UTC)
    )
    if asked is not None:
        about = asked.model_dump(mode="json", exclude={"schema_version", "writer"})
        note(once, state, "restore_asked", about=about)
    return Restore(asked=asked is not None, recording=cold.availability(once.store, state))


def standing(works: Service, broadcast_id: str) -> Availability:
    """How a broadcast's recordings stand now."""
    once = works.app.glancing()
    return cold.availability(once.store, once.archive.state(broadcast_id))


def broadcast_of(works: Service, order_id: str) -> str:
    """The broadcast an order's answer comes from.

    Raises:
        NotFound: none is known.
    """
    found = works.order(order_id).broadcast_id
    if not found:
        raise NotFound(
            f"order {order_id!r}: no broadcast is known, so there is nothing to restore",
            hint="process the broadcast it came from",
        )
    return found


def wait(
    works: Service,
    broadcast_id: str,
    *,
    every_s: float,
    tell: Callable[[Availability], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Availability:
    """Look until the recordings can be read, or nobody asked for them; ``tell`` hears each look."""
    while True:
        found = standing(works, broadcast_id)
        tell(found)
        if found.state != "restoring":
            return found
        sleep(every_s)


# --- clips and bundles while it is away -----------------------------------------------------------


def clip_or_away(
    works: Service,
    subject: str,
    *,
    span: tuple[int, int] | None,
    out: Path | None,
    margin_ms: int | None,
) -> Clip | Away:
    """The clip of a claim, or of a span of a broadcast; while the recording is away, that."""
    try:
        if span is None:
            return works.clip_claim(subject, out=out, margin_ms=margin_ms)
        return works.clip_span(subject, span=span, out=out, margin_ms=margin_ms)
    except ObjectArchived:
        once = Service(works.app.glancing())
        margin = works.app.settings.clip.margin_ms if margin_ms is None else margin_ms
        if span is not None:
            wanted = Wanted(span, margin, f"{subject}-{span[0]}-{span[1]}")
            return away(once, once.app.archive.state(subject), [wanted], out=out)
        prefix, claim = once.claim(subject)
        return away(once, once.app.archive.state_at(prefix), [wanted_of(claim, margin)], out=out)


def bundle_or_away(works: Service, about: str | Dossier, *, out: Path) -> Sealed | Away:
    """The sealed bundle of a claim (its id) or an answer; while the recording is away, that."""
    try:
        if isinstance(about, str):
            return bundle_claim(works, about, out=out)
        return bundle_order(works, about, out=out)
    except ObjectArchived:
        once = Service(works.app.glancing())
        margin = works.app.settings.clip.margin_ms
        if isinstance(about, str):
            prefix, claim = once.claim(about)
            state = once.app.archive.state_at(prefix)
            return away(once, state, [wanted_of(claim, margin)], out=out)
        wanted = [wanted_of(moment.claim, margin) for moment in about.moments]
        return away(once, once.app.archive.state(about.broadcast_id), wanted, out=out)


def away(works: Service, state: State, wanted: Sequence[Wanted], *, out: Path | None) -> Away:
    """What is answered for a broadcast whose recording is archived, with viewing copies."""
    app = works.app
    transcript = runner.parts_of(app, state, screen=False).transcript if wanted else None
    copies = (
        viewing_clip(
            app.archive,
            state,
            one,
            number=recording_of(state.revision, one.span_ms),
            transcript=transcript,
            out_dir=out or app.clips,
            cache=app.scratch / "ranges",
        )
        for one in wanted
    )
    recording = cold.availability(app.store, state)
    return Away(recording=recording, viewing=tuple(one for one in copies if one is not None))


def wanted_of(claim: Claim, margin_ms: int) -> Wanted:
    """A claim's span, to be seen."""
    span = (claim.start_ms, max(claim.end_ms, claim.start_ms + 1))
    return Wanted(span, margin_ms, claim.claim_id, claim.claim_id)
