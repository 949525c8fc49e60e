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
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import psutil  # type: ignore[import-untyped]

from pipeline.ports import ObjectStore
from pipeline.provenance import sha256_hex
from tests.command import PROGRAM, env
from tests.prefects import Server
from tests.services import s3_environment, s3_settings, s3_store

Left = tuple[dict[str, str], str]
Command = tuple[str | Path, ...]
Victim = Literal["worker", "server", "machine"]
VICTIMS: tuple[Victim, ...] = ("worker", "server", "machine")
_TOLD = ("/custody", "/parts/")
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

    def ready(self) -> None:
        """Start, and wait until the server knows the workers: they take as long as a short run."""
        self.start()
        asked = urllib.request.Request(
            f"{self._server.environment['PREFECT_API_URL']}/work_pools/evidence/workers/filter",
            data=b"{}",
            headers={"Content-Type": "application/json"},
        )
        end = time.monotonic() + 300
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=5) as answer:
                if len(json.load(answer)) >= self._wanted:
                    return
            time.sleep(0.5)
        raise AssertionError("the workers never came")

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
            "worker": self._workers[:1],
            "server": [self._server.process],
            "machine": [self._server.process, command, *self._workers],
        }
        kill_all(victims[victim])

    def stop(self) -> None:
        """End everything that runs."""
        kill_all(self._workers)
        self._server.stop()


def kill_all(roots: Sequence[subprocess.Popen[bytes]]) -> None:
    """SIGKILL for processes and everything they started; all are gone afterwards."""
    roots = [
        root for root in roots if root.poll() is None
    ]  # the number of one that ended may be taken
    started: list[psutil.Process] = []
    for root in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            started += psutil.Process(root.pid).children(recursive=True)
    for one in (*roots, *started):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    for root in roots:
        root.wait(30)  # before psutil, which would take the exit status away
    psutil.wait_procs(started, timeout=30)


def spread(recording: Path, here: Shared, *, part_s: int, stall_s: int = 60) -> Command:
    """The command that spreads a broadcast over the workers."""
    options = ("--part-s", str(part_s), "--stall-s", str(stall_s))
    return ("flows", "spread", recording, "-w", here.folder, *options)


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
    """Seconds since one was last kept, or a stage done: work of one worker that was lost, at most."""
    took_s: float
    """From the kill to the end."""


def disturbed(
    site: Site, command: Command, *, victim: Victim, after_s: float, scratch: Path
) -> Killed:
    """Run a command, kill something in the middle, start again what was killed, to a good end.

    Raises:
        AssertionError: it does not end well.
    """
    site.start()
    with _Watch(scratch) as watch:
        process = site.begin(*command)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        hit = process.poll() is None
        site.kill(victim, process)
        killed_at, kept = time.monotonic(), watch.keep()
        site.start()
        process.communicate()
        again = process.returncode != 0
        if again:
            done = subprocess.run(
                [*PROGRAM, *map(str, command)], env=env(**site.environment), capture_output=True
            )
            assert done.returncode == 0, done.stderr.decode()[-2000:]
    took_s = time.monotonic() - killed_at
    return Killed(hit, again, kept, len(watch.redone), killed_at - watch.progress_s, took_s)


def _readings(scratch: Path) -> dict[str, tuple[int, float]]:
    """Every kept reading, with what tells one writing of it from another."""
    found = {}
    for file in scratch.glob("*-*/*.json"):
        with contextlib.suppress(OSError):
            stat = file.stat()
            found[file.name] = stat.st_ino, stat.st_mtime
    return found


class _Watch:
    """Looks at the readings of a workspace, five times a second."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._seen: dict[str, tuple[int, float]] = {}
        self._kept: dict[str, tuple[int, float]] | None = None
        self.progress_s = time.monotonic()
        """When one was last kept, or a stage was done with its own, before the kill."""
        self.redone: set[str] = set()
        """Which of those kept at the kill were written once more."""

    def keep(self) -> int:
        """Remember what is there at the kill; how many."""
        self._kept = _readings(self._scratch)
        return len(self._kept)

    def _look(self) -> None:
        while not self._stop.wait(0.2):
            now = _readings(self._scratch)
            if self._kept is not None:
                old = self._kept
                self.redone.update(n for n in now.keys() & old.keys() if now[n] != old[n])
            elif now.keys() != self._seen.keys():
                self._seen, self.progress_s = now, time.monotonic()

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


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

    def left(self) -> Left:
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
