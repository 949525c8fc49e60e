"""Flows measured: kills survived, the flow beside the plain runner, work that is done already, live.

python -m benchmarks.flows kills --seconds 60 --count 50
python -m benchmarks.flows runner --seconds 120 --pairs 5
python -m benchmarks.flows live --seconds 120
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.command import PROGRAM, env, short_broadcast, workspace  # noqa: E402
from tests.kills import killed, outputs, timed  # noqa: E402
from tests.on_air import Air, cut_up  # noqa: E402
from tests.prefects import QUIET, server  # noqa: E402

# --- kills ----------------------------------------------------------------------------------


def kills(work: Path, *, seconds: int, count: int, seed: int, ocr: bool) -> int:
    """Kill a run at seeded moments, run again, compare every object; how many agree."""
    reading = {} if ocr else {"EVIDENCE_KEYFRAMES__OCR": "false"}
    recording = short_broadcast(work / "recording", seconds=seconds)
    whole = workspace(work / "whole")
    took_s = timed("process", recording, "-w", whole, **reading)
    want = outputs(whole)
    print(f"undisturbed: {took_s:.1f} s, {len(want)} objects", flush=True)
    moments = random.Random(seed)
    same = hit = 0
    for number in range(1, count + 1):
        after_s = moments.uniform(0.3, took_s)
        here = workspace(work / f"k{number}")
        was = killed("process", recording, "-w", here, after_s=after_s, **reading)
        again_s = timed("process", recording, "-w", here, **reading)
        agrees = outputs(here) == want
        same, hit = same + agrees, hit + was
        done = "killed" if was else "had ended"
        word = "the same bytes" if agrees else "OTHER BYTES"
        print(
            f"{number:3} {done} after {after_s:5.1f} s, again {again_s:5.1f} s: {word}", flush=True
        )
        shutil.rmtree(here)
    print(f"{same} of {count} byte-identical; {hit} were killed before their end")
    return 0 if same == count else 1


# --- the flow beside the plain runner -------------------------------------------------------


def runner(work: Path, *, seconds: int, pairs: int, ocr: bool) -> int:
    """Alternating pairs: plain runner, flow with a server that is up; then the cold start."""
    reading = {} if ocr else {"EVIDENCE_KEYFRAMES__OCR": "false"}
    recording = short_broadcast(work / "recording", seconds=seconds)
    plain: list[float] = []
    flow: list[float] = []
    again: list[float] = []
    with server(work / "home") as started:
        up = started | reading
        for number in range(pairs):
            one, two = workspace(work / f"p{number}"), workspace(work / f"f{number}")
            plain.append(timed("process", recording, "-w", one, **reading))
            flow.append(timed("flows", "process", recording, "-w", two, **up))
            again.append(timed("flows", "process", recording, "-w", two, **up))
            assert outputs(one) == outputs(two)
            print(
                f"plain {plain[-1]:.1f} s, flow {flow[-1]:.1f} s, again {again[-1]:.1f} s",
                flush=True,
            )
    cold_w = workspace(work / "cold")
    alone = reading | QUIET | {"PREFECT_HOME": str(work / "c")}
    cold = timed("flows", "process", recording, "-w", cold_w, **alone)
    middle = [statistics.median(one) for one in (plain, flow, again)]
    print(
        f"medians of {pairs}: plain {middle[0]:.1f} s, flow {middle[1]:.1f} s "
        f"(ratio {middle[1] / middle[0]:.3f}, {middle[1] - middle[0]:+.1f} s), "
        f"over finished work {middle[2]:.1f} s; temporary server from cold {cold:.1f} s"
    )
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
    asked.add_argument("what", choices=("kills", "runner", "live"))
    asked.add_argument("--seconds", type=int, default=60, help="length of the recording")
    asked.add_argument("--count", type=int, default=50, help="kills")
    asked.add_argument("--no-ocr", action="store_true", help="read no text in pictures")
    asked.add_argument("--pairs", type=int, default=5)
    asked.add_argument("--seed", type=int, default=2026)
    given = asked.parse_args()
    work = Path(mkdtemp(prefix="flows-"))
    try:
        if given.what == "kills":
            return kills(
                work,
                seconds=given.seconds,
                count=given.count,
                seed=given.seed,
                ocr=not given.no_ocr,
            )
        if given.what == "runner":
            return runner(work, seconds=given.seconds, pairs=given.pairs, ocr=not given.no_ocr)
        return live(work, seconds=given.seconds)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
