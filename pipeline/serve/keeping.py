"""Holds, disposal and forgetting as the command asks for them: who, when, and the custody of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.bootstrap import Application
from pipeline.cases.forget import Ask, Forgotten, forget
from pipeline.errors import InputError, NotFound
from pipeline.evidence import custody, disposal, holds
from pipeline.evidence.disposal_plan import Plan, draw_up, plain, read_plan
from pipeline.evidence.holds import Covered, Hand, HeldBroadcast, HeldOrder, Marked, Step
from pipeline.evidence.signed import opened
from pipeline.evidence.signing import Signer, signer_of
from pipeline.ingest.jsontext import parse_json
from pipeline.provenance import canonical_bytes, content_id, sha256_hex
from pipeline.runner import read_bytes
from pipeline.serve.bundles import note, who
from pipeline.serve.service import Service


class Held(NamedTuple):
    """What became of a case."""

    step: Step
    new: bool
    """False: it stood so already."""
    marked: Marked
    """What the store itself was told."""


# --- holds ----------------------------------------------------------------------------------------


def hold(
    works: Service,
    case: str,
    *,
    broadcasts: Sequence[str] = (),
    orders: Sequence[str] = (),
    why: str,
    by: str = "",
) -> Held:
    """Hold broadcasts and orders for a case; said again, it finishes what was interrupted.

    Raises:
        NotFound: no such broadcast or order; nothing was held.
    """
    covers = Covered(broadcasts=tuple(_broadcast(works.app, name) for name in broadcasts))
    for order_id in orders:
        covers = covers.and_also(_of_order(works, order_id))
    step, new = holds.place(works.app.store, case, covers, _hand(works.app, by, why))
    _note_step(works.app, step, "held")
    return Held(step, new, holds.mark(works.app.store, step))


def lift(works: Service, case: str, *, why: str, by: str = "") -> Held:
    """End the hold of a case; what another case holds stays held.

    Raises:
        NotFound: there never was such a case.
    """
    step, new = holds.lift(works.app.store, case, _hand(works.app, by, why))
    _note_step(works.app, step, "released")
    return Held(step, new, holds.unmark(works.app.store, step))


def _broadcast(app: Application, broadcast_id: str) -> HeldBroadcast:
    return HeldBroadcast(broadcast_id=broadcast_id, prefix=app.archive.prefix(broadcast_id))


def _of_order(works: Service, order_id: str) -> Covered:
    """An order, and every broadcast here that it names or is answered from."""
    book = works.book
    order = book.get(order_id)
    named = dict.fromkeys(order.broadcast_ids)
    answered = works.order(order).broadcast_id
    if answered:
        named[answered] = None
    there = [name for name in named if works.app.archive.prefixes(name)]
    held = HeldOrder(order=book.hashed_order(order_id), subject=book.subject_of(order_id))
    return Covered(broadcasts=tuple(_broadcast(works.app, name) for name in there), orders=(held,))


def _hand(app: Application, by: str, why: str) -> Hand:
    now = datetime.now(UTC)
    return Hand(by or who(), why, int(now.timestamp() * 1000), app.writer, _kept(app, now))


def _kept(app: Application, now: datetime) -> datetime:
    """Until when records of holds, disposals and forgetting are locked."""
    return now + timedelta(days=app.settings.longest_days)


def _note_step(app: Application, step: Step, event: str) -> None:
    """Once into the custody of each broadcast. Not the case's name: custody goes into bundles."""
    about = {"step": content_id(plain(step)), "number": step.number}
    for one in step.covers.broadcasts:
        events = custody.events_of(app.store, one.prefix)
        if any(e.body.get("about", {}).get("step") == about["step"] for e in events):
            continue
        custody.record_at(
            app.store,
            (one.prefix, one.broadcast_id),
            event,
            writer=app.writer,
            by=step.by,
            about=about,
            retain_until=_kept(app, datetime.now(UTC)),
        )


# --- disposal -------------------------------------------------------------------------------------


def draw_plan(app: Application, file: Path, *, why: str, by: str = "") -> Plan:
    """Write down what is past its retention and not held; nothing else is done.

    Raises:
        InputError: the file cannot be written, or is there already.
    """
    settings = app.settings
    plan = draw_up(
        app.archive,
        keep_days=settings.keep_days,
        least_days=settings.retention_days,
        now=datetime.now(UTC),
        by=by or who(),
        why=why,
    )
    try:
        with file.open("xb") as out:
            out.write(canonical_bytes(plain(plan)) + b"\n")
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror or 'cannot be written'}",
            hint="name a file that is not there yet",
            file=str(file),
        ) from error
    return plan


def carry_out(app: Application, file: Path, *, by: str = "") -> disposal.Disposed:
    """Remove exactly what a plan says.

    Raises:
        InputError: the file is no plan. PlanOutdated, UnderHold, ConfigError: nothing was removed.
    """
    plan = read_plan(read_bytes(file), name=str(file))
    now = datetime.now(UTC)
    desk = disposal.Desk(
        archive=app.archive,
        signer=_signer(app),
        drop=app.index.drop,
        keep_days=app.settings.keep_days,
        by=by or who(),
        writer=app.writer,
        now=now,
        retain_until=_kept(app, now),
    )
    return disposal.carry_out(plan, desk)


def _signer(app: Application) -> Signer:
    return signer_of(app.settings.seal, app.keys / "signing")


# --- forgetting -----------------------------------------------------------------------------------


def forget_person(
    works: Service, *, subject: str = "", order_id: str = "", why: str, by: str = ""
) -> Forgotten:
    """Destroy the key of a person's orders, named by themselves or by one of their orders.

    Raises:
        NotFound: nothing is kept under them. UnderHold: a case forbids it.
        ConfigError: there is no key to sign the record with; nothing was destroyed.
    """
    app, book = works.app, works.book
    hashed = book.subject_of(order_id) if order_id else book.hashed_subject(subject)
    now = datetime.now(UTC)
    ask = Ask(by or who(), why, app.writer, now, _kept(app, now))
    done = forget(book, app.store, hashed, signer=_signer(app), ask=ask)
    for answer in (app.root / "custody" / "once").glob("*.json"):
        answer.unlink(missing_ok=True)  # answers the desk keeps for a day may quote the order
    return done


# --- sharing --------------------------------------------------------------------------------------


def share(app: Application, bundle: Path, *, to: str, why: str = "") -> dict[str, str]:
    """Write down that a sealed bundle was given to somebody.

    Raises:
        InputError: it is no sealed bundle of this workspace's broadcasts. NotFound.
    """
    from tempfile import TemporaryDirectory

    from pipeline.evidence.seal import unpack

    with TemporaryDirectory(prefix=".share.") as parent:
        folder = bundle
        if not bundle.is_dir():
            folder = Path(parent) / "bundle"
            unpack(bundle, folder)
        manifest = read_bytes(folder / "MANIFEST.json")
        named = parse_json(read_bytes(folder / "custody.json"), file_name="custody.json")[0]
    name = named.get("broadcast_id") if isinstance(named, dict) else None
    if not isinstance(name, str):
        raise InputError(f"{bundle}: is no sealed bundle", hint="give a bundle: a folder or a zip")
    about = {"manifest_sha256": sha256_hex(manifest), "to": to, "why": why}
    note(app, app.archive.state(name), "shared", about=about)
    return {"broadcast_id": name, "manifest_sha256": about["manifest_sha256"], "to": to}


# --- records --------------------------------------------------------------------------------------


def record_faults(app: Application) -> tuple[int, list[custody.Fault]]:
    """How many signed records there are, and which do not hold."""
    from pipeline.cases.forget import PREFIX
    from pipeline.errors import IntegrityError

    faults: list[custody.Fault] = []
    count = 0
    for room in (disposal.PREFIX, PREFIX):
        for stat in app.store.list(room):
            count += 1
            try:
                opened(app.store.read(stat.key), name=stat.key)
            except IntegrityError as error:
                faults.append(custody.Fault(stat.key, "record", error.message))
    return count, faults


def custody_prefix(app: Application, broadcast_id: str) -> str:
    """Where a broadcast's custody lies, also when nothing else of it is left.

    Raises:
        NotFound: it never was here.
    """
    try:
        return app.archive.prefix(broadcast_id)
    except NotFound:
        for one in disposal.disposed(app.store):
            if one.broadcast_id == broadcast_id:
                return one.prefix
        raise


def as_fields(step: Step) -> dict[str, Any]:
    """A case as ``--json`` prints it."""
    shown = step.model_dump(mode="json", exclude={"covers", "schema_version"})
    covers = step.covers.model_dump(mode="json")
    return shown | {
        "broadcasts": [one["broadcast_id"] for one in covers["broadcasts"]],
        "orders": [one["order"] for one in covers["orders"]],
    }
