"""What a run over many broadcasts would do, and what it would take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.bootstrap import Application
from pipeline.ingest.arrivals import Arrival, arrivals
from pipeline.ledger import Ledger, Sheet
from pipeline.runner import bucket_opener
from pipeline.standing import MBIT_S


class Rates(NamedTuple):
    """By what hours, machines and cost are told."""

    times_real: float = 4.9
    """Recorded hours one machine processes in an hour."""
    mbit_s: float = MBIT_S
    """Bit rate of the recordings, Mbit/s; hours are sizes over this rate."""
    within_h: float = 24
    """Hours the whole may take: gives the number of machines."""
    price_h: float = 0
    """Price of a machine hour."""


class Found(NamedTuple):
    """An arrival and what became of it so far."""

    arrival: Arrival
    sheet: Sheet

    def wanted(self, *, again: bool) -> bool:
        """Whether a run takes it up; ``again`` takes up what was set aside, too."""
        return self.sheet.standing in (("waiting", "quarantined") if again else ("waiting",))


def looked(app: Application, places: Sequence[str]) -> Iterator[Found]:
    """Every arrival in these places with its tries.

    Raises:
        InputError: no such folder. StoreUnavailable, AccessDenied.
    """
    ledger = Ledger(app.store)
    for place in places:
        for arrival in arrivals(place, s3=bucket_opener(app)):
            yield Found(arrival, ledger.sheet(arrival.digest))


def plan(
    found: Iterable[Found], rates: Rates, *, again: bool = False, limit: int = 0
) -> dict[str, Any]:
    """Every arrival with its standing, and hours, machines and cost of those that would be tried.

    Args:
        found: What lies in the places.
        rates: By what the hours are told.
        again: What was set aside would be tried as well.
        limit: At most so many would be tried; 0: all.
    """
    found = list(found)
    chosen = [one for one in found if one.wanted(again=again)][: limit or None]
    to_do = sum(one.arrival.media_bytes for one in chosen)
    standings = [one.sheet.standing for one in found]
    return {
        "places": [_row(one) for one in found],
        **{name: standings.count(name) for name in ("waiting", "done", "quarantined")},
        "to_try": len(chosen),
        "media_bytes": to_do,
        **effort(to_do * 8 / (rates.mbit_s * 1e6) / 3600, rates),
    }


def _row(one: Found) -> dict[str, Any]:
    tries = one.sheet.tries
    return {
        "place": one.arrival.place,
        "standing": one.sheet.standing,
        "media_bytes": one.arrival.media_bytes,
        "tries": len(tries),
        "message": tries[-1].message if tries else "",
    }


def effort(hours: float, rates: Rates) -> dict[str, Any]:
    """What so many recorded hours take: machine hours, machines within a time, wall time, cost."""
    machine_h = hours / rates.times_real
    machines = math.ceil(machine_h / rates.within_h)
    return {
        "recorded_hours": round(hours, 2),
        "machine_hours": round(machine_h, 2),
        "machines": machines,
        "wall_hours": round(machine_h / max(1, machines), 2),
        "cost": round(machine_h * rates.price_h, 2),
    }


def summary(planned: dict[str, Any], rates: Rates) -> str:
    """The plan in a sentence."""
    cost = f", {planned['cost']:g} in money" if planned["cost"] else ""
    return (
        f"{planned['to_try']} to do ({planned['recorded_hours']} h recorded, about "
        f"{planned['machine_hours']} machine hours{cost}: {planned['machine_hours']} h on one machine, "
        f"{planned['wall_hours']} h on the {planned['machines']} that {rates.within_h:g} h ask for), "
        f"{planned['waiting']} waiting, {planned['done']} done, {planned['quarantined']} quarantined"
    )
