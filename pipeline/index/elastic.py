"""The index in Elasticsearch 8, through its official client.

Each broadcast day has a versioned index behind the alias that searches use. A rebuild fills
a new index and moves the aliases in one step; a rebuild that is killed leaves the old index
serving, and what it left behind is removed by the day's next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, IndexUnavailable
from pipeline.index.answer import Answer, SearchRequest
from pipeline.index.documents import UNDATED, Document
from pipeline.index.elastic_bulk import Action, Send, write_all
from pipeline.index.elastic_errors import BUSY, translated
from pipeline.index.elastic_indices import Indices
from pipeline.index.elastic_schema import source_of
from pipeline.index.elastic_search import answer, days, held, places
from pipeline.ports import Held
from pipeline.settings import IndexSettings

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

_SHARD_WAIT = "10s"
"""How long one bulk request waits for a missing primary shard before it is refused."""


class ElasticIndex:
    """``EvidenceIndex`` in a cluster.

    Raises:
        ConfigError: no address, or the client refuses the settings.
    """

    def __init__(self, settings: IndexSettings) -> None:
        self._alias = settings.alias
        self._client = _client(settings)
        self._indices = Indices(self._client, settings)
        self._known = False

    def ensure(self) -> None:
        """Make the index if it is not there.

        Raises:
            MappingConflict: it was made by another schema version. IndexUnavailable.
        """
        if not self._known:
            with translated():
                self._indices.ensure()
            self._known = True

    def put(self, documents: Iterable[Document]) -> int:
        """Write documents, replacing those of the same id and day; how many.

        Raises:
            PartialWrite, IndexUnavailable, MappingConflict.
        """
        self.ensure()
        opened: set[str] = set()
        written = write_all(self._puts(documents, opened), self._send())
        self._refresh(opened)
        return written

    def drop(self, broadcast_id: str, *, keep: Collection[str] = (), day: str = "") -> int:
        """Remove a broadcast's documents but those to keep (of ``day``, where given); how many."""
        self.ensure()
        kept = frozenset(keep)
        with translated():
            found = list(places(self._client, self._alias, broadcast_id))
        gone = [p for p in found if not (p.doc_id in kept and day in ("", p.day))]
        actions = (Action("delete", self._indices.of_day(p.day), p.doc_id, None) for p in gone)
        write_all(actions, self._send())
        self._refresh({place.day for place in gone})
        return len(gone)

    def search(self, query: SearchRequest) -> Answer:
        """Answer a query.

        Raises:
            QueryError, IndexUnavailable, MappingConflict.
        """
        self.ensure()
        with translated():
            return answer(self._client, self._alias, query)

    def swap(
        self, partitions: Iterable[tuple[str, Iterable[Document]]], *, whole: bool = False
    ) -> int:
        """Make days anew in indices of their own, then move the aliases; how many documents."""
        if not whole:
            self.ensure()
        written, ready = 0, dict[str, str | None]()
        try:
            for day, documents in partitions:
                written += self._fill(day, documents, ready)
                if not whole:
                    self._serve(ready)
                    ready.clear()
            if whole:
                if ready.get(UNDATED) is None:
                    with translated():
                        ready[UNDATED] = self._indices.create_filling(UNDATED)[0]
                self._serve(ready, alone=True)
        except BaseException:
            self._abandon(ready)
            raise
        self._known = True
        return written

    def partitions(self) -> list[str]:
        """The days that have documents, in order."""
        self.ensure()
        with translated():
            return days(self._client, self._alias)

    def inventory(self, day: str) -> Iterator[Held]:
        """What a partition holds, by broadcast id."""
        self.ensure()
        with translated():
            found = list(held(self._client, self._indices.of_day(day)))
        yield from found

    def count(self) -> int:
        """Documents in the index, summaries included."""
        self.ensure()
        with translated():
            return int(self._client.count(index=self._alias)["count"])

    def remove(self) -> None:
        """Delete every index of this alias. The object store still has everything."""
        with translated():
            for own in self._indices.own():
                self._indices.delete(own.name)
        self._known = False

    def _fill(self, day: str, documents: Iterable[Document], ready: dict[str, str | None]) -> int:
        """A day's new index, entered in ``ready``; None there where it has no documents."""
        rest = iter(documents)
        first = next(rest, None)
        ready[day] = None
        if first is None and day != UNDATED:
            return 0
        with translated():
            ready[day], filling = self._indices.create_filling(day)
        given = rest if first is None else chain((first,), rest)
        actions = (Action("index", filling, d.doc_id, source_of(d)) for d in given)
        return write_all(actions, self._send())

    def _serve(self, ready: dict[str, str | None], *, alone: bool = False) -> None:
        with translated():
            self._indices.serve(ready, alone=alone)

    def _abandon(self, ready: dict[str, str | None]) -> None:
        """Tidy up after a failure; what cannot be removed now is removed by the day's next."""
        with suppress(IndexUnavailable), translated():
            for name in ready.values():
                if name is not None:
                    self._indices.abandon(name)

    def _puts(self, documents: Iterable[Document], opened: set[str]) -> Iterator[Action]:
        for document in documents:
            if document.day not in opened:
                with translated():
                    self._indices.open_day(document.day)
                opened.add(document.day)
            index = self._indices.of_day(document.day)
            yield Action("index", index, document.doc_id, source_of(document))

    def _send(self) -> Send:
        from elasticsearch import ApiError

        def send(lines: list[Any]) -> dict[str, Any] | str:
            with translated():
                try:
                    reply: dict[str, Any] = self._client.bulk(
                        operations=lines, require_alias=True, timeout=_SHARD_WAIT
                    ).body
                except ApiError as error:
                    if error.status_code in BUSY:
                        return error.error
                    raise
                return reply

        return send

    def _refresh(self, opened: Iterable[str]) -> None:
        with translated():
            for day in opened:
                self._client.indices.refresh(index=self._indices.of_day(day))


def _client(settings: IndexSettings) -> Elasticsearch:
    from elasticsearch import Elasticsearch

    if not settings.url:
        raise ConfigError(
            "index.url is empty", hint="set EVIDENCE_INDEX__URL, such as https://search:9200"
        )
    more: dict[str, Any] = {}
    if settings.api_key.get_secret_value():
        more["api_key"] = settings.api_key.get_secret_value()
    if settings.ca_file:
        more["ca_certs"] = settings.ca_file
    if settings.ca_file and not Path(settings.ca_file).is_file():
        raise ConfigError(
            f"index.ca_file {settings.ca_file}: no such file",
            hint="name a PEM file, or leave it empty",
        )
    try:
        return Elasticsearch(
            settings.url, request_timeout=settings.timeout_s, max_retries=2, **more
        )
    except (ValueError, OSError) as error:
        raise ConfigError(
            f"index settings: {error}", hint="see index.url, index.ca_file"
        ) from error
