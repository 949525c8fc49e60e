"""A broadcast on air for tests: a real recording cut into segments that land over time."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.command import EXAMPLES

PLAYLIST = "live.m3u8"
END = "_END"


def cut_up(folder: Path, *, example: str = "zh01", seconds: int = 64, each: int = 4) -> list[Path]:
    """The first seconds of an example as MPEG-TS segments, in order."""
    from pipeline.media.run import ffmpeg_path

    folder.mkdir(parents=True, exist_ok=True)
    source = next((EXAMPLES / example).glob("recording.*"))
    cut = [str(ffmpeg_path()), "-nostdin", "-y", "-i", str(source), "-t", str(seconds)]
    form = ["-c", "copy", "-f", "segment", "-segment_time", str(each), "-segment_format", "mpegts"]
    subprocess.run([*cut, *form, str(folder / "seg_%03d.ts")], check=True, capture_output=True)
    return sorted(folder.glob("seg_*.ts"))


def until(true: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


class Air:
    """A folder into which segments land as a recorder would write them."""

    def __init__(self, folder: Path, segments: list[Path], *, example: str = "zh01") -> None:
        self.folder, self.segments = folder, segments
        self.listed = 0
        folder.mkdir(parents=True, exist_ok=True)
        description = (EXAMPLES / example / "broadcast.json").read_bytes()
        (folder / "broadcast.json").write_bytes(description)

    def land(self, number: int, *, name: str = "") -> None:
        """One segment, whole at once."""
        target = self.folder / (name or self.segments[number].name)
        shutil.copyfile(self.segments[number], target.with_suffix(".part"))
        target.with_suffix(".part").replace(target)

    def listing(self, count: int, *, ended: bool = False, first: int = 0) -> None:
        """The playlist as it names segments ``first`` to ``count``."""
        self.listed = count
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:5", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        for segment in self.segments[first:count]:
            lines += ["#EXTINF:4.0,", segment.name]
        lines += ["#EXT-X-ENDLIST"] if ended else []
        part = self.folder / "list.part"
        part.write_text("\n".join([*lines, ""]))
        part.replace(self.folder / PLAYLIST)

    def end(self) -> None:
        """Nothing will follow: the playlist says so, or the marker does."""
        if self.listed:
            self.listing(self.listed, ended=True)
        else:
            (self.folder / END).touch()
