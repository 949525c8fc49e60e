"""Pictures of a broadcast, where people would rather look than read (needs ``plots``)."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.model import CLAIM_TYPES
from pipeline.runner import Parts


def timeline_plot(parts: Parts, path: Path) -> None:
    """Claims in lanes by type over the product windows, as PNG.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            "plots need matplotlib", hint="install the extra: replay-evidence[plots]"
        ) from error
    claims = parts.claims
    figure = Figure(figsize=(14, 7), layout="constrained")
    axes = figure.add_subplot()
    skus = sorted({w.sku_id for w in claims.windows if w.sku_id} if claims else set())
    for window in claims.windows if claims else ():
        shade = f"C{skus.index(window.sku_id)}" if window.sku_id else "0.8"
        axes.axvspan(window.start_ms / 60_000, window.end_ms / 60_000, color=shade, alpha=0.15)
    for claim in claims.claims if claims else ():
        shade = f"C{skus.index(claim.sku_id)}" if claim.sku_id in skus else "0.4"
        mark = "x" if claim.polarity == "negate" else "o"
        lane = CLAIM_TYPES.index(claim.claim_type)
        axes.plot(claim.start_ms / 60_000, lane, mark, color=shade, ms=7)
    axes.set_yticks(range(len(CLAIM_TYPES)), CLAIM_TYPES)
    axes.set_xlabel("minutes since the broadcast began (x: denied; shade: product window)")
    axes.set_xlim(0, max(1, parts.state.revision.duration_ms) / 60_000)
    figure.savefig(path, dpi=110)
