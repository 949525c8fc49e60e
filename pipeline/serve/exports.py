"""Text forms of a broadcast for other programs: SubRip, chapters, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from pipeline.model import Broadcast, Claim, Transcript, Window
from pipeline.runner import Parts
from pipeline.timeline import clock, srt_clock

_FORMULA = tuple("=+-@＝＋－＠\t\r\n")
CSV_COLUMNS = (
    "claim_id",
    "claim_type",
    "start_ms",
    "end_ms",
    "start",
    "sku_id",
    "value",
    "polarity",
    "hedged",
    "condition",
    "source",
    "needs_review",
    "quote",
    "resolved",
    "corrects",
    "corrected_by",
    "rule_id",
)


def export(form: str, parts: Parts) -> str:
    """One of the text forms ``srt``, ``chapters``, ``csv`` of a broadcast."""
    claims = parts.claims
    if form == "srt":
        return srt(parts.transcript) if parts.transcript else ""
    if form == "chapters":
        return chapters(parts.state.revision.broadcast, claims.windows if claims else ())
    return claims_csv(claims.claims if claims else ())


def srt(transcript: Transcript) -> str:
    """The verbatim words as SubRip."""
    cues = []
    for number, segment in enumerate(transcript.segments, 1):
        words = " ".join(segment.text.replace("-->", "→").split())
        times = f"{srt_clock(segment.start_ms)} --> {srt_clock(segment.end_ms)}"
        cues.append(f"{number}\n{times}\n{words}\n")
    return "\n".join(cues)


def chapters(broadcast: Broadcast, windows: Sequence[Window]) -> str:
    """Product windows as chapters: ``0:01:33.500 name (SKU)``, one a line."""
    rows = []
    for window in windows:
        product = broadcast.product(window.sku_id)
        name = " ".join((product.name if product else "").split())
        label = f"{name} ({window.sku_id})" if window.sku_id else "–"
        rows.append(f"{clock(window.start_ms)} {label.strip()}\n")
    return "".join(rows)


def claims_csv(claims: Sequence[Claim]) -> str:
    """Claims as CSV that no spreadsheet takes for formulas."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for claim in claims:
        fields = claim.model_dump(mode="json") | {"start": clock(claim.start_ms)}
        writer.writerow([_cell(fields[column]) for column in CSV_COLUMNS])
    return out.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    return safe_cell(text) if isinstance(value, str) else text


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet evaluates (OWASP, CSV injection): quoted where it would."""
    formula = text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if formula else text
