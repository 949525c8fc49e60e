"""What a search asks and what it answers. These shapes are printed as JSON."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from pipeline.index.documents import Document
from pipeline.index.nodes import Node
from pipeline.model import Frozen, Gap

Match = Literal["literal", "related", "sound", "near"]
MATCHES: tuple[Match, ...] = ("literal", "related", "sound", "near")
"""Best first: the same writing; the same stem or a synonym; the same sound; nearly the same sound."""

FACETS = (
    "kind",
    "claim_type",
    "sku_id",
    "host_id",
    "merchant_id",
    "broadcast_id",
    "polarity",
    "source",
)
"""Fields counted over all matches."""


class Hit(Frozen):
    """One document found."""

    match: Match
    """How it was found; hits are ordered by this first."""
    document: Document
    """The document, whole."""
    highlights: tuple[tuple[int, int], ...] = ()
    """``[start, end)`` in the document's verbatim text, in order."""
    wall_time: str = ""
    """The start in the broadcast's own offset, ISO 8601 with milliseconds; empty without a clock."""
    media_time: str = ""
    """The start on the broadcast's timeline, ``H:MM:SS.mmm``."""
    grouped: int = 1
    """With collapsing: how many matches this hit stands for."""


class FacetCount(Frozen):
    """How many matches have a value."""

    value: str
    """The field's value; empty for none."""
    count: int
    """Matches."""


class BroadcastCoverage(Frozen):
    """What of one broadcast could not be searched."""

    broadcast_id: str
    """Which."""
    listened_pm: int
    """Listened share, per mille."""
    gaps: tuple[Gap, ...]
    """Spans in which words may be missing."""


class SearchCoverage(Frozen):
    """What the answer rests on: without it, *nothing found* would mean nothing."""

    broadcasts: int = 0
    """Broadcasts searched."""
    duration_ms: int = 0
    """Their length together."""
    listened_ms: int = 0
    """Of it, listened to without loss."""
    speech_ms: int = 0
    """Recognised speech."""
    incomplete: tuple[BroadcastCoverage, ...] = ()
    """Broadcasts with gaps, the worst first, at most 100."""

    @property
    def listened_pm(self) -> int:
        """Listened share, per mille; 0 when nothing was searched."""
        return 0 if not self.duration_ms else self.listened_ms * 1000 // self.duration_ms


class Answer(Frozen):
    """A page of hits with everything around it."""

    query: str = ""
    """As it was typed."""
    hits: tuple[Hit, ...] = ()
    """Literal hits first, then related ones, then sound-alikes, then those that sound nearly alike."""
    total: int = 0
    """All matches (all groups, when collapsed)."""
    facets: dict[str, tuple[FacetCount, ...]] = Field(default_factory=dict)
    """Field to its commonest values, over ``facets_of`` matches."""
    facets_of: int = 0
    """How many matches were counted for the facets: all, or the best where there are very many."""
    coverage: SearchCoverage = SearchCoverage()
    """What was searched."""
    cursor: str = ""
    """Give it back for the next page; empty on the last."""


Collapse = Literal["", "broadcast_id", "sku_id"]


class SearchRequest(NamedTuple):
    """What an index is asked."""

    node: Node
    """The query as a tree."""
    query: str = ""
    """The query as it was typed."""
    size: int = 20
    """Hits on a page, 1 to 1000."""
    cursor: str = ""
    """Where the page before ended."""
    facets: bool = True
    """Whether to count :data:`FACETS`."""
    collapse: Collapse = ""
    """Keep only the best hit of each broadcast or SKU."""
    near: bool = False
    """Also find what sounds nearly like the words."""
