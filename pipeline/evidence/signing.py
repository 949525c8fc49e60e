"""Keys that seal bundles: a file, the environment, or a key service; and their dated history.

A workspace's own keys lie in ``keys/signing/``: ``<first 16 digits>.pem`` (PKCS 8, readable by
its owner only) and ``history.json``, which says from when until when each key is in use. The
private half never leaves that folder; the history is what others are given to trust.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydantic import Field, ValidationError

from pipeline.errors import ConfigError
from pipeline.model import Frozen
from pipeline.settings import SealSettings

_HISTORY = "history.json"
_SIGNATURE_BYTES = 64
_COMMAND_S = 60


class Signer(Protocol):
    """The port to whatever holds the private key."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the Ed25519 public key."""

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the signature over ``data``.

        Raises:
            ConfigError: the key cannot be used.
        """


class KeyRow(Frozen):
    """One public key and when it may sign."""

    key: str
    """Ed25519 public key, 64 hex digits."""
    name: str
    """Whose key, for a person."""
    from_utc_ms: int
    """In use from here on."""
    until_utc_ms: int | None = None
    """No longer in use from here on; null: still in use."""
    revoked_utc_ms: int | None = None
    """Nothing signed from here on may be relied on; null: not revoked."""


class KeyHistory(Frozen):
    """All keys of a workspace, oldest first."""

    schema_version: int = 1
    """Version of this form."""
    keys: tuple[KeyRow, ...] = Field(default=())
    """Rows, in the order in which they were made."""

    @property
    def current(self) -> KeyRow | None:
        """The key that signs now; None where there is none."""
        usable = [k for k in self.keys if k.until_utc_ms is None and k.revoked_utc_ms is None]
        return usable[-1] if usable else None


class KeyFolder:
    """A workspace's own signing keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def history(self) -> KeyHistory:
        """The dated history.

        Raises:
            ConfigError: the file is damaged.
        """
        file = self._folder / _HISTORY
        if not file.exists():
            return KeyHistory()
        try:
            return KeyHistory.model_validate_json(file.read_bytes())
        except (ValidationError, OSError) as error:
            raise ConfigError(
                f"{file}: is not a key history", hint="restore it from a backup"
            ) from error

    def new(self, *, name: str, now_utc_ms: int) -> KeyRow:
        """Make a key that signs from now on; the one before it ends now."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        key = Ed25519PrivateKey.generate()
        row = KeyRow(key=_public(key), name=name, from_utc_ms=now_utc_ms)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        handle = os.open(self._file(row.key), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(private)
        ended = [
            k if k.until_utc_ms is not None else k.model_copy(update={"until_utc_ms": now_utc_ms})
            for k in self.history().keys
        ]
        self._write(KeyHistory(keys=(*ended, row)))
        return row

    def revoke(self, key: str, *, since_utc_ms: int) -> KeyRow:
        """Revoke a key from an instant on; what was stamped before it stays good.

        Raises:
            ConfigError: no key begins so, or more than one does.
        """
        history = self.history()
        found = [k for k in history.keys if k.key.startswith(key.lower())]
        if len(found) != 1:
            raise ConfigError(
                f"{len(found)} keys begin with {key!r}", hint="`evidence keys show` lists them"
            )
        row = found[0].model_copy(update={"revoked_utc_ms": since_utc_ms})
        rows = tuple(row if k.key == row.key else k for k in history.keys)
        self._write(KeyHistory(keys=rows))
        return row

    def signer(self) -> Signer:
        """The key that signs now.

        Raises:
            ConfigError: there is none, or it cannot be read.
        """
        row = self.history().current
        if row is None:
            raise ConfigError(
                "this workspace has no signing key",
                hint="make one with `evidence keys new`, or name one under [seal] (docs/evidence.md)",
            )
        signer = PemSigner(_read(self._file(row.key)), where=str(self._file(row.key)))
        if signer.public_key.hex() != row.key:
            raise ConfigError(f"{self._file(row.key)} holds another key than its name says")
        return signer

    def _file(self, key: str) -> Path:
        return self._folder / f"{key[:16]}.pem"

    def _write(self, history: KeyHistory) -> None:
        body = json.dumps(history.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"
        draft = self._folder / f".{_HISTORY}"
        draft.write_text(body, encoding="utf-8")
        draft.replace(self._folder / _HISTORY)


class PemSigner:
    """A private key as PEM: from a file, or from the environment."""

    def __init__(self, private: bytes, *, where: str) -> None:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(private, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(
                f"{where}: not a private key in PEM",
                hint="make one: openssl genpkey -algorithm ed25519",
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{where}: not an Ed25519 key", hint="bundles are signed by Ed25519")
        self._key = key

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return bytes.fromhex(_public(self._key))

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``."""
        return self._key.sign(data)


class CommandSigner:
    """A key that never leaves its service: a command is given the bytes and prints the signature.

    The command reads the message on standard input and writes the 64 bytes of the Ed25519
    signature to standard output.
    """

    def __init__(self, command: Sequence[str], public_key: str) -> None:
        self._command = list(command)
        try:
            self._public = bytes.fromhex(public_key)
        except ValueError:
            self._public = b""
        if len(self._public) != 32:
            raise ConfigError("seal.kms_public_key: not 64 hex digits", hint="see docs/evidence.md")

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, checked before it is used.

        Raises:
            ConfigError: the command failed, or its signature does not fit the public key.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        name = self._command[0]
        try:
            done = subprocess.run(
                self._command, input=data, capture_output=True, timeout=_COMMAND_S, check=True
            )
            Ed25519PublicKey.from_public_bytes(self._public).verify(done.stdout, data)
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigError(
                f"{name}: the signing command failed ({type(error).__name__})",
                hint="run it by hand: it reads the message and prints 64 bytes",
            ) from error
        except InvalidSignature as error:
            raise ConfigError(
                f"{name}: its signature does not fit seal.kms_public_key",
                hint="set seal.kms_public_key to the service's own key",
            ) from error
        return done.stdout


def signer_of(settings: SealSettings, folder: Path) -> Signer:
    """The signer that is set up: a command, the environment, a file, else the workspace's own.

    Raises:
        ConfigError: it cannot be used, or there is none.
    """
    if settings.kms_command:
        return CommandSigner(settings.kms_command, settings.kms_public_key)
    if settings.key.get_secret_value():
        return PemSigner(settings.key.get_secret_value().encode(), where="EVIDENCE_SEAL__KEY")
    if settings.key_file:
        return PemSigner(_read(Path(settings.key_file)), where=settings.key_file)
    return KeyFolder(folder).signer()


def _public(key: object) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    assert isinstance(key, Ed25519PrivateKey)  # noqa: S101
    return key.public_key().public_bytes_raw().hex()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror or 'cannot be read'}",
            hint="restore the key from a backup, or make a new one with `evidence keys new`",
        ) from error
