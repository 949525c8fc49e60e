"""The ports: what the pipeline needs from the outside, one page.

Each has a contract suite in ``tests/contract`` that runs over the fake and over
every real adapter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from pipeline.model import Box, Broadcast, Claim, ClaimSet, Line, Screen, Verification

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Audio = npt.NDArray[np.float32]
    Image = npt.NDArray[np.uint8]


Tier = Literal["expedited", "standard", "bulk"]
"""How fast, and how dear, an archived object is brought back."""


class Warmth(NamedTuple):
    """Whether an object can be read now: archived storage classes want a restore first."""

    state: Literal["warm", "cold", "restoring", "restored"] = "warm"
    storage_class: str = ""
    until_utc_ms: int | None = None
    """End of a restored copy."""
    takes_s: int | None = None
    """How long a restore takes, where the store itself says so."""

    @property
    def readable(self) -> bool:
        """Whether reading gives bytes."""
        return self.state in ("warm", "restored")


class ObjectStat(NamedTuple):
    """What a store says about one object."""

    key: str
    size_bytes: int
    etag: str
    warmth: Warmth = Warmth()


class ObjectStore(Protocol):
    """Immutable objects by key. Keys are relative, ``/``-separated, already safe."""

    def stat(self, key: str) -> ObjectStat | None:
        """The object's size and version tag; None when there is none."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """All objects whose key begins with ``prefix``, in key order."""

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str = ""
    ) -> bytes:
        """Bytes ``[start, end)`` in one request.

        Raises:
            ObjectMissing: no such object. ObjectChanged: ``if_match`` no longer fits.
            ObjectArchived: it must be restored first.
        """

    def download(self, key: str, path: Path) -> str:
        """Copy the object to a local file, resuming after a broken read; its SHA-256 hex."""

    def put(self, key: str, source: bytes | Path, *, retain_until: datetime | None = None) -> str:
        """Write the object whole or not at all; its SHA-256 hex. Same key, same bytes: a no-op."""

    def put_if_absent(
        self, key: str, source: bytes | Path, *, retain_until: datetime | None = None
    ) -> bool:
        """Write unless the key exists; whether it was written. Atomic between processes."""

    def presign(self, key: str, *, expires_s: int) -> str:
        """A link to read the object for a while (``file:`` for a local store)."""

    def hold(self, key: str, *, on: bool) -> None:
        """Set or lift a legal hold: while on, the object cannot be replaced or removed."""

    def held(self, key: str) -> bool:
        """Whether a legal hold is on."""

    def retained_until(self, key: str) -> datetime | None:
        """Until when the object is kept; None when nothing was recorded."""

    def dispose(self, key: str, *, if_match: str) -> bool:
        """Remove the object for ever, with all its versions; whether it was there.

        Called by :mod:`pipeline.evidence.disposal` alone.

        Raises:
            UnderHold: a legal hold is on, or its retention has not ended.
            ObjectChanged: ``if_match`` no longer fits.
        """

    def restore(self, key: str, *, days: int, tier: Tier) -> bool:
        """Ask for an archived object to be readable for ``days``; whether this call asked.

        False: it is readable without a restore, or it was asked for already. Asking for a
        restored one again lengthens its time.

        Raises:
            ObjectMissing: no such object. ConfigError: the store cannot, or not by this tier.
        """

    def local_path(self, key: str) -> Path | None:
        """Where the object lies on this machine's disk; None for a remote store.

        Raises:
            ObjectArchived: it must be restored first.
        """


class Heard(NamedTuple):
    """One piece of speech in an audio chunk. Times are milliseconds from the chunk's start."""

    start_ms: int
    end_ms: int
    text: str
    char_start_ms: tuple[int, ...]
    char_prob_pm: tuple[int, ...]
    prob_pm: int
    no_speech_pm: int
    compression_pm: int


class Transcriber(Protocol):
    """Speech recognition of one chunk; its text depends on the chunk alone."""

    @property
    def producer(self) -> str:
        """Model name, source and digest, for the record."""

    @property
    def digest(self) -> str:
        """SHA-256 over the model's files and everything else that can change its text."""

    def transcribe(
        self, chunks: Sequence[Audio], *, language: str, retry: bool = False
    ) -> Sequence[Sequence[Heard]]:
        """What is heard in each chunk (float32 mono 16 kHz, at most 30 s).

        ``language`` is ``zh``, ``en`` or empty (decide per chunk). ``retry`` asks for the
        second, deterministic set of decoding options.

        Raises:
            TranscriptionFailed: the model failed.
        """

    def rest(self) -> None:
        """Free the memory it holds, until it listens again."""


class SeenText(NamedTuple):
    """One line of text in a picture."""

    text: str
    box: Box
    confidence_pm: int


class TextReader(Protocol):
    """Reading text in pictures."""

    @property
    def producer(self) -> str:
        """Name, version and model digests."""

    def read(self, image: Image) -> Sequence[SeenText]:
        """All lines of text in a BGR picture (height, width, 3), top to bottom."""


class ClaimDetector(Protocol):
    """Lines to claims."""

    @property
    def producer(self) -> str:
        """Rule set name and digest."""

    @property
    def digest(self) -> str:
        """SHA-256 over rules, data and code version that can change claims."""

    def detect(
        self, broadcast: Broadcast, lines: Sequence[Line], *, screen: Screen | None, work_key: str
    ) -> ClaimSet:
        """All claims and product windows; never raises on what a line says."""


class ClaimVerifier(Protocol):
    """A second reader of single claims, optional. It judges; it never adds or alters."""

    @property
    def producer(self) -> str:
        """Model name and prompt digest, for the record."""

    @property
    def digest(self) -> str:
        """SHA-256 over model name, prompt and everything else that can change a verdict."""

    def verify(self, claim: Claim, *, context: Sequence[str]) -> Verification:
        """The verdict on a claim; ``context`` are the words around it, its own line last.

        Never raises on what the words, the model or the network do: without a usable verdict
        the answer is ``unverified`` with the reason.
        """


class Held(NamedTuple):
    """What an index holds of one broadcast in one partition."""

    broadcast_id: str
    """Which."""
    oldest_release: int
    """The lowest release that one of its documents was read from."""
    newest_release: int
    """The highest; both are equal where nothing was left half done."""
    documents: int
    """Documents there are."""
    expected: int
    """Documents there should be, by the broadcast's own summary; 0 without one."""


class EvidenceIndex(Protocol):
    """A disposable view over the store, for search. Documents and hits: ``pipeline.index``.

    It is kept in partitions by broadcast day, each made anew and switched on its own.
    """

    def ensure(self) -> None:
        """Make the index if it is not there.

        Raises:
            MappingConflict: it was made by another schema version.
        """

    def put(self, documents: Iterable[Any]) -> int:
        """Write documents, replacing those of the same id and day; how many.

        Raises:
            PartialWrite: names the documents that failed. IndexUnavailable.
        """

    def drop(self, broadcast_id: str, *, keep: Collection[str] = (), day: str = "") -> int:
        """Remove a broadcast's documents; how many.

        Those of the ids to ``keep`` stay: in the partition of ``day`` alone, where it is given.
        """

    def search(self, query: Any) -> Any:
        """Answer a query.

        Raises:
            QueryError, IndexUnavailable.
        """

    def swap(self, partitions: Iterable[tuple[str, Iterable[Any]]], *, whole: bool = False) -> int:
        """Make each partition anew beside the one that serves, then switch; how many documents.

        A partition given without documents is dropped. With ``whole`` all are switched in one
        step at the end, and those not named are dropped. Until the switch the old one serves,
        also when this process is killed; what others write meanwhile may be in the old one
        alone, so the caller compares once more afterwards.
        """

    def partitions(self) -> list[str]:
        """The days that have documents, in order."""

    def inventory(self, day: str) -> Iterator[Held]:
        """What a partition holds, by broadcast id."""
