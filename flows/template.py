"""Prefect's database made ahead, so that a temporary server from cold need not make its own.

    <environment>/share/replay-evidence/prefect-<version>.db

It is made when the program is set up (``python -m flows.template``) and holds Prefect's empty tables,
nothing else. A server still brings what it finds up to date, so an old one does no harm.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import uuid
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

PLACE = Path(sys.prefix) / "share" / "replay-evidence" / f"prefect-{version('prefect')}.db"


def make(place: Path = PLACE) -> None:
    """Make it, whole or not at all."""
    from prefect.server.database import provide_database_interface
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings

    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent) as folder:
        made, whole = Path(folder) / "made.db", Path(folder) / "whole.db"
        url = {PREFECT_API_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{made}"}
        with temporary_settings(updates=url):
            asyncio.run(provide_database_interface().create_db())
        with closing(sqlite3.connect(made)) as database:
            database.execute("vacuum into ?", (str(whole),))
        whole.replace(place)


def lay(home: Path, place: Path = PLACE) -> bool:
    """Put a copy where a server makes its database, unless there is one; whether that was so."""
    target = home / "prefect.db"
    if target.exists() or not place.is_file():
        return False
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy = home / f"{uuid.uuid4().hex}.part"
    try:
        shutil.copyfile(place, copy)
        with suppress(FileExistsError):  # another run was quicker
            os.link(copy, target)
            return True
    finally:
        copy.unlink(missing_ok=True)
    return False


if __name__ == "__main__":
    make()
