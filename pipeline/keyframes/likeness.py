"""How like a stranger's photo is to kept pictures: perceptual hash and colours, never proof.

A photo may show a part of a picture, lighter, or packed again. So the hash of the photo is
compared with hashes of windows of its shape all over the picture, and colours by hue alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.keyframes.pixels import Grey, usable

MAX_BYTES = 6 << 20
MAX_PIXELS = 40_000_000
"""Of a photo, by its own header: larger ones are refused before they are decoded."""
_SIDE_PX = 256
"""Long side on which pictures are compared."""
_SHOWN_PX = 480
_SCALES = (1.0, 0.85, 0.7, 0.55, 0.4)
_HUES, _DEPTHS = 12, 4
_FAR_BITS = 32
"""Two unlike pictures differ in about half of 64 bits."""
_HASH_PM, _COLOUR_PM = 700, 300
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_SOF = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})

Bgr = npt.NDArray[np.uint8]
Hues = npt.NDArray[np.float32]


class Sight(NamedTuple):
    """A picture as it is compared."""

    grey: Grey
    """Its grey copy, long side 256 px."""
    hues: Hues
    """Shares of hue and depth of colour; they add up to one."""


class Near(NamedTuple):
    """How like two pictures are."""

    score_pm: int
    """Both together, per mille."""
    hash_bits: int
    """Least number of bits, of 64, in which the hashes differ."""
    colour_pm: int
    """Shared colours, per mille."""


def photo_of(data: bytes) -> Bgr:
    """The pixels of a photo from outside.

    Raises:
        InputError: too large, neither JPEG nor PNG, or broken.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"a photo of over {MAX_BYTES >> 20} MiB", hint="send a smaller one")
    width, height = _announced(data)
    if not 0 < width * height <= MAX_PIXELS:
        raise InputError(f"a photo of {width} x {height} pixels", hint="send a smaller one")
    found = _decoded(data, reduced=False)
    if found is None:
        raise InputError("this photo cannot be decoded", hint="save it as JPEG or PNG again")
    return found


def sight(bgr: Bgr) -> Sight:
    """A picture, made ready to be compared."""
    import cv2

    small = _within(bgr, _SIDE_PX)
    hsv = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2HSV))
    weight = np.minimum(hsv[..., 1], hsv[..., 2]).astype(np.float32).ravel()
    cells = (hsv[..., 0].astype(np.int32) * _HUES // 180) * _DEPTHS
    cells += hsv[..., 1].astype(np.int32) * _DEPTHS // 256
    counts = np.bincount(cells.ravel(), weights=weight + 8.0, minlength=_HUES * _DEPTHS)
    hues = (counts / counts.sum()).astype(np.float32)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    return Sight(grey, hues)


def sight_of_stored(jpeg: bytes) -> Sight | None:
    """A stored picture, made ready; None where it cannot be decoded."""
    found = _decoded(jpeg, reduced=True)
    return None if found is None else sight(found)


def nearness(photo: Sight, picture: Sight) -> Near:
    """How like a picture is to a photo that may show a part of it."""
    height, width = photo.grey.shape
    wanted = _hashes([photo.grey])
    parts = _hashes(_windows(picture.grey, shape=width / height))
    bits = int((parts != wanted).sum(axis=1).min())
    colour_pm = int(1000 * float(np.minimum(photo.hues, picture.hues).sum()))
    hash_pm = 1000 * max(0, _FAR_BITS - bits) // _FAR_BITS
    return Near((_HASH_PM * hash_pm + _COLOUR_PM * colour_pm) // 1000, bits, colour_pm)


def _hashes(parts: list[Grey]) -> npt.NDArray[np.bool_]:
    """The hash of ``pixels.perceptual_hash``, of many pictures at once: 64 bits a row."""
    import cv2

    small = np.stack([cv2.resize(p, (32, 32), interpolation=cv2.INTER_AREA) for p in parts])
    low = (_WAVES @ small.astype(np.float32) @ _WAVES.T).reshape(len(parts), 64)
    found: npt.NDArray[np.bool_] = low > np.median(low[:, 1:], axis=1, keepdims=True)
    return found


def _waves() -> npt.NDArray[np.float32]:
    """The first eight rows of the discrete cosine transform of 32 values (DCT-II, orthonormal)."""
    rows = np.sqrt(2 / 32) * np.cos(np.pi * np.outer(np.arange(8), 2 * np.arange(32) + 1) / 64)
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, dtype=np.float32)


_WAVES = _waves()


def shown(bgr: Bgr) -> bytes:
    """A photo as a small JPEG of our own making, to be put beside pictures."""
    import cv2

    _, data = cv2.imencode(".jpg", _within(bgr, _SHOWN_PX), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return bytes(data.tobytes())


def _windows(grey: Grey, *, shape: float) -> list[Grey]:
    """Parts of a picture of a width-to-height shape: the largest, and smaller ones all over."""
    height, width = grey.shape
    wide = min(float(width), height * shape)
    parts = []
    for scale in _SCALES:
        across, down = max(8, round(wide * scale)), max(8, round(wide / shape * scale))
        parts += [
            grey[y : y + down, x : x + across]
            for x in _places(width - across)
            for y in _places(height - down)
        ]
    return parts


def _places(room: int) -> list[int]:
    return sorted({0, room // 4, room // 2, 3 * room // 4, room}) if room > 0 else [0]


def _within(bgr: Bgr, side_px: int) -> Bgr:
    import cv2

    scale = side_px / max(bgr.shape[:2])
    if scale >= 1:
        return bgr
    size = (max(8, round(bgr.shape[1] * scale)), max(8, round(bgr.shape[0] * scale)))
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _decoded(data: bytes, *, reduced: bool) -> Bgr | None:
    import cv2

    how = cv2.IMREAD_REDUCED_COLOR_2 if reduced else cv2.IMREAD_COLOR
    try:
        found = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), how)
    except cv2.error:
        return None
    return np.asarray(found, dtype=np.uint8) if found is not None and usable(found) else None


def _announced(data: bytes) -> tuple[int, int]:
    """Width and height as the file's header says.

    Raises:
        InputError: neither JPEG nor PNG.
    """
    if data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) > 32:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    at = 2
    while data.startswith(_JPEG) and at + 9 < len(data) and data[at] == 0xFF:
        if data[at + 1] in _SOF:
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise InputError("this is neither a JPEG nor a PNG", hint="save the photo as JPEG or PNG")
