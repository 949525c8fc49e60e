"""The seal of a bundle: a manifest of every file, a signature, time-stamps, and the one zip.

    MANIFEST.json          every file with size and SHA-256, canonical JSON (RFC 8785)
    SHA256SUMS             the same for ``sha256sum -c``, with the manifest and the seal
    seal/MANIFEST.sig      Ed25519 over MANIFEST.json, 64 bytes
    seal/timestamp-N.tsq   request, and
    seal/timestamp-N.tsr   reply of an RFC 3161 authority over seal/MANIFEST.sig

What cannot be under the signature lies in ``seal/``: a missing time-stamp is added later and
changes nothing that was signed.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import InputError, IntegrityError
from pipeline.evidence.signing import Signer
from pipeline.evidence.stamps import Refusal, stamp_of
from pipeline.evidence.verify_bundle import (
    FORMAT,
    ROOTS,
    SEAL,
    SIGNATURE,
    VERSION,
    Asked,
    Broken,
    open_bundle,
    verify,
    zip_central,
    zip_end,
    zip_local,
)
from pipeline.provenance import VERSION as PROGRAM_VERSION
from pipeline.provenance import canonical_bytes, sha256_file, sha256_hex
from pipeline.settings import SealSettings

_ZIP_BYTES = (1 << 32) - (1 << 20)
_BLOCK_BYTES = 1 << 20


class Sealed(NamedTuple):
    """A sealed bundle."""

    folder: Path
    archive: Path | None
    """The zip; None where it would be larger than a zip of version 2.0 can be."""
    manifest_sha256: str
    stamped: tuple[str, ...]
    """Authorities that stamped it."""
    refused: tuple[Refusal, ...]
    """Authorities that did not, and why: it is untimestamped by them until asked again."""


def seal(folder: Path, *, signer: Signer, sealed_utc_ms: int) -> str:
    """Write manifest, signature and sums over the files of a folder; the manifest's SHA-256.

    Raises:
        ConfigError: the key cannot be used.
    """
    manifest = canonical_bytes(
        {
            "format": FORMAT,
            "version": VERSION,
            "sealed_utc_ms": sealed_utc_ms,
            "program": f"replay-evidence {PROGRAM_VERSION}",
            "signer": signer.public_key.hex(),
            "files": _files(folder),
        }
    )
    (folder / "MANIFEST.json").write_bytes(manifest)
    (folder / "seal").mkdir()
    (folder / SIGNATURE).write_bytes(signer.sign(manifest))
    write_sums(folder)
    return sha256_hex(manifest)


def _files(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in ROOTS and not SEAL.fullmatch(name):
            size = path.stat().st_size
            rows.append({"name": name, "sha256": sha256_file(path), "size": size})
    return sorted(rows, key=lambda row: str(row["name"]))


def write_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` anew, over every other file."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    names = sorted((p.relative_to(folder).as_posix(), p) for p in files)
    text = "".join(f"{sha256_file(path)}  {name}\n" for name, path in names)
    (folder / "SHA256SUMS").write_text(text, encoding="ascii")


def stamp(folder: Path, settings: SealSettings) -> tuple[tuple[str, ...], tuple[Refusal, ...]]:
    """Ask the authorities that have not stamped a bundle yet; who did, and who did not.

    Token ``N`` is that of the ``N``-th authority of the settings.
    """
    signature = (folder / SIGNATURE).read_bytes()
    stamped: list[str] = []
    refused: list[Refusal] = []
    for number, authority in enumerate(settings.authorities[:9], 1):
        query, reply = (folder / "seal" / f"timestamp-{number}.ts{end}" for end in "qr")
        if reply.exists():
            continue
        one = stamp_of(signature, authority, timeout_s=settings.authority_timeout_s)
        if isinstance(one, Refusal):
            refused.append(one)
            continue
        query.write_bytes(one.query)
        reply.write_bytes(one.reply)
        stamped.append(authority.name)
    if stamped:
        write_sums(folder)
    return tuple(stamped), tuple(refused)


def write_zip(folder: Path, out: Path) -> Path | None:
    """The one zip of a bundle: names in order, stored, no dates; None where it would be too large."""
    paths = sorted((p.relative_to(folder).as_posix(), p) for p in folder.rglob("*") if p.is_file())
    if sum(path.stat().st_size for _, path in paths) > _ZIP_BYTES:
        return None
    draft, directory, at = out.with_name(f".{out.name}.part"), [], 0
    with draft.open("wb") as file:
        for name, path in paths:
            crc, size = _crc(path), path.stat().st_size
            directory.append(zip_central(name, crc, size, at))
            at += file.write(zip_local(name, crc, size))
            with path.open("rb") as stored:
                while block := stored.read(_BLOCK_BYTES):
                    at += file.write(block)
        listing = b"".join(directory)
        file.write(listing + zip_end(len(directory), len(listing), at))
    return draft.replace(out)


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
    return crc


def unpack(archive: Path, folder: Path) -> None:
    """The files of a bundle's zip as a folder.

    Raises:
        InputError: it is no bundle's zip.
    """
    try:
        files = open_bundle(archive)
    except Broken as broken:
        raise InputError(
            f"{archive}: {broken.args[1]}", hint="give a bundle: a folder or a zip"
        ) from broken
    for name, stored in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            for block in stored.blocks():
                file.write(block)


def require_holds(folder: Path) -> None:
    """Check a new bundle by the script that lies in it.

    Raises:
        IntegrityError: a check failed; nothing was handed out.
    """
    report = verify(Asked(folder))
    if report.failed or not report.holds("intact") or not report.holds("signed"):
        bad = next(c for c in report.checks if c.status == "fail")
        raise IntegrityError(
            f"the new bundle does not verify: check {bad.number} ({bad.name}): {bad.sentence}",
            hint="the recording or an output in the store was altered: `evidence custody verify`",
        )
