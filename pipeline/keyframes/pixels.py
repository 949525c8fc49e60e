"""What is measured on one picture: grey and edge maps, sharpness, perceptual hash, flatness.

All measures are taken on a reduced picture, so that their cost does not depend on
the recording's resolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pipeline.ports import Image

Grey = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]

GREY_SIDE_PX = 960
"""Long side of the reduced grey picture on which text lines are compared."""
EDGE_SIDE_PX = 640
"""Long side of the edge map on which tiles are compared."""
TILE_PX = 16
"""Side of a tile of the edge map."""
_EDGE_CEILING = 400.0
_FLAT_DEVIATION = 2.0


class Measures(NamedTuple):
    """One picture, measured."""

    grey: Grey
    """Grey picture, long side at most 960 px."""
    scale: float
    """Grey pixels per picture pixel."""
    edges: Map
    """Gradient magnitude, sides are multiples of the tile."""
    sharpness: int
    """Variance of the Laplacian, rounded."""
    phash: int
    """64-bit DCT hash."""
    flat: bool
    """Whether the picture shows nothing (one colour: a decoder without its reference)."""


def measure(bgr: Image) -> Measures:
    """All measures of a BGR picture (height, width, 3)."""
    import cv2

    scale = min(1.0, GREY_SIDE_PX / max(bgr.shape[:2]))
    small = cv2.resize(bgr, _scaled(bgr, scale), interpolation=cv2.INTER_AREA) if scale < 1 else bgr
    grey: Grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    return Measures(
        grey=grey,
        scale=scale,
        edges=edge_map(grey),
        sharpness=sharpness(grey),
        phash=perceptual_hash(grey),
        flat=float(grey.std()) < _FLAT_DEVIATION,
    )


def usable(bgr: object) -> bool:
    """Whether an object is a picture at all: height x width x 3 bytes, not empty."""
    return (
        isinstance(bgr, np.ndarray)
        and bgr.dtype == np.uint8
        and bgr.ndim == 3
        and bgr.shape[2] == 3
        and min(bgr.shape[:2]) >= TILE_PX
    )


def sharpness(grey: Grey) -> int:
    """Variance of the Laplacian, rounded; low where a picture is blurred.

    Method: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a
    comparative study", ICPR 2000.
    """
    import cv2

    return round(float(cv2.Laplacian(grey, cv2.CV_64F).var()))


def perceptual_hash(grey: Grey) -> int:
    """64-bit hash of a picture's low frequencies; near pictures differ in few bits.

    32 x 32 grey pixels, DCT, the lowest 8 x 8 coefficients against their median without
    the constant one. Method: Zauner, "Implementation and Benchmarking of Perceptual Image
    Hash Functions", 2010 (pHash, section 3.2.1).
    """
    import cv2

    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = np.asarray(cv2.dct(small))[:8, :8].flatten()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def hash_distance(first: int, second: int) -> int:
    """Bits in which two hashes differ, 0 to 64."""
    return (first ^ second).bit_count()


def edge_map(grey: Grey) -> Map:
    """Gradient magnitude of the picture at 640 px, cut at a ceiling, whole tiles only.

    Writing is made of strong edges; brightness and soft shadows barely show here.
    """
    import cv2

    scale = min(1.0, EDGE_SIDE_PX / max(grey.shape))
    height, width = (max(TILE_PX, int(s * scale) // TILE_PX * TILE_PX) for s in grey.shape)
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    across = cv2.Sobel(small, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(small, cv2.CV_32F, 0, 1)
    magnitude = np.asarray(cv2.magnitude(across, down), dtype=np.float32)
    return np.minimum(magnitude, np.float32(_EDGE_CEILING))


def _scaled(bgr: Image, scale: float) -> tuple[int, int]:
    height, width = bgr.shape[:2]
    return max(1, round(width * scale)), max(1, round(height * scale))
