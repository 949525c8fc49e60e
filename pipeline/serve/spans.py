"""Spans of one release of a broadcast: a link to one shows the same for ever, whatever comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from pipeline.archive import State
from pipeline.runner import Parts
from pipeline.serve import media_cache
from pipeline.serve.desk import Desk
from pipeline.serve.unseen import no_broadcast

if TYPE_CHECKING:
    from pipeline.evidence.clip import Clip
    from pipeline.serve.restores import Away


class Place(NamedTuple):
    """A span of one release of a broadcast."""

    broadcast_id: str
    release: int
    start_ms: int
    end_ms: int

    @property
    def span_ms(self) -> tuple[int, int]:
        """Start and end."""
        return self.start_ms, self.end_ms

    @property
    def path(self) -> str:
        """What its addresses have in common."""
        broadcast = quote(self.broadcast_id, safe="")
        return f"{self.start_ms}-{self.end_ms}-r{self.release}/{broadcast}"


class SpanSeen(NamedTuple):
    """A span with its broadcast as it was."""

    parts: Parts
    """Of the release meant; without pictures where those of the current one are others."""
    current: int
    """The current release."""


class SpanDesk(Desk):
    """The desk, for spans of a release."""

    def current(self, broadcast_id: str) -> int:
        """The current release of a broadcast."""
        return self.state(broadcast_id).release.number

    def seen(self, place: Place) -> SpanSeen:
        """A span, to be looked at."""
        now = self.state(place.broadcast_id)
        meant = self._meant(place, now)
        self._wrote("viewed", "moment", state=meant, span_ms=list(place.span_ms))
        parts = self._office.shelf.parts(meant)
        if _pictures(meant) != _pictures(now):  # a picture's address is its number in the newest
            parts = parts._replace(screen=None)
        return SpanSeen(parts, now.release.number)

    def clip_at(self, place: Place) -> Clip:
        """The clip of a span, made when first asked for."""
        return media_cache.clip_of_span(self._works, self._meant(place), place.span_ms)

    def away_at(self, place: Place) -> Away:
        """What there is instead of a clip while the recording is archived."""
        return media_cache.away(self._works, self._meant(place), place.span_ms)

    def _meant(self, place: Place, now: State | None = None) -> State:
        """The release meant, where the viewer may see the broadcast as it is and as it was.

        Raises:
            NotFound: hidden, or not there.
        """
        now = now or self.state(place.broadcast_id)
        meant = self._works.app.archive.state_of(now.prefix, place.release)
        if not self.viewer.sees(meant.revision.broadcast):
            raise no_broadcast(place.broadcast_id)
        return meant


def _pictures(state: State) -> str:
    output = state.output("keyframes")
    return output.content if output else ""
