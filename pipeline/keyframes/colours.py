"""The dominant colours of a picture, with English family names.

k-means over a 64-pixel copy in CIE L*a*b*, with a fixed seed, so that the same picture
always gives the same colours. The family table is ``colours.toml``.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.model import ColourShare

if TYPE_CHECKING:
    from pipeline.ports import Image

_SIDE_PX = 64
_CLUSTERS = 5
_SEED = 20260101
_MIN_SHARE_PM = 30


def dominant_colours(bgr: Image) -> tuple[ColourShare, ...]:
    """Up to five colours of a BGR picture, largest share first; shares under 3 % are left out.

    Clusters of one family are joined; the colour shown is that of the larger one.
    """
    import cv2

    small = cv2.resize(bgr, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    pixels = _lab(np.asarray(small, dtype=np.uint8)).reshape(-1, 3)
    cv2.setRNGSeed(_SEED)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    clusters = min(_CLUSTERS, len(np.unique(pixels, axis=0)))
    _, labels, centres = cv2.kmeans(
        pixels,
        clusters,
        None,
        stop,
        1,
        cv2.KMEANS_PP_CENTERS,  # type: ignore[call-overload]
    )
    counts = np.bincount(np.asarray(labels).ravel(), minlength=clusters)
    order = sorted(range(clusters), key=lambda n: (-int(counts[n]), n))
    shares: dict[str, tuple[str, int]] = {}
    for n in order:
        name, rgb = colour_name(centres[n]), _rgb(centres[n])
        first, count = shares.get(name, (rgb, 0))
        shares[name] = (first, count + int(counts[n]))
    total = int(counts.sum())
    found = [
        ColourShare(name=name, rgb=rgb, share_pm=count * 1000 // total)
        for name, (rgb, count) in shares.items()
    ]
    found.sort(key=lambda c: -c.share_pm)
    return tuple(c for c in found if c.share_pm >= _MIN_SHARE_PM)


def colour_name(lab: npt.NDArray[np.float32]) -> str:
    """The family of a colour (CIE L*a*b*), by the nearest example."""
    names, examples = _families()
    distance = np.square(examples - np.asarray(lab, dtype=np.float32)).sum(axis=1)
    return names[int(distance.argmin())]


def _lab(bgr: Image) -> npt.NDArray[np.float32]:
    import cv2

    return np.asarray(
        cv2.cvtColor(bgr.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), dtype=np.float32
    )


def _rgb(lab: npt.NDArray[np.float32]) -> str:
    import cv2

    bgr = cv2.cvtColor(np.asarray(lab, dtype=np.float32).reshape(1, 1, 3), cv2.COLOR_LAB2BGR)
    b, g, r = (min(255, max(0, round(float(v) * 255))) for v in np.asarray(bgr).ravel())
    return f"#{r:02x}{g:02x}{b:02x}"


@cache
def _families() -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    file = files("pipeline.keyframes") / "colours.toml"
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    if set(table) != {"schema_version", "families"}:
        raise ConfigError("colours.toml: unknown keys", hint="it has schema_version and families")
    names, rows = [], []
    for name, examples in table["families"].items():
        for example in examples:
            names.append(name)
            rows.append([int(example[i : i + 2], 16) for i in (5, 3, 1)])
    pixels = np.array(rows, dtype=np.uint8).reshape(1, -1, 3)
    return tuple(names), _lab(pixels).reshape(-1, 3)
