"""Flows measured: kills survived, the flow beside the plain runner, work that is done already, live.

python -m benchmarks.flows kills --seconds 60 --count 50
python -m benchmarks.flows kills --first 21 --count 10     # moments 21 to 30 of the same series
python -m benchmarks.flows runner --seconds 120 --pairs 5
python -m benchmarks.flows runner --hours 1 --pairs 1
python -m benchmarks.flows live --seconds 120
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.memory import long_recording  # noqa: E402
from tests.command import EXAMPLES, PROGRAM, env, short_broadcast, workspace  # noqa: E402
from tests.kills import outputs, timed  # noqa: E402
from tests.machines import (  # noqa: E402
    VICTIMS,
    Killed,
    Shared,
    Site,
    disturbed,
    keys,
    shared,
    spread,
)
from tests.on_air import Air, cut_up  # noqa: E402
from tests.prefects import QUIET, server  # noqa: E402
from tests.services import needed  # noqa: E402

# --- kills ----------------------------------------------------------------------------------


PART_S, SPAN_MS = 30, 30_000
"""A one-minute recording has two parts of sound and two of pictures."""


def kills(work: Path, *, seconds: int, first: int, count: int, seed: int, ocr: bool) -> int:
    """Kill worker, server or everything at seeded moments, start again, compare all that is left."""
    recording = short_broadcast(work / "recording", seconds=seconds)
    bucket, url = f"kills-{uuid.uuid4().hex[:8]}", needed("EVIDENCE_TEST_ELASTICSEARCH_URL")
    kind = {"bucket": bucket, "url": url, "ocr": ocr, "span_ms": SPAN_MS}
    site = Site(work / "prefect", workers=2, environment=keys())
    try:
        site.ready()
        whole = shared(work / "whole", **kind)
        took_s = timed(*spread(recording, whole, part_s=PART_S), **site.environment)
        want = whole.left()
        print(f"undisturbed: {took_s:.1f} s, {len(want[0])} objects", flush=True)
        found = [
            _moment(n, site, recording, shared(work / f"k{n}", **kind), want, took_s, seed)
            for n in range(first, first + count)
        ]
    finally:
        site.stop()
    same, hit = sum(f[0] for f in found), sum(f[1].hit for f in found)
    redone = sum(f[1].redone for f in found)
    longest_s = max(f[1].in_hand_s for f in found)
    print(
        f"{same} of {count} byte-identical; {hit} were hit before their end; of "
        f"{sum(f[1].kept for f in found)} readings kept at a kill {redone} were made again; "
        f"at most {longest_s:.1f} s since the last was kept"
    )
    return 0 if same == count and not redone else 1


def _moment(
    number: int,
    site: Site,
    recording: Path,
    here: Shared,
    want: tuple[dict[str, str], str],
    took_s: float,
    seed: int,
) -> tuple[bool, Killed]:
    """One kill: the moment and the victim depend on the seed and the number alone."""
    dice = random.Random(f"{seed} {number}")
    victim, after_s = dice.choice(VICTIMS), dice.uniform(0.3, took_s)
    command, scratch = spread(recording, here, part_s=PART_S), here.folder / "scratch"
    found = disturbed(site, command, victim=victim, after_s=after_s, scratch=scratch)
    same = here.left() == want
    how = "given again" if found.again else "went on" if found.hit else "had ended"
    print(
        f"{number:3} {victim:7} killed after {after_s:5.1f} s, {how}, {found.took_s:5.1f} s more; "
        f"{found.kept} readings kept, {found.redone} made again, last {found.in_hand_s:.1f} s "
        f"before: {'the same bytes' if same else 'OTHER BYTES'}",
        flush=True,
    )
    shutil.rmtree(here.folder)
    return same, found


# --- the flow beside the plain runner -------------------------------------------------------


def runner(work: Path, *, seconds: int, hours: float, pairs: int, ocr: bool) -> int:
    """Alternating pairs: plain runner, flow with a server that is up; then the cold start."""
    reading = {} if ocr else {"EVIDENCE_KEYFRAMES__OCR": "false"}
    if hours:
        recording = long_recording(EXAMPLES / "zh01", hours, work)
    else:
        recording = short_broadcast(work / "recording", seconds=seconds)
    rows: list[tuple[Spent, Spent, Spent]] = []
    with server(work / "home") as started:
        up = started | reading
        for number in range(pairs):
            one, two = workspace(work / f"p{number}"), workspace(work / f"f{number}")
            plain = spent("process", recording, "-w", one, **reading)
            flow = spent("flows", "process", recording, "-w", two, **up)
            again = spent("flows", "process", recording, "-w", two, **up)
            assert outputs(one) == outputs(two)
            rows.append((plain, flow, again))
            print(f"plain {plain}, flow {flow}, again {again}", flush=True)
    plain, flow, again = (
        Spent(*map(statistics.median, zip(*one, strict=True))) for one in zip(*rows, strict=True)
    )
    more = Spent(
        statistics.median(f.wall_s - p.wall_s for p, f, _ in rows),
        statistics.median(f.cpu_s - p.cpu_s for p, f, _ in rows),
    )
    print(
        f"medians of {pairs}: plain {plain}, flow {flow} (ratio of walls "
        f"{flow.wall_s / plain.wall_s:.3f}), more, pair by pair: {more}; "
        f"over finished work {again} ({again.wall_s / flow.wall_s:.1%} of the first)"
    )
    return 0


class Spent(NamedTuple):
    """What a command took; on a busy machine processor seconds say more than the clock."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s:.1f} s ({self.cpu_s:.1f} CPU s)"


def spent(*command: str | Path, **environment: str) -> Spent:
    """Run a command to its good end; its own processes are counted, a server that is up is not."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall_s = timed(*command, **environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def cold(work: Path, *, seconds: int, pairs: int) -> int:
    """Alternating pairs: plain runner, and the flow with a temporary server that starts cold."""
    reading = {"EVIDENCE_KEYFRAMES__OCR": "false"} | QUIET
    recording = short_broadcast(work / "recording", seconds=seconds)
    over: list[Spent] = []
    for number in range(pairs):
        one, two = workspace(work / f"p{number}"), workspace(work / f"c{number}")
        plain = spent("process", recording, "-w", one, **reading)
        alone = reading | {"PREFECT_HOME": str(work / f"home{number}")}
        flow = spent("flows", "process", recording, "-w", two, **alone)
        over.append(Spent(flow.wall_s - plain.wall_s, flow.cpu_s - plain.cpu_s))
        print(f"plain {plain}, temporary server from cold {flow}", flush=True)
    more = Spent(*map(statistics.median, zip(*over, strict=True)))
    print(f"median of {pairs}: {more} over the plain runner")
    return 0


# --- live -----------------------------------------------------------------------------------


def live(work: Path, *, seconds: int) -> int:
    """Segments of 4 s land at real time; when the words of each can be searched."""
    segments = cut_up(work / "segments", seconds=seconds)
    air, here = Air(work / "air", segments), workspace(work / "w")
    with server(work / "home") as up:
        command = [*PROGRAM, "flows", "live", str(air.folder), "-w", str(here), "--json"]
        follower = subprocess.Popen(command, env=env(**up), stdout=subprocess.PIPE, text=True)
        rows = _cast(air, here)
        landed_s = time.monotonic()
        best_ms, searchable_s = 0, 0.0
        while follower.poll() is None:
            now_ms = _end_ms(here)
            if now_ms > best_ms:
                best_ms, searchable_s = now_ms, time.monotonic() - landed_s
            time.sleep(0.2)
        out, _ = follower.communicate()
        finished_s = time.monotonic() - landed_s
    print(out)
    behind = [landed - seen for landed, seen in rows if seen]
    print(
        f"while on air the index lay at most {max(behind) / 1000:.1f} s behind what had landed "
        f"(median {statistics.median(behind) / 1000:.1f} s); the last words ({best_ms} ms) could be searched "
        f"{searchable_s:.1f} s after the last segment, all was finished after {finished_s:.1f} s"
    )
    return 0


def _cast(air: Air, here: Path) -> list[tuple[int, int]]:
    """Land everything; (milliseconds landed, milliseconds searchable) just before each."""
    rows = []
    for number in range(len(air.segments)):
        time.sleep(4)
        rows.append((number * 4000, _end_ms(here)))
        air.land(number)
        air.listing(number + 1, ended=number + 1 == len(air.segments))
    return rows


def _end_ms(here: Path) -> int:
    """End of the last line that a search finds."""
    from pipeline.bootstrap import open_workspace
    from pipeline.index.run import search

    found = search(open_workspace(here).index, "kind:line", size=1000)
    return max((hit.document.end_ms for hit in found.hits), default=0)


def main() -> int:
    """Run one of them."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("what", choices=("kills", "runner", "cold", "live"))
    asked.add_argument("--seconds", type=int, default=60, help="length of the recording")
    asked.add_argument("--hours", type=float, default=0, help="runner: of a looped example instead")
    asked.add_argument("--count", type=int, default=50, help="kills")
    asked.add_argument("--first", type=int, default=1, help="kills: number of the first")
    asked.add_argument("--no-ocr", action="store_true", help="read no text in pictures")
    asked.add_argument("--pairs", type=int, default=5)
    asked.add_argument("--seed", type=int, default=2026)
    given = asked.parse_args()
    work = Path(mkdtemp(prefix="flows-"))
    seconds, pairs, ocr = given.seconds, given.pairs, not given.no_ocr
    try:
        if given.what == "kills":
            first, count, seed = given.first, given.count, given.seed
            return kills(work, seconds=seconds, first=first, count=count, seed=seed, ocr=ocr)
        if given.what == "runner":
            return runner(work, seconds=seconds, hours=given.hours, pairs=pairs, ocr=ocr)
        if given.what == "cold":
            return cold(work, seconds=seconds, pairs=pairs)
        return live(work, seconds=seconds)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
