"""Commands about sealed bundles: bundle, verify, keys, custody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.serve.options import examples, json_option, service, workspace_option

if TYPE_CHECKING:
    from pipeline.evidence.seal import Sealed
    from pipeline.serve.restores import Away

_PATH = click.Path(path_type=Path)


def as_fields(sealed: Sealed | Away) -> dict[str, Any]:
    """A sealed bundle as ``--json`` prints it, or why there is none yet."""
    from pipeline.serve.restores import Away

    if isinstance(sealed, Away):
        return {"folder": None, "zip": None, **sealed.model_dump(mode="json")}
    return {
        "folder": str(sealed.folder),
        "zip": str(sealed.archive) if sealed.archive else None,
        "manifest_sha256": sealed.manifest_sha256,
        "stamped": list(sealed.stamped),
        "untimestamped": [{"authority": r.authority, "reason": r.reason} for r in sealed.refused],
    }


def tell(sealed: Sealed | Away) -> None:
    """A sealed bundle for a person, or why there is none yet."""
    from pipeline.serve.commands_restore import tell_away
    from pipeline.serve.render import clean, note, say
    from pipeline.serve.restores import Away

    if isinstance(sealed, Away):
        tell_away(sealed)
        return
    say(str(sealed.folder))
    if sealed.archive:
        say(str(sealed.archive))
    for name in sealed.stamped:
        say(f"stamped by {clean(name)}")
    for refusal in sealed.refused:
        note(f"untimestamped by {clean(refusal.authority)}: {clean(refusal.reason)}")
    if not list((sealed.folder / "seal").glob("*.tsr")):
        note("untimestamped: ask again with `evidence bundle --stamp`")


@click.command(
    "bundle",
    epilog=examples(
        "evidence bundle 1f3a-9b2c4d5e6f70-12 --out sealed/",
        "evidence bundle --stamp sealed/1f3a-9b2c4d5e6f70-12",
    ),
)
@click.argument("claims", nargs=-1)
@click.option("--out", type=_PATH, help="Folder in which each bundle is made, as folder and zip.")
@click.option(
    "--stamp",
    "stamps",
    type=_PATH,
    multiple=True,
    help="Ask the authorities that have not stamped this bundle yet; may be repeated.",
)
@workspace_option
@json_option
def bundle_command(
    claims: tuple[str, ...],
    out: Path | None,
    stamps: tuple[Path, ...],
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Seal the evidence of CLAIMS (their ids), one bundle each (docs/evidence.md).

    \b
    JSON: one object a line. Fields: folder, zip, manifest_sha256, stamped, untimestamped
    (authority, reason). While the recording is archived: recording (as `evidence restore` prints
    it) and viewing; folder and zip are null.
    """
    from pipeline.evidence.bundle import restamp
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say
    from pipeline.serve.restores import bundle_or_away

    if bool(claims) != (out is not None) or not (claims or stamps):
        raise click.UsageError("name claims with --out, or bundles with --stamp")
    works = service(workspace)
    made = [bundle_or_away(works, claim, out=out) for claim in claims if out is not None]
    made += [restamp(bundle, works.app.settings.seal) for bundle in stamps]
    for sealed in made:
        if as_json:
            say(dump(as_fields(sealed)))
        else:
            tell(sealed)


@click.command(
    "verify",
    epilog=examples(
        "evidence verify sealed/order-ORD-26060501 --trust trust.json",
        "evidence verify order-ORD-26060501.zip --against recording.mp4 --json",
    ),
)
@click.argument("bundle", type=_PATH)
@click.option("--trust", type=_PATH, help="Keys, authorities and scripts to trust; from elsewhere.")
@click.option("--against", type=_PATH, multiple=True, help="The recording; may be repeated.")
@json_option
def verify_command(
    bundle: Path, trust: Path | None, against: tuple[Path, ...], as_json: bool
) -> None:
    """Check BUNDLE (folder or zip) offline, by the script that lies in it as verify.py.

    No workspace is needed. Never trusted without --trust. Exit code 10 when a check fails, or
    when --trust is given and does not vouch for it.

    \b
    JSON fields: bundle, checks (number, name, status, code, sentence), verdicts (intact,
    lineage, signed, time_proven, trusted: holds, code, en, zh), facts.
    """
    from pipeline.evidence import verify_bundle

    given = [str(bundle)] + [f"--trust={trust}"] * (trust is not None)
    given += [f"--against={place}" for place in against] + ["--json"] * as_json
    click.get_current_context().exit(verify_bundle.main(given))


@click.group(
    "keys",
    epilog=examples(
        "evidence keys new --name 'Example Ltd, evidence desk'",
        "evidence keys show --json > trust.json",
    ),
)
def keys_command() -> None:
    """Keys that seal bundles, with their dated history."""


@keys_command.command("new", epilog=examples("evidence keys new --name 'Example Ltd'"))
@click.option("--name", default="this workspace", show_default=True, help="Whose key it is.")
@workspace_option
@json_option
def new_command(name: str, workspace: Path | None, as_json: bool) -> None:
    """Make a signing key; the one before it ends now.

    \b
    JSON fields: key, name, from_utc_ms, until_utc_ms, revoked_utc_ms.
    """
    from pipeline.serve.bundles import key_folder, now_ms

    row = key_folder(service(workspace).app).new(name=name, now_utc_ms=now_ms())
    _show_rows([row.model_dump(mode="json")], as_json)


@keys_command.command("revoke", epilog=examples("evidence keys revoke 5b1c7a90"))
@click.argument("key")
@click.option("--since", help="From this instant on (ISO 8601 with offset); else from now.")
@workspace_option
@json_option
def revoke_command(key: str, since: str | None, workspace: Path | None, as_json: bool) -> None:
    """Revoke KEY (its first digits): only what was time-stamped before stays good.

    \b
    JSON fields: as those of `evidence keys new`.
    """
    from pipeline.serve.bundles import key_folder, now_ms
    from pipeline.timeline import parse_instant, utc_ms

    at = utc_ms(parse_instant(since, field="--since")) if since else now_ms()
    row = key_folder(service(workspace).app).revoke(key, since_utc_ms=at)
    _show_rows([row.model_dump(mode="json")], as_json)


@keys_command.command("show", epilog=examples("evidence keys show --json > trust.json"))
@workspace_option
@json_option
def show_command(workspace: Path | None, as_json: bool) -> None:
    """Show all keys; with --json the whole trust file, to be handed over by a way of its own.

    \b
    JSON fields: format, version, keys (key, name, from_utc_ms, until_utc_ms, revoked_utc_ms),
    authorities (name, certificates, from_utc_ms, until_utc_ms), scripts.
    """
    from pipeline.serve.bundles import trust_file
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say

    found = trust_file(service(workspace).app)
    if as_json:
        say(dump(found))
    else:
        _show_rows(found["keys"], as_json=False)


def _show_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say, table
    from pipeline.timeline import from_utc_ms

    if as_json:
        for row in rows:
            say(dump(row))
        return

    def day(at: int | None) -> str:
        return "" if at is None else from_utc_ms(at).isoformat(timespec="seconds")

    dates = ("from_utc_ms", "until_utc_ms", "revoked_utc_ms")
    shown = [(r["key"], r["name"], *(day(r[d]) for d in dates)) for r in rows]
    table(("key", "name", "from", "until", "revoked"), shown)


@click.group(
    "custody", epilog=examples("evidence custody verify", "evidence custody list BROADCAST")
)
def custody_command() -> None:
    """Who did what with a broadcast, and when."""


@custody_command.command(
    "verify",
    epilog=examples("evidence custody verify", "evidence custody verify sample-zh01 --deep"),
)
@click.argument("broadcasts", nargs=-1)
@click.option("--deep", is_flag=True, help="Read the recordings and compare their bytes as well.")
@workspace_option
@json_option
def custody_verify_command(
    broadcasts: tuple[str, ...], deep: bool, workspace: Path | None, as_json: bool
) -> None:
    """Check the custody of BROADCASTS (all, and the log, without a name).

    Exit code 10 when something is odd.

    \b
    JSON: one object a line. Fields: broadcast_id, events, writers, recordings, archived (that
    --deep could not read), faults (name, code, reason); for the log: log (its entries), records (of disposals and of
    forgetting, whose signatures are checked), faults.
    """
    from pipeline.evidence.custody_log import log_faults
    from pipeline.serve.bundles import custody_checked
    from pipeline.serve.keeping import record_faults
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say

    app, odd = service(workspace).app, False
    if not broadcasts:
        entries, faults = log_faults(app.store)
        records, more = record_faults(app)
        faults += more
        odd = bool(faults)
        rows = [fault._asdict() for fault in faults]
        shown = {"log": entries, "records": records, "faults": rows}
        say(dump(shown) if as_json else f"log: {entries} entries, {records} signed records")
        for fault in () if as_json else faults:
            say(f"  {clean(fault.name)}: {fault.code}: {clean(fault.reason)}")
    for found in custody_checked(app, broadcasts, deep=deep):
        odd = odd or bool(found.faults)
        if as_json:
            say(dump(found._asdict() | {"faults": [fault._asdict() for fault in found.faults]}))
            continue
        say(f"{found.broadcast_id}: {found.events} events, {len(found.faults)} faults")
        for fault in found.faults:
            say(f"  {clean(fault.name)}: {fault.code}: {clean(fault.reason)}")
    click.get_current_context().exit(10 if odd else 0)


@custody_command.command("stamp", epilog=examples("evidence custody stamp  # hourly"))
@workspace_option
@json_option
def custody_stamp_command(workspace: Path | None, as_json: bool) -> None:
    """Gather all new custody events into one log entry and have it time-stamped; run it hourly.

    \b
    JSON fields: number, events, stamped, refused (authority, reason).
    """
    from pipeline.serve.bundles import stamp_custody
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, note, say

    done = stamp_custody(service(workspace).app)
    if as_json:
        say(dump(done._asdict() | {"refused": [one._asdict() for one in done.refused]}))
        return
    say(f"entry {done.number}: {done.events} new events, {len(done.stamped)} time-stamps")
    for refusal in done.refused:
        note(f"untimestamped by {clean(refusal.authority)}: {clean(refusal.reason)}")


@custody_command.command("list", epilog=examples("evidence custody list sample-zh01"))
@click.argument("broadcast")
@workspace_option
@json_option
def custody_list_command(broadcast: str, workspace: Path | None, as_json: bool) -> None:
    """List what was done with BROADCAST, also after it was disposed of.

    \b
    JSON: one object a line, the events as they are stored.
    """
    from pipeline.evidence.custody import events_of
    from pipeline.serve.keeping import custody_prefix
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import say, table
    from pipeline.timeline import from_utc_ms

    app = service(workspace).app
    events = [e.body for e in events_of(app.store, custody_prefix(app, broadcast))]
    if as_json:
        for body in events:
            say(dump(body))
        return
    rows = [
        (from_utc_ms(b["at_utc_ms"]).isoformat(), b["event"], b["writer"], b.get("by", ""))
        for b in events
    ]
    table(("when", "event", "writer", "by"), rows)


@custody_command.command(
    "share",
    epilog=examples("evidence custody share sealed/order-ORD-26060501 --to 'District Court 3'"),
)
@click.argument("bundle", type=_PATH)
@click.option("--to", required=True, help="Who was given it.")
@click.option("--why", default="", help="Why; kept in the record.")
@workspace_option
@json_option
def custody_share_command(
    bundle: Path, to: str, why: str, workspace: Path | None, as_json: bool
) -> None:
    """Write down that BUNDLE (folder or zip) was given to somebody.

    \b
    JSON fields: broadcast_id, manifest_sha256, to.
    """
    from pipeline.serve.keeping import share
    from pipeline.serve.render import as_json as dump
    from pipeline.serve.render import clean, say

    done = share(service(workspace).app, bundle, to=to, why=why)
    said = f"{done['broadcast_id']}: {done['manifest_sha256']} → {done['to']}"
    say(dump(done) if as_json else clean(said))
