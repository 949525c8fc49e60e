"""Recordings in an archived storage class: what can be read now, asking for it, and when.

Packs, sidecars, transcripts and the low-rate viewing proxy stay warm, so a broadcast whose recording
is away is still searched and answered. That it is away is an answer, never an error.

    <prefix>/restore/000001.json    what was asked for, and when it should be there

How long a restore takes: Amazon S3 User Guide, *Understanding archive retrieval options*.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from pipeline.archive import Archive, State, parsed
from pipeline.model import Frozen
from pipeline.ports import ObjectStat, ObjectStore, Tier, Warmth
from pipeline.provenance import canonical_bytes
from pipeline.timeline import from_utc_ms, utc_ms

Condition = Literal["warm", "restored", "restoring", "cold"]
_ORDER: tuple[Condition, ...] = ("warm", "restored", "restoring", "cold")
_MINUTE, _HOUR = 60, 3600
_DAY_MS = 86_400_000
_TAKES_S: dict[str, dict[Tier, int]] = {
    "GLACIER": {"expedited": 5 * _MINUTE, "standard": 5 * _HOUR, "bulk": 12 * _HOUR},
    "DEEP_ARCHIVE": {"standard": 12 * _HOUR, "bulk": 48 * _HOUR},
}
_CLASSES = {"ARCHIVE_ACCESS": "GLACIER", "DEEP_ARCHIVE_ACCESS": "DEEP_ARCHIVE"}


class Availability(Frozen):
    """Whether a broadcast's recordings can be read now, and when they will be."""

    broadcast_id: str
    """Which."""
    state: Condition
    """Of all its recordings: ``warm``; ``restored`` (until ``until_utc_ms``); ``restoring``; ``cold``."""
    storage_class: str = ""
    """What the store calls the class; empty for a warm one."""
    objects: int
    """Objects its recordings are made of."""
    readable: int
    """How many of them can be read now."""
    until_utc_ms: int | None = None
    """When the first restored copy ends."""
    asked_utc_ms: int | None = None
    """When a restore was last asked for, while it is under way."""
    expected_utc_ms: int | None = None
    """When it should be done at the latest."""
    takes_s: dict[str, int] = {}
    """For a cold one: how long a restore takes at most, by tier; empty where nobody says."""
    viewing_proxy: bool = False
    """Whether there is a low-rate copy to look at meanwhile."""
    sentence: dict[str, str] = {}
    """The same in plain words, ``zh`` and ``en``."""

    @property
    def readable_now(self) -> bool:
        """Whether clips and bundles can be made."""
        return self.state in ("warm", "restored")


class Request(Frozen):
    """One time a restore was asked for."""

    schema_version: int = 1
    """Version of this form."""
    number: int
    """1 for the first."""
    asked_utc_ms: int
    """When."""
    expected_utc_ms: int | None
    """When it should be there at the latest; null where the store does not say."""
    days: int
    """How long it should stay readable."""
    tier: str
    """How fast it was asked for."""
    storage_class: str
    """What it was asked out of."""
    objects: int
    """For how many objects."""
    writer: str
    """The workspace that asked."""


def availability(store: ObjectStore, state: State) -> Availability:
    """What can be read of a broadcast's recordings: by one listing, and what was asked for."""
    stats = _stats(store, state)
    condition = max((s.warmth.state for s in stats), key=_ORDER.index, default="warm")
    worst = [s.warmth for s in stats if s.warmth.state == condition]
    kind = worst[0].storage_class if worst and condition != "warm" else ""
    ends = [s.warmth.until_utc_ms for s in stats if s.warmth.until_utc_ms is not None]
    asked = _newest(store, state.prefix) if condition == "restoring" else None
    found = Availability(
        broadcast_id=state.revision.broadcast.broadcast_id,
        state=condition,
        storage_class=kind,
        objects=len(stats),
        readable=sum(s.warmth.readable for s in stats),
        until_utc_ms=min(ends, default=None),
        asked_utc_ms=asked.asked_utc_ms if asked else None,
        expected_utc_ms=asked.expected_utc_ms if asked else None,
        takes_s=dict(_takes(worst)) if condition == "cold" else {},
        viewing_proxy=state.output("viewing") is not None,
    )
    return found.model_copy(update={"sentence": _sentence(found)})


def ask(
    archive: Archive, state: State, *, days: int, tier: Tier, writer: str, now: datetime
) -> Request | None:
    """Ask for all recordings of a broadcast; None where nothing was left to ask for.

    A restored copy that ends before ``days`` from now is asked to stay longer.

    Raises:
        ConfigError: the store has no archived classes, or no such tier. SourceError.
    """
    wanted = [s for s in _stats(archive.store, state) if _wants(s.warmth, days=days, now=now)]
    asked = [s for s in wanted if archive.store.restore(s.key, days=days, tier=tier)]
    if not asked:
        return None
    takes = _takes([s.warmth for s in asked if s.warmth.state == "cold"])
    number, at = _last_number(archive.store, state.prefix) + 1, utc_ms(now)
    most = takes.get(tier)
    request = Request(
        number=number,
        asked_utc_ms=at,
        expected_utc_ms=None if most is None else at + most * 1000,
        days=days,
        tier=tier,
        storage_class=asked[0].warmth.storage_class,
        objects=len(asked),
        writer=writer,
    )
    until = state.revision.retain_until
    while not archive.store.put_if_absent(
        _key(state.prefix, request.number), _body(request), retain_until=until
    ):
        request = request.model_copy(update={"number": request.number + 1})
    return request


def _wants(warmth: Warmth, *, days: int, now: datetime) -> bool:
    if warmth.state == "restored" and warmth.until_utc_ms is not None:
        return warmth.until_utc_ms < utc_ms(now) + (days - 1) * _DAY_MS
    return warmth.state == "cold"


def _stats(store: ObjectStore, state: State) -> list[ObjectStat]:
    """The recordings' objects; only a HEAD tells where Intelligent-Tiering keeps one."""
    keys = {part.key for r in state.revision.recordings for part in r.parts}
    found = [s for s in store.list(f"{state.prefix}/media/") if s.key in keys] if keys else []
    tiered = {s.key for s in found if s.warmth.storage_class == "INTELLIGENT_TIERING"}
    return [(store.stat(s.key) or s) if s.key in tiered else s for s in found]


def _takes(warmths: Sequence[Warmth]) -> dict[Tier, int]:
    """Seconds at most, by tier, until the slowest of them is there."""
    told = [w.takes_s for w in warmths if w.takes_s is not None]
    if told:
        return {"standard": max(told)}
    kinds = {_CLASSES.get(w.storage_class, w.storage_class) for w in warmths}
    tables = [_TAKES_S[kind] for kind in kinds if kind in _TAKES_S]
    tiers: tuple[Tier, ...] = ("expedited", "standard", "bulk")
    return {
        t: max(one[t] for one in tables) for t in tiers if tables and all(t in o for o in tables)
    }


# --- what was asked for ---------------------------------------------------------------------------


def _key(prefix: str, number: int) -> str:
    return f"{prefix}/restore/{number:06d}.json"


def _body(request: Request) -> bytes:
    return canonical_bytes(request.model_dump(mode="json"))


def _last_number(store: ObjectStore, prefix: str) -> int:
    keys = [s.key for s in store.list(f"{prefix}/restore/")]
    return int(max(keys).rpartition("/")[2].removesuffix(".json")) if keys else 0


def _newest(store: ObjectStore, prefix: str) -> Request | None:
    number = _last_number(store, prefix)
    key = _key(prefix, number)
    return parsed(store.read(key), Request, name=key) if number else None


# --- in words -------------------------------------------------------------------------------------


def _sentence(found: Availability) -> dict[str, str]:
    kind = found.storage_class
    if found.state == "warm":
        return {"zh": "录像可随时读取。", "en": "The recording can be read."}
    if found.state == "restored":
        until = _when(found.until_utc_ms)
        return {
            "zh": f"录像已从归档({kind})取回,可读取至 {until}。",
            "en": f"The recording was restored from {kind} and can be read until {until}.",
        }
    if found.state == "restoring":
        by = _when(found.expected_utc_ms)
        return {
            "zh": f"录像正从归档({kind})取回" + (f",最迟 {by} 可用。" if by else "。"),
            "en": f"The recording is being restored from {kind}"
            + (f", at the latest by {by}." if by else "."),
        }
    takes = found.takes_s.get("standard")
    return {
        "zh": f"录像在归档存储({kind})中,须先取回"
        + (f",最多需 {_length_zh(takes)}。" if takes else "。"),
        "en": f"The recording lies in {kind} and must be restored first"
        + (f", which takes up to {_length_en(takes)}." if takes else "."),
    }


def _when(at_utc_ms: int | None) -> str:
    return (
        "" if at_utc_ms is None else f"{from_utc_ms(at_utc_ms).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    )


def _length_zh(seconds: int) -> str:
    return f"{seconds // _HOUR} 小时" if seconds >= _HOUR else f"{-(-seconds // _MINUTE)} 分钟"


def _length_en(seconds: int) -> str:
    return f"{seconds // _HOUR} h" if seconds >= _HOUR else f"{-(-seconds // _MINUTE)} min"
