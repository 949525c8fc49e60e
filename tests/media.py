"""Makes small recordings whose pictures and sound say what time it is.

Each picture carries the scene time as black and white blocks along its top edge (two marker
blocks, sixteen bits of the number of 40 ms ticks, two marker blocks), and the sound beeps at
known seconds. A recording is made from one *master* by copying its packets into a container,
leaving some out and moving their clocks, as life does.
"""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

TICK_MS = 40
"""One frame at 25 fps: the tolerance of every test of time."""
SECONDS = 12
BEEPS_S = (1, 2, 4, 5, 8, 10)
RATE_HZ = 44_100
_BLOCKS, _BITS = 20, 16

Keep = Callable[[str, float], bool]
"""``(kind, scene second)`` to whether a packet is kept."""


# --- reading the clock back -------------------------------------------------------------


def code_ms(bgr: np.ndarray) -> int | None:
    """Scene milliseconds written in a picture; None where there is no readable code."""
    width = bgr.shape[1] / _BLOCKS
    row = bgr[4:10].mean(axis=(0, 2))
    cells = [
        row[int(n * width + width / 3) : int((n + 1) * width - width / 3)] for n in range(_BLOCKS)
    ]
    bits = [int(c.mean() > 128) for c in cells]
    if bits[:2] != [1, 0] or bits[-2:] != [0, 1]:
        return None
    return int("".join(map(str, bits[2:-2])), 2) * TICK_MS


def beep_ms(samples: np.ndarray, *, rate_hz: int = 16_000) -> list[int]:
    """Milliseconds at which a beep begins after at least 100 ms of quiet."""
    loud = np.flatnonzero(np.abs(samples) > 0.12)
    if not len(loud):
        return []
    gaps = np.flatnonzero(np.diff(loud) > rate_hz // 10)
    onsets = [loud[0], *loud[gaps + 1]]
    return [round(int(n) * 1000 / rate_hz) for n in onsets]


# --- the master -------------------------------------------------------------------------


def picture(second: float, *, width: int = 320, height: int = 180) -> np.ndarray:
    """The RGB picture of a scene second."""
    image = np.full((height, width, 3), 90, dtype=np.uint8)
    image[height // 2 :, : int(width * (second % 1)) + 1] = (40, 120, 200)
    bits = "10" + format(round(second * 1000 / TICK_MS), f"0{_BITS}b") + "01"
    step = width // _BLOCKS
    for n, bit in enumerate(bits):
        image[:16, n * step : (n + 1) * step] = 255 if bit == "1" else 0
    return image


def master(
    path: Path,
    *,
    seconds: float = SECONDS,
    times: Sequence[float] | None = None,
    video: bool = True,
    audio: bool = True,
    portrait: bool = False,
) -> Path:
    """Write the master: H.264 with B-frames and a key picture each second, AAC.

    ``times`` gives the scene seconds of the frames (a variable frame rate). ``portrait``
    stores the upright picture lying on its side with a rotation in the container.
    """
    with av.open(str(path), "w", format="mp4") as out:
        pictures = _video_stream(out, portrait) if video else None
        sound = out.add_stream("aac", rate=RATE_HZ, options={"b": "96k"}) if audio else None
        if pictures is not None:
            _write_pictures(
                out, pictures, times or [n / 25 for n in range(round(seconds * 25))], portrait
            )
        if sound is not None:
            _write_sound(out, sound, seconds)
    return path


def _video_stream(out: Any, portrait: bool) -> Any:
    options = {"preset": "veryfast", "bf": "2", "g": "25", "keyint_min": "25", "crf": "24"}
    stream = out.add_stream(
        "libx264", rate=25, options={**options, "x264-params": "scenecut=0:open-gop=0"}
    )
    stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)
    if portrait:
        stream.set_display_rotation(-90)
    return stream


def _write_pictures(out: Any, stream: Any, times: Sequence[float], portrait: bool) -> None:
    for second in times:
        image = picture(second, width=180, height=320) if portrait else picture(second)
        if portrait:  # a quarter turn back; the container says how to turn it upright
            image = np.ascontiguousarray(np.rot90(image))
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = round(second * 1000), Fraction(1, 1000)
        if round(second * 25) % 25 == 0:
            frame.pict_type = av.video.frame.PictureType.I
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def beeps(seconds: float, *, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Sound of the scene: 1 kHz for 120 ms at each of ``BEEPS_S``."""
    samples = np.zeros(round(seconds * rate_hz), dtype=np.float32)
    tone = 0.6 * np.sin(2 * np.pi * 1000 * np.arange(round(0.12 * rate_hz)) / rate_hz)
    for second in BEEPS_S:
        at = round(second * rate_hz)
        room = samples[at : at + len(tone)]
        room[:] = tone[: len(room)]
    return samples


def _write_sound(out: Any, stream: Any, seconds: float) -> None:
    samples = beeps(seconds)
    for at in range(0, len(samples), 1024):
        block = samples[None, at : at + 1024]
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, at, Fraction(1, RATE_HZ)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


# --- containers -------------------------------------------------------------------------


def everything(kind: str, second: float) -> bool:
    """Keep every packet."""
    return True


def late_audio(kind: str, second: float) -> bool:
    """Sound begins 1.5 s late: the beep at 1 s is lost, those after it are not."""
    return kind == "video" or second >= 1.5


def hole(kind: str, second: float) -> bool:
    """Nothing is recorded from 3 s to 7 s."""
    return not 3 <= second < 7


def remux(
    source: Path,
    out: Path,
    *,
    form: str,
    keep: Keep = everything,
    shift_s: float = 0.0,
    clock: Callable[[float], float] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Copy packets of ``source`` into another container, some left out, clocks moved.

    ``clock`` maps the scene second of a packet's decoding time to a container second.
    """
    with (
        av.open(str(source)) as media,
        av.open(str(out), "w", format=form, options=options or {}) as file,
    ):
        streams = {s.index: file.add_stream_from_template(s, opaque=True) for s in media.streams}
        group = True
        for packet in media.demux():
            if packet.size == 0 or packet.is_discard:
                continue
            kind, base = packet.stream.type, packet.time_base
            second = float(packet.pts * base)
            if kind == "video" and packet.is_keyframe:
                group = keep(kind, second)
            if not (group if kind == "video" else keep(kind, second)):
                continue
            at = float(packet.dts * base)
            moved = shift_s + ((clock(at) - at) if clock else 0.0)
            packet.pts += round(moved / base)
            packet.dts += round(moved / base)
            packet.stream = streams[packet.stream.index]
            file.mux_one(packet)
    return out


FORMS: dict[str, tuple[str, str, dict[str, str]]] = {
    "mp4": ("mp4", "mp4", {"movflags": "+faststart"}),
    "mp4_moov_last": ("mp4", "mp4", {}),
    "fmp4": ("mp4", "mp4", {"movflags": "frag_keyframe+empty_moov+delay_moov+default_base_moof"}),
    "flv": ("flv", "flv", {}),
    "mpegts": ("ts", "mpegts", {}),
    "matroska": ("mkv", "matroska", {}),
    "hls": ("m3u8", "hls", {"hls_time": "2", "hls_list_size": "0", "hls_playlist_type": "vod"}),
}
"""Variant to file ending, muxer and its options."""


def contained(
    source: Path, folder: Path, form: str, *, keep: Keep = everything, **more: Any
) -> Path:
    """The master in one of ``FORMS``."""
    ending, muxer, options = FORMS[form]
    folder.mkdir(parents=True, exist_ok=True)
    return remux(
        source, folder / f"{form}.{ending}", form=muxer, keep=keep, options=options, **more
    )


# --- damage -----------------------------------------------------------------------------


def wrapped_flv(source: Path, out: Path, *, before_s: float) -> Path:
    """An FLV whose 24-bit clock wraps after ``before_s`` seconds, by a writer that forgets
    the eighth byte of the timestamp."""
    remux(source, out, form="flv", shift_s=(1 << 24) / 1000 - before_s)
    data = bytearray(out.read_bytes())
    at = 13
    while at + 11 <= len(data):
        data[at + 7] = 0
        at += 11 + int.from_bytes(data[at + 1 : at + 4], "big") + 4
    out.write_bytes(data)
    return out


def lying_flv(source: Path, out: Path, *, claimed_s: float) -> Path:
    """An FLV whose metadata states another duration."""
    remux(source, out, form="flv")
    data = bytearray(out.read_bytes())
    at = data.index(b"\x00\x08duration\x00") + 11
    data[at : at + 8] = struct.pack(">d", claimed_s)
    out.write_bytes(data)
    return out


def lying_mkv(source: Path, out: Path, *, claimed_s: float) -> Path:
    """A Matroska file whose header states another duration."""
    remux(source, out, form="matroska")
    data = bytearray(out.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3
    data[at : at + 8] = struct.pack(">d", claimed_s * 1000)
    out.write_bytes(data)
    return out


def truncated(source: Path, out: Path, *, share: float = 0.6) -> Path:
    """The first part of a file's bytes."""
    data = source.read_bytes()
    out.write_bytes(data[: int(len(data) * share) | 1])
    return out


def corrupted(source: Path, out: Path, *, start: float = 0.5, end: float = 0.56) -> Path:
    """The file with noise over some of its bytes."""
    data = bytearray(source.read_bytes())
    low, high = int(len(data) * start), int(len(data) * end)
    data[low:high] = random.Random(7).randbytes(high - low)
    out.write_bytes(data)
    return out


def without_moov(source: Path, out: Path) -> Path:
    """An MP4 whose writer was killed before it wrote the index."""
    data = source.read_bytes()
    out.write_bytes(data[: data.rindex(b"moov") - 4])
    return out


def hls_of(
    parts: Sequence[Path], out: Path, *, lines: Sequence[Sequence[str]], seconds: float
) -> Path:
    """A playlist of MPEG-TS files; ``lines`` are the tags before each of them."""
    text = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{int(seconds) + 1}"]
    for part, tags in zip(parts, lines, strict=True):
        if part.parent != out.parent:
            shutil.copy(part, out.parent / part.name)
        text += [*tags, f"#EXTINF:{seconds:.3f},", part.name]
    out.write_text("\n".join([*text, "#EXT-X-ENDLIST", ""]))
    return out
