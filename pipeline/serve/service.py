"""The one façade: everything the command, the API and agents can do, by the same names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import runner
from pipeline.archive import State
from pipeline.bootstrap import Application
from pipeline.claims import run as claims_room
from pipeline.errors import InputError, NotFound
from pipeline.model import ClaimSet, Order
from pipeline.outputs import claim_of
from pipeline.packs import parse_pack
from pipeline.provenance import content_id, sha256_hex, work_key
from pipeline.runner import Parts, Request
from pipeline.timeline import Span
from pipeline.transcribe.coverage import coverage
from pipeline.transcribe.given import from_given

if TYPE_CHECKING:
    from pipeline.cases.orders import OrderBook
    from pipeline.evidence.clip import Clip
    from pipeline.evidence.cold import Availability
    from pipeline.index.answer import Answer
    from pipeline.index.rebuild import Rebuilt, Reconciled
    from pipeline.model import Claim, Dossier
    from pipeline.patience import Tell
    from pipeline.plan import Progress
    from pipeline.serve.cases import Cases
    from pipeline.serve.lines import Lines
    from pipeline.serve.reviews import Reviews

_CLAIM_ID = re.compile(r"([0-9a-f]{4})-([0-9a-f]{12})-(\d+)")


class Service:
    """What can be done with one workspace."""

    def __init__(self, app: Application) -> None:
        self.app = app

    # --- work -----------------------------------------------------------------------------

    def process(
        self, request: Request, *, progress: Progress | None = None, tell: Tell | None = None
    ) -> State:
        """Take a broadcast in and run every stage; running again does only what is missing."""
        return runner.process(self.app, request, progress=progress, tell=tell)

    def summary(self, state: State) -> dict[str, Any]:
        """What a run of `process` left behind."""
        parts = runner.parts_of(self.app, state)
        revision, heard = state.revision, parts.transcript
        covered = coverage(heard, Span(0, revision.duration_ms)) if heard else None
        return {
            "broadcast_id": revision.broadcast.broadcast_id,
            "revision": revision.number,
            "release": state.release.number,
            "duration_ms": revision.duration_ms,
            "outputs": [
                {"stage": o.stage, "records": o.records, "content": o.content}
                for o in state.release.outputs
            ],
            "coverage": covered.model_dump(mode="json") | {"share_pm": covered.share_pm}
            if covered
            else None,
            "warnings": _warnings(parts),
        }

    def rebuild(
        self, *, days: Sequence[str] = (), progress: Callable[[int, int], None] | None = None
    ) -> Rebuilt:
        """Make the index (or its partitions of these days) anew from the store alone."""
        from pipeline.serve.indexing import rebuild

        return rebuild(self.app, days=days, progress=progress)

    def reconcile(
        self, *, days: Sequence[str] = (), apply: bool = False, force_share: bool = False
    ) -> Reconciled:
        """Compare index and catalogue; with ``apply`` bring the index into step."""
        from pipeline.serve.indexing import reconcile

        return reconcile(self.app, days=days, apply=apply, force_share=force_share)

    # --- broadcasts -----------------------------------------------------------------------

    def parts(self, broadcast_id: str) -> Parts:
        """Everything about a broadcast, from the store."""
        return runner.read_parts(self.app.glancing(), broadcast_id)

    def claims(self, broadcast_id: str) -> list[Claim]:
        """A broadcast's claims in order of time."""
        found = self.parts(broadcast_id).claims
        return list(found.claims) if found else []

    def transcript(self, broadcast_id: str, *, verbatim: bool) -> dict[str, Any]:
        """Segments with times: as heard, or in the normal form used for search."""
        return words_of(self.parts(broadcast_id), verbatim=verbatim)

    def show(self, broadcast_id: str) -> dict[str, Any]:
        """A broadcast at a glance: description, clocks, windows, claims, pictures, coverage."""
        return shown(self.parts(broadcast_id))

    def detect(self, transcript: Path, broadcast: Path) -> tuple[ClaimSet, tuple[str, ...]]:
        """Claims of a transcript without keeping anything; with warnings about the input."""
        return detect(transcript, broadcast, self.app)

    # --- search ---------------------------------------------------------------------------

    def search(self, query: str, **filters: Any) -> Answer:
        """Claims, words and screen text that match; see ``pipeline.index.run.search``."""
        from pipeline.index import run as index_room

        return index_room.search(self.app.index, query, **filters)

    # --- clips ----------------------------------------------------------------------------

    def claim(self, claim_id: str) -> tuple[str, Claim]:
        """A claim by its id, of whatever version made it, and its broadcast's prefix.

        Raises:
            NotFound: not a claim id, or not of this workspace.
        """
        match = _CLAIM_ID.fullmatch(claim_id.strip())
        output = match and self.app.archive.work_of(match[1], match[2], stage="claims")
        if not match or not output:
            raise NotFound(
                f"no claim {claim_id!r} in this workspace",
                hint="ids stand in `evidence claims BROADCAST` and in search results",
            )
        pack = parse_pack(self.app.archive.pack(output), name=output.key)
        claim = claim_of(pack, int(match[3]))
        if claim is None:
            raise NotFound(f"no claim {claim_id!r}: its pack has fewer claims")
        return output.key.partition("/packs/")[0], claim

    def clip_claim(self, claim_id: str, *, out: Path | None, margin_ms: int | None) -> Clip:
        """The clip of a claim, with picture, words and provenance beside it."""
        once = Service(self.app.glancing())
        prefix, claim = once.claim(claim_id)
        span = (claim.start_ms, claim.end_ms)
        state = once.app.archive.state_at(prefix)
        return once._cut(state, span=span, out=out, margin_ms=margin_ms, claim_id=claim_id)

    def clip_span(
        self, broadcast_id: str, *, span: tuple[int, int], out: Path | None, margin_ms: int | None
    ) -> Clip:
        """The clip of a time range of a broadcast's timeline."""
        once = Service(self.app.glancing())
        state = once.app.archive.state(broadcast_id)
        return once.cut(state, span=span, out=out, margin_ms=margin_ms)

    def cut(
        self, state: State, *, span: tuple[int, int], out: Path | None, margin_ms: int | None
    ) -> Clip:
        """The clip of a time range of one state of a broadcast."""
        return self._cut(state, span=span, out=out, margin_ms=margin_ms, claim_id=None)

    def _cut(
        self,
        state: State,
        *,
        span: tuple[int, int],
        out: Path | None,
        margin_ms: int | None,
        claim_id: str | None,
    ) -> Clip:
        from pipeline.serve.cuts import cut_clip
        from pipeline.serve.sidecars import packets_of

        settings, revision = self.app.settings.clip, state.revision
        if not 0 <= span[0] < span[1] or span[1] - span[0] > settings.max_ms:
            raise InputError(
                f"a clip from {span[0]} to {span[1]} ms cannot be cut",
                hint=f"give a range that begins before it ends, at most {settings.max_ms} ms long",
            )
        number = recording_of(revision, span)
        return cut_clip(
            self.app.context(),
            revision,
            number=number,
            index=packets_of(self.app.archive, state, number),
            transcript=runner.parts_of(self.app, state, screen=False).transcript,
            span_ms=span,
            margin_ms=settings.margin_ms if margin_ms is None else margin_ms,
            out=out or self.app.clips,
            name=claim_id or f"{revision.broadcast.broadcast_id}-{span[0]}-{span[1]}",
            claim_id=claim_id,
        )

    # --- orders ---------------------------------------------------------------------------

    @property
    def book(self) -> OrderBook:
        """The orders kept here."""
        from pipeline.cases.run import KeyRing, OrderBook

        days = self.app.settings.longest_days
        return OrderBook(self.app.store, KeyRing(self.app.keys), keep_days=days)

    def import_orders(self, file: Path) -> dict[str, Any]:
        """Keep the orders of a CSV or JSON Lines file; how many, and what was odd."""
        from pipeline.cases.run import import_orders

        done = import_orders(runner.read_bytes(file), file_name=str(file), book=self.book)
        return {"file": str(file), "orders": len(done.order_ids)} | {
            "new": done.new,
            "unchanged": done.unchanged,
            "warnings": list(done.warnings),
        }

    def order(self, order: Order | str) -> Dossier:
        """The answer to one order (an id, or the order itself), from the store alone."""
        return self.answered(order)[0]

    def answered(self, order: Order | str) -> tuple[Dossier, Availability | None]:
        """The answer, and whether the recording behind it can be read; null without a broadcast."""
        from pipeline.evidence.cold import availability
        from pipeline.serve.answers import answer
        from pipeline.serve.reviews import Reviews

        once = self.app.glancing()
        found = answer(once, self.book.get(order) if isinstance(order, str) else order)
        dossier = Reviews(once).on_dossier(found)
        if not dossier.broadcast_id:
            return dossier, None
        return dossier, availability(once.store, once.archive.state(dossier.broadcast_id))

    @cached_property
    def reviews(self) -> Reviews:
        """What people decided about claims."""
        from pipeline.serve.reviews import Reviews

        return Reviews(self.app)

    @cached_property
    def lines(self) -> Lines:
        """What people wrote over transcript lines."""
        from pipeline.serve.lines import Lines

        return Lines(self.app)

    @cached_property
    def cases(self) -> Cases:
        """Cases, and what of them was disclosed to whom."""
        from pipeline.serve.cases import Cases

        return Cases(self)


def words_of(parts: Parts, *, verbatim: bool) -> dict[str, Any]:
    """Segments with times: as heard, or in the normal form used for search.

    Raises:
        NotFound: the broadcast has no transcript.
    """
    found = parts.transcript
    broadcast_id = parts.state.revision.broadcast.broadcast_id
    if found is None:
        raise NotFound(f"{broadcast_id}: no transcript", hint="process the broadcast again")
    return {
        "broadcast_id": broadcast_id,
        "language": found.language,
        "producer": found.producer,
        "verbatim": verbatim,
        "segments": [
            {
                "start_ms": s.start_ms,
                "end_ms": s.end_ms,
                "text": s.text if verbatim else s.normal_text or s.text,
                "prob_pm": s.prob_pm,
                "flags": list(s.flags),
            }
            for s in found.segments
        ],
        "gaps": [g.model_dump(mode="json") for g in found.gaps],
    }


def shown(parts: Parts) -> dict[str, Any]:
    """A broadcast at a glance: description, clocks, windows, claims, pictures, coverage."""
    revision = parts.state.revision
    heard = parts.transcript
    covered = coverage(heard, Span(0, revision.duration_ms)) if heard else None
    return {
        "broadcast": revision.broadcast.model_dump(mode="json"),
        "revision": revision.number,
        "release": parts.state.release.number,
        "duration_ms": revision.duration_ms,
        "recordings": [r.model_dump(mode="json") for r in revision.recordings],
        "clock_map": revision.clock_map.model_dump(mode="json"),
        "windows": [w.model_dump(mode="json") for w in parts.claims.windows]
        if parts.claims
        else [],
        "claims": [c.model_dump(mode="json") for c in parts.claims.claims] if parts.claims else [],
        "keyframes": [k.model_dump(mode="json") for k in parts.screen.keyframes]
        if parts.screen
        else [],
        "screen_lines": [s.model_dump(mode="json") for s in parts.screen.lines]
        if parts.screen
        else [],
        "coverage": covered.model_dump(mode="json") | {"share_pm": covered.share_pm}
        if covered
        else None,
        "warnings": _warnings(parts),
        "outputs": [o.model_dump(mode="json") for o in parts.state.release.outputs],
    }


def detect(
    transcript: Path, broadcast: Path, app: Application | None = None
) -> tuple[ClaimSet, tuple[str, ...]]:
    """Claims of a transcript file; needs no workspace."""
    from pipeline.claims.detector import RuleDetector

    described, warnings = runner.read_broadcast(broadcast)
    payload = runner.read_bytes(transcript)
    words = from_given(
        payload,
        file_name=str(transcript),
        broadcast_id=described.broadcast_id,
        duration_ms=None,
    )
    detector = app.detector if app else RuleDetector.load()
    key = work_key(
        "claims",
        version=claims_room.STAGE_VERSION,
        inputs=[content_id(described.model_dump(mode="json")), sha256_hex(payload)],
        model_digest=detector.digest,
    )
    found = claims_room.run(
        described, transcript=words, screen=None, detector=detector, work_key=key
    )
    return found, (*warnings, *found.warnings)


def _warnings(parts: Parts) -> list[str]:
    """What was odd, from every stage."""
    said = [parts.state.revision.warnings]
    said += [part.warnings for part in (parts.screen, parts.claims) if part is not None]
    return [warning for warnings in said for warning in warnings]


def recording_of(revision: Any, span: tuple[int, int]) -> int:
    """The recording that holds most of a span.

    Raises:
        NotFound: the broadcast has no recording there.
    """
    wanted = Span(*span)
    spans: Sequence[Any] = revision.clock_map.spans
    best = max(spans, key=lambda s: s.span.overlap_ms(wanted), default=None)
    if best is None or best.recording_index < 0 or not best.span.overlap_ms(wanted):
        raise NotFound(
            f"{revision.broadcast.broadcast_id}: nothing was recorded from {span[0]} to {span[1]} ms",
            hint="`evidence show` lists what was recorded",
        )
    return int(best.recording_index)
