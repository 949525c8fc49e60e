"""How things look in a terminal. Every text from outside is made harmless first."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline import logs
from pipeline.timeline import clock, from_utc_ms

if TYPE_CHECKING:
    from pipeline.index.answer import Answer
    from pipeline.model import Claim, ClockMap, Dossier, Window
    from pipeline.runner import Parts

_PIPED_WIDTH = 160
"""Characters of a line of a table where no terminal says how many fit."""
_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def clean(text: object) -> str:
    """Text without control characters, escape sequences and direction marks."""
    return "".join(c if unicodedata.category(c) not in _HARMFUL else " " for c in str(text))


def as_json(value: Any, *, indent: int | None = None) -> str:
    """JSON as every command prints it; non-ASCII characters stand as they are."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)


def say(text: str = "") -> None:
    """One line on standard output."""
    click.echo(text)


def note(text: str) -> None:
    """One line on standard error: warnings and progress; JSON where the settings ask for it."""
    if logs.wanted():
        logs.line("", text)
    else:
        click.echo(text, err=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """A table on standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pipeline.settings import environment

    made = Table(title=Text(clean(title)) if title else None, title_justify="left", box=None)
    for header in headers:
        made.add_column(header, overflow="fold")
    for row in rows:
        made.add_row(*(Text(clean(cell)) for cell in row))
    wide = None if sys.stdout.isatty() or environment("COLUMNS") else _PIPED_WIDTH
    Console(width=wide).print(made)


def value_text(value: object) -> str:
    """A claim's value in one line."""
    if value is None:
        return ""
    return ", ".join(value) if isinstance(value, (list, tuple)) else str(value)


def standing(claim: Claim) -> str:
    """The flags of a claim, short."""
    flags = ["not" if claim.polarity == "negate" else ""]
    flags += ["hedged" if claim.hedged else "", "if" if claim.condition else ""]
    flags += ["corrected" if claim.corrected_by else "", "review" if claim.needs_review else ""]
    return " ".join(f for f in flags if f)


def wall(clock_map: ClockMap, at_ms: int) -> str:
    """Wall-clock time with its uncertainty; empty where none is known."""
    known = clock_map.wall_utc_ms(at_ms)
    if known is None:
        return ""
    at = from_utc_ms(known[0], offset_minutes=clock_map.zone_minutes)
    return f"{at:%Y-%m-%d %H:%M:%S%z} ±{known[1] / 1000:g}s"


def claims_table(claims: Sequence[Claim], *, title: str) -> None:
    """Claims, one a line."""
    headers = ("time", "type", "value", "SKU", "flags", "source", "quote", "claim id")
    rows = (
        (
            clock(c.start_ms),
            c.claim_type,
            value_text(c.value),
            c.sku_id or "–",
            standing(c),
            c.source,
            c.quote,
            c.claim_id,
        )
        for c in claims
    )
    table(headers, rows, title=title)


def _why(window: Window) -> str:
    return "; ".join(window.reasons)


def broadcast_text(parts: Parts) -> None:
    """A broadcast at a glance."""
    revision = parts.state.revision
    broadcast, clocks = revision.broadcast, revision.clock_map
    say(f"{clean(broadcast.broadcast_id)}  {clean(broadcast.title)}")
    say(f"host {clean(broadcast.host_id)}, merchant {clean(broadcast.merchant_id)}")
    say(f"starts {wall(clocks, 0) or 'at an unknown time'}, lasts {clock(revision.duration_ms)}")
    for recording in revision.recordings:
        say(f"recording {clean(recording.file_name)} sha256 {recording.sha256}")
    claims = parts.claims
    rows = (
        (*map(clock, (w.start_ms, w.end_ms)), w.sku_id or "–", w.source, w.confidence_pm, _why(w))
        for w in (claims.windows if claims else ())
    )
    table(("from", "to", "SKU", "source", "‰", "why"), rows, title="Product windows")
    claims_table(claims.claims if claims else (), title="Claims")
    for gap in parts.transcript.gaps if parts.transcript else ():
        if gap.missing:
            say(f"missing {clock(gap.start_ms)}–{clock(gap.end_ms)}: {gap.reason}")
    for warning in revision.warnings:
        note(f"note: {clean(warning)}")


def answer_text(answer: Answer) -> None:
    """A page of search results: hits, facets, coverage."""
    headers = ("wall time", "media", "broadcast", "SKU", "match", "what", "words", "id")
    rows = [
        (
            hit.wall_time[:19],
            hit.media_time,
            hit.document.broadcast_id,
            hit.document.sku_id or "–",
            hit.match,
            (hit.document.claim_type or hit.document.kind)
            + ("" if hit.document.release else " (on air, provisional)"),
            hit.document.text,
            hit.document.claim_id or hit.document.doc_id,
        )
        for hit in answer.hits
    ]
    table(headers, rows, title=f"{answer.total} found")
    if 0 < answer.facets_of < answer.total:
        say(f"counted over the best {answer.facets_of}:")
    for field, counts in answer.facets.items():
        say(f"{field}: " + ", ".join(f"{clean(c.value) or '–'} {c.count}" for c in counts[:8]))
    covered = answer.coverage
    say(
        f"searched: {covered.broadcasts} broadcasts, {covered.duration_ms / 3_600_000:.2f} h, "
        f"{covered.listened_pm / 10:.1f} % listened to, "
        f"{len(covered.incomplete)} with gaps"
    )


def dossier_text(dossier: Dossier, *, lang: str) -> None:
    """The answer to one order."""
    say(f"{clean(dossier.order_id)}: {dossier.verdict}")
    say(clean(dossier.sentence[lang]))
    headers = ("time", "standing", "type", "value", "flags", "quote", "listing", "claim id")
    rows = [
        (
            clock(m.start_ms),
            m.standing,
            m.claim.claim_type,
            value_text(m.claim.value),
            standing(m.claim),
            m.claim.quote,
            f"{m.claim.listing.agreement}: {m.claim.listing.listed}" if m.claim.listing else "",
            m.claim_id,
        )
        for m in dossier.moments
    ]
    if rows:
        table(headers, rows)
    covered = dossier.coverage
    say(f"coverage: {covered.share_pm / 10:.1f} % of the product's windows listened to")
    for gap in covered.gaps:
        say(
            f"  missing {clock(gap.start_ms)}–{clock(gap.end_ms)}: {gap.reason} {clean(gap.detail)}"
        )
    for warning in dossier.warnings:
        note(f"note: {clean(warning)}")
