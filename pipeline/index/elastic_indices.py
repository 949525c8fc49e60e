"""The indices behind the alias in Elasticsearch: one for each broadcast day, made, found, switched.

    <alias>                      all serving indices: searches go here
    <alias>-<day>                the serving index of a day: writes go here
    <alias>-<day>-<12 digits>    an index
    …-filling                    an index that a rebuild fills; it serves nobody yet

Every write goes through an alias, so that none can make an index by itself. The index of
undated broadcasts is always there and carries the alias where there is nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import IndexingError, IndexUnavailable, MappingConflict
from pipeline.index.documents import UNDATED
from pipeline.index.elastic_schema import SCHEMA_VERSION, mappings
from pipeline.settings import IndexSettings

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

_FILLING = "-filling"
_META = "*.mappings._meta"


class Own(NamedTuple):
    """An index of ours, serving or left behind."""

    name: str
    day: str
    schema: str


class Indices:
    """What is asked of the cluster about indices. The client's exceptions pass through."""

    def __init__(self, client: Elasticsearch, settings: IndexSettings) -> None:
        self._client = client
        self._settings = settings
        self.alias = settings.alias

    def of_day(self, day: str) -> str:
        """The alias that writes to a day's documents go through."""
        return f"{self.alias}-{day}"

    def ensure(self) -> None:
        """Make the undated index where there is none at all.

        Raises:
            MappingConflict: another schema version made what is there.
        """
        if not self._client.indices.exists_alias(name=self.alias):
            self._create_first(UNDATED)
        self.check()

    def open_day(self, day: str) -> None:
        """Make the index of a day where it is the day's first.

        Raises:
            IndexUnavailable: the whole index was removed.
        """
        if self._client.indices.exists_alias(name=self.of_day(day)):
            return
        if not self._client.indices.exists_alias(name=self.alias):
            raise IndexUnavailable("the index is gone", hint="run: evidence rebuild")
        self._create_first(day)

    def check(self) -> None:
        """Refuse indices of another schema version.

        Raises:
            MappingConflict
        """
        for own in self._found(self.alias):
            if own.schema != SCHEMA_VERSION:
                raise MappingConflict(
                    f"index {own.name} has schema {own.schema}, "
                    f"this program reads and writes {SCHEMA_VERSION}",
                    hint="the recordings and claims are untouched; run: evidence rebuild",
                )

    def own(self) -> list[Own]:
        """Every index made for this alias."""
        return self._found(f"{self.alias}-*")

    def create_filling(self, day: str) -> tuple[str, str]:
        """An index that nobody searches yet: its name, and the alias to write through."""
        name = f"{self.of_day(day)}-{uuid.uuid4().hex[:12]}"
        filling = f"{name}{_FILLING}"
        quick = {"number_of_replicas": 0, "refresh_interval": "-1"}
        reply = self._create(name, day, aliases={filling: {}}, settings=quick)
        if "error" in reply:
            raise _refused(day, reply)
        return name, filling

    def serve(self, ready: Mapping[str, str | None], *, alone: bool) -> None:
        """In one step: these indices serve their days, and what stood there is removed.

        A day without an index is dropped; with ``alone`` so is every other day.
        """
        new = {name: day for day, name in ready.items() if name}
        actions: list[dict[str, Any]] = []
        for name, day in new.items():
            self._finish(name)
            actions += [
                {"add": {"index": name, "alias": self.alias}},
                {"add": {"index": name, "alias": self.of_day(day), "is_write_index": True}},
                {"remove": {"index": name, "alias": f"{name}{_FILLING}"}},
            ]
        for own in self.own():
            if own.name not in new and (alone or own.day in ready):
                actions.append({"remove_index": {"index": own.name}})
        if not actions:
            return
        again = self._client.options(ignore_status=404)
        reply = again.indices.update_aliases(actions=actions).body
        if "error" in reply and not all(self._serves(name, day) for name, day in new.items()):
            raise IndexUnavailable(
                f"the partitions could not be switched: {reply['error']}",
                hint="the old ones serve; run it again",
            )

    def _serves(self, name: str, day: str) -> bool:
        """Whether an index serves: a lost answer to the switch is sent again and then refused."""
        return bool(self._client.indices.exists_alias(index=name, name=self.of_day(day)))

    def abandon(self, name: str) -> None:
        """Remove an index that was filled in vain, and none that came to serve after all."""
        if self._client.indices.exists_alias(index=name, name=f"{name}{_FILLING}"):
            self.delete(name)

    def delete(self, name: str) -> None:
        """Remove an index, if it is there."""
        self._client.indices.delete(index=name, ignore_unavailable=True)

    def _finish(self, name: str) -> None:
        settings = {"number_of_replicas": self._settings.replicas, "refresh_interval": "1s"}
        self._client.indices.put_settings(index=name, settings=settings)
        self._client.indices.refresh(index=name)

    def _create_first(self, day: str) -> None:
        """The first index of a day; another process may be about to make the same.

        Raises:
            IndexingError: the server refuses, and nobody else made it.
        """
        aliases: dict[str, dict[str, Any]] = {
            self.alias: {},
            self.of_day(day): {"is_write_index": True},
        }
        settings = {"number_of_replicas": self._settings.replicas, "refresh_interval": "1s"}
        reply = self._create(f"{self.of_day(day)}-000001", day, aliases=aliases, settings=settings)
        if "error" in reply and not self._client.indices.exists_alias(name=self.of_day(day)):
            raise _refused(day, reply)

    def _create(
        self,
        name: str,
        day: str,
        *,
        aliases: Mapping[str, Mapping[str, Any]],
        settings: Mapping[str, object],
    ) -> dict[str, Any]:
        """The server's reply, also where it refused."""
        body = mappings()
        body["_meta"] |= {"alias": self.alias, "day": day}
        shards = {"number_of_shards": self._settings.shards}
        reply: dict[str, Any] = (
            self._client.options(ignore_status=400)
            .indices.create(
                index=name, mappings=body, settings={**shards, **settings}, aliases=aliases
            )
            .body
        )
        return reply

    def _found(self, pattern: str) -> list[Own]:
        reply = self._client.indices.get_mapping(index=pattern, filter_path=_META)
        metas = {name: entry["mappings"]["_meta"] for name, entry in reply.body.items()}
        return [
            Own(name, meta.get("day", ""), meta.get("schema", "unknown"))
            for name, meta in sorted(metas.items())
            if meta.get("alias") == self.alias
        ]


def _refused(day: str, reply: Mapping[str, Any]) -> IndexingError:
    return IndexingError(
        f"the index of {day} cannot be made: {reply['error']}",
        hint="check index.alias, index.shards and the cluster's limit of shards",
    )
