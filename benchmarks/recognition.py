"""Recognition on the sample broadcasts beside stock faster-whisper, in one run.

    .venv/bin/python benchmarks/recognition.py [--examples examples] [--only zh01,en01]
                                               [--threads 2] [--json FILE] [--keep FOLDER]

The peer is ``WhisperModel.transcribe`` with library defaults (beam 5, the language given)
on the same weights, int8, the same number of threads, and gets the sound ready decoded; our
time includes decoding the recording, voice detection, character times and guards. Errors are
counted as ``score.py text`` does: edit distance over letters and digits, NFKC, lower case; both
texts are brought to Simplified characters first. Seconds are wall clock and processor time.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from pipeline.media.audio import AudioBlock, audio_blocks
from pipeline.media.source import open_source
from pipeline.model import (
    Broadcast,
    ClockMap,
    ClockSpan,
    Hole,
    Recording,
    RecordingPart,
    StreamInfo,
    Transcript,
)
from pipeline.settings import TranscribeSettings
from pipeline.text.normal import normal_text
from pipeline.transcribe.models import resolve
from pipeline.transcribe.run import run
from pipeline.transcribe.whisper import WhisperTranscriber

BARS = {"zh": (0.24, 0.97), "en": (0.12, 0.92)}
"""Highest character error rate and lowest length ratio for each language."""
_SCORED = re.compile(r"[\W_]+")


class Row(NamedTuple):
    """One broadcast by one way."""

    name: str
    way: str
    errors: int
    characters: int
    kept: int
    audio_s: float
    wall_s: float
    cpu_s: float


def clean(text: str) -> str:
    return _SCORED.sub("", unicodedata.normalize("NFKC", normal_text(text)).lower())


def distance(gold: str, got: str) -> int:
    """Edit distance, a row at a time."""
    letters = np.frombuffer(got.encode("utf-32-le"), dtype=np.uint32)
    steps = np.arange(len(got) + 1)
    row = steps.copy()
    for n, letter in enumerate(gold, 1):
        new = np.empty_like(row)
        new[0] = n
        new[1:] = np.minimum(row[:-1] + (letters != ord(letter)), row[1:] + 1)
        row = np.minimum.accumulate(new - steps) + steps
    return int(row[-1])


def timed(work: Callable[[], str]) -> tuple[str, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    text = work()
    return text, time.perf_counter() - wall, time.process_time() - cpu


def one_map(end_ms: int) -> ClockMap:
    span = ClockSpan(
        recording_index=0,
        start_ms=0,
        end_ms=end_ms,
        media_start_ms=0,
        wall_start_utc_ms=None,
        source="media_only",
        uncertainty_ms=0,
    )
    return ClockMap(spans=(span,))


def one_recording(name: str, end_ms: int) -> Recording:
    sound = StreamInfo(index=0, kind="audio", codec="", start_ms=0, end_ms=end_ms)
    return Recording(
        recording_id="0" * 16,
        file_name=name,
        parts=(RecordingPart(name=name, key=name, size_bytes=0, sha256=""),),
        sha256="",
        size_bytes=0,
        container="other",
        duration_ms=end_ms,
        streams=(sound,),
    )


def ours(path: Path, language: str, end_ms: int, model: WhisperTranscriber, settings: Any) -> Any:
    source = open_source(path)

    def sound(_: int, holes: list[Hole]) -> Iterator[AudioBlock]:
        return audio_blocks(source, report=holes)

    return run(
        Broadcast(broadcast_id=path.parent.name, language=language),
        clock_map=one_map(end_ms),
        audio=sound,
        recordings=[one_recording(path.name, end_ms)],
        transcriber=model,
        settings=settings,
    )


def recording_of(folder: Path) -> Path:
    playlist = folder / "recording.m3u8"
    return playlist if playlist.exists() else next(iter(sorted(folder.glob("recording.*"))))


def measure(folder: Path, model: WhisperTranscriber, stock: Any, args: Any) -> Iterable[Row]:
    described = json.loads((folder / "broadcast.json").read_text(encoding="utf-8"))
    labelled = json.loads((folder / "transcript.json").read_text(encoding="utf-8"))
    language = described["language"][:2]
    gold = clean("".join(s["text"] for s in labelled["segments"]))
    path = recording_of(folder)
    samples = np.concatenate([b.samples for b in audio_blocks(open_source(path))])
    end_ms = len(samples) // 16
    kept: list[Transcript] = []

    def listen() -> str:
        settings = TranscribeSettings(cpu_threads=args.threads)
        kept.append(ours(path, language, end_ms, model, settings))
        return "".join(s.normal_text for s in kept[-1].segments)

    def peer() -> str:
        found, _ = stock.transcribe(samples, language=language)
        return "".join(s.text for s in found)

    for way, work in (("stock", peer), ("ours", listen)):
        text, wall, cpu = timed(work)
        got = clean(text)
        yield Row(
            folder.name, way, distance(gold, got), len(gold), len(got), end_ms / 1000, wall, cpu
        )
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        out = args.keep / f"{folder.name}.json"
        out.write_text(kept[-1].model_dump_json(indent=1), encoding="utf-8")


def total(rows: Sequence[Row], name: str, way: str) -> Row:
    chosen = [r for r in rows if r.way == way]
    sums = [sum(getattr(r, f) for r in chosen) for f in Row._fields[2:]]
    return Row(name, way, *sums)


def as_dict(row: Row) -> dict[str, Any]:
    return {
        **row._asdict(),
        "cer": round(row.errors / max(1, row.characters), 4),
        "length_ratio": round(row.kept / max(1, row.characters), 4),
        "times_real": round(row.audio_s / max(0.001, row.wall_s), 1),
    }


def show(row: Row) -> None:
    d = as_dict(row)
    print(
        f"{row.name:8} {row.way:6} CER {d['cer']:.3f}  length {d['length_ratio']:.3f}  "
        f"{row.wall_s:6.1f} s wall  {row.cpu_s:6.1f} s cpu  {d['times_real']:5.1f}x",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=Path, default=Path("examples"))
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path(".cache/models"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="write our transcripts here")
    args = parser.parse_args()
    from faster_whisper import WhisperModel

    files = resolve("base", cache=args.cache)
    settings = TranscribeSettings(cpu_threads=args.threads)
    model = WhisperTranscriber(files, settings)
    stock = WhisperModel(
        str(files.folder), device="cpu", compute_type="int8", cpu_threads=args.threads
    )
    names = args.only.split(",") if args.only else sorted(p.name for p in args.examples.iterdir())
    rows: list[Row] = []
    for name in names:
        for row in measure(args.examples / name, model, stock, args):
            rows.append(row)
            show(row)
    sums = [
        total([r for r in rows if r.name.startswith(code)], code, way)
        for code in BARS
        for way in ("stock", "ours")
        if any(r.name.startswith(code) for r in rows)
    ]
    sums += [total(rows, "all", way) for way in ("stock", "ours")]
    for row in sums:
        show(row)
    good = (
        all(
            d["cer"] <= BARS[d["name"]][0] and d["length_ratio"] >= BARS[d["name"]][1]
            for d in map(as_dict, sums)
            if d["way"] == "ours" and d["name"] in BARS
        )
        and sums[-1].wall_s <= sums[-2].wall_s
    )
    print("within the bars" if good else "NOT within the bars")
    if args.json:
        body = {"bars": BARS, "rows": [as_dict(r) for r in (*rows, *sums)], "good": good}
        args.json.write_text(json.dumps(body, indent=1), encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
