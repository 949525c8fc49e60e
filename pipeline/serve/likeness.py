"""A buyer's photo beside the pictures kept while the order's product was shown.

Likeness orders pictures for a person to look at. It proves nothing, and no verdict rests on it.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from pipeline.keyframes.likeness import Near, Sight, nearness, photo_of, sight, sight_of_stored
from pipeline.model import Dossier, Frozen, Keyframe
from pipeline.packs import read_records
from pipeline.provenance import sha256_hex
from pipeline.runner import Parts
from pipeline.serve.desk import Desk
from pipeline.serve.service import Service

MOST_LOOKED_AT, MOST_SHOWN = 300, 6
"""Pictures compared with one photo at most, evenly over the windows, and given back at most."""
_MOST_KEPT = 600
_LABEL = {
    "zh": "仅为画面相似度，供人查看，不构成证据。",
    "en": "Likeness only, for a person to look at; never proof.",
}


class Like(Frozen):
    """A kept picture."""

    number: int
    """Of the keyframe within the broadcast."""
    at_ms: int
    """Milliseconds on the broadcast's timeline."""
    score_pm: int
    """How like the photo it is, per mille: hash and colours together."""
    hash_bits: int
    """Bits, of 64, in which the perceptual hashes differ, over the best part of the picture."""
    colour_pm: int
    """Colours that both have, per mille."""
    image_sha256: str
    """Of the stored JPEG."""


class Likeness(Frozen):
    """The kept pictures most like a photo, the likest first."""

    order_id: str
    """Whose product."""
    broadcast_id: str
    """Where it was shown; empty where no broadcast is known."""
    sku_id: str
    """The product."""
    photo_sha256: str
    """Of the photo as it was sent; it is not kept."""
    pictures: int
    """Kept while the product was shown."""
    looked_at: int
    """Of them, compared."""
    likest: tuple[Like, ...]
    """At most six."""
    label: dict[str, str]
    """What likeness is and is not, ``zh`` and ``en``: to be shown with it."""


class _Sights:
    """Pictures made ready, the last few hundred, by the hash of their bytes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[str, Sight | None] = OrderedDict()

    def of(self, works: Service, key: str, frames: list[Keyframe]) -> list[Sight | None]:
        with self._lock:
            known = {f.image_sha256: self._kept.get(f.image_sha256) for f in frames}
        wanted = [f for f in frames if known[f.image_sha256] is None]
        numbers = [f.image for f in wanted]
        images = read_records(works.app.store, key, table="images", numbers=numbers)
        known |= {
            f.image_sha256: sight_of_stored(data) for f, data in zip(wanted, images, strict=True)
        }
        with self._lock:
            self._kept |= known
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return [known[f.image_sha256] for f in frames]


_SIGHTS = _Sights()


def likeness(works: Service, dossier: Dossier, parts: Parts | None, photo: bytes) -> Likeness:
    """The kept pictures of a dossier's product that are most like a photo.

    Raises:
        InputError: the photo is too large, neither JPEG nor PNG, or broken.
    """
    asked = sight(photo_of(photo))
    frames = _in_windows(dossier, parts)
    step = max(1, -(-len(frames) // MOST_LOOKED_AT))
    looked = frames[::step]
    output = parts.state.output("keyframes") if parts else None
    sights = _SIGHTS.of(works, output.key, looked) if output and looked else []
    near = [
        _like(frame, nearness(asked, one))
        for frame, one in zip(looked, sights, strict=True)
        if one is not None
    ]
    return Likeness(
        order_id=dossier.order_id,
        broadcast_id=dossier.broadcast_id,
        sku_id=dossier.sku_id,
        photo_sha256=sha256_hex(photo),
        pictures=len(frames),
        looked_at=len(near),
        likest=tuple(sorted(near, key=lambda one: (-one.score_pm, one.at_ms))[:MOST_SHOWN]),
        label=_LABEL,
    )


def _in_windows(dossier: Dossier, parts: Parts | None) -> list[Keyframe]:
    """Pictures that stood while the product was shown: each stands until the next one is kept."""
    frames = parts.screen.keyframes if parts and parts.screen else ()
    ends = [*(f.at_ms for f in frames[1:]), 1 << 53]
    return [
        frame
        for frame, until_ms in zip(frames, ends, strict=False)
        if any(a < until_ms and frame.at_ms < b for a, b in dossier.windows)
    ]


def _like(frame: Keyframe, near: Near) -> Like:
    return Like(
        number=frame.index,
        at_ms=frame.at_ms,
        score_pm=near.score_pm,
        hash_bits=near.hash_bits,
        colour_pm=near.colour_pm,
        image_sha256=frame.image_sha256,
    )


class LikenessDesk(Desk):
    """The desk, for whoever has a buyer's photo."""

    def of_order(self, order_id: str, photo: bytes) -> Likeness:
        """The kept pictures of an order's product that are most like a photo."""
        dossier = self.order(order_id)
        parts = (
            self._office.shelf.parts(self.state(dossier.broadcast_id))
            if (dossier.broadcast_id)
            else None
        )
        found = likeness(self._works, dossier, parts, photo)
        self._wrote(
            "viewed",
            "likeness",
            state=parts.state if parts else None,
            order=self._office.ring.hashed("order", order_id),
            photo_sha256=found.photo_sha256,
            shown=[one.number for one in found.likest],
        )
        return found
