"""Claims under hard conditions: a marathon, no claims at all, music, two voices.

    .venv/bin/python -m benchmarks.claims_conditions --marathon --quiet
    .venv/bin/python -m benchmarks.claims_conditions --speech real.opus     # speech without claims
    .venv/bin/python -m benchmarks.claims_conditions --mixed zh01,en02      # music 10 and 5 dB, voices

The marathon is the four-hour broadcast of forty products of ``make_marathon.py``, from its words.
Mixed sound is made here: chords with a beat at so many decibels under the speech, and the voice of
another example 10 dB under it. Mixed recordings have sound alone, so that no screen helps; the
plain sound of the same recordings stands beside them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.make_marathon import make
from benchmarks.recognition import recording_of
from pipeline import runner
from pipeline.bootstrap import init
from pipeline.media.audio import audio_blocks
from pipeline.media.source import open_source
from pipeline.serve.evaluation import from_recordings, from_words

ROOT = Path(__file__).parents[1]
RATE_HZ = 16_000
SHOWN = (
    "f1",
    "precision",
    "recall",
    "value_accuracy",
    "sure_precision",
    "sure_share",
    "recall_at_3",
    "right_none",
    "cer",
)
Sound = NDArray[np.float32]


def sound_of(folder: Path) -> Sound:
    """The whole sound of an example, mono."""
    blocks = audio_blocks(open_source(recording_of(folder)), report=[], rate_hz=RATE_HZ)
    return np.concatenate([block.samples for block in blocks])


def write_wav(path: Path, sound: Sound) -> None:
    """16-bit mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((sound * 32_767).astype("<i2").tobytes())


def music(samples: int, *, seed: int = 5) -> Sound:
    """Chords that change every two seconds over a beat of two a second, mono, RMS 1."""
    dice, t = np.random.default_rng(seed), np.arange(samples) / RATE_HZ
    out = np.zeros(samples)
    for start in range(0, samples, 2 * RATE_HZ):
        part = slice(start, start + 2 * RATE_HZ)
        root = 110 * 2 ** (dice.integers(0, 12) / 12)
        for step in (1, 2 ** (4 / 12), 2 ** (7 / 12), 2):
            for harmonic in (1, 2, 3):
                out[part] += np.sin(2 * np.pi * root * step * harmonic * t[part]) / harmonic
    beat = np.exp(-30 * (t % 0.5)) * dice.standard_normal(samples)
    return _level(out / np.sqrt(np.mean(out**2)) + 1.5 * beat)


def _level(sound: NDArray[Any]) -> Sound:
    return np.asarray(sound / np.sqrt(np.mean(sound**2)), np.float32)


def under(speech: Sound, other: Sound, *, decibels: float) -> Sound:
    """Speech with another sound so many decibels below it, within full scale."""
    other = np.resize(other, len(speech))
    mixed = _level(speech) + other * 10 ** (-decibels / 20)
    return np.asarray(0.9 * mixed / np.abs(mixed).max(), np.float32)


def mixed(names: list[str]) -> dict[str, dict[str, Any]]:
    """Measures by condition."""
    folders = [ROOT / "examples" / name for name in names]
    voice = _level(sound_of(ROOT / "examples" / "zh05"))
    conditions: dict[str, Callable[[Sound], Sound]] = {
        "sound alone": lambda s: s,
        "music 10 dB": lambda s: under(s, music(len(s)), decibels=10),
        "music 5 dB": lambda s: under(s, music(len(s)), decibels=5),
        "second voice 10 dB": lambda s: under(s, voice, decibels=10),
    }
    return {name: _scored(folders, change) for name, change in conditions.items()}


def _scored(folders: list[Path], change: Callable[[Sound], Sound]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="replay-evidence-conditions-") as work:
        made = [_changed(folder, Path(work) / folder.name, change) for folder in folders]
        return from_recordings(init(Path(work) / "w"), made)


def _changed(folder: Path, to: Path, change: Callable[[Sound], Sound]) -> Path:
    """A labelled folder like another, its sound changed."""
    to.mkdir()
    for name in ("broadcast.json", "transcript.json", "orders.jsonl", "labels.json"):
        shutil.copy(folder / name, to / name)
    write_wav(to / "recording.wav", change(sound_of(folder)))
    return to


def marathon() -> dict[str, Any]:
    """Measures of the four-hour broadcast from its words."""
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "marathon.json"
        path.write_text(json.dumps(make(seed=7)), encoding="utf-8")
        return from_words([path])


def quiet() -> dict[str, Any]:
    """Measures of talk that claims nothing."""
    return from_words(sorted((ROOT / "tests/assets/scenes/quiet").glob("*.json")))


def speech(path: Path) -> dict[str, float]:
    """False claims an hour in recognised speech that claims nothing."""
    with tempfile.TemporaryDirectory(prefix="replay-evidence-conditions-") as work:
        app = init(Path(work))
        parts = runner.parts_of(app, runner.process(app, runner.Request(inputs=(str(path),))))
    claims = parts.claims.claims if parts.claims else ()
    hours = (parts.transcript.duration_ms if parts.transcript else 0) / 3_600_000
    sure = [c for c in claims if not c.needs_review]
    for claim in claims:
        print(f"  {'review' if claim.needs_review else 'sure  '} {claim.claim_type} {claim.quote}")
    return {"hours": hours, "per_hour": len(claims) / hours, "sure_per_hour": len(sure) / hours}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--marathon", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--mixed", default="")
    asked = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    found |= {"marathon": marathon()} if asked.marathon else {}
    found |= {"quiet": quiet()} if asked.quiet else {}
    found |= mixed(asked.mixed.split(",")) if asked.mixed else {}
    for name, report in found.items():
        print(name, {k: report[k] for k in (*SHOWN, "claims") if k in report}, flush=True)
    if asked.speech:
        print("speech", speech(asked.speech))


if __name__ == "__main__":
    main()
