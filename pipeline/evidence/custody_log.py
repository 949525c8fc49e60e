"""One append-only log over the custody of all broadcasts, time-stamped as a whole.

    custody-log/000001.json      {"head": {…, root, previous}, "events": [[key, leaf hash], …]}
    custody-log/000001-1.tsr     reply of the first authority over the head; its request: .tsq
    custody-log/000001-filed1    its proofs lie with their broadcasts, with so many tokens
    <prefix>/logged/000001.json  proofs that a broadcast's ingest is in the log, with heads and tokens

Each entry is a Merkle tree (RFC 6962) over the events that no earlier entry holds, and names the
SHA-256 of the head before it. So one token an hour shows of every recording taken in since then
that its hash and root existed, and nothing behind it can be taken out unseen.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pipeline.archive import Archive
from pipeline.errors import EvidenceError, UnknownFormat
from pipeline.evidence.custody import Event, Fault
from pipeline.evidence.disposal import disposed
from pipeline.evidence.stamps import Refusal, stamp_of
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes, inclusion_proof, leaf_hash, merkle_root, sha256_hex
from pipeline.settings import SealSettings

PREFIX = "custody-log/"
_ENTRY = re.compile(r"custody-log/\d{6}\.json")
_TRIES = 20
_INGESTED = "-ingested.json"


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


def gather(
    archive: Archive,
    settings: SealSettings,
    *,
    writer: str,
    now_utc_ms: int,
    retain_until: datetime | None = None,
) -> Gathered:
    """Add the events that are not in the log yet, and ask for the tokens that are missing.

    Raises:
        SourceError: the store cannot be read or written. EvidenceError: others keep writing.
    """
    added = _append(archive, writer, now_utc_ms, retain_until)
    stamped: list[str] = []
    refused: list[Refusal] = []
    log = list(entries(archive.store))
    held = {stat.key for stat in archive.store.list(PREFIX)}
    for entry in log:
        for number, authority in enumerate(settings.authorities[:9], 1):
            place = f"{entry.stem}-{number}"
            if f"{place}.tsr" in held:
                continue
            one = stamp_of(
                canonical_bytes(entry.head), authority, timeout_s=settings.authority_timeout_s
            )
            if isinstance(one, Refusal):
                refused.append(one)
            elif archive.store.put_if_absent(f"{place}.tsq", one.query, retain_until=retain_until):
                archive.store.put_if_absent(f"{place}.tsr", one.reply, retain_until=retain_until)
                held.add(f"{place}.tsr")
                stamped.append(authority.name)
        _file(archive.store, entry, held, retain_until)
    return Gathered(len(log), added, tuple(stamped), tuple(refused))


def _append(archive: Archive, writer: str, now_utc_ms: int, retain_until: datetime | None) -> int:
    store = archive.store
    for _ in range(_TRIES):
        log = list(entries(store))
        known = {key for entry in log for key, _ in entry.events}
        gone = {one.prefix for one in disposed(store)}
        prefixes = sorted({*archive.broadcasts(), *gone})
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
        key = f"{PREFIX}{len(log) + 1:06d}.json"
        if store.put_if_absent(key, body, retain_until=retain_until):
            return len(rows)
    raise EvidenceError("the custody log is being written by others", hint="try again")


# --- to the broadcasts, and from there into bundles -----------------------------------------------


def _file(store: ObjectStore, entry: Entry, held: set[str], retain_until: datetime | None) -> None:
    """Put an entry's proofs beside the broadcasts they are about, once for each new token."""
    tokens = sum(key.startswith(f"{entry.stem}-") and key.endswith(".tsr") for key in held)
    marker = f"{entry.stem}-filed{tokens}"
    if marker in held:
        return
    files: dict[str, bytes] = {}
    for prefix, rows in _proofs(store, entry, files).items():
        number, known, kept = _filed(store, prefix)
        named = {row["event"] for row in rows}
        rows = [*(row for row in known if row["event"] not in named), *rows]
        told = {n: base64.b64encode(data).decode("ascii") for n, data in (kept | files).items()}
        body = canonical_bytes({"schema_version": 1, "rows": rows, "files": told})
        key = f"{prefix}/logged/{number + 1:06d}.json"
        store.put_if_absent(key, body, retain_until=retain_until)
    store.put_if_absent(marker, b"", retain_until=retain_until)


def _proofs(
    store: ObjectStore, entry: Entry, files: dict[str, bytes]
) -> dict[str, list[dict[str, Any]]]:
    """By broadcast, proofs that its ``ingested`` events are in the entry; what they name."""
    leaves = [bytes.fromhex(leaf) for _, leaf in entry.events]
    name = f"custody/log-{entry.head['number']:06d}"
    tokens: list[str] | None = None
    found: dict[str, list[dict[str, Any]]] = {}
    for index, (key, _) in enumerate(entry.events):
        prefix, _, event = key.partition("/custody/")
        if not event.endswith(_INGESTED):
            continue
        if tokens is None:
            files[f"{name}.json"] = canonical_bytes(entry.head)
            tokens = _tokens(store, entry, name, files)
        path = [side.hex() for side in inclusion_proof(leaves, index)]
        row = {"event": event.removesuffix(".json"), "head": f"{name}.json", "index": index}
        found.setdefault(prefix, []).append(row | {"path": path, "tokens": tokens})
    return found


def _filed(store: ObjectStore, prefix: str) -> tuple[int, list[dict[str, Any]], dict[str, bytes]]:
    """What was filed with a broadcast last: its number, rows and files."""
    keys = [stat.key for stat in store.list(f"{prefix}/logged/")]
    if not keys:
        return 0, [], {}
    try:
        body = json.loads(store.read(max(keys)))
        files = {name: base64.b64decode(data) for name, data in body["files"].items()}
        return int(max(keys)[-11:-5]), body["rows"], files
    except (ValueError, KeyError, TypeError) as error:
        raise UnknownFormat(f"{max(keys)}: holds no proofs of the custody log") from error


def rows_of(
    store: ObjectStore, prefix: str, events: Sequence[Event]
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Proofs that a broadcast's ``ingested`` events are in the log, and the files they name.

    Raises:
        UnknownFormat: what was filed with the broadcast cannot be read.
    """
    names = {event.name for event in events}
    _, filed, files = _filed(store, prefix)
    rows = [row for row in filed if row["event"] in names]
    wanted = {row["head"] for row in rows} | {token for row in rows for token in row["tokens"]}
    wanted |= {f"{token[:-1]}q" for row in rows for token in row["tokens"]}
    return rows, {name: data for name, data in files.items() if name in wanted}


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
