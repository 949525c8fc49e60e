"""The state of the work as Prometheus text: for a scraper of files, or a cron job that pushes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest

from pipeline.bootstrap import Application
from pipeline.budget import budget_of
from pipeline.divergence import divergences
from pipeline.ledger import Ledger
from pipeline.serve.metrics import Waits
from pipeline.serve.system import memory
from pipeline.standing import Item, standings


def metrics(app: Application, places: Sequence[str] = ()) -> str:
    """Gauges of what waits, runs, failed and is done; totals grow, so that rates can be taken."""
    items, registry = standings(app, places), CollectorRegistry()
    _count(items, registry)
    counts = [entry.counts for entry in app.archive.catalogue()]
    done = Gauge("evidence_broadcasts_done", "Broadcasts with a release.", registry=registry)
    done.set(len(counts))
    hours = Gauge(
        "evidence_recorded_hours_done",
        "Hours of broadcasts with a release; its rate is hours processed per hour.",
        registry=registry,
    )
    hours.set(sum(one.get("duration_ms", 0) for one in counts) / 3_600_000)
    failures = Gauge(
        "evidence_failures", "Tries that failed, by error code.", ("code",), registry=registry
    )
    codes = Counter(
        one.error for sheet in Ledger(app.store).sheets() for one in sheet.tries if one.error
    )
    for code, count in codes.items():
        failures.labels(code).set(count)
    _kept_apart(app, registry)
    registry.register(Waits(app.scratch))
    _disk(app, registry)
    return generate_latest(registry).decode()


def _disk(app: Application, registry: CollectorRegistry) -> None:
    """How this worker's scratch folder stands against its budget."""
    taken = budget_of(app.scratch, app.settings).taken()
    for name, words, value in (
        ("used", "In this worker's scratch folder.", taken.used_bytes),
        ("promised", "Let in by its budget, perhaps not written yet.", taken.promised_bytes),
        ("budget", "At most so much is used; 0: no bound.", taken.budget_bytes),
        ("free", "Free on its disk.", taken.free_bytes),
    ):
        gauge = Gauge(f"evidence_scratch_{name}_bytes", words, registry=registry)
        gauge.set(value)


def _kept_apart(app: Application, registry: CollectorRegistry) -> None:
    """Outputs that differ under one work key, and the memory this worker may use and stages need."""
    found = Gauge(
        "evidence_divergences", "Work that gave other bytes the second time.", registry=registry
    )
    found.set(sum(1 for _ in divergences(app.store)))
    bounds = memory(app)
    budget = Gauge(
        "evidence_memory_budget_bytes", "Of this worker; 0: no bound.", registry=registry
    )
    budget.set(bounds.pop("budget_bytes"))
    needs = Gauge(
        "evidence_memory_need_bytes", "Least that a stage needs.", ("stage",), registry=registry
    )
    for name, need in bounds.items():
        needs.labels(name.removesuffix("_bytes")).set(need)


def _count(items: list[Item], registry: CollectorRegistry) -> None:
    """How many of each standing, the oldest of each, hours that wait, and how far live lies back."""
    number = Gauge("evidence_work", "Not yet done, by standing.", ("standing",), registry=registry)
    oldest = Gauge(
        "evidence_work_oldest_seconds",
        "Longest since anything was known of one, by standing.",
        ("standing",),
        registry=registry,
    )
    for standing in ("waiting", "parked", "quarantined", "running", "unfinished", "on_air"):
        of_it = [item for item in items if item.standing == standing]
        number.labels(standing).set(len(of_it))
        oldest.labels(standing).set(max((item.age_s or 0 for item in of_it), default=0))
    backlog = Gauge(
        "evidence_backlog_hours", "Recorded hours that wait, by size.", registry=registry
    )
    backlog.set(sum(item.hours for item in items if item.standing in ("waiting", "parked")))
    lag = Gauge(
        "evidence_live_seal_age_seconds",
        "On air: seconds since the last part was sealed.",
        ("broadcast",),
        registry=registry,
    )
    for item in items:
        if item.standing == "on_air":
            lag.labels(item.name).set(item.age_s or 0)
