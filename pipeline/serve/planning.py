"""What a run over many broadcasts would do, and what it would take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pipeline.bootstrap import Application
from pipeline.ingest.arrivals import arrivals
from pipeline.ledger import Ledger
from pipeline.runner import bucket_opener


def plan(
    app: Application,
    places: Sequence[str],
    *,
    times_real: float,
    mbit_s: float,
    within_h: float,
    price_h: float = 0,
) -> dict[str, Any]:
    """Every arrival with its standing, and hours and machines for those that wait.

    Args:
        app: The workspace.
        places: Folders or ``s3://`` prefixes.
        times_real: Recorded hours one machine processes in an hour.
        mbit_s: Bit rate of the recordings, Mbit/s; hours are sizes over this rate.
        within_h: Hours the whole may take.
        price_h: Price of a machine hour.

    Raises:
        InputError: no such folder. StoreUnavailable, AccessDenied.
    """
    ledger = Ledger(app.store)
    rows: list[dict[str, Any]] = []
    for arrival in [a for p in places for a in arrivals(p, s3=bucket_opener(app))]:
        sheet = ledger.sheet(arrival.digest)
        rows.append(
            {
                "place": arrival.place,
                "standing": sheet.standing,
                "media_bytes": arrival.media_bytes,
                "tries": len(sheet.tries),
                "message": sheet.tries[-1].message if sheet.tries else "",
            }
        )
    to_do = sum(row["media_bytes"] for row in rows if row["standing"] == "waiting")
    hours = to_do * 8 / (mbit_s * 1e6) / 3600
    standings = [row["standing"] for row in rows]
    return {
        "places": rows,
        **{name: standings.count(name) for name in ("waiting", "done", "quarantined")},
        "media_bytes": to_do,
        **effort(hours, times_real=times_real, within_h=within_h, price_h=price_h),
    }


def effort(hours: float, *, times_real: float, within_h: float, price_h: float) -> dict[str, Any]:
    """What so many recorded hours take: machine hours, machines within a time, cost."""
    machine_h = hours / times_real
    return {
        "recorded_hours": round(hours, 2),
        "machine_hours": round(machine_h, 2),
        "machines": math.ceil(machine_h / within_h),
        "cost": round(machine_h * price_h, 2),
    }
