"""Orders, moments and the answer to a dispute."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from pipeline.model.base import Extra, Frozen, PerMille
from pipeline.model.claim import Claim
from pipeline.model.transcript import Coverage

Standing = Literal["before", "after", "cannot_tell"]
Verdict = Literal["found", "not_said", "cannot_say"]


class Order(Frozen):
    """One line of ``orders.jsonl``, format version 1."""

    schema_version: int = 1
    """Version of the public input format."""
    order_id: str
    """The platform's id: the join key."""
    broadcast_ids: tuple[str, ...] = ()
    """Given broadcast or candidates; empty means by SKU, host and time."""
    sku_id: str = ""
    """What was bought."""
    ordered_at: datetime
    """When the order was placed."""
    paid_at: datetime | None = None
    """When it was paid."""
    completed_at: datetime | None = None
    """When the transaction was completed (retention counts from here too)."""
    variant: str = ""
    """Variant bought."""
    price: str = ""
    """Price paid, as the platform wrote it."""
    reason_code: str = ""
    """Dispute reason; empty when only words are given."""
    reason_text: str = ""
    """The buyer's words, in the buyer's language."""
    host_id: str = ""
    """For candidates when no broadcast is named."""
    buyer_id: str = ""
    """Subject of the personal data; the order id stands in when absent."""
    external_ids: dict[str, str] = Field(default_factory=dict)
    """Ids in other systems."""
    extra: Extra = Field(default_factory=dict)
    """Unknown fields, kept."""


class Moment(Frozen):
    """A place to listen to, at most 30 s long, that starts at the claim."""

    start_ms: int
    """On the broadcast's timeline."""
    end_ms: int
    """Exclusive."""
    claim_id: str
    """The claim it opens at."""
    standing: Standing
    """Before or after the order, or within the clocks' uncertainty."""
    score: int
    """Rank score; larger is more relevant. Comparable within one answer only."""
    reasons: tuple[str, ...] = ()
    """Why it was ranked so, in words."""
    wall_utc_ms: int | None = None
    """UTC of the start; null without a wall clock."""
    wall_uncertainty_ms: int | None = None
    """± of it."""
    claim: Claim
    """The claim, whole."""


class Candidate(Frozen):
    """A broadcast an order may come from."""

    broadcast_id: str
    """Which."""
    score_pm: PerMille
    """How likely, per mille."""
    reasons: tuple[str, ...] = ()
    """Why."""


class Dossier(Frozen):
    """The answer to one order."""

    schema_version: int = 1
    """Version of this form."""
    order_id: str
    """Which order."""
    broadcast_id: str = ""
    """The broadcast answered from; empty when none is known."""
    sku_id: str = ""
    """What was bought."""
    verdict: Verdict
    """``found``, ``not_said`` (and we listened) or ``cannot_say`` (we could not)."""
    sentence: dict[str, str]
    """One plain sentence, ``zh`` and ``en``."""
    looked_for: tuple[str, ...] = ()
    """Claim types looked for, strongest first."""
    moments: tuple[Moment, ...] = ()
    """Ranked; each says how it stands to the order."""
    coverage: Coverage
    """Of the SKU's windows."""
    windows: tuple[tuple[int, int], ...] = ()
    """The SKU's windows looked at."""
    candidates: tuple[Candidate, ...] = ()
    """Where the broadcast was not named: the ranked candidates."""
    warnings: tuple[str, ...] = ()
    """What was odd, in words."""
