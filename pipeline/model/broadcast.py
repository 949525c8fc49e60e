"""A broadcast as the platform describes it: who, when, what was on sale."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from pipeline.model.base import Extra, Frozen
from pipeline.timeline import Span, offset_minutes, utc_ms


class ListingSnapshot(Frozen):
    """What the product page said at one time."""

    captured_at: datetime | None = None
    """When the page was captured; null when the platform did not say."""
    source: str = ""
    """Where the values come from, in the platform's words."""
    values: dict[str, str] = Field(default_factory=dict)
    """Listing field to its text; keys are the platform's own."""


class Product(Frozen):
    """One SKU offered in the broadcast."""

    sku_id: str
    """The merchant's stock-keeping unit."""
    link_number: int | None = None
    """The number hosts say for it (三号链接); not always starting at 1."""
    name: str = ""
    """The product's full name on the page."""
    aliases: tuple[str, ...] = ()
    """Short names hosts use."""
    listing: dict[str, str] = Field(default_factory=dict)
    """Listing field to its text at broadcast time."""
    variants: tuple[Extra, ...] = ()
    """Variants (colour, size …) as the platform gave them."""
    listings: tuple[ListingSnapshot, ...] = ()
    """Further dated listing snapshots."""
    extra: Extra = Field(default_factory=dict)
    """Unknown fields, kept."""


class ScheduleEntry(Frozen):
    """One product event of the platform: this SKU was on stage in this span."""

    sku_id: str
    """The SKU shown."""
    start_ms: int
    """Start on the broadcast's timeline, milliseconds."""
    end_ms: int
    """End (exclusive), milliseconds."""

    @property
    def span(self) -> Span:
        """The entry's span."""
        return Span(self.start_ms, self.end_ms)


class RecordingInput(Frozen):
    """One recording named by ``broadcast.json``."""

    file: str
    """File name beside ``broadcast.json``."""
    started_at: datetime | None = None
    """Wall-clock start of this recording; null when unknown."""


class Broadcast(Frozen):
    """``broadcast.json``, format version 1."""

    schema_version: int = 1
    """Version of the public input format."""
    broadcast_id: str
    """The platform's id, or ``rec-<hash>`` for a bare recording."""
    host_id: str = ""
    """Who speaks."""
    merchant_id: str = ""
    """Who sells."""
    platform: str = ""
    """Where it was shown."""
    language: str = ""
    """``zh``, ``en`` or empty when unknown."""
    started_at: datetime | None = None
    """Zero of the timeline; null for a bare recording (media time only)."""
    ended_at: datetime | None = None
    """End of the broadcast, when the platform said so."""
    title: str = ""
    """Title; hostile text like every other."""
    currency: str = ""
    """ISO 4217; empty lets the language decide."""
    room_operator_id: str = ""
    """直播间运营者."""
    mcn_id: str = ""
    """The host's agency."""
    seller_name: str = ""
    """Seller's name as disclosed."""
    home_region: str = ""
    """Region whose law and freight rules apply."""
    recorded_by: str = ""
    """Who made the recording."""
    received_at: datetime | None = None
    """When the recording was handed over."""
    clock_source: str = ""
    """Which clock ``started_at`` comes from."""
    started_at_uncertainty_ms: int | None = None
    """± of ``started_at``; null when not stated."""
    external_ids: dict[str, str] = Field(default_factory=dict)
    """Ids in other systems."""
    products: tuple[Product, ...] = ()
    """What was on sale."""
    product_schedule: tuple[ScheduleEntry, ...] = ()
    """The platform's product events; empty when it gave none."""
    recordings: tuple[RecordingInput, ...] = ()
    """The recordings with their own starts; empty means those given on the command line."""
    extra: Extra = Field(default_factory=dict)
    """Unknown fields, kept."""

    @property
    def start_utc_ms(self) -> int | None:
        """Zero of the timeline in UTC milliseconds; None without a wall clock."""
        return None if self.started_at is None else utc_ms(self.started_at)

    @property
    def zone_minutes(self) -> int:
        """The broadcast's offset east of Greenwich in minutes."""
        return 0 if self.started_at is None else offset_minutes(self.started_at)

    def product(self, sku_id: str | None) -> Product | None:
        """The product of a SKU; None when it is not on the list."""
        return next((p for p in self.products if p.sku_id == sku_id), None)
