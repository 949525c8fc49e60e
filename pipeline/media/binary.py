"""The ffmpeg program: the system's own, else the one bundled in the imageio-ffmpeg wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import ConfigError, UnreadableMedia
from pipeline.media.source import PROTOCOLS

_SAFE = ("-hide_banner", "-nostdin", "-loglevel", "error", "-protocol_whitelist", PROTOCOLS)


def ffmpeg_path() -> Path:
    """Where ffmpeg is.

    Raises:
        ConfigError: neither on the PATH nor bundled for this machine.
    """
    found = shutil.which("ffmpeg")
    if found:
        return Path(found)
    import imageio_ffmpeg

    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise ConfigError(
            "no ffmpeg on the PATH and none bundled for this machine",
            hint="install ffmpeg with the system's package manager",
        ) from error


def ffmpeg_version() -> str:
    """The program's own version, such as ``7.1``; ``unknown`` when it does not say.

    Raises:
        ConfigError: there is no ffmpeg, or it cannot be started.
    """
    path = ffmpeg_path()
    try:
        done = subprocess.run(
            [str(path), "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"{path}: cannot be started ({error})", hint="reinstall it") from error
    said = re.match(r"ffmpeg version n?(\S+)", done.stdout)
    return said.group(1) if said else "unknown"


def run_ffmpeg(arguments: Sequence[str], *, timeout_s: int = 600) -> None:
    """Run ffmpeg without a terminal, a shell or a network; inputs are local files only.

    Raises:
        UnreadableMedia: it failed or took longer than ``timeout_s``.
    """
    command = [str(ffmpeg_path()), *_SAFE, "-y", *arguments]
    try:
        subprocess.run(command, capture_output=True, timeout=timeout_s, check=True)
    except subprocess.TimeoutExpired as error:
        raise UnreadableMedia(
            f"ffmpeg did not finish in {timeout_s} s", hint="give a shorter recording"
        ) from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UnreadableMedia(
            f"ffmpeg failed: {lines[-1] if lines else error.returncode}",
            hint="check that the recording is complete",
        ) from error


def library_versions() -> dict[str, str]:
    """Versions of PyAV and of the FFmpeg libraries inside it."""
    import av

    versions = {"pyav": av.__version__}
    for name, numbers in sorted(av.library_versions.items()):
        versions[name] = ".".join(str(n) for n in numbers)
    return versions
