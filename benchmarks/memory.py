"""Peak memory and wall time of ``evidence process`` on one long recording.

    .venv/bin/python benchmarks/memory.py [--hours 4] [--example examples/zh01] [--json FILE]

The long recording is the example's own, copied (not encoded again) as often as needed, so that
decoding, recognition and reading do the work they would do in a room that talks for hours. The
command runs as a process of its own in a workspace that is removed afterwards; its resident
memory is the sum over it and its children, twice a second. A stage's time is taken from when its
result appears in the workspace; the stages that need nothing of each other may run at once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil  # type: ignore[import-untyped]

from pipeline.media.binary import ffmpeg_path

BAR_BYTES = 3 * 2**29
"""1.5 GiB."""
EVIDENCE = Path(sys.executable).with_name("evidence")
_EVERY_S = 0.5


class Watched(NamedTuple):
    """What was seen of one run."""

    output: dict[str, Any]
    wall_s: float
    peak_bytes: int
    peak_at_s: float
    stages_s: dict[str, float]
    """Seconds from the start at which each stage's result was there."""
    curve: list[tuple[int, int]]
    """``(second, MiB)``, a few dozen points."""


def long_recording(example: Path, hours: float, folder: Path) -> Path:
    """The example's recording, joined to itself until it lasts so many hours."""
    (one,) = [p for p in example.glob("recording.*") if p.suffix in (".mp4", ".mkv", ".flv", ".ts")]
    times = max(1, round(hours * 3600 / seconds_of(one)))
    playlist = folder / "parts.txt"
    playlist.write_text(f"file '{one.resolve()}'\n" * times, encoding="utf-8")
    made = folder / f"long{one.suffix}"
    command = [
        *(str(ffmpeg_path()), "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"),
        *("-f", "concat", "-safe", "0", "-i", str(playlist), "-map", "0:v?", "-map", "0:a"),
        *("-c", "copy", str(made)),
    ]
    subprocess.run(command, check=True)
    return made


def seconds_of(path: Path) -> float:
    """Length of a recording by its packets."""
    import av

    with av.open(str(path)) as container:
        ends = [p.pts * p.time_base for p in container.demux(audio=0) if p.pts is not None]
    return float(max(ends))


def resident(process: psutil.Process) -> int:
    """Bytes in memory of a process and its children; those just gone count nothing."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def stages_done(workspace: Path) -> set[str]:
    """The stages whose result is in the workspace."""
    return {p.name.partition("-")[0] for p in workspace.glob("**/work/*.json")}


def watch(recording: Path, workspace: Path, log: Path) -> Watched:
    """Process the recording in a fresh workspace, looking on.

    Raises:
        SystemExit: the command failed; its messages are printed.
    """
    subprocess.run([str(EVIDENCE), "init", str(workspace)], check=True, stdout=subprocess.DEVNULL)
    command = [str(EVIDENCE), "process", str(recording), "--workspace", str(workspace), "--json"]
    samples: list[tuple[float, int]] = []
    stages: dict[str, float] = {}
    begun = time.monotonic()
    with log.open("w+b") as errors, (workspace / "out.json").open("w+b") as out:
        child = subprocess.Popen(command, stdout=out, stderr=errors)
        while child.poll() is None:
            at = time.monotonic() - begun
            samples.append((at, resident(psutil.Process(child.pid))))
            for stage in stages_done(workspace) - stages.keys():
                stages[stage] = round(at, 1)
            time.sleep(_EVERY_S)
        if child.returncode:
            errors.seek(0)
            sys.exit(errors.read().decode(errors="replace") or f"exit code {child.returncode}")
        out.seek(0)
        output = json.load(out)
    at, peak = max(samples, key=lambda sample: sample[1])
    step = max(1, len(samples) // 48)
    curve = [
        (round(t), max(b for _, b in samples[n : n + step]) // 2**20)
        for n, (t, _) in enumerate(samples)
        if n % step == 0
    ]
    wall = round(time.monotonic() - begun, 1)
    return Watched(output, wall, peak, round(at, 1), stages, curve)


def report(found: Watched, hours: float) -> dict[str, Any]:
    """The figures to print and to write."""
    return {
        "hours": round(found.output["duration_ms"] / 3_600_000, 3),
        "asked_hours": hours,
        "peak_mib": round(found.peak_bytes / 2**20),
        "peak_at_s": found.peak_at_s,
        "bar_mib": BAR_BYTES // 2**20,
        "wall_s": found.wall_s,
        "times_real": round(found.output["duration_ms"] / 1000 / found.wall_s, 2),
        "stage_done_s": found.stages_s,
        "outputs": {o["stage"]: o["records"] for o in found.output["outputs"]},
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(x, 1) for x in os.getloadavg()],
        "curve_s_mib": found.curve,
        "good": found.peak_bytes < BAR_BYTES,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--example", type=Path, default=Path("examples/zh01"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        recording = long_recording(args.example, args.hours, Path(folder))
        workspace = Path(folder) / "workspace"
        body = report(watch(recording, workspace, Path(folder) / "log"), args.hours)
    print(json.dumps({k: v for k, v in body.items() if k != "curve_s_mib"}, indent=1))
    print("within the bar" if body["good"] else "NOT within the bar")
    if args.json:
        args.json.write_text(json.dumps(body, indent=1), encoding="utf-8")
    return 0 if body["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
