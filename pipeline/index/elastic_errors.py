"""Elasticsearch's refusals as the pipeline's own errors, each with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import ConfigError, IndexingError, IndexUnavailable, MappingConflict

DISK = "free disk on the cluster (a full one makes indices read-only), then try again"
RED = "bring the missing nodes back (GET _cluster/health says which shards), then try again"
BUSY = frozenset({408, 429, 502, 503, 504})
_UNASSIGNED = (
    "search_phase_execution_exception",
    "no_shard_available_action_exception",
    "unavailable_shards_exception",
)


def advice(kind: str) -> str:
    """What to do about a refusal that may go away."""
    if "cluster_block" in kind:
        return DISK
    if any(name in kind for name in _UNASSIGNED):
        return RED
    return "nothing is lost; try again later, or give the cluster more room"


@contextmanager
def translated() -> Iterator[None]:
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
        raise IndexUnavailable(
            f"the search cluster's reply cannot be read: {error.message}",
            hint="a gateway before it may have answered: check that the cluster runs, try again",
        ) from error
    except TransportError as error:
        raise IndexUnavailable(
            f"the search cluster did not answer: {error.message}",
            hint="check index.url and that the cluster runs; orders and clips work without it",
        ) from error
    except ApiError as error:
        raise refusal(error.status_code, error.error, str(error.body)[:500]) from error


def refusal(status: int, kind: str, body: str) -> IndexingError:
    """The class for a refusal of the server."""
    if status == 401 or (status == 403 and "security" in body):
        return IndexingError(
            "the search cluster refused the credentials", hint="check index.api_key"
        )
    if "cluster_block" in kind or "cluster_block" in body:
        return IndexUnavailable(f"the search cluster is blocked: {body}", hint=DISK)
    if status == 404:
        return IndexUnavailable(f"no such index: {kind}", hint="run: evidence rebuild")
    if status in BUSY and kind in _UNASSIGNED:
        return IndexUnavailable(f"part of the index cannot be read: {kind}", hint=RED)
    if status in BUSY:
        return IndexUnavailable(f"the search cluster is busy: {kind}", hint="try again in a moment")
    if "mapping" in kind or "mapping" in body[:200]:
        return MappingConflict(f"{kind}: {body}", hint="run: evidence rebuild")
    return IndexingError(f"the search cluster answered {status}: {kind}: {body}")
