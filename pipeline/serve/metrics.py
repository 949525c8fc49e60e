"""What the desk does, counted: Prometheus text at ``/metrics``, for the role that operates it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.patience import SERVICES, waits

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Waits(Collector):
    """Who waits on this machine for a store, an index or room, looked up at each scrape."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """How many, and the longest, for each service."""
        found = waits(self._scratch)
        number = GaugeMetricFamily("evidence_waits", "Waiting.", labels=["service"])
        longest = GaugeMetricFamily("evidence_waits_oldest_seconds", "Longest.", labels=["service"])
        for service in SERVICES:
            ages = [one.age_s for one in found if one.service == service.name]
            number.add_metric([service.name], len(ages))
            longest.add_metric([service.name], max(ages, default=0))
        yield from (number, longest)


class Meters:
    """One process's counters; the routes are templates, so that no id becomes a label."""

    def __init__(self, scratch: Path) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(Waits(scratch))
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Counter(
            "evidence_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "evidence_request_seconds",
            "From a request to the beginning of its answer.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.refused_keys = Counter(
            "evidence_refused_keys", "Wrong keys at the login page.", registry=self.registry
        )

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self.registry)


class Measured:
    """ASGI middleware around everything: counts and times each request."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], time.perf_counter() - began_s)
            await send(message)

        await self._app(scope, receive, sent)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "") or "other"
        self._meters.requests.labels(route, _method(scope["method"]), str(status)).inc()
        self._meters.seconds.labels(route).observe(seconds)


def _method(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "OPTIONS") else "other"
