"""One append-only log over the custody of all broadcasts, time-stamped as a whole.

    custody-log/000001.json      {"head": {…, root, previous}, "events": [[key, leaf hash], …]}
    custody-log/000001-1.tsr     reply of the first authority over the head; its request: .tsq

Each entry is a Merkle tree (RFC 6962) over the events that no earlier entry holds, and names the
SHA-256 of the head before it. So one token an hour shows of every recording taken in since then
that its hash and root existed, and nothing behind it can be taken out unseen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.archive import Archive
from pipeline.errors import EvidenceError, UnknownFormat
from pipeline.evidence.custody import Event, Fault
from pipeline.evidence.stamps import Refusal, stamp_of
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes, inclusion_proof, leaf_hash, merkle_root, sha256_hex
from pipeline.settings import SealSettings

PREFIX = "custody-log/"
_ENTRY = re.compile(r"custody-log/\d{6}\.json")
_TRIES = 20


class Entry(NamedTuple):
    """One entry of the log."""

    head: dict[str, Any]
    events: list[list[str]]
    """``[key, leaf hash]`` in the order of the tree."""

    @property
    def stem(self) -> str:
        """Where it and its tokens lie, without an ending."""
        return f"{PREFIX}{self.head['number']:06d}"


class Gathered(NamedTuple):
    """What one run did."""

    number: int
    """The newest entry; 0 while there is none."""
    events: int
    """Events it added."""
    stamped: tuple[str, ...]
    """Authorities that stamped something."""
    refused: tuple[Refusal, ...]


def entries(store: ObjectStore) -> Iterator[Entry]:
    """The log, oldest entry first.

    Raises:
        UnknownFormat: an entry cannot be read.
    """
    for stat in store.list(PREFIX):
        if _ENTRY.fullmatch(stat.key):
            try:
                body = json.loads(store.read(stat.key))
                yield Entry(body["head"], body["events"])
            except (ValueError, KeyError, TypeError) as error:
                raise UnknownFormat(f"{stat.key}: is no entry of the custody log") from error


def gather(archive: Archive, settings: SealSettings, *, writer: str, now_utc_ms: int) -> Gathered:
    """Add the events that are not in the log yet, and ask for the tokens that are missing.

    Raises:
        SourceError: the store cannot be read or written. EvidenceError: others keep writing.
    """
    added = _append(archive, writer=writer, now_utc_ms=now_utc_ms)
    stamped: list[str] = []
    refused: list[Refusal] = []
    log = list(entries(archive.store))
    for entry in log:
        for number, authority in enumerate(settings.authorities[:9], 1):
            place = f"{entry.stem}-{number}"
            if archive.store.stat(f"{place}.tsr") is not None:
                continue
            one = stamp_of(
                canonical_bytes(entry.head), authority, timeout_s=settings.authority_timeout_s
            )
            if isinstance(one, Refusal):
                refused.append(one)
            elif archive.store.put_if_absent(f"{place}.tsq", one.query):
                archive.store.put_if_absent(f"{place}.tsr", one.reply)
                stamped.append(authority.name)
    return Gathered(len(log), added, tuple(stamped), tuple(refused))


def _append(archive: Archive, *, writer: str, now_utc_ms: int) -> int:
    store = archive.store
    for _ in range(_TRIES):
        log = list(entries(store))
        known = {key for entry in log for key, _ in entry.events}
        prefixes = sorted(set(archive.broadcasts()))
        keys = [s.key for prefix in prefixes for s in store.list(f"{prefix}/custody/")]
        rows = [[key, leaf_hash(store.read(key)).hex()] for key in keys if key not in known]
        if not rows:
            return 0
        head = {
            "schema_version": 1,
            "number": len(log) + 1,
            "previous": sha256_hex(canonical_bytes(log[-1].head)) if log else "",
            "at_utc_ms": now_utc_ms,
            "writer": writer,
            "count": len(rows),
            "root": merkle_root([bytes.fromhex(leaf) for _, leaf in rows]).hex(),
        }
        body = canonical_bytes({"head": head, "events": rows})
        if store.put_if_absent(f"{PREFIX}{len(log) + 1:06d}.json", body):
            return len(rows)
    raise EvidenceError("the custody log is being written by others", hint="try again")


# --- into bundles ---------------------------------------------------------------------------------


def rows_of(
    store: ObjectStore, prefix: str, events: Sequence[Event]
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Proofs that a broadcast's ``ingested`` events are in the log, and the files they name."""
    wanted = {f"{prefix}/custody/{e.name}.json": e for e in events if _is_ingest(e)}
    rows: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for entry in entries(store):
        leaves = [bytes.fromhex(leaf) for _, leaf in entry.events]
        for index, (key, _) in enumerate(entry.events):
            if key in wanted:
                name = f"custody/log-{entry.head['number']:06d}"
                files[f"{name}.json"] = canonical_bytes(entry.head)
                tokens = _tokens(store, entry, name, files)
                path = [side.hex() for side in inclusion_proof(leaves, index)]
                row = {"event": wanted[key].name, "head": f"{name}.json", "index": index}
                rows.append(row | {"path": path, "tokens": tokens})
    return rows, files


def _is_ingest(event: Event) -> bool:
    return event.body.get("event") == "ingested"


def _tokens(store: ObjectStore, entry: Entry, name: str, files: dict[str, bytes]) -> list[str]:
    """The tokens of an entry, each with its request, into ``files``."""
    found = []
    for stat in store.list(f"{entry.stem}-"):
        if stat.key.endswith(".tsr"):
            ending = stat.key.removeprefix(entry.stem)
            files[f"{name}{ending}"] = store.read(stat.key)
            files[f"{name}{ending[:-1]}q"] = store.read(f"{stat.key[:-1]}q")
            found.append(f"{name}{ending}")
    return found


# --- checking -------------------------------------------------------------------------------------


def log_faults(store: ObjectStore) -> tuple[int, list[Fault]]:
    """How many entries there are, and what does not hold: chain, roots, and the events themselves."""
    previous, number = "", 0
    faults: list[Fault] = []
    for number, entry in enumerate(entries(store), 1):
        name = f"{entry.stem}.json"
        if (entry.head.get("number"), entry.head.get("previous")) != (number, previous):
            faults.append(Fault(name, "log_chain", "it does not follow the entry before it"))
        leaves = [bytes.fromhex(leaf) for _, leaf in entry.events]
        if merkle_root(leaves).hex() != entry.head.get("root"):
            faults.append(Fault(name, "log_root", "its events do not lead to its root"))
        for key, leaf in entry.events:
            stat = store.stat(key)
            if stat is None or leaf_hash(store.read(key)).hex() != leaf:
                faults.append(Fault(key, "log_event", "it is missing, or not as it was gathered"))
        previous = sha256_hex(canonical_bytes(entry.head))
    return number, faults
