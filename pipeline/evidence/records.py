"""The records of a bundle: what was said around the claims asked about, and what it rests on.

Each function gives one JSON value of integers and text; the whole window of the SKU is told,
for and against, never the asked claim alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.archive import State
from pipeline.claims.rules import read_rules
from pipeline.evidence.clip import Clip
from pipeline.media import run as media
from pipeline.model import (
    Claim,
    ClaimSet,
    Dossier,
    Frozen,
    Keyframe,
    PacketIndex,
    Screen,
    Transcript,
    Window,
)
from pipeline.provenance import VERSION
from pipeline.timeline import Span, union, utc_ms
from pipeline.transcribe.coverage import coverage

AROUND_MS = 15_000
"""Words kept before and after a window, so that nothing is heard out of its context."""


@dataclass(frozen=True)
class Subject:
    """What a bundle is about."""

    state: State
    """The broadcast."""
    transcript: Transcript | None
    screen: Screen | None
    claims: ClaimSet
    indexes: tuple[PacketIndex, ...]
    """Packet sidecars, one a recording."""
    asked: tuple[Claim, ...]
    """The claims asked about; may be of an older release."""
    sku_id: str | None
    """The SKU they are about; null for the whole room."""
    dossiers: tuple[Dossier, ...] = ()
    """Answers to the orders it was made for."""

    @property
    def broadcast_id(self) -> str:
        """Which broadcast."""
        return self.state.revision.broadcast.broadcast_id

    @property
    def windows(self) -> tuple[Window, ...]:
        """The SKU's windows, and those in which something was asked about."""
        spans = [claim.span for claim in self.asked]
        return tuple(
            w
            for w in self.claims.windows
            if (self.sku_id is not None and w.sku_id == self.sku_id)
            or any(w.span.overlap_ms(span) for span in spans)
        )

    @property
    def spans(self) -> list[Span]:
        """The stretches of the broadcast the records tell of."""
        asked = [Span(c.start_ms, max(c.end_ms, c.start_ms + 1)) for c in self.asked]
        return union([*(w.span for w in self.windows), *asked])

    def told(self) -> list[Claim]:
        """Every claim of the SKU and of its windows, and the asked ones, in order of time."""
        spans = self.spans
        found = {c.claim_id: c for c in self.asked}
        for claim in self.claims.claims:
            mine = self.sku_id is not None and claim.sku_id == self.sku_id
            if mine or any(claim.span.overlap_ms(span) for span in spans):
                found.setdefault(claim.claim_id, claim)
        return sorted(found.values(), key=lambda c: (c.start_ms, c.claim_id))


def records_of(
    subject: Subject, *, keyframes: Sequence[Keyframe], clips: Sequence[tuple[str, Clip]]
) -> dict[str, Any]:
    """All records by name, but for custody and what the source bytes are."""
    return {
        "claims": _claims(subject),
        "transcript": _transcript(subject),
        "windows": _windows(subject),
        "coverage": _coverage(subject),
        "clock": _clock(subject),
        "listing": _listing(subject),
        "recording": _recordings(subject),
        "keyframes": _keyframes(subject, keyframes),
        "rules": _rules(subject),
        "versions": _versions(subject, clips),
    }


def plain(record: Frozen) -> dict[str, Any]:
    """A record as JSON holds it, without floats (unknown input fields may have some)."""
    found: dict[str, Any] = _whole(record.model_dump(mode="json"))
    return found


def _whole(value: Any) -> Any:
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_whole(item) for item in value]
    return value


def relation(claim: Claim, asked: Sequence[Claim]) -> str:
    """How a claim stands to those asked about: ``asked``, ``for``, ``against`` or ``beside``."""
    if any(claim.claim_id == one.claim_id for one in asked):
        return "asked"
    links = {claim.corrects, claim.corrected_by}
    if any(one.claim_id in links for one in asked):
        return "against"
    alike = [one for one in asked if one.claim_type == claim.claim_type and _near(one, claim)]
    if not alike:
        return "beside"
    same = all((one.value, one.polarity) == (claim.value, claim.polarity) for one in alike)
    return "for" if same else "against"


def _near(one: Claim, other: Claim) -> bool:
    """Of one SKU, or one of them of the whole room."""
    return one.sku_id == other.sku_id or None in (one.sku_id, other.sku_id)


def _claims(subject: Subject) -> dict[str, Any]:
    rows = []
    clock_map = subject.state.revision.clock_map
    for claim in subject.told():
        wall = clock_map.wall_utc_ms(claim.start_ms) or (None, None)
        rows.append(
            {
                "claim": plain(claim),
                "relation": relation(claim, subject.asked),
                "wall_utc_ms": wall[0],
                "wall_uncertainty_ms": wall[1],
                "heard": claim.quote,
                "resolved": claim.resolved,
                "resolved_words_are": "inferred" if claim.resolved else "as_heard",
            }
        )
    return {"broadcast_id": subject.broadcast_id, "sku_id": subject.sku_id, "claims": rows}


def _transcript(subject: Subject) -> dict[str, Any]:
    heard = subject.transcript
    spans = union(Span(s.start_ms - AROUND_MS, s.end_ms + AROUND_MS) for s in subject.spans)
    quoted = {c.segment_index for c in subject.told() if c.source == "speech"}
    segments = heard.segments if heard else ()
    return {
        "broadcast_id": subject.broadcast_id,
        "language": heard.language if heard else "",
        "producer": heard.producer if heard else "",
        "spans": [[s.start_ms, s.end_ms] for s in spans],
        "segments": [
            {"index": n, **plain(segment)}
            for n, segment in enumerate(segments)
            if n in quoted or _touches(segment.span, spans)
        ],
        "gaps": [plain(g) for g in (heard.gaps if heard else ()) if _touches(g.span, spans)],
    }


def _touches(span: Span, others: Iterable[Span]) -> bool:
    return any(span.start_ms < o.end_ms and span.end_ms > o.start_ms for o in others)


def _windows(subject: Subject) -> dict[str, Any]:
    return {
        "broadcast_id": subject.broadcast_id,
        "sku_id": subject.sku_id,
        "windows": [
            {**plain(window), "inferred": window.source != "schedule"} for window in subject.windows
        ],
    }


def _coverage(subject: Subject) -> dict[str, Any]:
    if subject.transcript is None:
        return {"spans": []}
    found = [coverage(subject.transcript, span) for span in subject.spans]
    return {"spans": [{**plain(one), "share_pm": one.share_pm} for one in found]}


def _clock(subject: Subject) -> dict[str, Any]:
    revision = subject.state.revision
    start, end = revision.broadcast.start_utc_ms, revision.broadcast.ended_at
    ended = None if start is None else start + revision.duration_ms
    return {
        **plain(revision.clock_map),
        "started_utc_ms": start,
        "ended_utc_ms": ended if end is None else utc_ms(end),
        "clock_source": revision.broadcast.clock_source,
    }


def _listing(subject: Subject) -> dict[str, Any]:
    product = subject.state.revision.broadcast.product(subject.sku_id)
    return {"sku_id": subject.sku_id, "product": plain(product) if product else None}


def _recordings(subject: Subject) -> dict[str, Any]:
    pairs = zip(subject.state.revision.recordings, subject.indexes, strict=True)
    return {
        "broadcast": {
            key: value
            for key, value in plain(subject.state.revision.broadcast).items()
            if key not in ("products", "product_schedule", "extra")
        },
        "recordings": [{**plain(one), "leaves": len(index.leaves)} for one, index in pairs],
    }


def _keyframes(subject: Subject, keyframes: Sequence[Keyframe]) -> dict[str, Any]:
    numbers = {k.index for k in keyframes}
    lines = subject.screen.lines if subject.screen else ()
    return {
        "keyframes": [{"file": picture_name(k), **plain(k)} for k in keyframes],
        "lines": [plain(line) for line in lines if line.keyframe in numbers],
    }


def picture_name(keyframe: Keyframe) -> str:
    """A keyframe's picture in the bundle."""
    return f"keyframes/{keyframe.index:06d}.jpg"


def _rules(subject: Subject) -> dict[str, Any]:
    """The rules that made the claims, as they are installed here."""
    from pipeline.claims.detector import RuleDetector

    used = {claim.rule_id for claim in subject.told()}
    producers = sorted({claim.producer for claim in subject.told()})
    installed = RuleDetector.load().producer
    return {
        "made_by": producers,
        "installed": installed,
        "as_installed_then": producers in ([], [installed]),
        "rules": [
            plain(placed.rule) | {"language": placed.language, "file": placed.file}
            for placed in read_rules().rules
            if placed.rule.id in used
        ],
    }


def _versions(subject: Subject, clips: Sequence[tuple[str, Clip]]) -> dict[str, Any]:
    tools = {name: version for _, clip in clips for name, version in clip.info.tools.items()}
    return {
        "program": f"replay-evidence {VERSION}",
        "revision": subject.state.revision.number,
        "input_id": subject.state.revision.input_id,
        "release": subject.state.release.number,
        "outputs": [plain(output) for output in subject.state.release.outputs],
        "tools": {**media.library_versions(), **tools},
    }
