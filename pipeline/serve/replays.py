"""The recording played in place, at a moment: playlists, byte ranges, fragments.

Whoever plays has the rights of a viewer of the desk; every piece that leaves is written down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from pipeline.archive import State
from pipeline.errors import InputError, NotFound
from pipeline.evidence.clip import media_span
from pipeline.media import run as media
from pipeline.media.replay import Addresses, Piece
from pipeline.model import ClockMap, PacketIndex, Recording
from pipeline.serve.desk import Desk
from pipeline.serve.service import recording_of
from pipeline.serve.sidecars import packets_of

AROUND_MS = 60_000
"""Played before and after what was asked for."""
_LONGEST_MS = 4 * 3_600_000
MOST_BYTES = 64 << 20
"""Of one answer."""

Link = Callable[[str], str]
"""A path to an address that its reader may open for some minutes."""


class Place(NamedTuple):
    """One recording of one release of a broadcast."""

    broadcast_id: str
    release: int
    number: int

    @property
    def path(self) -> str:
        """Below which its bytes are."""
        return f"/api/v1/media/{self.release}-{self.number}/{self.broadcast_id}"


class ReplayDesk(Desk):
    """The desk, for players."""

    def of_claim(self, claim_id: str, link: Link) -> str:
        """The playlist around a claim, beginning at it."""
        state, claim = self._claim(claim_id)
        self._wrote("viewed", "replay", state=state, claim_id=claim_id)
        return self._playlist(state, (claim.start_ms, claim.end_ms), AROUND_MS, link)

    def of_span(self, broadcast_id: str, span_ms: tuple[int, int], link: Link) -> str:
        """The playlist of a span of a broadcast.

        Raises:
            InputError: an empty or over-long span. NotFound: nothing was recorded there.
        """
        if not 0 < span_ms[1] - span_ms[0] <= _LONGEST_MS:
            raise InputError("that is no span", hint="give an end after the start, within 4 hours")
        state = self.state(broadcast_id)
        self._wrote("viewed", "replay", state=state, span_ms=list(span_ms))
        return self._playlist(state, span_ms, 0, link)

    def opens(self, place: Place) -> None:
        """Refuse what the viewer may not see, or what is not there."""
        self._at(place)

    def header(self, place: Place) -> bytes:
        """What stands before a recording's fragments."""
        return media.header_of(self._at(place)[1])

    def groups(self, place: Place, first: int, after: int) -> bytes:
        """Some groups of a recording as a fragment.

        Raises:
            NotFound: it has no such groups.
        """
        recording, index = self._at(place)
        if not 0 <= first < after <= len(index.gops):
            raise NotFound(f"{place.broadcast_id}: no groups {first} to {after}")
        self._left(place, f"groups {first}-{after}")
        return media.fragment(index, first, after, lambda *piece: self._read(recording, *piece))

    def part(self, place: Place, number: int, low: int, high: int) -> tuple[bytes, int]:
        """Bytes of a part of a recording, and the size of all of it.

        Raises:
            NotFound: it has no such bytes.
        """
        recording, index = self._at(place)
        if number >= len(recording.parts) or not 0 <= low < high:
            raise NotFound(f"{place.broadcast_id}: no such bytes")
        size = recording.parts[number].size_bytes
        if high > size:
            raise NotFound(f"{place.broadcast_id}: part {number} ends at byte {size}")
        self._left(place, f"part {number} {low}-{high}")
        data = self._read(recording, number, low, high)
        media.checked(index, number, low, data)
        return data, size

    # --- the parts of it ------------------------------------------------------------------

    def _playlist(self, state: State, span_ms: tuple[int, int], around_ms: int, link: Link) -> str:
        revision = state.revision
        number = recording_of(revision, span_ms)
        place = Place(revision.broadcast.broadcast_id, state.release.number, number)
        _, index = self._at(place, state)
        asked = {"recording_index": number, "span_ms": span_ms}
        start, end = media_span(revision.clock_map, margin_ms=around_ms, **asked)  # type: ignore[arg-type]
        at_ms, _ = media_span(revision.clock_map, margin_ms=0, **asked)  # type: ignore[arg-type]
        return media.playlist(
            index,
            media.pieces(index, start_ms=start, end_ms=end),
            at_ms=at_ms,
            wall_utc_ms=lambda media_ms: _wall(revision.clock_map, number, media_ms),
            where=_addresses(place, link),
        )

    def _at(self, place: Place, state: State | None = None) -> tuple[Recording, PacketIndex]:
        state = state or self.state(place.broadcast_id)
        if state.release.number != place.release or place.number >= len(state.revision.recordings):
            raise NotFound(f"{place.broadcast_id}: no such recording now", hint="open it again")
        index = packets_of(self._works.app.archive, state, place.number)
        if index is None or not index.gops:
            raise NotFound(
                f"{place.broadcast_id}: its recording cannot be played in place",
                hint="play the clip, or process the broadcast again",
            )
        return state.revision.recordings[place.number], index

    def _read(self, recording: Recording, part: int, low: int, high: int) -> bytes:
        app = self._works.app
        if high - low > MOST_BYTES:
            raise InputError("too much at once", hint=f"ask for at most {MOST_BYTES} bytes")
        local = app.store.local_path(recording.parts[part].key)
        if local is not None:
            return media.bytes_of(local, low, high)
        return media.remote_bytes(
            app.store, recording.parts[part], low, high, cache=app.scratch / "ranges"
        )

    def _left(self, place: Place, what: str) -> None:
        event = self._event("exported", "media", broadcast_id=place.broadcast_id, bytes=what)
        event |= {"release": place.release, "recording": place.number}
        self._office.log.add_once(event, self.viewer.key_id, place.path, what)


def _addresses(place: Place, link: Link) -> Addresses:
    def at(end: str) -> str:
        found = link(f"{place.path}/{end}")
        path, mark, query = found.rpartition("?by=")
        return quote(path) + mark + query if mark else quote(found)

    def of_piece(piece: Piece) -> str:
        return at(f"groups-{piece.first}-{piece.after}.m4s")

    return Addresses(
        lambda: at("header.mp4"), of_piece, lambda part, low, high: at(f"part-{part}-{low}-{high}")
    )


def _wall(clock_map: ClockMap, number: int, media_ms: int) -> int | None:
    """UTC of a recording's media time; None where no wall clock is known."""
    spans = [s for s in clock_map.spans if s.recording_index == number]
    before = [s for s in spans if s.media_start_ms <= media_ms]
    if not before:
        return None
    span = max(before, key=lambda s: s.media_start_ms)
    if span.wall_start_utc_ms is None:
        return None
    return span.wall_start_utc_ms + media_ms - span.media_start_ms
