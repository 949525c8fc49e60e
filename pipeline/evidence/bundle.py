"""A sealed bundle: everything that bears on the claims asked about, and what proves it.

    MANIFEST.json SHA256SUMS seal/         see ``seal.py``
    report.html                            for a person
    verify.py signer.pem                   the checks, and the key that signed
    bundle.json claims.json …              records (``records.py``), custody, dossiers
    clips/ keyframes/                      copies out of the recording
    source/                                the recording's own bytes, proofs, packets

Made beside its place, checked by its own script, and moved there whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.errors import InputError, NotFound
from pipeline.evidence import verify_bundle
from pipeline.evidence.clip import Clip
from pipeline.evidence.lineage import Located, Piece, packets_of, pieces_of, proof_of
from pipeline.evidence.records import Subject, picture_name, plain, records_of
from pipeline.evidence.report import report_html
from pipeline.evidence.seal import Sealed, require_holds, seal, stamp, write_zip
from pipeline.evidence.signing import Signer
from pipeline.model import Claim, Keyframe
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes
from pipeline.settings import SealSettings
from pipeline.timeline import Span

_PICTURE_MS = 3_000
"""Pictures this near to a claim go with it."""
_MOST_PICTURES = 120
_MOST_WINDOWS_MS = 600_000
"""Without a claim to show, the windows themselves are shown, up to this length."""

Cut = Callable[[Span, str, Path], Clip]
"""A span of the timeline, the claim it is for (or nothing), and a folder to its clip."""


@dataclass(frozen=True)
class Workshop:
    """What making a bundle needs from the outside."""

    store: ObjectStore
    cut: Cut
    pictures: Callable[[Sequence[Keyframe]], Sequence[bytes]]
    custody: dict[str, Any]
    """The broadcast's custody events."""
    files: dict[str, bytes]
    """Heads and tokens of the custody log, by their names in the bundle."""
    signer: Signer
    settings: SealSettings
    now_utc_ms: int
    """Time of sealing."""


def make_bundle(
    subject: Subject, workshop: Workshop, *, out: Path, name: str, orders: Sequence[str] = ()
) -> Sealed:
    """Make the bundle ``out/name`` and ``out/name.zip``, whole or not at all.

    Raises:
        InputError: something of this name is there. IntegrityError: stored bytes were altered.
        ConfigError: the key cannot be used. SourceError, MediaError.
    """
    place, archive = out / name, out / f"{name}.zip"
    if place.exists() or archive.exists():
        raise InputError(
            f"{place}: there is a bundle already",
            hint="a seal is never replaced; name another --out",
        )
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{name}.", dir=out) as parent:
        folder = Path(parent) / "bundle"
        _fill(folder, subject, workshop, orders)
        digest = seal(folder, signer=workshop.signer, sealed_utc_ms=workshop.now_utc_ms)
        require_holds(folder)
        stamped, refused = stamp(folder, workshop.settings)
        zipped = write_zip(folder, archive)
        folder.replace(place)
    return Sealed(place, zipped, digest, stamped, refused)


def restamp(bundle: Path, settings: SealSettings) -> Sealed:
    """Ask the authorities that have not stamped a bundle (folder or zip) yet.

    Raises:
        InputError: it is no bundle.
    """
    from pipeline.evidence.seal import unpack
    from pipeline.provenance import sha256_file

    with TemporaryDirectory(prefix=".stamp.", dir=bundle.absolute().parent) as parent:
        folder = bundle
        if not bundle.is_dir():
            folder = Path(parent) / "bundle"
            unpack(bundle, folder)
        if not (folder / verify_bundle.SIGNATURE).is_file():
            raise InputError(
                f"{bundle}: is no sealed bundle", hint="give a bundle: a folder or a zip"
            )
        stamped, refused = stamp(folder, settings)
        beside = bundle if bundle.is_file() else bundle.with_name(f"{bundle.name}.zip")
        zipped = write_zip(folder, beside) if beside.exists() else None
        digest = sha256_file(folder / "MANIFEST.json")
    return Sealed(bundle, zipped, digest, stamped, refused)


def _fill(folder: Path, subject: Subject, workshop: Workshop, orders: Sequence[str]) -> None:
    """Everything but the seal."""
    for room in ("clips", "source"):
        (folder / room).mkdir(parents=True)
    clips = _clips(subject, workshop, folder / "clips")
    records = records_of(subject, keyframes=_pictures(subject, workshop, folder), clips=clips)
    records |= _lineage(subject, workshop, clips, folder)
    records["custody"] = workshop.custody
    if subject.dossiers:
        records["dossiers"] = {"dossiers": [plain(one) for one in subject.dossiers]}
    records["bundle"] = _about(subject, workshop, clips, records["source/packets"], orders)
    for name, value in records.items():
        (folder / f"{name}.json").write_bytes(canonical_bytes(value))
    for name, data in workshop.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "report.html").write_bytes(report_html(records))
    (folder / "signer.pem").write_bytes(verify_bundle.pem(workshop.signer.public_key))
    shutil.copyfile(verify_bundle.__file__, folder / "verify.py")


# --- clips and pictures ---------------------------------------------------------------------------


def _clips(subject: Subject, workshop: Workshop, folder: Path) -> list[tuple[str, Clip]]:
    """A clip of each claim asked about; one that an earlier clip holds whole needs no other."""
    clips: list[tuple[str, Clip]] = []
    for span, claim_id in _wanted(subject):
        held = any(
            c.info.complete
            and c.info.start.timeline_ms <= span.start_ms
            and span.end_ms <= c.info.end.timeline_ms
            for _, c in clips
        )
        if not held and _recorded(subject, span):
            clip = workshop.cut(span, claim_id, folder)
            clips.append((f"clips/{clip.video.name}", clip))
    return sorted(clips, key=lambda pair: pair[0])


def _wanted(subject: Subject) -> list[tuple[Span, str]]:
    if subject.asked:
        asked = sorted(subject.asked, key=lambda c: (c.start_ms, -c.end_ms))
        return [(Span(c.start_ms, max(c.end_ms, c.start_ms + 1)), c.claim_id) for c in asked]
    found, left = [], _MOST_WINDOWS_MS
    for window in subject.windows:
        length = min(window.end_ms - window.start_ms, left)
        if length > 0:
            found.append((Span(window.start_ms, window.start_ms + length), ""))
            left -= length
    return found


def _recorded(subject: Subject, span: Span) -> bool:
    spans = subject.state.revision.clock_map.spans
    return any(s.recording_index >= 0 and s.span.overlap_ms(span) for s in spans)


def _pictures(subject: Subject, workshop: Workshop, folder: Path) -> list[Keyframe]:
    """The pictures that claims point to and those near what was asked about."""
    if subject.screen is None:
        return []
    (folder / "keyframes").mkdir()
    pointed = {claim.keyframe for claim in subject.told()}
    near = [Span(c.start_ms - _PICTURE_MS, c.end_ms + _PICTURE_MS) for c in subject.asked]
    near = near or subject.spans
    chosen = [
        k
        for k in subject.screen.keyframes
        if k.index in pointed or any(span.holds(k.at_ms) for span in near)
    ][:_MOST_PICTURES]
    for keyframe, data in zip(chosen, workshop.pictures(chosen), strict=True):
        (folder / picture_name(keyframe)).write_bytes(data)
    if not chosen:
        (folder / "keyframes").rmdir()
    return chosen


# --- lineage --------------------------------------------------------------------------------------


def _number_of(subject: Subject, clip: Clip) -> int:
    """The clip's recording by its place in the broadcast."""
    recordings = subject.state.revision.recordings
    for number, recording in enumerate(recordings):
        if recording.recording_id == clip.info.recording_id:
            return number
    raise NotFound(f"{clip.video.name}: its recording is not of this broadcast")


def _lineage(
    subject: Subject, workshop: Workshop, clips: Sequence[tuple[str, Clip]], folder: Path
) -> dict[str, Any]:
    """Source bytes into the bundle; their proofs, and where the clips' packets stand in them."""
    proofs, packets = [], {}
    for number, recording in enumerate(subject.state.revision.recordings):
        mine = [(name, clip) for name, clip in clips if _number_of(subject, clip) == number]
        if not mine:
            continue
        index = subject.indexes[number]
        pieces = pieces_of(
            [clip for _, clip in mine],
            number=number,
            recording=recording,
            index=index,
            read=lambda key, start, end: workshop.store.read(key, start=start, end=end),
        )
        for piece in pieces:
            (folder / piece.file).write_bytes(piece.data)
        proofs.append(proof_of(pieces, recording, index))
        for name, clip in mine:
            located = Located(name, clip, _of_clip(clip, pieces))
            packets[name] = packets_of(located, recording)
    rows = [packets[name] for name, _ in clips]
    return {"source/proofs": {"recordings": proofs}, "source/packets": {"clips": rows}}


def _of_clip(clip: Clip, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    return tuple(
        piece
        for piece in pieces
        if any(
            r.part == piece.part and r.byte_start < piece.byte_end and r.byte_end > piece.byte_start
            for r in clip.info.source_ranges
        )
    )


def _about(
    subject: Subject,
    workshop: Workshop,
    clips: Sequence[tuple[str, Clip]],
    packets: dict[str, Any],
    orders: Sequence[str],
) -> dict[str, Any]:
    copied = {row["clip"]: row["copied"] for row in packets["clips"]}
    return {
        "format": verify_bundle.FORMAT,
        "version": verify_bundle.VERSION,
        "broadcast_id": subject.broadcast_id,
        "sku_id": subject.sku_id,
        "orders": list(orders),
        "asked": [claim.claim_id for claim in subject.asked],
        "clips": [
            {
                "file": name,
                "info": f"clips/{clip.sidecar.name}",
                "sha256": clip.info.files[clip.video.name],
                "recording": _number_of(subject, clip),
                "copied": copied[name],
                "claims": [c.claim_id for c in subject.asked if _holds(clip, c)],
                "start_ms": clip.info.start.timeline_ms,
                "end_ms": clip.info.end.timeline_ms,
                "missing": [list(one) for one in clip.info.missing],
                "holes": [list(one) for one in clip.info.holes],
            }
            for name, clip in clips
        ],
        "sealed_utc_ms": workshop.now_utc_ms,
    }


def _holds(clip: Clip, claim: Claim) -> bool:
    start, end = clip.info.start.timeline_ms, clip.info.end.timeline_ms
    whole = start <= claim.start_ms and claim.end_ms <= end
    return whole or clip.info.claim_id == claim.claim_id
