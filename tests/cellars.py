"""A processed broadcast whose recording can be sent to an archived class and brought back."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.ingest.local import LocalStore
from tests.bundles import Desk, desk
from tests.glacier import Glacier
from tests.services import needed, s3_settings, s3_store

BROADCAST = "b-<script>1"
TAKES_S = 14_400


class Cellar(NamedTuple):
    """The desk, and what happens to its recording outside."""

    desk: Desk
    chill: Callable[[], None]
    bring_back: Callable[[], None]
    asks: Callable[[], int]
    """Restores that reached the store."""


@contextmanager
def cellar(kind: str, folder: Path, *, settings: str = "", form: str = "mp4") -> Iterator[Cellar]:
    """``folder`` or ``s3``: the real server behind the rules of an archived class."""
    if kind == "folder":
        yield _of_folder(desk(folder, form=form, store=settings))
        return
    bucket = s3_settings(bucket=f"cold-{uuid.uuid4().hex[:12]}")
    s3_store(bucket)
    with Glacier(needed("EVIDENCE_TEST_S3_ENDPOINT")) as glacier:
        rows = bucket.model_dump(include={"kind", "bucket", "access_key_id"})
        rows |= {"endpoint_url": glacier.url}
        rows["secret_access_key"] = bucket.secret_access_key.get_secret_value()
        store = "[store]\n" + "".join(f'{key} = "{value}"\n' for key, value in rows.items())
        made = desk(folder, form=form, store=f"{store}\n{settings}")
        keys = _keys(made)
        yield Cellar(
            made,
            lambda: [glacier.chill(key) for key in keys] and None,
            lambda: [glacier.bring_back(key) for key in keys] and None,
            lambda: sum("restore" in path for _, path, _ in glacier.bodies),
        )


def _of_folder(made: Desk) -> Cellar:
    store, keys = made.app.store, _keys(made)
    assert isinstance(store, LocalStore)
    markers = [store.root / ".evidence" / "cold" / key for key in keys]

    def chill() -> None:
        for key in keys:
            store.archive(key, storage_class="GLACIER", takes_s=TAKES_S)

    def bring_back() -> None:
        for marker in markers:
            said = json.loads(marker.read_text())
            said["ready_utc_ms"] = int(time.time() * 1000) - 1
            draft = marker.with_name(".draft")
            draft.write_text(json.dumps(said))
            draft.replace(marker)

    def asks() -> int:
        return sum("until_utc_ms" in marker.read_text() for marker in markers)

    return Cellar(made, chill, bring_back, asks)


def _keys(made: Desk) -> list[str]:
    revision = made.app.archive.state(BROADCAST).revision
    return [part.key for recording in revision.recordings for part in recording.parts]
