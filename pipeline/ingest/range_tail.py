"""Byte ranges of files that grow, as a live HLS playlist names them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pipeline.errors import ObjectMissing
from pipeline.ingest.disk import BLOCK_BYTES
from pipeline.ingest.fetch import BROADCAST_FILE
from pipeline.ingest.landing import Event
from pipeline.ingest.places import Files
from pipeline.ingest.tails import Grown, Part, note, write_at
from pipeline.media.run import Entry, listing


class RangeTail:
    """A playlist that names byte ranges of files that grow (EXT-X-BYTERANGE).

    A file is read whole, in the order of its bytes, as a finished recording is; the playlist says
    how far it may be read, and when it has ended.
    """

    def __init__(self, files: Files, *, playlist: str, marker: str, patience_s: float) -> None:
        self._files, self.name = files, playlist
        self._marker, self._patience_s = marker, patience_s
        self.events: list[Event] = []
        self._spans: dict[str, dict[tuple[int, int], int]] = {}
        """Of each file the ranges that were named, and their numbers: a playlist may count anew."""
        self._parts: list[Part] = []
        self._waiting: dict[str, float] = {}
        self._lost: set[str] = set()
        self._there: Collection[str] = ()
        self._over = False
        self._last_text = b""

    def begin(self, folder: Path, parts: Sequence[Part]) -> None:
        """See :class:`Tail`."""
        self._folder, self._parts = folder, list(parts)

    def take(self, *, now_s: float) -> Grown:
        """See :class:`Tail`."""
        self._there = tags = self._files.tags()
        ended = bool(self._marker) and self._marker in tags
        if self.name in tags:
            text = self._files.read(self.name)
            read = listing(text, name=self.name)
            ended = ended or read.ended
            self._last_text = text if read.ended else b""
            self._see(read.entries)
        self._over = ended
        for place in range(len(self._parts)):
            last = place == len(self._parts) - 1
            if not self._bring(place, ended and last, now_s):  # what follows waits for it
                return Grown(tuple(self._parts[: place + 1]), ended=False)
        return Grown(tuple(self._parts), ended)

    def description(self) -> bytes | None:
        """See :class:`Tail`."""
        try:
            return self._files.read(BROADCAST_FILE)
        except ObjectMissing:
            return None

    def own_playlist(self) -> bytes:
        """See :class:`Tail`."""
        names = [part.name for part in self._parts]
        named = listing(self._last_text, name=self.name).entries if self._last_text else ()
        return self._last_text if list(dict.fromkeys(e.uri for e in named)) == names else b""

    def _see(self, entries: Sequence[Entry]) -> None:
        """Enter the ranges of a playlist, and what is odd about them."""
        now: set[tuple[str, tuple[int, int]]] = set()
        for entry in entries:
            span, known = entry.byte_span or (0, 0), self._spans.setdefault(entry.uri, {})
            if (entry.uri, span) in now:
                note(self.events, "repeated", entry.sequence, entry.uri)
            elif span not in known:
                if any(low < span[1] and span[0] < high for low, high in known):
                    note(self.events, "changed", entry.sequence, entry.uri)
                elif known and span[0] < max(low for low, _ in known):
                    note(self.events, "reordered", entry.sequence, entry.uri)
                known[span] = entry.sequence
            now.add((entry.uri, span))
        firsts: dict[str, Entry] = {}
        for entry in entries:
            firsts.setdefault(entry.uri, entry)
        self._open(list(firsts.values()))

    def _open(self, firsts: Sequence[Entry]) -> None:
        """Enter files that are new, each behind the one it follows in the playlist."""
        for place, entry in enumerate(firsts):
            names = [part.name for part in self._parts]
            if entry.uri in names:
                continue
            before = firsts[place - 1].uri if place else ""
            at = names.index(before) + 1 if before else 0
            if any(first.uri in names[at:] for first in firsts):
                note(self.events, "late", entry.sequence, entry.uri)
            else:
                at = len(names)
            part = Part(
                number=0,
                name=entry.uri,
                init_name=entry.init_uri if entry.init_uri != entry.uri else "",
                discontinuity=entry.discontinuity,
                program_utc_ms=entry.program_utc_ms,
                claimed_ms=entry.claimed_ms,
            )
            self._parts.insert(at, part)
        rows = enumerate(self._parts, start=1)
        self._parts = [part.model_copy(update={"number": number}) for number, part in rows]

    def _bring(self, place: int, ended: bool, now_s: float) -> bool:
        """Copy what may be read of a part; whether it is settled: all of it here, or given up."""
        part = self._parts[place]
        if part.name in self._lost:
            return True
        spans = self._spans.get(part.name, {})
        asked = max((end for _, end in spans), default=part.size_bytes)
        copy = self._folder / part.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if part.init_name and not self._header(part.init_name):
            return self._given_up(part, 0, now_s)
        size = part.size_bytes
        while part.name in self._there and (size < asked or ended):
            until = size + BLOCK_BYTES if ended else min(asked, size + BLOCK_BYTES)
            data = self._files.span(part.name, size, until)
            if not data:
                break
            size += write_at(copy, size, data)
        if size > part.size_bytes:
            self._parts[place] = part.model_copy(update={"size_bytes": size})
            self._waiting.pop(part.name, None)
        return size >= asked or self._given_up(part, size, now_s)

    def _header(self, name: str) -> bool:
        target = self._folder / name
        if not target.is_file() and name in self._there:
            self._files.copy(name, target)
        return target.is_file()

    def _given_up(self, part: Part, size: int, now_s: float) -> bool:
        """Bytes that the playlist names and that do not come are missing, once others follow."""
        follows = self._parts[-1].name != part.name or self._over
        if not follows:
            self._waiting.pop(part.name, None)
        since_s = self._waiting.setdefault(part.name, now_s)
        if not follows or now_s - since_s < self._patience_s:
            return False
        self._lost.add(part.name)
        for (_, end), number in self._spans.get(part.name, {}).items():
            if end > size:
                note(self.events, "missing", number, part.name)
        return True
