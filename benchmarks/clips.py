"""Clips out of long recordings in a real S3 store: bytes, requests and time, for each container.

    eval "$(python infra/s3/server.py start)"
    python -m benchmarks.clips [--hours 1] [--clips 20] [--json FILE]

An example's recording is joined to itself (copied, not encoded again), put into each container,
taken in and stored. Ten-second clips at random places are cut by ranged reads. Bytes and requests
are counted at a proxy before the server; they stand beside the bytes of the groups of pictures
that the clip holds. Wall time is taken without the proxy, beside a plain ranged GET of the bytes
of those groups and beside ``ffmpeg -ss`` over HTTP, in turn. *cold* is the first clip of a
recording, *warm* every later one. Every clip is opened and its packets are counted. Peak memory
is that of a process which cuts one clip and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.media import run as media
from pipeline.media.binary import ffmpeg_path
from pipeline.model import Recording
from pipeline.outputs import sidecar_of, sidecar_pack
from pipeline.packs import parse_pack
from pipeline.ports import ObjectStore
from tests.faults import FaultProxy
from tests.services import needed, s3_settings, s3_store
from tests.stored import Stored, stored

EXAMPLE = Path(__file__).parents[1] / "examples" / "zh01" / "recording.mp4"
LENGTH_MS = 10_000
FORMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mp4": ("mp4", ("-movflags", "+faststart")),
    "mp4, index last": ("mp4", ()),
    "fragmented mp4": ("mp4", ("-movflags", "frag_keyframe+empty_moov+default_base_moof")),
    "flv": ("flv", ()),
    "mpeg-ts": ("ts", ()),
    "mkv": ("mkv", ()),
    "hls": ("m3u8", ("-hls_time", "6", "-hls_list_size", "0", "-hls_playlist_type", "vod")),
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def long_one(folder: Path, hours: float, form: str) -> Path:
    """The example joined to itself in one container."""
    ending, options = FORMS[form]
    folder.mkdir(parents=True)
    times = max(1, round(hours * 15))  # the example lasts four minutes
    listing = folder / "parts.txt"
    listing.write_text(f"file '{EXAMPLE.resolve()}'\n" * times, encoding="utf-8")
    out = folder / "in" / f"long.{ending}"
    out.parent.mkdir()
    command = [str(ffmpeg_path()), "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
    command += ["-f", "concat", "-safe", "0", "-i", str(listing), "-map", "0:v", "-map", "0:a"]
    subprocess.run([*command, "-c", "copy", *options, str(out)], check=True)
    return out


def clip(one: Stored, store: ObjectStore, cache: Path, at_ms: int, out: Path) -> media.CutResult:
    """One clip by ranged reads."""
    span = (at_ms, at_ms + LENGTH_MS)
    asked = {"span_ms": span, "store": store, "cache": cache}
    with media.remote_source(one.recording, one.index, **asked) as source:  # type: ignore[arg-type]
        return media.cut(source, start_ms=span[0], end_ms=span[1], out=out, index=one.index)


def groups(one: Stored, made: media.CutResult) -> dict[int, tuple[int, int]]:
    """The bytes of the groups of pictures that a clip holds, by part."""
    spans: dict[int, tuple[int, int]] = {}
    for gop in one.index.gops:
        if gop.start_ms < made.media_end_ms - 100 and gop.end_ms > made.media_start_ms + 100:
            low, high = spans.get(gop.part, (gop.byte_start, gop.byte_end))
            spans[gop.part] = (min(low, gop.byte_start), max(high, gop.byte_end))
    return spans


def asked_bytes(proxy: FaultProxy) -> tuple[int, int]:
    """GETs at the proxy and the bytes they asked for."""
    ranges = [h.get("Range", "") for method, _, h in proxy.seen if method == "GET"]
    pairs = [r.removeprefix("bytes=").split("-") for r in ranges]
    return len(pairs), sum(int(high) - int(low) + 1 for low, high in pairs)


def packets(path: Path) -> int:
    """How many packets a clip holds that can be read."""
    import av

    with av.open(str(path)) as found:
        return sum(packet.size > 0 for packet in found.demux())


def counted(
    one: Stored, proxy: FaultProxy, store: ObjectStore, folder: Path, places: list[int]
) -> dict[str, Any]:
    """Bytes and requests of each clip."""
    rows = []
    for number, at_ms in enumerate(places):
        proxy.seen.clear()
        made = clip(one, store, folder / "cache", at_ms, folder / f"c{number}.mp4")
        gets, read = asked_bytes(proxy)
        spans = groups(one, made)
        rows.append((gets, read, len(spans), sum(b - a for a, b in spans.values())))
        assert packets(made.path) > 0
        made.path.unlink()
    warm = rows[1:]
    return {
        "cold_gets": rows[0][0],
        "cold_bytes": rows[0][1],
        "warm_gets_per_object": round(sum(r[0] for r in warm) / sum(r[2] for r in warm), 2),
        "warm_bytes_per_group_byte": round(sum(r[1] for r in warm) / sum(r[3] for r in warm), 3),
        "group_bytes": statistics.median(r[3] for r in warm),
        "recording_bytes": one.recording.size_bytes,
    }


def timed(one: Stored, store: ObjectStore, folder: Path, places: list[int]) -> dict[str, Any]:
    """Wall time beside a plain ranged GET of the groups' bytes, and ffmpeg over HTTP."""
    ours, cpu, plain, stock = [], [], [], []
    single = len(one.recording.parts) == 1
    for number, at_ms in enumerate(places):
        begun, busy = time.perf_counter(), time.process_time()
        made = clip(one, store, folder / "cache", at_ms, folder / f"t{number}.mp4")
        ours.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - busy)
        begun = time.perf_counter()
        for part, (low, high) in groups(one, made).items():
            store.read(one.recording.parts[part].key, start=low, end=high)
        plain.append(time.perf_counter() - begun)
        if single:
            url = store.presign(one.recording.parts[0].key, expires_s=600)
            command = [
                str(ffmpeg_path()),
                "-nostdin",
                "-v",
                "error",
                "-y",
                "-ss",
                str(at_ms / 1000),
            ]
            command += ["-i", url, "-t", "10", "-c", "copy", str(folder / "ffmpeg.mp4")]
            begun = time.perf_counter()
            subprocess.run(command, check=False, capture_output=True)
            stock.append(time.perf_counter() - begun)
        made.path.unlink()
    return {
        "clip_median_ms": round(statistics.median(ours) * 1000),
        "clip_cpu_median_ms": round(statistics.median(cpu) * 1000),
        "plain_get_median_ms": round(statistics.median(plain) * 1000),
        "clip_over_bar_median": round(
            statistics.median(o / (1.5 * p + 0.03) for o, p in zip(ours, plain, strict=True)), 2
        ),
        "ffmpeg_http_median_ms": round(statistics.median(stock) * 1000) if stock else None,
    }


def alone(folder: Path, bucket: str, at_ms: int) -> None:
    """Cut one clip of the recording described in a folder, and print this process's peak in MiB."""
    recording = Recording.model_validate_json((folder / "recording.json").read_bytes())
    sidecar = parse_pack((folder / "sidecar.pack").read_bytes(), name="sidecar.pack")
    one = Stored(recording, sidecar_of(sidecar)[0])
    clip(one, s3_store(s3_settings(bucket=bucket)), folder / "cache", at_ms, folder / "alone.mp4")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024)  # getrusage has the parent's


def peak_mib(one: Stored, folder: Path, bucket: str, at_ms: int) -> int:
    """Peak memory of a process of its own that cuts one clip."""
    (folder / "recording.json").write_text(one.recording.model_dump_json(), encoding="utf-8")
    (folder / "sidecar.pack").write_bytes(sidecar_pack([one.index]))
    asked = ["--alone", str(folder), "--bucket", bucket, "--at-ms", str(at_ms)]
    command = [sys.executable, "-m", "benchmarks.clips", *asked]
    return round(float(subprocess.run(command, check=True, capture_output=True).stdout))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hours", type=float, default=1)
    options.add_argument("--clips", type=int, default=20)
    options.add_argument("--forms", default=",".join(n.replace(", ", "-") for n in FORMS))
    options.add_argument("--json", type=Path)
    options.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--bucket", help=argparse.SUPPRESS)
    options.add_argument("--at-ms", type=int, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.alone:
        alone(asked.alone, asked.bucket, asked.at_ms)
        return
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        FaultProxy(needed("EVIDENCE_TEST_S3_ENDPOINT")) as proxy,
    ):
        bucket = f"clips-{uuid.uuid4().hex[:8]}"
        direct = s3_store(s3_settings(bucket=bucket, read_timeout_s=60))
        proxied = s3_store(s3_settings(bucket=bucket, endpoint_url=proxy.url, read_timeout_s=60))
        for form in (n for n in FORMS if n.replace(", ", "-") in asked.forms.split(",")):
            folder = Path(scratch) / form.replace(" ", "-").replace(",", "")
            one = stored(media.open_source(long_one(folder, asked.hours, form)), direct)
            dice = random.Random(form)
            end = one.recording.duration_ms - LENGTH_MS
            places = [dice.randrange(end) for _ in range(asked.clips + 1)]
            found[form] = counted(one, proxy, proxied, folder, places)
            found[form] |= timed(one, direct, folder, places[1:])
            found[form]["peak_mib"] = peak_mib(one, folder, bucket, places[0])
            say(f"{form}: {json.dumps(found[form])}")
    text = json.dumps({"hours": asked.hours, "clips": asked.clips, "containers": found}, indent=2)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
