"""A Prefect server, workers and a command that are killed with SIGKILL and started again.

What they work on is shared, as between machines: an S3 bucket and Elasticsearch. A *machine* that is
killed is everything at once: the server, all workers with what they run, and the command.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import psutil  # type: ignore[import-untyped]

from pipeline.ports import ObjectStore
from pipeline.provenance import sha256_hex
from tests.command import PROGRAM, env
from tests.prefects import Server
from tests.services import s3_environment, s3_settings, s3_store

Victim = Literal["worker", "server", "machine"]
VICTIMS: tuple[Victim, ...] = ("worker", "server", "machine")
_TOLD = ("/custody/", "/parts/", "/custody-log/")
"""What tells of times and writers, and what is only on its way."""


class Site:
    """One server with workers; what is killed can be started again, on the same port and folder."""

    def __init__(self, home: Path, *, workers: int, environment: dict[str, str]) -> None:
        self._server = Server(home)
        self._wanted = workers
        self._workers: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **environment,
            **self._server.environment,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }

    def start(self) -> None:
        """Start what is not running."""
        self._server.start()
        self._workers = [w for w in self._workers if w.poll() is None]
        while len(self._workers) < self._wanted:
            self._workers.append(self.begin("flows", "work"))

    def begin(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start a command of ours, in a session of its own."""
        return subprocess.Popen(
            [*PROGRAM, *map(str, command)],
            env=env(**self.environment),
            stdout=subprocess.PIPE if "--json" in command else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self, victim: Victim, command: subprocess.Popen[bytes]) -> None:
        """End it at once, with all its children."""
        victims = {
            "worker": [w.pid for w in self._workers[:1]],
            "server": [self._server.pid],
            "machine": [self._server.pid, command.pid, *(w.pid for w in self._workers)],
        }
        kill_all(victims[victim])

    def stop(self) -> None:
        """End everything that runs."""
        kill_all([w.pid for w in self._workers])
        self._server.stop()


def kill_all(roots: list[int]) -> None:
    """SIGKILL for processes and everything they started; all are gone afterwards."""
    doomed = []
    for pid in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            doomed += [root, *root.children(recursive=True)]
    for one in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(doomed, timeout=30)


class Killed(NamedTuple):
    """What became of a run that was disturbed."""

    hit: bool
    """Whether it still ran when something was killed."""
    again: bool
    """Whether the command had to be given again."""
    kept: int
    """Chunks and pictures whose reading was kept when it happened."""
    redone: int
    """Of those, how many were heard or read once more."""
    in_hand_s: float
    """Seconds since the last of them was kept: the work of one machine that was lost, at most."""
    took_s: float
    """From the kill to the end."""


def disturbed(site: Site, command: tuple[str | Path, ...], *, victim: Victim, after_s: float,
              scratch: Path) -> Killed:  # fmt: skip
    """Run a command, kill something in the middle, start again what was killed, to a good end.

    Raises:
        AssertionError: it does not end well.
    """
    site.start()
    begun, process = time.time(), site.begin(*command)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    hit = process.poll() is None
    site.kill(victim, process)
    killed_at = time.time()
    before = _readings(scratch)
    with _watched(scratch, before) as redone:
        site.start()
        _, again = process.communicate(), process.returncode != 0
        if again:
            done = subprocess.run(
                [*PROGRAM, *map(str, command)], env=env(**site.environment), capture_output=True
            )
            assert done.returncode == 0, done.stderr.decode()[-2000:]
    last = max((at for _, at in before.values()), default=begun)
    return Killed(hit, again, len(before), len(redone), killed_at - last, time.time() - killed_at)


def _readings(scratch: Path) -> dict[str, tuple[int, float]]:
    """Every kept reading, with what tells one writing of it from another."""
    found = {}
    for file in scratch.glob("*-*/*.json"):
        with contextlib.suppress(OSError):
            stat = file.stat()
            found[file.name] = stat.st_ino, stat.st_mtime
    return found


@contextlib.contextmanager
def _watched(scratch: Path, before: dict[str, tuple[int, float]]) -> Iterator[set[str]]:
    """Which of these readings are written again meanwhile."""
    redone: set[str] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.2):
            now = _readings(scratch)
            redone.update(n for n in now.keys() & before.keys() if now[n] != before[n])

    thread = threading.Thread(target=look)
    thread.start()
    yield redone
    stop.set()
    thread.join()


def stored(store: ObjectStore) -> dict[str, str]:
    """Every object of a store with its hash, but for what tells of times and writers."""
    return {
        stat.key: sha256_hex(store.read(stat.key))
        for stat in store.list("")
        if not any(told in f"/{stat.key}" for told in _TOLD)
    }


def searchable(url: str, alias: str) -> str:
    """A hash of all documents that can be searched behind an alias."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/{alias}/_refresh", method="POST"))
    with urllib.request.urlopen(f"{url}/{alias}/_search?size=10000") as answer:
        hits = json.load(answer)["hits"]["hits"]
    assert hits
    rows = sorted((hit["_id"], json.dumps(hit["_source"], sort_keys=True)) for hit in hits)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


class Shared(NamedTuple):
    """A workspace whose objects lie in a bucket and whose index is Elasticsearch's."""

    folder: Path
    store: ObjectStore
    url: str
    alias: str

    def left(self) -> tuple[dict[str, str], str]:
        """All that a run left behind: objects, documents."""
        return stored(self.store), searchable(self.url, self.alias)


def shared(folder: Path, *, bucket: str, url: str, ocr: bool, span_ms: int) -> Shared:
    """A fresh one, named by its folder; keys come from the environment of the commands."""
    remote = s3_settings(bucket=bucket, prefix=folder.name)
    folder.mkdir(parents=True)
    (folder / "evidence.toml").write_text(
        f'[store]\nkind = "s3"\nbucket = "{bucket}"\nprefix = "{folder.name}"\n'
        f'endpoint_url = "{remote.endpoint_url}"\n'
        f'[index]\nkind = "elasticsearch"\nurl = "{url}"\nalias = "{bucket}-{folder.name}"\n'
        f"[keyframes]\nocr = {str(ocr).lower()}\nspan_ms = {span_ms}\n"
    )
    return Shared(folder, s3_store(remote), url, f"{bucket}-{folder.name}")


def keys() -> dict[str, str]:
    """The S3 server's keys, for commands."""
    named = s3_environment(s3_settings())
    return {k: v for k, v in named.items() if k.endswith(("ACCESS_KEY_ID", "ACCESS_KEY"))}
