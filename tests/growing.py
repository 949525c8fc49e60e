"""A recording that real FFmpeg is writing, and an HTTP server that gives it out as it grows."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.command import EXAMPLES

FORMS = {
    "flv": ["-f", "flv", "-flush_packets", "1"],
    "ranges-ts": [
        "-f",
        "hls",
        "-hls_time",
        "2",
        "-hls_list_size",
        "0",
        "-hls_flags",
        "single_file",
    ],
    "ranges-mp4": [
        *("-f", "hls", "-hls_time", "2", "-hls_list_size", "3", "-hls_segment_type", "fmp4"),
        *("-hls_flags", "single_file"),
    ],
}
"""How FFmpeg writes each kind: a growing FLV; byte ranges of one growing file."""


def described(folder: Path, *, example: str = "zh01") -> Path:
    """A folder with the example's description."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(EXAMPLES / example / "broadcast.json", folder / "broadcast.json")
    return folder


def writing(
    target: Path,
    kind: str,
    *,
    seconds: int = 40,
    rate: float = 4,
    start_s: int = 0,
    example: str = "zh01",
) -> subprocess.Popen[bytes]:
    """FFmpeg, writing an example at so many times real time; sound and pictures are copied."""
    from pipeline.media.run import ffmpeg_path

    source = next((EXAMPLES / example).glob("recording.*"))
    read = ["-readrate", str(rate), "-ss", str(start_s), "-i", str(source), "-t", str(seconds)]
    command = [str(ffmpeg_path()), "-nostdin", "-y", *read, "-c", "copy", *FORMS[kind], str(target)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Streamer:
    """Gives a file out over HTTP while it grows, as a live server or as a file server does."""

    def __init__(self, file: Path, *, ranges: bool) -> None:
        self.file, self.ranges = file, ranges
        self.ended, self.gone = threading.Event(), False
        self.cut_at: list[int] = []
        """Break the line once at each of these positions."""
        self.asked: list[str] = []
        """``Range`` headers that came."""

    def url(self, port: int) -> str:
        return f"http://127.0.0.1:{port}/live.flv?key=secret"

    def give(self, line: BaseHTTPRequestHandler) -> None:
        asked = line.headers.get("Range", "")
        self.asked.append(asked)
        if self.gone:
            line.send_error(404)
            return
        start = int(asked[6:].split("-")[0]) if self.ranges and asked else 0
        line.send_response(206 if start else 200)
        if start:
            line.send_header("Content-Range", f"bytes {start}-/*")
        line.end_headers()
        try:
            self._pour(line, start)
        except OSError:
            return

    def _pour(self, line: BaseHTTPRequestHandler, at: int) -> None:
        with self.file.open("rb") as file:
            file.seek(at)
            while True:
                over = self.ended.is_set()
                room = next((cut - at for cut in self.cut_at if cut >= at), 1 << 16)
                data = file.read(min(1 << 16, max(1, room)))
                if data:
                    line.wfile.write(data)
                    at += len(data)
                    if at in self.cut_at:
                        self.cut_at.remove(at)
                        line.connection.shutdown(socket.SHUT_RDWR)
                        return
                elif over:
                    return
                else:
                    time.sleep(0.05)


@contextmanager
def served(streamer: Streamer) -> Iterator[str]:
    """The address while it is served."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            streamer.give(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield streamer.url(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
