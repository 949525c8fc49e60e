"""A broadcast's objects in the store: where they lie, which are current.

    <h4>/<platform>/<merchant>/<broadcast>/
        media/<recording>/…        the recordings, untouched
        given/<sha256>             a supplied transcript, untouched
        rev/000001.json            what was given: description, recordings, clock map
        packs/<sha256>.pack        outputs
        work/<stage>-<key>.json    from a work key to the output it gave
        release/000001.json        which outputs together are the state
        custody/…                  who did what, when
    catalogue/<day>/…              one small entry per broadcast and release

Every object is immutable. Numbers are taken by conditional put, so two writers cannot
take the same; the highest release is current; older ones stay readable for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, unquote

from pydantic import ValidationError

from pipeline.errors import HashMismatch, InputError, NotFound, UnknownFormat
from pipeline.model import (
    CatalogueEntry,
    Frozen,
    Output,
    Producer,
    Release,
    Revision,
)
from pipeline.ports import ObjectStat, ObjectStore
from pipeline.provenance import canonical_bytes, content_id, sha256_file, sha256_hex, shard
from pipeline.timeline import from_utc_ms

_LONGEST_PART = 120
"""Longer encoded ids become their hash; file systems end at 255 bytes a name."""

Model = TypeVar("Model", bound=Frozen)


def encoded(part: str) -> str:
    """One id as a key part: percent-encoded, never empty, never beginning with a dot."""
    safe = quote(part, safe="").replace(".", "%2E").replace("~", "%7E") or "-"
    return safe if len(safe) <= _LONGEST_PART else "~" + sha256_hex(part.encode())[:40]


def prefix_of(broadcast_id: str, *, platform: str, merchant_id: str) -> str:
    """Where a broadcast's objects lie, without a trailing slash."""
    parts = (encoded(platform), encoded(merchant_id), encoded(broadcast_id))
    return "/".join((shard(broadcast_id), *parts))


class Listed(NamedTuple):
    """What the catalogue's listing alone tells of a broadcast."""

    broadcast_id: str
    prefix: str
    day: str
    release: int


class State(NamedTuple):
    """A broadcast as it stands: its current release and the revision that was made from."""

    prefix: str
    revision: Revision
    release: Release

    def output(self, stage: str) -> Output | None:
        """The current output of a stage; None when it did not run."""
        return next((o for o in self.release.outputs if o.stage == stage), None)


class Archive:
    """Reads and writes broadcasts in a store."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    # --- finding --------------------------------------------------------------------------

    def prefixes(self, broadcast_id: str) -> list[str]:
        """Every prefix under which this id has a revision (one, unless tenants share an id)."""
        wanted = f"/{encoded(broadcast_id)}/rev/"
        keys = (s.key for s in self.store.list(shard(broadcast_id) + "/") if wanted in s.key)
        return sorted({key.partition("/rev/")[0] for key in keys})

    def prefix(self, broadcast_id: str) -> str:
        """The one prefix of a broadcast.

        Raises:
            NotFound: no such broadcast. InputError: two merchants have one of this id.
        """
        found = self.prefixes(broadcast_id)
        if not found:
            raise NotFound(
                f"no broadcast {broadcast_id!r} in this workspace",
                hint="`evidence status` lists what is here",
            )
        if len(found) > 1:
            raise InputError(
                f"broadcast id {broadcast_id!r} is used by {len(found)} merchants here",
                hint="keep merchants with equal ids in workspaces of their own",
            )
        return found[0]

    def state(self, broadcast_id: str) -> State:
        """The current state.

        Raises:
            NotFound: unknown, or nothing has been finished for it yet.
        """
        return self.state_at(self.prefix(broadcast_id))

    def state_at(self, prefix: str) -> State:
        """The current state of the broadcast under a prefix.

        Raises:
            NotFound: nothing has been finished for it yet.
        """
        release = self.release(prefix)
        if release is None:
            raise NotFound(
                f"broadcast {broadcast_id_of(prefix)!r} was taken in but not finished",
                hint="run `evidence process` on it again; it continues where it stopped",
            )
        return State(prefix, self._numbered(prefix, "rev", release.revision, Revision), release)

    def state_of(self, prefix: str, release: int) -> State:
        """The state that a release was, whether it is current or not.

        Raises:
            NotFound: there never was one of this number.
        """
        key = f"{prefix}/release/{release:06d}.json"
        if release < 1 or self.store.stat(key) is None:
            raise NotFound(
                f"broadcast {broadcast_id_of(prefix)!r} has no release {release}",
                hint="`evidence show` says which is current; older ones stay",
            )
        found = self._load(key, Release)
        return State(prefix, self._numbered(prefix, "rev", found.revision, Revision), found)

    def broadcasts(self) -> Iterator[str]:
        """The prefix of every broadcast, by the catalogue (one listing, no bucket walk)."""
        seen = set()
        for entry in self.catalogue():
            if entry.prefix not in seen:
                seen.add(entry.prefix)
                yield entry.prefix

    def revisions(self, prefix: str) -> Iterator[Revision]:
        """Every revision of a broadcast, oldest first."""
        for stat in self.store.list(f"{prefix}/rev/"):
            yield self._load(stat.key, Revision)

    # --- revisions and releases -----------------------------------------------------------

    def revision(self, prefix: str) -> Revision | None:
        """The newest revision; None when there is none."""
        return self._newest(prefix, "rev", Revision)

    def release(self, prefix: str) -> Release | None:
        """The current release; None when nothing was finished."""
        return self._newest(prefix, "release", Release)

    def put_revision(
        self, prefix: str, revision: Revision, *, retain_until: datetime | None
    ) -> Revision:
        """Write under the next free number; the newest one where it says the same already."""
        return self._append(prefix, "rev", revision, "input_id", retain_until)

    def put_release(
        self, prefix: str, release: Release, *, retain_until: datetime | None
    ) -> Release:
        """Write under the next free number; the newest one where it says the same already."""
        return self._append(prefix, "release", release, "outputs", retain_until)

    def _append(
        self, prefix: str, room: str, record: Model, same: str, retain_until: datetime | None
    ) -> Model:
        while True:
            newest = self._newest(prefix, room, type(record))
            if newest is not None and _same(newest, record, same):
                return newest
            number = 1 if newest is None else getattr(newest, "number") + 1  # noqa: B009
            record = record.model_copy(update={"number": number})
            key = f"{prefix}/{room}/{number:06d}.json"
            if self.store.put_if_absent(key, _body(record), retain_until=retain_until):
                return record

    def _newest(self, prefix: str, room: str, kind: type[Model]) -> Model | None:
        keys = [s.key for s in self.store.list(f"{prefix}/{room}/")]
        return self._load(max(keys), kind) if keys else None

    def _numbered(self, prefix: str, room: str, number: int, kind: type[Model]) -> Model:
        return self._load(f"{prefix}/{room}/{number:06d}.json", kind)

    def _load(self, key: str, kind: type[Model]) -> Model:
        return parsed(self.store.read(key), kind, name=key)

    # --- outputs --------------------------------------------------------------------------

    def output(self, prefix: str, stage: str, work_key: str) -> Output | None:
        """What a work key gave; None when that work was never finished."""
        key = f"{prefix}/work/{stage}-{work_key}.json"
        return self._load(key, Output) if self.store.stat(key) else None

    def put_output(
        self,
        prefix: str,
        *,
        work_key: str,
        producer: Producer,
        pack: bytes | Path,
        records: int,
        retain_until: datetime | None,
    ) -> Output:
        """Keep a pack and point its work key to it.

        Where another writer finished the same work first, its output is the answer; bytes
        that differ from it are kept beside it under ``…diverged-<content>``.
        """
        content = sha256_file(pack) if isinstance(pack, Path) else sha256_hex(pack)
        output = Output(
            stage=producer.stage,
            work_key=work_key,
            content=content,
            key=f"{prefix}/packs/{content}.pack",
            size_bytes=pack.stat().st_size if isinstance(pack, Path) else len(pack),
            records=records,
            producer=producer,
        )
        self.store.put(output.key, pack, retain_until=retain_until)
        pointer = f"{prefix}/work/{producer.stage}-{work_key}.json"
        if self.store.put_if_absent(pointer, _body(output), retain_until=retain_until):
            return output
        first = self._load(pointer, Output)
        if first.content != content:
            beside = f"{pointer.removesuffix('.json')}.diverged-{content[:16]}.json"
            self.store.put_if_absent(beside, _body(output), retain_until=retain_until)
        return first

    def pack(self, output: Output) -> bytes:
        """An output's bytes, checked against their name.

        Raises:
            HashMismatch: the stored bytes are not the ones recorded.
        """
        data = self.store.read(output.key)
        if sha256_hex(data) != output.content:
            raise HashMismatch(
                f"{output.key}: stored bytes do not have the recorded hash",
                hint="restore the object from a copy, or process the broadcast again",
            )
        return data

    def work_of(self, h4: str, work_key_start: str, *, stage: str) -> Output | None:
        """The output of a stage by the beginning of its work key, from the shard alone."""
        wanted = f"/work/{stage}-{work_key_start}"
        for stat in self.store.list(f"{h4}/"):
            if wanted in stat.key and ".diverged-" not in stat.key:
                return self._pointed(stat.key, work_key_start, stage)
        return None

    def _pointed(self, pointer: str, work_key_start: str, stage: str) -> Output:
        """What a pointer says; the release, which is read anyway, mostly says it as well."""
        release = self.release(pointer.partition("/work/")[0])
        for output in release.outputs if release else ():
            if output.stage == stage and output.work_key.startswith(work_key_start):
                return output
        return self._load(pointer, Output)

    # --- custody and catalogue ------------------------------------------------------------

    def put_event(
        self, prefix: str, name: str, body: dict[str, Any], *, retain_until: datetime | None
    ) -> None:
        """Keep one custody event; a second writing of the same event is a no-op."""
        key = _event_key(prefix, name)
        self.store.put_if_absent(key, canonical_bytes(body), retain_until=retain_until)

    def has_event(self, prefix: str, name: str) -> bool:
        """Whether this event was kept."""
        return self.store.stat(_event_key(prefix, name)) is not None

    def put_catalogue(self, state: State, counts: dict[str, int]) -> CatalogueEntry:
        """Enter the current release in the catalogue of its broadcast day."""
        entry = CatalogueEntry(
            broadcast_id=state.revision.broadcast.broadcast_id,
            prefix=state.prefix,
            day=broadcast_day(state.revision),
            release=state.release.number,
            digest=content_id(state.release.model_dump(mode="json")),
            counts=counts,
        )
        name = catalogue_name(state.prefix, entry.release)
        self.store.put_if_absent(f"catalogue/{entry.day}/{name}.json", _body(entry))
        return entry

    def days(self, day: str = "") -> Iterator[tuple[str, list[Listed]]]:
        """Each day's broadcasts with their newest release there; one day in memory at a time.

        An amended broadcast that moved to another day is still listed on its former one: its
        state says where it belongs.
        """
        stats = self.store.list(f"catalogue/{day}/" if day else "catalogue/")
        for of_day, group in groupby(stats, key=lambda stat: stat.key.split("/")[1]):
            newest = {stat.key.rpartition("~r")[0]: stat.key for stat in group}
            yield of_day, [self._listed(of_day, key) for key in newest.values()]

    def _listed(self, day: str, key: str) -> Listed:
        stem, _, number = key.rpartition("/")[2].removesuffix(".json").rpartition("~r")
        parts = stem.split("~")
        if len(parts) == 4 and all(parts):
            prefix = "/".join(parts)
            return Listed(broadcast_id_of(prefix), prefix, day, int(number))
        entry = self._load(key, CatalogueEntry)  # an id was too long to stand in the key
        return Listed(entry.broadcast_id, entry.prefix, day, entry.release)

    def catalogue(self, day: str = "") -> Iterator[CatalogueEntry]:
        """The newest entry of each broadcast, by day; all days when ``day`` is empty."""
        newest: dict[str, ObjectStat] = {}
        for stat in self.store.list(f"catalogue/{day}/" if day else "catalogue/"):
            newest[stat.key.rpartition("~r")[0]] = stat
        for stat in newest.values():
            yield self._load(stat.key, CatalogueEntry)


def _event_key(prefix: str, name: str) -> str:
    return f"{prefix}/custody/{name}.json"


def catalogue_name(prefix: str, release: int) -> str:
    """The file name of a broadcast's catalogue entry, without its ending."""
    name = f"{'~'.join(prefix.split('/'))}~r{release:06d}"
    return name if len(name) < 240 else f"{sha256_hex(name.encode())}~r{release:06d}"


def broadcast_day(revision: Revision) -> str:
    """The day the broadcast began, in its own offset; ``undated`` without a wall clock."""
    start = revision.broadcast.start_utc_ms
    if start is None:
        return "undated"
    zone = revision.broadcast.zone_minutes
    return from_utc_ms(start, offset_minutes=zone).date().isoformat()


def broadcast_id_of(prefix: str) -> str:
    """The id a prefix was made from; for a hashed (long) id the key part itself."""
    return unquote(prefix.rpartition("/")[2])


def parsed(data: bytes, kind: type[Model], *, name: str) -> Model:
    """A stored JSON record.

    Raises:
        UnknownFormat: not JSON, or not this kind and version.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UnknownFormat(
            f"{name}: is not a {kind.__name__} this program reads "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']})",
            hint="it was written by a newer version, or damaged",
        ) from error


def _body(record: Frozen) -> bytes:
    return canonical_bytes(json.loads(record.model_dump_json()))


def _same(a: Frozen, b: Frozen, field: str) -> bool:
    fields = {field, "revision"} if field == "outputs" else {field}
    return a.model_dump(include=fields) == b.model_dump(include=fields)
