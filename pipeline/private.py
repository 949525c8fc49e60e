"""Records with secrets, in files that their owner alone may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pydantic import BaseModel

from pipeline.errors import ConfigError
from pipeline.provenance import canonical_bytes


def keep_private(record: BaseModel, place: Path) -> None:
    """Write a record whole or not at all, and through to the disk.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    draft = place.with_name(f".{place.stem}.{secrets.token_hex(8)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(canonical_bytes(record.model_dump(mode="json")))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    except OSError as error:
        raise ConfigError(
            f"{place.parent}: {error.strerror or 'cannot be written'}",
            hint="check the folder's owner and permissions",
        ) from error
