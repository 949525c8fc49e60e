"""The index in Elasticsearch 8, through its official client; the only module that imports it.

A versioned index stands behind an alias. A rebuild fills a new index and moves the alias
in one step; a rebuild that is killed leaves the old index serving, and what it left behind
is removed by the next.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import (
    ConfigError,
    IndexingError,
    IndexUnavailable,
    MappingConflict,
)
from pipeline.index.answer import Answer, SearchRequest
from pipeline.index.documents import Document
from pipeline.index.elastic_bulk import Action, write_all
from pipeline.index.elastic_schema import SCHEMA_VERSION, mappings, source_of
from pipeline.index.elastic_search import answer
from pipeline.settings import IndexSettings

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

_PAGE = 1000
_FILLING = "-filling"


class ElasticIndex:
    """``EvidenceIndex`` in a cluster.

    Raises:
        ConfigError: no address, or the client refuses the settings.
    """

    def __init__(self, settings: IndexSettings) -> None:
        self._settings = settings
        self._alias = settings.alias
        self._client = _client(settings)
        self._known = False

    def ensure(self) -> None:
        """Make the index if it is not there.

        Raises:
            MappingConflict: it was made by another schema version. IndexUnavailable.
        """
        if self._known:
            return
        with _translated():
            if not self._client.indices.exists_alias(name=self._alias):
                self._create(f"{self._alias}-000001", alias=self._alias)
            self._check()
        self._known = True

    def put(self, documents: Iterable[Document]) -> int:
        """Write documents, replacing those of the same id; how many.

        Raises:
            PartialWrite, IndexUnavailable, MappingConflict.
        """
        self.ensure()
        written = write_all(_puts(documents), self._send(self._alias))
        self._refresh(self._alias)
        return written

    def drop(self, broadcast_id: str, *, keep: Collection[str] = ()) -> int:
        """Remove a broadcast's documents but those of the ids to ``keep``; how many."""
        self.ensure()
        kept = frozenset(keep)
        ids = [doc_id for doc_id in self._ids(broadcast_id) if doc_id not in kept]
        write_all((("delete", doc_id, None) for doc_id in ids), self._send(self._alias))
        self._refresh(self._alias)
        return len(ids)

    def search(self, query: SearchRequest) -> Answer:
        """Answer a query.

        Raises:
            QueryError, IndexUnavailable, MappingConflict.
        """
        self.ensure()
        with _translated():
            return answer(self._client, self._alias, query)

    def swap(self, documents: Iterable[Document]) -> int:
        """Build a new index from all documents and move the alias to it; how many.

        What other processes write to the old index meanwhile is not in the new one: a
        rebuild ends by indexing again what was processed since it began.
        """
        name = f"{self._alias}-{uuid.uuid4().hex[:12]}"
        with _translated():
            self._create(name, alias=f"{name}{_FILLING}")
        try:
            written = write_all(_puts(documents), self._send(f"{name}{_FILLING}"))
            with _translated():
                self._serve(name)
        except BaseException:
            with _translated():
                self._client.indices.delete(index=name, ignore_unavailable=True)
            raise
        self._known = True
        return written

    def count(self) -> int:
        """Documents in the index, summaries included."""
        self.ensure()
        with _translated():
            return int(self._client.count(index=self._alias)["count"])

    def remove(self) -> None:
        """Delete every index of this alias. The object store still has everything."""
        with _translated():
            for name in self._own():
                self._client.indices.delete(index=name, ignore_unavailable=True)
        self._known = False

    def _create(self, name: str, *, alias: str) -> None:
        """An empty index; all writes go through an alias, so that none can make an index."""
        from elasticsearch import BadRequestError

        serving = alias == self._alias
        body = mappings()
        body["_meta"]["alias"] = self._alias
        settings = {
            "number_of_shards": self._settings.shards,
            "number_of_replicas": self._settings.replicas if serving else 0,
            "refresh_interval": "1s" if serving else "-1",
        }
        try:
            self._client.indices.create(
                index=name,
                mappings=body,
                settings=settings,
                aliases={alias: {"is_write_index": True}},
            )
        except BadRequestError as error:  # another process was first
            if error.error != "resource_already_exists_exception" or not serving:
                raise

    def _serve(self, name: str) -> None:
        """Move the alias to a filled index and remove what stood behind it."""
        self._client.indices.put_settings(
            index=name,
            settings={
                "number_of_replicas": self._settings.replicas,
                "refresh_interval": "1s",
            },
        )
        self._client.indices.refresh(index=name)
        old = [other for other in self._own() if other != name]
        add = {"add": {"index": name, "alias": self._alias, "is_write_index": True}}
        filled = {"remove": {"index": name, "alias": f"{name}{_FILLING}"}}
        gone = [{"remove_index": {"index": other}} for other in old]
        self._client.indices.update_aliases(actions=[add, filled, *gone])

    def _own(self) -> list[str]:
        """The indices made for this alias, serving or left behind."""
        found = self._client.indices.get_mapping(index=f"{self._alias}-*")
        return [
            name
            for name, entry in found.items()
            if entry["mappings"].get("_meta", {}).get("alias") == self._alias
        ]

    def _check(self) -> None:
        found = self._client.indices.get_mapping(index=self._alias)
        for name, entry in found.items():
            schema = entry["mappings"].get("_meta", {}).get("schema", "unknown")
            if schema != SCHEMA_VERSION:
                raise MappingConflict(
                    f"index {name} has schema {schema}, this program writes {SCHEMA_VERSION}",
                    hint="run: evidence rebuild",
                )

    def _ids(self, broadcast_id: str) -> Iterator[str]:
        after: list[Any] | None = None
        while True:
            with _translated():
                page = self._client.search(
                    index=self._alias,
                    query={"term": {"broadcast_id": broadcast_id}},
                    sort=[{"doc_id": "asc"}],
                    size=_PAGE,
                    source=False,
                    search_after=after,
                )["hits"]["hits"]
            yield from (hit["sort"][0] for hit in page)
            if len(page) < _PAGE:
                return
            after = page[-1]["sort"]

    def _send(self, index: str) -> Any:
        from elasticsearch import ApiError

        def send(lines: list[Any]) -> dict[str, Any] | None:
            with _translated():
                try:
                    reply: dict[str, Any] = self._client.bulk(
                        index=index, operations=lines, require_alias=True
                    ).body
                except ApiError as error:
                    if error.status_code in (429, 503):
                        return None
                    raise
                return reply

        return send

    def _refresh(self, index: str) -> None:
        with _translated():
            self._client.indices.refresh(index=index)


def _puts(documents: Iterable[Document]) -> Iterator[Action]:
    for document in documents:
        yield "index", document.doc_id, source_of(document)


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


@contextmanager
def _translated() -> Iterator[None]:
    """The client's exceptions as the pipeline's own."""
    from elasticsearch import ApiError, SerializationError, SSLError, TransportError

    try:
        yield
    except SSLError as error:
        raise ConfigError(
            f"the search cluster's certificate was not accepted: {error.message}",
            hint="set index.ca_file to the authority's PEM file",
        ) from error
    except SerializationError as error:
        raise IndexingError(
            f"the search cluster's reply cannot be read: {error.message}"
        ) from error
    except TransportError as error:
        raise IndexUnavailable(
            f"the search cluster did not answer: {error.message}",
            hint="check index.url and that the cluster runs; orders and clips work without it",
        ) from error
    except ApiError as error:
        raise _api_error(error.status_code, error.error, str(error.body)[:500]) from error


def _api_error(status: int, kind: str, body: str) -> IndexingError:
    """The class for a refusal of the server."""
    if status == 401 or (status == 403 and "security" in body):
        return IndexingError(
            "the search cluster refused the credentials", hint="check index.api_key"
        )
    if "cluster_block_exception" in kind or "cluster_block" in body:
        return IndexUnavailable(
            f"the search cluster is blocked: {body}",
            hint="free disk on the cluster, then try again",
        )
    if status == 404:
        return IndexUnavailable(f"no such index: {kind}", hint="run: evidence rebuild")
    if status in (408, 429, 502, 503, 504):
        return IndexUnavailable(f"the search cluster is busy: {kind}", hint="try again in a moment")
    if "mapping" in kind or "mapping" in body[:200]:
        return MappingConflict(f"{kind}: {body}", hint="run: evidence rebuild")
    return IndexingError(f"the search cluster answered {status}: {kind}: {body}")
