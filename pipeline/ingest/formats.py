"""``broadcast.json``, public format version 1, into a :class:`Broadcast`.

The format is described in ``docs/formats.md``. Fields that version 1 does not know are
kept in ``extra`` and reported, never refused; everything a platform may leave out may be
left out. All text is hostile and is carried as text only.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from pipeline.ingest.fields import Fields
from pipeline.ingest.jsontext import as_json, parse_json
from pipeline.model import (
    Broadcast,
    Extra,
    ListingSnapshot,
    Product,
    RecordingInput,
    ScheduleEntry,
)
from pipeline.timeline import Span, clock

VERSION = 1
MAX_ID_CHARS = 200

_INDEX = re.compile(r"\[\d+\]")


def parse_broadcast(payload: bytes, *, file_name: str) -> tuple[Broadcast, tuple[str, ...]]:
    """The broadcast and what a person should know about the file.

    Raises:
        InputError: names the file, the line (for JSON) or the field, and what to do.
    """
    value, warnings = parse_json(payload, file_name=file_name)
    fields = Fields(value, file=file_name)
    _check_version(fields)
    extra: Extra = {}
    products = tuple(
        _product(Fields(item, file=file_name, path=path)) for path, item in fields.items("products")
    )
    broadcast = _described(fields).model_copy(
        update={
            "products": products,
            "product_schedule": _schedule(fields, extra),
            "recordings": _recordings(fields, extra),
        }
    )
    broadcast = broadcast.model_copy(update={"extra": {**fields.rest(), **extra}})
    return broadcast, warnings + _unknown(broadcast, file_name) + _oddities(broadcast, file_name)


def bare_broadcast(recording_sha256: str) -> Broadcast:
    """The broadcast of a recording that came alone: id from its hash, media time only."""
    return Broadcast(broadcast_id=f"rec-{recording_sha256[:16]}")


def clip_schedule(broadcast: Broadcast, *, duration_ms: int) -> tuple[Broadcast, tuple[str, ...]]:
    """The broadcast with its schedule inside ``[0, duration_ms)``, and what was cut.

    Entries wholly outside, and those that end before they start, are left out. Without a
    known duration (0) only the start of the timeline bounds them.
    """
    kept: list[ScheduleEntry] = []
    warnings: list[str] = []
    end = duration_ms if duration_ms > 0 else 2**53 - 1
    for n, entry in enumerate(broadcast.product_schedule):
        inside = entry.span.clipped(Span(0, end))
        if inside != entry.span or inside.length_ms == 0:
            warnings.append(_clip_warning(n, entry, inside))
        if inside.length_ms:
            kept.append(entry.model_copy(update=inside._asdict()))
    return broadcast.model_copy(update={"product_schedule": tuple(kept)}), tuple(warnings)


def _clip_warning(number: int, entry: ScheduleEntry, inside: Span) -> str:
    what = f"product_schedule[{number}] ({entry.sku_id}, {clock(entry.start_ms)}–{clock(entry.end_ms)})"
    if entry.end_ms <= entry.start_ms:
        return f"{what} ends before it starts; left out"
    if inside.length_ms == 0:
        return f"{what} lies outside the recording; left out"
    return f"{what} was clipped to {clock(inside.start_ms)}–{clock(inside.end_ms)}"


def _check_version(fields: Fields) -> None:
    version = fields.whole("schema_version")
    if version not in (None, VERSION):
        raise fields.wrong(
            "schema_version",
            f"is {version}; this program reads version {VERSION}",
            hint="use a newer program, or write the file in version 1",
        )


def _described(fields: Fields) -> Broadcast:
    return Broadcast(
        broadcast_id=_broadcast_id(fields),
        host_id=fields.text("host_id"),
        merchant_id=fields.text("merchant_id"),
        platform=fields.text("platform"),
        language=fields.text("language"),
        started_at=fields.instant("started_at"),
        ended_at=fields.instant("ended_at"),
        title=fields.text("title"),
        currency=fields.text("currency"),
        room_operator_id=fields.text("room_operator_id"),
        mcn_id=fields.text("mcn_id"),
        seller_name=fields.text("seller_name"),
        home_region=fields.text("home_region"),
        recorded_by=fields.text("recorded_by"),
        received_at=fields.instant("received_at"),
        clock_source=fields.text("clock_source"),
        started_at_uncertainty_ms=fields.whole("started_at_uncertainty_ms"),
        external_ids=fields.table("external_ids"),
    )


def _broadcast_id(fields: Fields) -> str:
    broadcast_id = fields.needed("broadcast_id")
    if len(broadcast_id) > MAX_ID_CHARS:
        raise fields.wrong(
            "broadcast_id",
            f"has {len(broadcast_id)} characters; {MAX_ID_CHARS} are the most",
            hint="use the platform's own id",
        )
    return broadcast_id


def _product(fields: Fields) -> Product:
    listings = fields.items("listings")
    inner: Extra = {}
    product = Product(
        sku_id=fields.needed("sku_id"),
        link_number=fields.whole("link_number"),
        name=fields.text("name"),
        aliases=fields.texts("aliases"),
        listing=fields.table("listing"),
        variants=tuple(_variant(item) for _, item in fields.items("variants")),
        listings=tuple(
            _listing(Fields(item, file=fields.file, path=path), n, inner)
            for n, (path, item) in enumerate(listings)
        ),
    )
    return product.model_copy(update={"extra": {**fields.rest(), **inner}})


def _variant(item: Any) -> Extra:
    return {k: as_json(v) for k, v in (item if isinstance(item, dict) else {"name": item}).items()}


def _listing(fields: Fields, number: int, extra: Extra) -> ListingSnapshot:
    listing = ListingSnapshot(
        captured_at=fields.instant("captured_at"),
        source=fields.text("source"),
        values=fields.table("values"),
    )
    _keep_rest(fields, f"listings[{number}]", extra)
    return listing


def _schedule(fields: Fields, extra: Extra) -> tuple[ScheduleEntry, ...]:
    entries = []
    for path, item in fields.items("product_schedule"):
        one = Fields(item, file=fields.file, path=path)
        entries.append(
            ScheduleEntry(
                sku_id=one.needed("sku_id"),
                start_ms=one.needed_whole("start_ms"),
                end_ms=one.needed_whole("end_ms"),
            )
        )
        _keep_rest(one, path, extra)
    return tuple(entries)


def _recordings(fields: Fields, extra: Extra) -> tuple[RecordingInput, ...]:
    found = []
    for path, item in fields.items("recordings"):
        value = {"file": item} if isinstance(item, str) else item
        one = Fields(value, file=fields.file, path=path)
        found.append(RecordingInput(file=_inside(one), started_at=one.instant("started_at")))
        _keep_rest(one, path, extra)
    return tuple(found)


def _inside(fields: Fields) -> str:
    """A file name that cannot leave the folder of ``broadcast.json``."""
    name = fields.needed("file")
    parts = name.replace("\\", "/").split("/")
    if name.startswith("/") or ".." in parts or "" in parts or ":" in parts[0] or "\x00" in name:
        raise fields.wrong(
            "file",
            f"{name[:80]!r} is not a file beside this one",
            hint="put the recording into the folder and give its plain name",
        )
    return name


def _keep_rest(fields: Fields, path: str, extra: Extra) -> None:
    for name, value in fields.rest().items():
        extra[f"{path}.{name}"] = value


def _unknown(broadcast: Broadcast, file_name: str) -> tuple[str, ...]:
    names = Counter(_INDEX.sub("[]", name) for name in broadcast.extra)
    for product in broadcast.products:
        names.update(f"products[].{_INDEX.sub('[]', name)}" for name in product.extra)
    return tuple(
        f"{file_name}: field {name[:80]!r} is not part of format version {VERSION}; kept"
        + (f" ({count} times)" if count > 1 else "")
        for name, count in names.items()
    )


def _oddities(broadcast: Broadcast, file_name: str) -> tuple[str, ...]:
    found: list[str] = []
    skus = Counter(p.sku_id for p in broadcast.products)
    found += [f"SKU {sku!r} is listed {n} times" for sku, n in skus.items() if n > 1]
    scheduled = dict.fromkeys(e.sku_id for e in broadcast.product_schedule)
    found += [f"SKU {sku!r} of the schedule is not among the products; kept"
              for sku in scheduled if sku not in skus]  # fmt: skip
    if broadcast.started_at is None:
        found.append("no started_at: times are media times only, without a wall clock")
    elif broadcast.ended_at is not None and broadcast.ended_at < broadcast.started_at:
        found.append("ended_at lies before started_at")
    return tuple(f"{file_name}: {text}" for text in found)
