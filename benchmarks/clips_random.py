"""Random clips out of all containers, each decoded and compared with the clock in its pictures.

    eval "$(python infra/s3/server.py start)"
    python -m benchmarks.clips_random [--clips 1000] [--json FILE]

A recording whose pictures say what time it is (``tests/media.py``) is put into each container,
taken in and stored in the real S3 server. A clip of a random span of 1 to 10 s is cut by ranged
reads; every picture and sound of it is decoded. Its first picture must show a time at or before the
span and its last one a time at or after its end, less one picture; sound must span it too. Bytes
asked for are counted beside those of the groups of pictures. Peak memory is that of the process.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from pipeline.media import run as media
from pipeline.model import PacketIndex
from pipeline.ports import ObjectStore
from tests import media as made
from tests.services import s3_settings, s3_store
from tests.stored import Stored, stored

SECONDS = 240
SOUND_MS = 70
"""Three packets: a recording's sound begins so late, and a packet's start is looked at."""


class Counting:
    """The store's ``read``, with what was asked for."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.reads: list[tuple[str, int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str = ""
    ) -> bytes:
        """As the store does."""
        self.reads.append((key, start, end or 0))
        return self._store.read(key, start=start, end=end, if_match=if_match)


def wrong_with(clip: media.CutResult, span_ms: tuple[int, int]) -> str:
    """What is wrong with a clip; empty when nothing is."""
    shown, heard = [], []
    with av.open(str(clip.path)) as file:
        pictures, sound = file.streams.video[0], file.streams.audio[0]
        for packet in file.demux(pictures, sound):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    shown.append(made.code_ms(frame.to_ndarray(format="bgr24")))
                elif frame.pts is not None:
                    heard.append(clip.media_start_ms + (frame.time or 0) * 1000)
    start, end = span_ms
    if not shown or any(ms is None for ms in shown):
        return "pictures cannot be read"
    known = [ms for ms in shown if ms is not None]
    if any(b - a != made.TICK_MS for a, b in pairwise(known)):
        return "pictures are missing"
    if known[0] > start or known[-1] + made.TICK_MS < end:
        return f"it shows {known[0]} to {known[-1]} ms"
    if not heard or heard[0] > start + SOUND_MS or heard[-1] + SOUND_MS < end:
        return f"it sounds from {heard[:1]} to {heard[-1:]} ms"
    return ""


def needed_bytes(index: PacketIndex, clip: media.CutResult) -> int:
    """The bytes of the groups of pictures that a clip holds, one range a part."""
    spans: dict[int, tuple[int, int]] = {}
    for gop in index.gops:
        if gop.start_ms < clip.media_end_ms - 100 and gop.end_ms > clip.media_start_ms + 100:
            low, high = spans.get(gop.part, (gop.byte_start, gop.byte_end))
            spans[gop.part] = (min(low, gop.byte_start), max(high, gop.byte_end))
    return sum(high - low for low, high in spans.values())


def one_clip(
    one: Stored, store: Counting, folder: Path, dice: random.Random
) -> tuple[str, list[int]]:
    """What is wrong with a random clip; reads, bytes read and bytes of its groups."""
    length = dice.randrange(1_000, 10_000)
    start = dice.randrange(0, SECONDS * 1000 - length)
    span = (start, start + length)
    store.reads.clear()
    asked: dict[str, Any] = {"span_ms": span, "store": store, "cache": folder / "cache"}
    with media.remote_source(one.recording, one.index, **asked) as source:
        out = folder / "clip.mp4"
        clip = media.cut(source, start_ms=span[0], end_ms=span[1], out=out, index=one.index)
    again = len(store.reads) - len({key for key, _, _ in store.reads})
    read = sum(end - begin for _, begin, end in store.reads)
    found = wrong_with(clip, span)
    return f"{span}: {found}" if found else "", [again, read, needed_bytes(one.index, clip)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clips", type=int, default=1000)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--json", type=Path)
    asked = options.parse_args()
    dice, found = random.Random(asked.seed), dict[str, Any]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        master = made.master(folder / "master.mp4", seconds=SECONDS)
        store = Counting(s3_store(s3_settings(bucket=f"random-{uuid.uuid4().hex[:8]}")))
        for form in made.FORMS:
            path = made.contained(master, folder / form, form)
            one = stored(media.open_source(path), store)  # type: ignore[arg-type]
            many = -(-asked.clips // len(made.FORMS))
            rows = [one_clip(one, store, folder, dice) for _ in range(many)]
            read, needed = sum(row[1] for _, row in rows), sum(row[2] for _, row in rows)
            found[form] = {"clips": many, "wrong": [words for words, _ in rows if words]}
            found[form] |= {"second_reads": sum(row[0] for _, row in rows)}
            found[form] |= {"bytes_per_group_byte": round(read / needed, 4)}
            print(form, json.dumps(found[form]), file=sys.stderr, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    text = json.dumps({"peak_mib_with_encoding_and_decoding": peak, "containers": found}, indent=2)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
