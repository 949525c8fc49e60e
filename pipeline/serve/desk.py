"""What one viewer may do: the façade as the routes see it.

Routes get a :class:`Desk` and nothing else. It knows who asks, hides what is not theirs as if it
were not there, and writes every view and export down before it answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.archive import State
from pipeline.cases.review import Layer, ReviewRecord
from pipeline.cases.review import words_of as review_words
from pipeline.cases.run import KeyRing
from pipeline.errors import InputError, NotFound
from pipeline.model import Broadcast, CatalogueEntry, Claim, Dossier
from pipeline.outputs import screen_of
from pipeline.packs import read_record, read_tables
from pipeline.provenance import sha256_hex
from pipeline.runner import Parts
from pipeline.serve import media_cache
from pipeline.serve.access.roles import Viewer
from pipeline.serve.access.views import ViewLog
from pipeline.serve.exports import claims_csv
from pipeline.serve.idempotency import Once
from pipeline.serve.parcels import Parcels
from pipeline.serve.reviews import Reviewer, Sheet
from pipeline.serve.service import Service, shown, words_of
from pipeline.serve.shelf import Shelf
from pipeline.serve.skus import SkuDesk, SkuReport
from pipeline.serve.system import status
from pipeline.serve.unseen import no_broadcast, no_claim

if TYPE_CHECKING:
    from pipeline.evidence.clip import Clip
    from pipeline.evidence.cold import Availability
    from pipeline.evidence.proxies import Viewing
    from pipeline.index.answer import Answer, Hit
    from pipeline.serve.restores import Away


class Office(NamedTuple):
    """What all viewers of a process share."""

    works: Service
    """The workspace."""
    ring: KeyRing
    """Its secret, for hashed ids in events."""
    log: ViewLog
    """Where views are written down."""
    shelf: Shelf
    """Broadcasts of late."""
    once: Once
    """Answers to requests that may be sent again."""
    skus: SkuDesk
    """What was claimed about single SKUs."""
    owners: dict[tuple[str, int], Broadcast]
    """Descriptions of releases, remembered: they never change."""


class Queue(NamedTuple):
    """Claims that wait."""

    hits: list[Hit]
    """The page."""
    cursor: str
    """For the next one; empty on the last."""
    total: int
    """All that the machine sent to review, decided or not."""


class Desk:
    """The workspace within the limits of one viewer.

    Every method raises ``NotAllowed`` where the role lacks the right, before it looks at what
    was asked for, and ``NotFound`` alike for what is hidden and for what does not exist.
    """

    def __init__(self, office: Office, viewer: Viewer) -> None:
        self._office = office
        self._works = office.works
        self.viewer = viewer

    # --- search and lists -----------------------------------------------------------------

    def search(self, query: str, **filters: Any) -> Answer:
        """Claims, words and screen text that match, among what the viewer may see."""
        self.viewer.require("read")
        answer = self._works.search(query, **filters, within=self.viewer.within())
        self._wrote(
            "searched",
            "search",
            query=self._office.ring.hashed("query", query),
            total=answer.total,
            shown=[hit.document.doc_id for hit in answer.hits],
        )
        return answer

    def sku(self, sku_id: str) -> SkuReport:
        """All claims about one SKU, in broadcasts the viewer may see.

        Raises:
            NotFound: there is none.
        """
        self.viewer.require("read")
        within = self.viewer.within()
        found = self._office.skus.report(
            sku_id,
            search=lambda *query, **filters: self._works.search(*query, **filters, within=within),
            layers=self.hit_layers,
        )
        if not found.claims:
            raise NotFound(f"nothing was claimed about {sku_id!r}", hint="search for its name")
        self._wrote("viewed", "sku", sku_id=sku_id, total=found.claims)
        return found

    def broadcasts(self) -> list[dict[str, Any]]:
        """Finished broadcasts: id, day, release, counts."""
        if not self.viewer.may("operate"):
            self.viewer.require("read")
        entries = self._works.app.archive.catalogue()
        seen = [entry for entry in entries if not self.viewer.limited or self._theirs(entry)]
        return [
            {"broadcast_id": e.broadcast_id, "day": e.day, "release": e.release, "counts": e.counts}
            for e in sorted(seen, key=lambda e: (e.day, e.broadcast_id))
        ]

    def _theirs(self, entry: CatalogueEntry) -> bool:
        known, place = self._office.owners, (entry.prefix, entry.release)
        if place not in known:
            known[place] = self._works.app.archive.state_at(entry.prefix).revision.broadcast
        return self.viewer.sees(known[place])

    # --- one broadcast --------------------------------------------------------------------

    def broadcast(self, broadcast_id: str, *, what: str, screen: bool = True) -> Parts:
        """Everything about a broadcast; ``what`` is the view that is written down."""
        state = self.state(broadcast_id)
        self._wrote("viewed", what, state=state)
        return self._office.shelf.parts(state, screen=screen)

    def state(self, broadcast_id: str) -> State:
        """The current state of a broadcast that the viewer may see.

        Raises:
            NotFound: hidden, or not there. InputError: two merchants have one of this id.
        """
        self.viewer.require("read")
        archive = self._works.app.archive
        if not self.viewer.limited:
            return archive.state(broadcast_id)
        found = []
        for prefix in archive.prefixes(broadcast_id):
            revision = archive.revision(prefix)
            if revision is not None and self.viewer.sees(revision.broadcast):
                found.append(prefix)
        if len(found) > 1:
            raise InputError(f"you have {len(found)} broadcasts of the id {broadcast_id!r}")
        if not found:
            raise no_broadcast(broadcast_id)
        return archive.state_at(found[0])

    def transcript(self, broadcast_id: str, *, verbatim: bool) -> dict[str, Any]:
        """Segments with times, as heard or in the normal form."""
        return words_of(self.broadcast(broadcast_id, what="transcript"), verbatim=verbatim)

    def show(self, broadcast_id: str) -> dict[str, Any]:
        """A broadcast at a glance."""
        return shown(self.broadcast(broadcast_id, what="broadcast"))

    def claims(self, broadcast_id: str) -> tuple[int, tuple[Claim, ...]]:
        """The current release of a broadcast, and its claims in order of time."""
        parts = self.broadcast(broadcast_id, what="claims", screen=False)
        return parts.state.release.number, parts.claims.claims if parts.claims else ()

    def claims_csv(self, broadcast_id: str) -> str:
        """A broadcast's claims as CSV, to be taken away."""
        state = self.state(broadcast_id)
        parts = self._office.shelf.parts(state, screen=False)
        made = claims_csv(parts.claims.claims if parts.claims else ())
        self._wrote("exported", "csv", state=state, sha256=sha256_hex(made.encode()))
        return made

    def keyframe(self, broadcast_id: str, number: int) -> bytes:
        """The JPEG of a keyframe.

        Raises:
            NotFound: the broadcast is hidden or not there, or has no such picture.
        """
        state = self.state(broadcast_id)
        output = state.output("keyframes")
        store = self._works.app.store
        pictures = (
            screen_of(read_tables(store, output.key, tables=("keyframes",))) if output else None
        )
        frames = pictures.keyframes if pictures else ()
        if output is None or not 0 <= number < len(frames):
            raise NotFound(
                f"{broadcast_id}: no keyframe {number}", hint="`evidence show` lists them"
            )
        data = read_record(store, output.key, table="images", number=frames[number].image)
        event = self._event("viewed", "keyframe", broadcast_id=broadcast_id, number=number)
        event |= {"sha256": frames[number].image_sha256, "prefix": state.prefix}
        self._office.log.add_once(event, self.viewer.key_id, state.prefix, str(number))
        return data

    # --- one claim ------------------------------------------------------------------------

    def claim(self, claim_id: str) -> Claim:
        """A claim by its id, of whatever version made it."""
        state, claim = self._claim(claim_id)
        self._wrote("viewed", "claim", state=state, claim_id=claim_id)
        return claim

    def moment(self, claim_id: str) -> tuple[Claim, Parts]:
        """A claim and its broadcast."""
        state, claim = self._claim(claim_id)
        self._wrote("viewed", "moment", state=state, claim_id=claim_id)
        return claim, self._office.shelf.parts(state)

    def _claim(self, claim_id: str) -> tuple[State, Claim]:
        self.viewer.require("read")
        once = Service(self._works.app.glancing())
        if not self.viewer.limited:
            prefix, claim = once.claim(claim_id)
            return once.app.archive.state_at(prefix), claim
        try:
            prefix, claim = once.claim(claim_id)
            state = once.app.archive.state_at(prefix)
        except NotFound as error:
            raise no_claim(claim_id) from error
        if not self.viewer.sees(state.revision.broadcast):
            raise no_claim(claim_id)
        return state, claim

    def layers(self, parts: Parts) -> dict[str, Layer]:
        """The decisions that stand over a broadcast's claims."""
        claims = parts.claims.claims if parts.claims else ()
        return self._works.reviews.over(parts.state.prefix, map(review_words, claims))

    def layer(self, parts: Parts, claim: Claim) -> Layer | None:
        """The decision that stands over one claim, of whatever version."""
        found = self._works.reviews.over(parts.state.prefix, [review_words(claim)])
        return found.get(claim.claim_id)

    def hit_layers(self, answer: Answer) -> dict[str, Layer]:
        """The decisions that stand over a page of hits."""
        return self._works.reviews.over_hits(answer)

    def dossier_layers(self, dossier: Dossier) -> dict[str, Layer]:
        """The decisions that stand over a dossier's moments."""
        return self._works.reviews.over_dossier(dossier)

    # --- review ---------------------------------------------------------------------------

    def queue(self, *, cursor: str = "", size: int = 20, **filters: Any) -> Queue:
        """Claims that wait for a person to hear them."""
        self.viewer.require("review")
        found = self._works.reviews.queue(self.search, cursor=cursor, size=size, **filters)
        return Queue(*found)

    def sheet(self, claim_id: str) -> Sheet:
        """A claim with its history; its listing only after the viewer wrote down what was heard."""
        self.viewer.require("review")
        state, claim = self._claim(claim_id)
        self._wrote("viewed", "review", state=state, claim_id=claim_id)
        return self._works.reviews.sheet(state, claim, self._reviewer)

    def hear(self, claim_id: str, *, heard: str) -> ReviewRecord:
        """The first step of a review."""
        self.viewer.require("review")
        state, claim = self._claim(claim_id)
        record = self._works.reviews.hear(state, claim, self._reviewer, heard=heard)
        self._wrote("reviewed", "heard", state=state, claim_id=claim_id, number=record.number)
        return record

    def decide(self, claim_id: str, **decision: Any) -> ReviewRecord:
        """The second step of a review."""
        self.viewer.require("review")
        state, claim = self._claim(claim_id)
        record = self._works.reviews.decide(state, claim, self._reviewer, **decision)
        self._wrote("reviewed", "decided", state=state, claim_id=claim_id, number=record.number)
        return record

    @property
    def _reviewer(self) -> Reviewer:
        return Reviewer(self.viewer.key_id, self.viewer.name)

    # --- clips ----------------------------------------------------------------------------

    def clip(self, claim_id: str) -> Clip:
        """The clip of a claim, made when first asked for; for a page that shows it."""
        self._claim(claim_id)
        return media_cache.clip_of(self._works, claim_id)

    def clip_of_span(self, broadcast_id: str, span_ms: tuple[int, int]) -> Clip:
        """The clip of a span, made when first asked for; for a page that shows it."""
        return media_cache.clip_of_span(self._works, self.state(broadcast_id), span_ms)

    def away(self, *, claim_id: str = "", broadcast_id: str = "", span_ms: Any = ()) -> Away:
        """What there is instead of a clip while the recording is archived."""
        if not claim_id:
            return media_cache.away(self._works, self.state(broadcast_id), span_ms)
        return media_cache.away(self._works, *self._claim(claim_id))

    def make_clip(
        self, *, claim_id: str, broadcast_id: str, start_ms: int | None, end_ms: int | None
    ) -> str:
        """Make the clip of a claim or a span; its id."""
        if claim_id:
            made, clip_id = self.clip(claim_id), claim_id
        else:
            state, span = self.state(broadcast_id), (start_ms or 0, end_ms or 0)
            made = media_cache.clip_of_span(self._works, state, span)
            clip_id = f"s-{media_cache.span_id(state, span)}"
        self._wrote(
            "exported",
            "clip",
            clip_id=clip_id,
            broadcast_id=made.info.broadcast_id,
            sha256=made.info.files.get(made.video.name, ""),
        )
        return clip_id

    def clip_by_id(self, clip_id: str) -> Clip:
        """A clip that was made.

        Raises:
            NotFound: it was not, or is not for this viewer.
        """
        if not clip_id.startswith("s-"):
            return self.clip(clip_id)
        self.viewer.require("read")
        found = media_cache.span_clip(self._works, clip_id[2:])
        if found is not None:
            state = self.state(found.info.broadcast_id)
            if media_cache.made_from(state, found, clip_id[2:]):
                return found
        raise NotFound(f"no clip {clip_id!r}", hint="make it: POST /api/v1/clips")

    def fetched(self, clip: Clip | Viewing, path: Path) -> None:
        """Write down that a file of a clip leaves, once for the many pieces a player takes."""
        info = clip.info
        event = self._event("exported", path.suffix.lstrip("."), broadcast_id=info.broadcast_id)
        event |= {"span_ms": [info.asked_start_ms, info.asked_end_ms]}
        event |= {"claim_id": info.claim_id or "", "sha256": info.files.get(path.name, "")}
        self._office.log.add_once(event, self.viewer.key_id, path.name, event["sha256"])

    @property
    def parcels(self) -> Parcels:
        """Sealed bundles within the viewer's limits."""
        return Parcels(self._works, self.viewer, self._claim, self.order, self.state, self._wrote)

    # --- orders and the system ------------------------------------------------------------

    def order(self, order_id: str) -> Dossier:
        """The answer to an order's dispute, from the store alone."""
        self.viewer.require("orders")
        dossier = self._works.order(order_id)
        hashed = self._office.ring.hashed("order", order_id)
        moments = [moment.claim_id for moment in dossier.moments]
        self._wrote("viewed", "dossier", order=hashed, verdict=dossier.verdict, shown=moments)
        return dossier

    def recording(self, dossier: Dossier) -> Availability | None:
        """Whether the recording behind an answer can be read; null without a broadcast."""
        from pipeline.serve.restores import standing

        return standing(self._works, dossier.broadcast_id) if dossier.broadcast_id else None

    def status(self) -> dict[str, Any]:
        """What is here, what is unfinished, free disk."""
        self.viewer.require("operate")
        return {k: v for k, v in status(self._works.app).items() if k != "workspace"}

    def custody(self, day: str) -> list[dict[str, Any]]:
        """Who looked at what on a UTC day."""
        self.viewer.require("audit")
        self._wrote("viewed", "custody", day=day)
        events = self._office.log.events(day)
        return sorted(events, key=lambda event: int(event["at_utc_ms"]))

    # --- custody --------------------------------------------------------------------------

    def _wrote(self, event: str, what: str, *, state: State | None = None, **more: Any) -> None:
        if state is not None:
            broadcast = state.revision.broadcast
            more |= {"broadcast_id": broadcast.broadcast_id, "prefix": state.prefix}
            more |= {"release": state.release.number}
        self._office.log.add(self._event(event, what, **more))

    def _event(self, event: str, what: str, **more: Any) -> dict[str, Any]:
        viewer = self.viewer
        who = {"key_id": viewer.key_id, "name": viewer.name, "role": viewer.role}
        return {"event": event, "what": what} | who | more
