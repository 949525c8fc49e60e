"""Fakes of the ports. Each passes the same contract suite as the real adapters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from operator import eq, ge, gt, le, lt
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline.errors import (
    ModelError,
    ObjectArchived,
    ObjectChanged,
    ObjectMissing,
    TranscriptionFailed,
)
from pipeline.index.answer import (
    FACETS,
    Answer,
    FacetCount,
    SearchCoverage,
    SearchRequest,
)
from pipeline.index.documents import Document
from pipeline.index.hits import Totals, coverage_of, hit_of
from pipeline.index.nodes import (
    Amount,
    And,
    Between,
    Keyword,
    Node,
    Not,
    Or,
    Review,
    Text,
    ValueText,
    broadcast_scope,
    levels,
)
from pipeline.ingest.keys import checked, checked_prefix, refuse_kept
from pipeline.model import Box, Claim, Verification
from pipeline.ports import Heard, Held, ObjectStat, SeenText, Tier, Warmth
from pipeline.provenance import sha256_hex
from pipeline.text.squash import squash
from pipeline.text.tokens import Near, Tokens, index_tokens

# --- Object store (pipeline.ports.ObjectStore) -----------------------------------------------


class MemoryStore:
    """Objects in a dictionary. ``requests`` counts what a remote store would have been asked."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.retention: dict[str, datetime] = {}
        self.holds: set[str] = set()
        self.cold: dict[str, Warmth] = {}
        self.requests = 0
        self._lock = Lock()

    def stat(self, key: str) -> ObjectStat | None:
        self.requests += 1
        data = self.objects.get(checked(key))
        if data is None:
            return None
        return ObjectStat(key, len(data), sha256_hex(data)[:16], self.cold.get(key, Warmth()))

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        for key in sorted(k for k in self.objects if k.startswith(checked_prefix(prefix))):
            stat = self.stat(key)
            if stat is not None:
                yield stat

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str = ""
    ) -> bytes:
        stat = self.stat(key)
        if stat is None:
            raise ObjectMissing(f"{key}: no such object")
        if if_match and stat.etag != if_match:
            raise ObjectChanged(f"{key} is no longer the same")
        if not stat.warmth.readable:
            raise ObjectArchived(f"{key}: archived", hint="evidence restore BROADCAST")
        if start < 0 or (end is not None and end < start):
            raise ValueError(f"range [{start}, {end}) is not a range")
        return self.objects[key][start:end]

    def download(self, key: str, path: Path) -> str:
        data = self.read(key)
        path.write_bytes(data)
        return sha256_hex(data)

    def put(self, key: str, source: bytes | Path, *, retain_until: datetime | None = None) -> str:
        data = source if isinstance(source, bytes) else source.read_bytes()
        if not self.put_if_absent(key, data) and self.objects[key] != data:
            raise ObjectChanged(f"{key} exists with other bytes")
        if retain_until is not None:
            self.retention[key] = max(retain_until, self.retention.get(key, retain_until))
        return sha256_hex(data)

    def put_if_absent(
        self, key: str, source: bytes | Path, *, retain_until: datetime | None = None
    ) -> bool:
        self.requests += 1
        data = source if isinstance(source, bytes) else source.read_bytes()
        with self._lock:
            if checked(key) in self.objects:
                return False
            self.objects[key] = data
        if retain_until is not None:
            self.retention[key] = retain_until
        return True

    def presign(self, key: str, *, expires_s: int) -> str:
        if checked(key) not in self.objects:
            raise ObjectMissing(f"{key}: no such object")
        return f"memory:{key}?expires={expires_s}"

    def hold(self, key: str, *, on: bool) -> None:
        if checked(key) not in self.objects:
            raise ObjectMissing(f"{key}: no such object")
        (self.holds.add if on else self.holds.discard)(key)

    def held(self, key: str) -> bool:
        return key in self.holds

    def dispose(self, key: str, *, if_match: str) -> bool:
        stat = self.stat(key)
        if stat is None:
            return False
        if stat.etag != if_match:
            raise ObjectChanged(f"{key} is no longer the same")
        refuse_kept(key, held=self.held(key), until=self.retained_until(key))
        del self.objects[key]
        self.retention.pop(key, None)
        return True

    def restore(self, key: str, *, days: int, tier: Tier) -> bool:
        stat = self.stat(key)
        if stat is None:
            raise ObjectMissing(f"{key}: no such object")
        if stat.warmth.state in ("warm", "restoring"):
            return False
        self.cold[key] = Warmth("restoring", stat.warmth.storage_class)
        return True

    def retained_until(self, key: str) -> datetime | None:
        return self.retention.get(key)

    def local_path(self, key: str) -> Path | None:
        checked(key)
        return None


# --- Search index (pipeline.ports.EvidenceIndex) --------------------------------------------


class ScanIndex:
    """Documents in a dictionary, every query a plain scan: the meaning the real ones must have."""

    def __init__(self) -> None:
        self.days: dict[str, dict[str, Document]] = {}

    @property
    def documents(self) -> list[Document]:
        """All of them."""
        return [d for held in self.days.values() for d in held.values()]

    def ensure(self) -> None:
        """Nothing to make."""

    def put(self, documents: Iterable[Document]) -> int:
        """Replace by day and id."""
        given = list(documents)
        for d in given:
            self.days.setdefault(d.day, {})[d.doc_id] = d
        return len(given)

    def drop(self, broadcast_id: str, *, keep: Collection[str] = (), day: str = "") -> int:
        """Forget a broadcast."""
        gone = [
            d
            for d in self.documents
            if d.broadcast_id == broadcast_id and not (d.doc_id in keep and day in ("", d.day))
        ]
        for d in gone:
            del self.days[d.day][d.doc_id]
        return len(gone)

    def swap(
        self, partitions: Iterable[tuple[str, Iterable[Document]]], *, whole: bool = False
    ) -> int:
        """Each at once, or all at once."""
        written, built = 0, dict[str, dict[str, Document]]()
        for day, documents in partitions:
            built[day] = {d.doc_id: d for d in documents}
            written += len(built[day])
            self.days = self.days if whole else self.days | built
        self.days = built if whole else self.days
        return written

    def partitions(self) -> list[str]:
        """Days that hold something."""
        return sorted(day for day, held in self.days.items() if held)

    def inventory(self, day: str) -> Iterator[Held]:
        """Counted by broadcast."""
        here = list(self.days.get(day, {}).values())
        for name in sorted({d.broadcast_id for d in here}):
            own = [d for d in here if d.broadcast_id == name]
            releases = [d.release for d in own]
            expected = [d.summary.documents for d in own if d.summary is not None]
            yield Held(name, min(releases), max(releases), len(own), max(expected, default=0))

    def count(self) -> int:
        """How many."""
        return len(self.documents)

    def search(self, query: SearchRequest) -> Answer:
        """Scan, sort, count."""
        found = sorted(self._matches(query.node, near=query.near), key=_place)
        groups: dict[str, list[tuple[int, Document]]] = {}
        for level, document in found:
            name = getattr(document, query.collapse) if query.collapse else document.doc_id
            groups.setdefault(name, []).append((level, document))
        leaders = [(group[0], len(group)) for group in groups.values()]
        skip = int(query.cursor or 0)
        page = leaders[skip : skip + query.size]
        return Answer(
            query=query.query,
            hits=tuple(
                hit_of(d, level=level, node=query.node, grouped=size) for (level, d), size in page
            ),
            total=len(leaders),
            facets=_facets([d for _, d in found]) if query.facets else {},
            facets_of=len(found) if query.facets else 0,
            coverage=self._coverage(query.node),
            cursor=str(skip + query.size) if len(leaders) > skip + query.size else "",
        )

    def _matches(self, node: Node, *, near: bool) -> Iterable[tuple[int, Document]]:
        for document in self.documents:
            for level in range(levels(node, near=near)):
                if document.kind != "broadcast" and _matches(node, document, level):
                    yield level, document
                    break

    def _coverage(self, node: Node) -> SearchCoverage:
        scope = broadcast_scope(node)
        summed = [d for d in self.documents if d.summary is not None and _matches(scope, d, 0)]
        worst = [d for d in summed if d.summary is not None and d.summary.listened_pm < 1000]
        worst.sort(key=lambda d: (d.summary.listened_pm if d.summary else 0, d.broadcast_id))
        names = ("duration_ms", "listened_ms", "speech_ms")
        sums = [sum(getattr(d.summary, name) for d in summed) for name in names]
        return coverage_of(Totals(len(summed), *sums), worst[:100])


def _place(match: tuple[int, Document]) -> tuple[Any, ...]:
    level, d = match
    rank = ("claim", "line", "screen").index(d.kind)
    return level, rank, -d.day_number, d.broadcast_id, d.start_ms, d.doc_id


def _facets(documents: list[Document]) -> dict[str, tuple[FacetCount, ...]]:
    counted = {}
    for field in FACETS:
        counts = Counter(getattr(d, field) for d in documents)
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:100]
        counted[field] = tuple(FacetCount(value=v, count=n) for v, n in ranked)
    return counted


def _matches(node: Node, document: Document, level: int) -> bool:
    match node:
        case And(parts):
            return all(_matches(p, document, level) for p in parts)
        case Or(parts):
            return any(_matches(p, document, level) for p in parts)
        case Not(part):
            return not _matches(part, document, 0)
        case Text():
            return _says(node, document, level)
        case Keyword(field, values):
            return getattr(document, field) in values
        case Review(needed):
            return document.kind == "claim" and document.needs_review == needed
        case Between(field, low, high):
            at = getattr(document, field)
            return at is not None and (low is None or at >= low) and (high is None or at < high)
        case ValueText(column, claim_type, words):
            held = document.value if column == "value" else (document.product,)
            typed = not claim_type or document.claim_type == claim_type
            return typed and any(_squashed(w) in _squashed(h) for w in words for h in held)
        case Amount(claim_type, unit, sign, number):
            compare = {"<": lt, "<=": le, ">": gt, ">=": ge, "=": eq}[sign]
            return document.claim_type == claim_type and any(
                u == unit and compare(n, number) for u, n in document.amounts
            )
    raise AssertionError(node)


@lru_cache(maxsize=8192)
def _squashed(text: str) -> str:
    return squash(text).text


@lru_cache(maxsize=8192)
def _tokens(text: str) -> Tokens:
    return index_tokens(text)


def _says(node: Text, document: Document, level: int) -> bool:
    held = [_squashed(t) for t in (document.text, *document.also)]
    words = [node.words, *(node.related if level >= 1 else ())]
    if any(_squashed(w) in h for w in words for h in held):
        return True
    if (
        level >= 1
        and node.pieces
        and all(any(_squashed(w) in h for h in held) for w in node.pieces)
    ):
        return True
    tokens = [_tokens(t) for t in (document.text, *document.also)]
    wider = node.alternatives(level)[1:]
    if any(_nearly(near, t.syllables.split(" ")) for near in node.nearly(level) for t in tokens):
        return True
    return any(
        f" {' '.join(p.tokens)} " in f" {getattr(t, p.column)} "
        for p in wider
        if p.column in ("stems", "sounds")
        for t in tokens
    )


def _nearly(near: Near, said: list[str]) -> bool:
    """Whether the syllables are said, with at most so many others in the hole."""
    whole = bool(near.before and near.after)
    holes = range(near.most + 1) if whole else (0,)
    runs = [(*near.before, *("?" * hole), *near.after) for hole in holes]
    return any(
        all(want in ("?", heard) for want, heard in zip(run, said[at : at + len(run)], strict=True))
        for run in runs
        for at in range(len(said) - len(run) + 1)
    )


# --- Text reader (pipeline.ports.TextReader) -------------------------------------------------


class BlockReader:
    """Reads solid red blocks (B, G, R = 0, 0, 255) as text, by their width: ``w<pixels>``."""

    producer = "block reader 1"

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.calls = 0

    def read(self, image: Any) -> list[SeenText]:
        import cv2
        import numpy as np

        self.calls += 1
        if self.fails:
            raise ModelError("the block reader fails on request")
        red = (image == np.array([0, 0, 255], dtype=np.uint8)).all(axis=2).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(red)
        seen = [
            SeenText(f"w{w}", Box(x_px=int(x), y_px=int(y), w_px=int(w), h_px=int(h)), 1000)
            for x, y, w, h, pixels in stats[1:]
            if pixels >= 16
        ]
        return sorted(seen, key=lambda s: (s.box.y_px, s.box.x_px))


# --- Transcriber (pipeline.ports.Transcriber) ------------------------------------------------


class LoudnessTranscriber:
    """Hears each loud half second of a chunk as a character of its loudness.

    It can be told to fail, to loop, to hear nothing, or to stop after some milliseconds of each
    chunk (at the first decoding only, where ``retry_helps``).
    """

    producer = "loudness 1"
    digest = "0" * 64

    def __init__(
        self,
        *,
        fails: bool = False,
        loops: bool = False,
        mute: bool = False,
        stops_ms: int = 0,
        retry_helps: bool = False,
    ) -> None:
        self.fails, self.loops, self.mute = fails, loops, mute
        self.stops_ms, self.retry_helps = stops_ms, retry_helps
        self.chunks = 0
        self.retries = 0

    def transcribe(
        self, chunks: Sequence[Any], *, language: str, retry: bool = False
    ) -> list[list[Heard]]:
        if self.fails:
            raise TranscriptionFailed("the loudness transcriber fails on request")
        self.chunks += 0 if retry else len(chunks)
        self.retries += len(chunks) if retry else 0
        stop = 0 if retry and self.retry_helps else self.stops_ms * 16
        return [[] if self.mute else self._hear(chunk[: stop or None]) for chunk in chunks]

    def rest(self) -> None:
        """It holds nothing."""

    def _hear(self, samples: Any) -> list[Heard]:
        steps = [samples[at : at + 8000] for at in range(0, len(samples), 8000)]
        levels = [float((step**2).mean()) ** 0.5 for step in steps]
        loud = [(n, level) for n, level in enumerate(levels) if level > 0.02]
        if not loud:
            return []
        text = "".join(chr(0x4E00 + int(level * 1e6) % 20_000) for _, level in loud)
        text = "好的好的" * 20 if self.loops else text
        first, last = loud[0][0] * 500, min((loud[-1][0] + 1) * 500, len(samples) // 16)
        starts = [first + (last - first) * k // len(text) for k in range(len(text) + 1)]
        probs = (900,) * len(text)
        return [Heard(first, last, text, tuple(starts), probs, 900, 10, 1200)]


# --- Verifier (pipeline.ports.ClaimVerifier) ---------------------------------------------------


class ScriptedVerifier:
    """Answers in turn what it was given; an answer that is no verdict is a reason for none."""

    producer = "verifier scripted"

    def __init__(self, *answers: str, digest: str = "0" * 64) -> None:
        self.answers, self.digest = list(answers), digest
        self.asked: list[tuple[Claim, tuple[str, ...]]] = []

    def verify(self, claim: Claim, *, context: Sequence[str]) -> Verification:
        self.asked.append((claim, tuple(context)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        told = {"model": "scripted", "prompt_digest": self.digest, "question_digest": "1" * 64}
        if answer in ("confirmed", "rejected", "unsure"):
            return Verification.model_validate({"answer": answer, **told})
        return Verification.model_validate({"answer": "unverified", "reason": answer, **told})
