"""By picture: altered copies of kept pictures, and the rank at which the right one is found.

    .venv/bin/python benchmarks/likeness.py [--examples examples] [--each 12] [--json FILE]

Copies are made of kept pictures of each example and looked for among the kept pictures of all
examples together, which are more than one product's window has. *Right* is the very picture, or one that shows the same (its stored hash within 4 bits).
The peer is the plain hash of the whole picture, without windows or colours.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.keyframes import _broadcast, _recording
from pipeline.errors import NoVideo
from pipeline.keyframes.likeness import Sight, nearness, photo_of, sight, sight_of_stored
from pipeline.keyframes.pixels import hash_distance, perceptual_hash
from pipeline.keyframes.run import run
from pipeline.media.pictures import key_pictures
from pipeline.media.source import open_source
from pipeline.model import Screen
from pipeline.settings import KeyframeSettings

Alter = Callable[[Any, random.Random], Any]
SAME_BITS = 4


def crop(share: float) -> Alter:
    def cut(bgr: Any, dice: random.Random) -> Any:
        height, width = bgr.shape[:2]
        down, across = int(height * share), int(width * share)
        y, x = dice.randint(0, height - down), dice.randint(0, width - across)
        return bgr[y : y + down, x : x + across]

    return cut


def packed(quality: int) -> Alter:
    def again(bgr: Any, _: random.Random) -> Any:
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(data, cv2.IMREAD_COLOR)

    return again


def lit(gain: float) -> Alter:
    return lambda bgr, _: np.clip(bgr.astype(np.float32) * gain, 0, 255).astype(np.uint8)


def small(bgr: Any, _: random.Random) -> Any:
    return cv2.resize(bgr, (320, 320 * bgr.shape[0] // bgr.shape[1]), interpolation=cv2.INTER_AREA)


def all_of(*alters: Alter) -> Alter:
    def after(bgr: Any, dice: random.Random) -> Any:
        for alter in alters:
            bgr = alter(bgr, dice)
        return bgr

    return after


ALTERED: dict[str, Alter] = {
    "packed again, quality 25": packed(25),
    "320 px wide": small,
    "brighter, 1.4": lit(1.4),
    "darker, 0.6": lit(0.6),
    "crop of 85 %": crop(0.85),
    "crop of 70 %": crop(0.7),
    "crop of 50 %": crop(0.5),
    "crop of 70 %, brighter, quality 25": all_of(crop(0.7), lit(1.3), packed(25)),
}


def kept_of(folder: Path) -> tuple[Screen, list[bytes]]:
    """An example's kept pictures, as the pipeline keeps them."""
    source, images = open_source(_recording(folder)), []
    end_ms = [p.media_ms for p in key_pictures(source, min_gap_ms=1000)][-1] + 2000
    broadcast, clock_map = _broadcast(folder, end_ms)
    screen = run(
        broadcast,
        clock_map=clock_map,
        pictures=lambda _: key_pictures(source, min_gap_ms=1000),
        reader=None,
        settings=KeyframeSettings(),
        keep=images.append,
    )
    return screen, images


def ranks(
    photo: bytes, right: set[int], sights: list[Sight], plain_of: list[int]
) -> tuple[int, int]:
    """The rank of the first right one, ours and the peer's."""
    asked = sight(photo_of(photo))
    ours = sorted(range(len(sights)), key=lambda n: -nearness(asked, sights[n]).score_pm)
    plain = perceptual_hash(asked.grey)
    peers = sorted(range(len(sights)), key=lambda n: hash_distance(plain, plain_of[n]))
    first, other = (next(r for r, n in enumerate(by, 1) if n in right) for by in (ours, peers))
    return first, other


def measured(examples: Path, each: int) -> dict[str, Any]:
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in ALTERED}
    images: list[bytes] = []
    hashes: list[tuple[str, int]] = []
    chosen: list[int] = []
    for folder in sorted(p for p in examples.iterdir() if (p / "broadcast.json").exists()):
        try:
            screen, kept = kept_of(folder)
        except NoVideo:
            continue
        numbers = range(len(images), len(images) + len(kept))
        chosen += random.Random(folder.name).sample(numbers, min(each, len(kept)))
        images += kept
        hashes += [(folder.name, int(k.phash, 16)) for k in screen.keyframes]
    made = [sight_of_stored(image) for image in images]
    sights = [one for one in made if one is not None]
    assert len(sights) == len(images) == len(hashes)
    plain_of = [perceptual_hash(one.grey) for one in sights]
    seconds, dice = 0.0, random.Random(1)
    for number in chosen:
        of, own = hashes[number]
        right = {
            n for n, (f, h) in enumerate(hashes) if f == of and hash_distance(h, own) <= SAME_BITS
        }
        bgr = cv2.imdecode(np.frombuffer(images[number], np.uint8), cv2.IMREAD_COLOR)
        for name, alter in ALTERED.items():
            _, data = cv2.imencode(".png", alter(bgr, dice))
            start = time.process_time()
            found[name].append(ranks(data.tobytes(), right | {number}, sights, plain_of))
            seconds += time.process_time() - start
    pictures, compared = len(images), len(chosen) * len(ALTERED) * len(images)
    rows = {
        name: {
            "photos": len(both),
            "recall_1": sum(ours == 1 for ours, _ in both) / len(both),
            "recall_3": sum(ours <= 3 for ours, _ in both) / len(both),
            "plain_hash_recall_3": sum(peer <= 3 for _, peer in both) / len(both),
        }
        for name, both in found.items()
    }
    return {"pictures": pictures, "ms_a_picture": 1000 * seconds / compared, "altered": rows}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=Path, default=Path("examples"))
    parser.add_argument("--each", type=int, default=12)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = measured(asked.examples, asked.each)
    for name, row in found["altered"].items():
        shares = " ".join(f"{key} {value:.3f}" for key, value in row.items() if key != "photos")
        print(f"{name:38} {row['photos']:4} {shares}")
    print(
        f"{found['pictures']} pictures, {found['ms_a_picture']:.2f} ms of processor time a picture compared"
    )
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
