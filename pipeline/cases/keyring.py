"""The workspace's secret and one key per person, so that deleting a key deletes the data.

Keys lie beside the object store, never in it: a store keeps what it has for years,
a key can be destroyed today.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from pipeline.errors import ConfigError

KEY_BYTES = 32
"""256 bits, for HMAC-SHA256 and AES-256."""
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


class KeyRing:
    """Keys as files that only their owner can read. Two processes may share a folder."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``, which is made at the first write."""
        self._folder = folder
        self._secret: bytes | None = None

    def hashed(self, kind: str, text: str) -> str:
        """A keyed hash of an id (HMAC-SHA256 under the workspace's secret), hex.

        Raises:
            ConfigError: the secret cannot be read or written.
        """
        if self._secret is None:
            self._secret = self._made(self._folder / "secret.key")
        message = f"{kind}\0{text}".encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def key(self, subject: str) -> bytes:
        """The key of a person, made at the first call.

        Raises:
            ConfigError: it cannot be read or written.
        """
        return self._made(self._path(subject))

    def key_if_there(self, hashed_subject: str) -> bytes | None:
        """The key of a person by hashed id; None when there is none, or no longer."""
        path = self._file(hashed_subject)
        return _read(path) if path.exists() else None

    def hashed_subject(self, subject: str) -> str:
        """The id under which a person's key is kept."""
        return self.hashed("subject", subject)

    def destroy(self, hashed_subject: str) -> bool:
        """Destroy a person's key, by hashed id; whether there was one. The data is lost for ever.

        Called by :meth:`pipeline.cases.orders.OrderBook.erase` alone, which asks the holds first.

        Raises:
            ConfigError: the file cannot be removed.
        """
        path = self._file(hashed_subject)
        try:
            with path.open("r+b") as file:
                file.write(bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable(path, error) from error
        return True

    def _path(self, subject: str) -> Path:
        return self._file(self.hashed_subject(subject))

    def _file(self, hashed_subject: str) -> Path:
        return self._folder / "subjects" / hashed_subject[:2] / f"{hashed_subject}.key"

    def _made(self, path: Path) -> bytes:
        """The key in a file, made whole by whichever process comes first."""
        if path.exists():
            return _read(path)
        try:
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            _link_new(path)
        except OSError as error:
            raise _unusable(path, error) from error
        return _read(path)


def _link_new(path: Path) -> None:
    """Write a new key beside its place and link it there; an existing one stays."""
    draft = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise _unusable(path, error) from error
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"{path} holds {len(key)} bytes and not a key of {KEY_BYTES}",
            hint="restore the file from a backup; without it the data cannot be read",
        )
    return key


def _unusable(path: Path, error: OSError) -> ConfigError:
    reason = error.strerror or "cannot be used"
    return ConfigError(f"{path}: {reason}", hint="check the folder's owner and permissions")
