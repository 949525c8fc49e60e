"""Settings to a wired application: the only file that chooses adapters.

Nothing heavy is imported until the adapter that needs it is asked for.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from functools import cache, cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline import logs
from pipeline.archive import Archive
from pipeline.errors import ConfigError, DiskShort
from pipeline.glance import Glance
from pipeline.memory import budget_bytes
from pipeline.plan import Context, Progress
from pipeline.ports import ClaimDetector, EvidenceIndex, ObjectStore, TextReader, Transcriber
from pipeline.provenance import shard
from pipeline.settings import SETTINGS_FILE, Settings, environment, load

_TEMPLATE = """\
# Settings of this Replay Evidence workspace. Every key, with its default and unit,
# stands in infra/settings.example.toml; EVIDENCE_… environment variables win over this file.
"""


def _nobody() -> None:
    """Nobody listens."""


@cache
def _packaged_rules() -> ClaimDetector:
    """Read once a process: every workspace, and every glance at one, has the same."""
    from pipeline.claims.detector import RuleDetector

    return RuleDetector.load()


class Application:
    """One workspace with everything wired to its settings."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        self.alive: Callable[[], None] = _nobody
        """Called again and again while it waits for another run of the same broadcast."""

    # --- adapters -------------------------------------------------------------------------

    @cached_property
    def store(self) -> ObjectStore:
        """The object store."""
        if self.settings.store.kind == "s3":
            from pipeline.ingest.s3 import S3Store

            remote = S3Store(self.settings.store)
            remote.ensure_bucket()
            return remote
        from pipeline.ingest.local import LocalStore

        return LocalStore(self.root / self.settings.store.path)

    @cached_property
    def archive(self) -> Archive:
        """Broadcasts in the store."""
        return Archive(self.store)

    @cached_property
    def index(self) -> EvidenceIndex:
        """The search index."""
        if self.settings.index.kind == "elasticsearch":
            from pipeline.index.elastic import ElasticIndex

            return ElasticIndex(self.settings.index)
        from pipeline.index.sqlite import SqliteIndex

        return SqliteIndex(self.root / self.settings.index.path)

    @cached_property
    def transcriber(self) -> Transcriber:
        """Speech recognition, with its weights resolved."""
        from pipeline.transcribe.apart import ApartTranscriber
        from pipeline.transcribe.models import resolve

        asked = self.settings.transcribe
        files = resolve(asked.model, revision=asked.revision, cache=self.model_cache)
        return ApartTranscriber(files, asked, budget_bytes=budget_bytes(self.settings))

    @cached_property
    def reader(self) -> TextReader:
        """Screen text recognition."""
        from pipeline.keyframes.ocr import RapidReader

        return RapidReader()

    @property
    def rules(self) -> ClaimDetector:
        """The claim rules alone; nothing they read leaves this machine."""
        return _packaged_rules()

    @cached_property
    def detector(self) -> ClaimDetector:
        """The claim rules, with the language-model verifier where one is set up."""
        asked = self.settings.claims
        if not asked.verifier_url:
            return self.rules
        from pipeline.claims.verifier import VerifiedDetector
        from pipeline.claims.verifier_openai import OpenAiVerifier

        verifier = OpenAiVerifier(asked)
        return VerifiedDetector(self.rules, verifier, max_claims=asked.verifier_max_claims)

    def glancing(self) -> Application:
        """The same workspace for one question: what was listed once is not listed again."""
        once = copy(self)
        once.__dict__.pop("archive", None)
        once.store = Glance(self.store)
        return once

    # --- places ---------------------------------------------------------------------------

    @property
    def scratch(self) -> Path:
        """Work in progress; may be deleted at any time."""
        return self.root / "scratch"

    @property
    def keys(self) -> Path:
        """Secrets of this workspace; never in the object store."""
        return self.root / "keys"

    @property
    def clips(self) -> Path:
        """Where clips go unless told otherwise."""
        return self.root / "clips"

    @cached_property
    def model_cache(self) -> Path:
        """Recognition models, shared by all workspaces of a user."""
        named = environment("EVIDENCE_MODEL_CACHE")
        return Path(named) if named else Path.home() / ".cache" / "replay-evidence" / "models"

    @cached_property
    def writer(self) -> str:
        """This workspace's name in custody events: random, made once."""
        file = self.root / "keys" / "writer"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(file.with_suffix(".lock")):
                if not file.exists():
                    file.write_text(f"w{uuid.uuid4().hex[:12]}\n", encoding="ascii")
        return file.read_text(encoding="ascii").strip()

    def context(self, progress: Progress | None = None) -> Context:
        """What the stage plan needs."""
        return Context(
            archive=self.archive,
            settings=self.settings,
            writer=self.writer,
            scratch=self.scratch,
            transcriber=lambda: self.transcriber,
            reader=lambda: self.reader,
            detector=lambda: self.detector,
            progress=progress,
        )

    @contextmanager
    def working_on(self, broadcast_id: str) -> Iterator[None]:
        """Keep a second run of the same broadcast on this machine waiting, then idle."""
        folder = self.scratch / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{shard(broadcast_id)}.lock")
        while not lock.is_locked:
            with suppress(Timeout):
                lock.acquire(timeout=1)
            self.alive()
        with lock:
            lock.release()  # counted: the block holds it once more
            yield

    def require_disk(self, need_bytes: int) -> None:
        """Refuse before work begins rather than fail in the middle of it.

        Raises:
            DiskShort: less is free than the work is estimated to need.
        """
        import shutil

        free = shutil.disk_usage(self.root).free
        if free < need_bytes:
            raise DiskShort(
                f"{self.root}: needs about {need_bytes >> 20} MiB, {free >> 20} MiB are free",
                hint="free some space or use a workspace on another disk",
            )


def init(root: Path) -> Application:
    """Make a workspace, or find it made."""
    root = root.absolute()
    try:
        for folder in ("objects", "index", "keys", "scratch", "clips"):
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        file = root / SETTINGS_FILE
        if not file.exists():
            file.write_text(_TEMPLATE, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{root}: cannot make a workspace here: {error.strerror}", hint="choose another folder"
        ) from error
    return open_workspace(root)


def open_workspace(root: Path | None = None) -> Application:
    """The application of a workspace: the given folder, ``EVIDENCE_WORKSPACE`` or this one.

    Raises:
        ConfigError: not a workspace, or its settings are wrong.
    """
    chosen = (root or Path(environment("EVIDENCE_WORKSPACE") or ".")).absolute()
    if not (chosen / SETTINGS_FILE).is_file():
        raise ConfigError(
            f"{chosen} is not a workspace",
            hint=f"make it one with `evidence init {chosen}`, or name one with --workspace",
        )
    settings = load(chosen)
    logs.begin(settings)
    return Application(chosen, settings)
