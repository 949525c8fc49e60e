"""Bundles of claims and orders: what they are about, read from the store, and what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline import runner
from pipeline.archive import State
from pipeline.bootstrap import Application
from pipeline.cases.run import KeyRing
from pipeline.errors import InputError, NotFound
from pipeline.evidence import custody, custody_log
from pipeline.evidence.bundle import Workshop, make_bundle
from pipeline.evidence.clip import Clip, safe_name
from pipeline.evidence.records import Subject
from pipeline.evidence.seal import Sealed
from pipeline.evidence.signing import KeyFolder, KeyHistory, signer_of
from pipeline.evidence.verify_bundle import TRUST_FORMAT, VERSION
from pipeline.evidence.verify_bundle import __file__ as script_file
from pipeline.model import Claim, ClaimSet, Dossier, Keyframe, PacketIndex
from pipeline.outputs import sidecar_of
from pipeline.packs import parse_pack, read_records
from pipeline.provenance import sha256_file
from pipeline.serve.cuts import cut_clip
from pipeline.serve.service import Service
from pipeline.timeline import Span, utc_ms


def key_folder(app: Application) -> KeyFolder:
    """The workspace's own signing keys."""
    return KeyFolder(app.keys / "signing")


def bundle_claim(works: Service, claim_id: str, *, out: Path) -> Sealed:
    """The sealed bundle of a claim.

    Raises:
        NotFound, InputError, ConfigError, IntegrityError, SourceError, MediaError.
    """
    once = Service(works.app.glancing())
    prefix, claim = once.claim(claim_id)
    state = once.app.archive.state_at(prefix)
    subject = _subject(once.app, state, asked=(claim,), sku_id=claim.sku_id)
    if claim.claim_id not in {c.claim_id for c in subject.claims.claims}:
        raise NotFound(
            f"claim {claim_id!r} is of an older release of its broadcast",
            hint="seal the claim of the current release: `evidence claims BROADCAST`",
        )
    return _sealed(once.app, subject, out=out, name=safe_name(claim.claim_id))


def bundle_order(works: Service, dossier: Dossier, *, out: Path) -> Sealed:
    """The sealed bundle of an order's answer.

    Raises:
        NotFound: no broadcast is known for the order. Others as :func:`bundle_claim`.
    """
    if not dossier.broadcast_id:
        raise NotFound(
            f"order {dossier.order_id!r}: no broadcast is known, so there is nothing to seal",
            hint="process the broadcast it came from",
        )
    app = works.app.glancing()
    state = app.archive.state(dossier.broadcast_id)
    asked = tuple(moment.claim for moment in dossier.moments)
    subject = _subject(app, state, asked=asked, sku_id=dossier.sku_id or None, dossiers=(dossier,))
    name = f"order-{safe_name(dossier.order_id)}"
    return _sealed(app, subject, out=out, name=name, orders=(dossier.order_id,))


def _subject(
    app: Application,
    state: State,
    *,
    asked: tuple[Claim, ...],
    sku_id: str | None,
    dossiers: tuple[Dossier, ...] = (),
) -> Subject:
    parts = runner.parts_of(app, state)
    return Subject(
        state=state,
        transcript=parts.transcript,
        screen=parts.screen,
        claims=parts.claims or ClaimSet(broadcast_id=state.revision.broadcast.broadcast_id),
        indexes=_indexes(app, state),
        asked=asked,
        sku_id=sku_id,
        dossiers=dossiers,
    )


def _indexes(app: Application, state: State) -> tuple[PacketIndex, ...]:
    output = state.output("ingest")
    if output is None:
        return ()
    return sidecar_of(parse_pack(app.archive.pack(output), name=output.key))


def _sealed(
    app: Application, subject: Subject, *, out: Path, name: str, orders: Sequence[str] = ()
) -> Sealed:
    """``app`` looks at the store once: what was listed is not listed again."""
    state = subject.state
    events = custody.rolled_events(app.store, state.prefix)
    log, files = custody_log.rows_of(app.store, state.prefix, events)
    workshop = Workshop(
        store=app.store,
        cut=_cutter(app, subject),
        pictures=_pictures(app, subject),
        custody=custody.extract(state, events, log),
        files=files,
        signer=signer_of(app.settings.seal, app.keys / "signing"),
        settings=app.settings.seal,
        now_utc_ms=utc_ms(datetime.now(UTC)),
    )
    made = make_bundle(subject, workshop, out=out, name=name, orders=orders)
    # Custody stays when a person is forgotten: an order's id stands in it as a keyed hash only.
    ring = KeyRing(app.keys)
    hashed = [ring.hashed("order", order_id) for order_id in orders]
    shown = f"order-{hashed[0][:16]}" if hashed else name
    about = {"bundle": shown, "manifest_sha256": made.manifest_sha256, "orders": len(orders)}
    note(app, state, "exported", about=about)
    return made


def _pictures(
    app: Application, subject: Subject
) -> Callable[[Sequence[Keyframe]], Sequence[bytes]]:
    def pictures(keyframes: Sequence[Keyframe]) -> Sequence[bytes]:
        seen = subject.state.output("keyframes")
        if seen is None or not keyframes:
            return []
        numbers = [keyframe.image for keyframe in keyframes]
        size = seen.size_bytes
        return read_records(app.store, seen.key, table="images", numbers=numbers, size_bytes=size)

    return pictures


def _cutter(app: Application, subject: Subject) -> Callable[[Span, str, Path], Clip]:
    """Cuts the clip of a span from the recording that holds most of it."""
    revision = subject.state.revision
    spans = [s for s in revision.clock_map.spans if s.recording_index >= 0]

    def cut(span: Span, claim_id: str, folder: Path) -> Clip:
        number = max(spans, key=lambda s: s.span.overlap_ms(span)).recording_index
        return cut_clip(
            app.context(),
            revision,
            number=number,
            index=subject.indexes[number],
            transcript=subject.transcript,
            span_ms=(span.start_ms, span.end_ms),
            margin_ms=app.settings.clip.margin_ms,
            out=folder,
            name=claim_id or f"window-{span.start_ms}",
            claim_id=claim_id or None,
        )

    return cut


def note(app: Application, state: State, event: str, *, about: dict[str, Any]) -> None:
    """Add a custody event of this workspace to a broadcast."""
    custody.record(
        app.archive,
        state,
        event,
        writer=app.writer,
        by=who(),
        about=about,
        retain_until=state.revision.retain_until,
    )


def who() -> str:
    """Whoever runs this, by the name the system knows."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def note_clip(works: Service, clip: Clip) -> None:
    """Add to the broadcast's custody that a clip was taken out."""
    name = clip.video.name
    about = {"clip": name, "sha256": clip.info.files[name], "claim_id": clip.info.claim_id}
    once = works.app.glancing()
    note(once, once.archive.state(clip.info.broadcast_id), "exported", about=about)


def custody_checked(
    app: Application, broadcasts: Sequence[str], *, deep: bool
) -> Iterator[custody.Checked]:
    """The custody of the broadcasts named, or of all."""
    states = (
        (app.archive.state(name) for name in broadcasts)
        if broadcasts
        else (app.archive.state_at(prefix) for prefix in app.archive.broadcasts())
    )
    for state in states:
        yield custody.check(app.archive, state, deep=deep)


def stamp_custody(app: Application) -> custody_log.Gathered:
    """Gather the custody of all broadcasts into the log, and have it time-stamped."""
    return custody_log.gather(
        app.archive,
        app.settings.seal,
        writer=app.writer,
        now_utc_ms=now_ms(),
        retain_until=datetime.now(UTC) + timedelta(days=app.settings.longest_days),
    )


def trust_file(app: Application) -> dict[str, Any]:
    """What others are given, by a way of its own, to trust this workspace's bundles.

    Raises:
        InputError: a certificate file of the settings cannot be read.
    """
    settings = app.settings.seal
    rows = [row.model_dump(mode="json") for row in _history(app).keys]
    return {
        "format": TRUST_FORMAT,
        "version": VERSION,
        "keys": rows,
        "authorities": [
            {
                "name": authority.name,
                "certificates": _certificates(authority.ca_file),
                "from_utc_ms": 0,
                "until_utc_ms": None,
            }
            for authority in settings.authorities
        ],
        "scripts": [sha256_file(Path(script_file))],
    }


def _history(app: Application) -> KeyHistory:
    return key_folder(app).history()


def _certificates(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: cannot be read as PEM", hint="correct ca_file under [seal]", file=file
        ) from error


def now_ms() -> int:
    """This instant, UTC milliseconds."""
    return utc_ms(datetime.now(UTC))
