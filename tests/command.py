"""Runs the installed ``evidence`` command as a person would, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PROGRAM = [sys.executable, "-m", "pipeline.serve.cli"]
READING = {"EVIDENCE_KEYFRAMES__OCR": "true"}
"""What stands on the screen is read: half of a run's work, so that only tests of it ask for it."""


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The JSON error on standard error (its last line)."""
        found: dict[str, Any] = json.loads(self.err.strip().splitlines()[-1])
        return found


def evidence(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Ran:
    """Run it to its end."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=env(**environment),
        capture_output=True,
        text=True,
        timeout=300,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def begin(*arguments: str | Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start it in a process group of its own, to be killed."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        env=env(**environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def env(**more: str) -> dict[str, str]:
    """A plain environment, nothing of the developer's own settings; the screen is not read."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EVIDENCE_")}
    kept |= {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "EVIDENCE_KEYFRAMES__OCR": "false"}
    return kept | more


def workspace(folder: Path) -> Path:
    """A fresh workspace."""
    assert evidence("init", folder).code == 0
    return folder


def short_broadcast(folder: Path, *, example: str = "zh01", seconds: int = 60) -> Path:
    """The first seconds of an example with its description, as a folder to process."""
    from pipeline.media.run import ffmpeg_path

    source = next((EXAMPLES / example).glob("recording.*"))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.name
    cut = [str(ffmpeg_path()), "-nostdin", "-y", "-i", str(source), "-t", str(seconds)]
    subprocess.run([*cut, "-c", "copy", str(target)], check=True, capture_output=True)
    for name in ("broadcast.json", "orders.jsonl"):
        (folder / name).write_bytes((EXAMPLES / example / name).read_bytes())
    return folder


def spoken(file: Path, rows: Iterable[tuple[int, int, str]], *, language: str = "zh") -> Path:
    """A transcript of lines ``(start_ms, end_ms, text)``, written to a file."""
    segments = [{"start_ms": a, "end_ms": b, "text": text} for a, b, text in rows]
    said = {"language": language, "segments": segments}
    file.write_text(json.dumps(said), encoding="utf-8")
    return file


def on_stage(file: Path, texts: Iterable[str]) -> Path:
    """A transcript of these lines, all of them while the first suitcase of ``zh01`` is shown."""
    rows = [(12_000 + 8000 * n, 18_000 + 8000 * n, text) for n, text in enumerate(texts)]
    return spoken(file, [(4000, 8000, "来看这款行李箱"), *rows])


def processed(
    folder: Path, here: Path, rows: Iterable[tuple[int, int, str]], **described: str
) -> None:
    """Twenty seconds of an example with words given, described otherwise, through the whole way."""
    short_broadcast(folder, seconds=20)
    file = folder / "broadcast.json"
    told = json.loads(file.read_text(encoding="utf-8")) | described
    file.write_text(json.dumps(told), encoding="utf-8")
    done = evidence(
        "process", folder, "--transcript", spoken(folder / "words.json", rows), "-w", here
    )
    assert done.code == 0, done.err
