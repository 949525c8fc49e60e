"""All settings, one tree, with the unit in every name.

Read from ``evidence.toml`` in the workspace and from ``EVIDENCE_…`` environment
variables (``EVIDENCE_STORE__BUCKET=…``), the environment winning. This is the
only module that looks at the environment.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline.errors import ConfigError

SETTINGS_FILE = "evidence.toml"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class StoreSettings(_Part):
    """Where objects are kept."""

    kind: Literal["local", "s3"] = "local"
    """A folder, or S3-compatible storage."""
    path: str = "objects"
    """For ``local``: folder, relative to the workspace."""
    bucket: str = ""
    """For ``s3``: bucket name."""
    prefix: str = ""
    """For ``s3``: key prefix, without a leading slash."""
    endpoint_url: str = ""
    """For ``s3``: endpoint; empty for AWS."""
    region: str = "us-east-1"
    """For ``s3``: region."""
    access_key_id: str = ""
    """For ``s3``: empty uses boto3's own chain (environment, profile, role)."""
    secret_access_key: SecretStr = SecretStr("")
    """For ``s3``."""
    addressing_style: Literal["path", "virtual", "auto"] = "path"
    """For ``s3``."""
    recording_tag: str = ""
    """For ``s3``: object tag written with recordings alone (``kind=recording``), by which a
    lifecycle rule of the bucket can move them to an archived class; empty: none."""
    object_lock: bool = True
    """For ``s3``: make the bucket with object lock and set retention at write."""
    connect_timeout_s: int = 10
    """For ``s3``."""
    read_timeout_s: int = 60
    """For ``s3``."""
    max_attempts: int = 5
    """For ``s3``: tries per request, with backoff."""
    wait_s: int = Field(default=300, ge=0)
    """How long work that was begun waits for a store that is away, before it fails as transient."""


class IndexSettings(_Part):
    """Where search runs."""

    kind: Literal["sqlite", "elasticsearch"] = "sqlite"
    """Embedded, or a cluster."""
    path: str = "index"
    """For ``sqlite``: folder, relative to the workspace."""
    url: str = ""
    """For ``elasticsearch``."""
    api_key: SecretStr = SecretStr("")
    """For ``elasticsearch``."""
    ca_file: str = ""
    """For ``elasticsearch``: PEM of a private certificate authority."""
    alias: str = "replay-evidence"
    """For ``elasticsearch``: alias in front of versioned indices."""
    shards: int = 1
    """For ``elasticsearch``."""
    replicas: int = 0
    """For ``elasticsearch``."""
    timeout_s: int = 30
    """For ``elasticsearch``."""
    wait_s: int = Field(default=300, ge=0)
    """How long a processed broadcast waits for an index that is away, before it is left to a
    later ``reconcile``."""
    reconcile_most_pm: int = Field(default=200, ge=0, le=1000)
    """``reconcile --apply`` refuses to change more than this share of the broadcasts."""


class TranscribeSettings(_Part):
    """Speech recognition."""

    model: str = "base"
    """A folder, a hub name (``base``, ``large-v3-turbo``, ``org/name``) or ``packaged``."""
    revision: str = ""
    """Hub revision; empty means the one pinned for ``base`` (others: the hub's default)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs."""
    compute_type: str = "int8"
    """CTranslate2 compute type."""
    cpu_threads: int = Field(default=0, ge=0)
    """0: all cores."""
    batch_chunks: int = Field(default=4, ge=1)
    """Chunks decoded together; never changes their text, only memory and time."""
    beam_size: int = Field(default=5, ge=1)
    """Beam width."""
    chunk_max_ms: int = Field(default=30_000, le=30_000)
    """Longest chunk."""
    numerals: Literal["spoken", "figures"] = "spoken"
    """``spoken``: numbers as words, as they were said; ``figures``: as the model likes."""
    hang_s: int = Field(default=300, ge=1)
    """A recogniser that has not answered for so long, and ``hang_pm`` of the sound it was given,
    is ended as hung; also the longest that loading the model may take."""
    hang_pm: int = Field(default=10_000, ge=0)
    """Ten times the length of the sound; raise it for a large model on a slow processor."""


class KeyframeSettings(_Part):
    """Picture selection and reading."""

    min_gap_ms: int = 2000
    """Look at most this often."""
    change_gap_ms: int = 1000
    """The same, near product changes."""
    keep_every_ms: int = 60_000
    """Keep one at least this often, even when nothing changed."""
    max_side_px: int = 1280
    """Stored pictures are scaled down to this."""
    ocr: bool = True
    """Read text."""
    span_ms: int = Field(default=1_440_000, ge=1000)
    """Pictures are looked at anew every so often, so that a long recording's can be read on
    several machines: about a minute of work."""


class ClaimSettings(_Part):
    """Finding claims. Every word shown to a verifier leaves this machine for its endpoint."""

    verifier_url: str = ""
    """An OpenAI-compatible endpoint (``http://localhost:8000/v1``); empty: no verifier."""
    verifier_model: str = ""
    """The model's name at the endpoint; part of the work key."""
    verifier_api_key: SecretStr = SecretStr("")
    """Sent as a bearer token; empty sends none."""
    verifier_timeout_s: int = Field(default=20, ge=1)
    """For one claim, from connecting to the last byte."""
    verifier_max_claims: int = Field(default=2000, ge=0)
    """Claims of a broadcast asked about, earliest first; the others stay unverified."""


class NotifySettings(_Part):
    """Webhooks of the flows; see docs/operations.md."""

    urls: tuple[str, ...] = ()
    """Addresses that are told; empty: nobody is."""
    secret: SecretStr = SecretStr("")
    """Key of the signatures; set it as ``EVIDENCE_NOTIFY__SECRET`` and never in a file."""
    timeout_s: int = Field(default=10, ge=1)
    """For one message."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts (``host`` or ``host:port``) of webhooks registered at the desk that need be neither HTTPS nor
    public; all others must be both."""
    coverage_below_pm: int = Field(default=900, ge=0, le=1000)
    """A broadcast of which less was listened to is told as such, per mille."""


class ClipSettings(_Part):
    """Cutting."""

    margin_ms: int = 3000
    """Kept before and after a claim."""
    max_ms: int = 600_000
    """Longest clip."""


class ViewingSettings(_Part):
    """A small copy of every recording, to look at while the recording itself is archived."""

    enabled: bool = False
    """Make it; every picture is decoded for it, which takes about as long as all other stages."""
    short_side_px: int = Field(default=360, ge=64)
    """Pictures are scaled down to this."""
    max_fps: int = Field(default=15, ge=1, le=60)
    """Pictures a second at most."""
    video_kbit_s: int = Field(default=160, ge=16)
    """H.264."""
    audio_kbit_s: int = Field(default=40, ge=8)
    """AAC, one channel."""


_ORIGIN = r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$"


class OidcRole(_Part):
    """Who at the issuer has which role here."""

    value: str = Field(min_length=1)
    """What the role claim says."""
    role: str
    """A role of the desk."""


class OidcSettings(_Part):
    """Signing in through an OpenID Connect issuer, beside keys; see docs/operations.md."""

    issuer: str = ""
    """Its identifier, exactly as it writes it (``https://login.example``); empty: off."""
    client_id: str = ""
    """The desk's name at the issuer; an ID token must be for it."""
    client_secret: SecretStr = SecretStr("")
    """Set it as ``EVIDENCE_SERVE__OIDC__CLIENT_SECRET``; empty for a public client."""
    scopes: tuple[str, ...] = ("openid", "profile")
    """What is asked for."""
    algorithms: tuple[Literal["RS256", "PS256", "ES256", "ES384", "EdDSA"], ...] = ("RS256",)
    """Signatures of ID tokens that are accepted; never ``none``, never a shared secret."""
    role_claim: str = "roles"
    """The claim, one text or several, that says what a person may do."""
    roles: tuple[OidcRole, ...] = ()
    """From that claim's values to roles of the desk; the first that fits. Nobody else gets in."""
    merchant_claim: str = "merchants"
    """For merchants: the claim that names whose broadcasts they see."""
    host_claim: str = "hosts"
    """For hosts and agencies: the claim that names whose broadcasts they see."""
    name_claim: str = "name"
    """The claim shown as the person's name."""
    ca_file: str = ""
    """PEM of a private certificate authority that the issuer's certificate is checked against."""
    timeout_s: int = Field(default=10, ge=1)
    """For one request to the issuer."""


class ServeSettings(_Part):
    """The desk and its API."""

    requests_per_minute: int = Field(default=1200, ge=1)
    """For one key, or one address without a key; the desk without keys has no such bound."""
    burst: int = Field(default=300, ge=1)
    """So many at once before that."""
    body_max_bytes: int = Field(default=65_536, ge=1024)
    """Largest request."""
    photo_max_bytes: int = Field(default=4_194_304, ge=1024)
    """Largest request that carries a buyer's photo."""
    answer_max_s: int = Field(default=60, ge=1)
    """Longest wait for the beginning of an answer."""
    oidc: OidcSettings = OidcSettings()
    """People who sign in through an issuer."""
    embed_origins: tuple[Annotated[str, Field(pattern=_ORIGIN)], ...] = ()
    """Pages of these origins may show a claim's card (``https://console.example``); empty: none."""


class AuthoritySettings(_Part):
    """One RFC 3161 time-stamp authority."""

    name: str
    """How it is called in reports and in what others are given to trust."""
    url: str
    """Where requests are posted (``http://`` or ``https://``)."""
    ca_file: str
    """PEM of the certificates that its tokens are checked against before they are kept."""


class SealSettings(_Part):
    """Sealing bundles. Without any of the keys, the workspace's own key signs."""

    key_file: str = ""
    """PEM of an Ed25519 private key."""
    key: SecretStr = SecretStr("")
    """The PEM itself; set it as ``EVIDENCE_SEAL__KEY`` and never in a file."""
    kms_command: tuple[str, ...] = ()
    """A command that reads bytes and prints their signature: the key stays in its service."""
    kms_public_key: str = ""
    """Public half of that key, 64 hex digits."""
    authorities: tuple[AuthoritySettings, ...] = ()
    """Asked for a time-stamp of every bundle; at most nine."""
    authority_timeout_s: int = Field(default=20, ge=1)
    """For one request."""


class MerchantRetention(_Part):
    """A merchant whose broadcasts are kept longer."""

    merchant_id: str
    """As in ``broadcast.json``."""
    days: int = Field(ge=1)
    """Kept at least this long from the end of the broadcast."""


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        env_prefix="EVIDENCE_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    store: StoreSettings = StoreSettings()
    """Object store."""
    index: IndexSettings = IndexSettings()
    """Search index."""
    transcribe: TranscribeSettings = TranscribeSettings()
    """Speech recognition."""
    keyframes: KeyframeSettings = KeyframeSettings()
    """Pictures."""
    claims: ClaimSettings = ClaimSettings()
    """Claims."""
    clip: ClipSettings = ClipSettings()
    """Clips."""
    viewing: ViewingSettings = ViewingSettings()
    """Viewing proxies."""
    notify: NotifySettings = NotifySettings()
    """Webhooks."""
    serve: ServeSettings = ServeSettings()
    """The desk."""
    seal: SealSettings = SealSettings()
    """Sealed bundles."""
    retention_days: int = Field(default=1095, ge=1)
    """Kept at least this long from the end of the broadcast (three years)."""
    retention_by_merchant: tuple[MerchantRetention, ...] = ()
    """Merchants whose broadcasts are kept longer; a shorter time than ``retention_days`` is none."""
    scratch_budget_mb: int = Field(default=0, ge=0)
    """The scratch folder holds at most so many MiB; work that does not fit is parked. 0: no bound."""
    memory_budget_mb: int = Field(default=0, ge=0)
    """A worker uses at most so many MiB of memory; work that does not fit is done in smaller
    batches or parked. 0: what its control group allows, else no bound."""
    hang_s: int = Field(default=3600, ge=1)
    """A broadcast's own process of which nothing is heard for so long, and ``hang_pm`` of the
    recorded time (told from its size), is ended as hung: a failed try."""
    hang_pm: int = Field(default=250, ge=0)
    """A quarter of the recorded time."""
    log_format: Literal["text", "json"] = "text"
    """``json``: what a run says on standard error is one JSON object a line."""
    disk_reserve_mb: int = Field(default=256, ge=0)
    """So many MiB of the disk stay free when something is fetched."""
    viewer_latency_ms: int = 10_000
    """How late viewers see the stream, at most; widens *cannot tell* around an order."""
    order_lookback_ms: int = 6 * 3_600_000
    """An order is tied to broadcasts that began at most this long before it."""
    min_coverage_pm: int = 900
    """*Not said* needs at least this share of the windows listened to."""
    min_prob_pm: int = 350
    """*Not said* needs at least this mean recognition probability."""

    @property
    def longest_days(self) -> int:
        """Days for what is about broadcasts of any merchant: orders, the custody log, records."""
        return max(self.retention_days, *(m.days for m in self.retention_by_merchant), 0)

    def keep_days(self, merchant_id: str) -> int:
        """Days from the end of a broadcast of this merchant until it may be disposed of."""
        longer = [m.days for m in self.retention_by_merchant if m.merchant_id == merchant_id]
        return max(self.retention_days, *longer, 0)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file (which comes in as init values)."""
        return env_settings, init_settings


def load(workspace: Path) -> Settings:
    """The settings of a workspace.

    Raises:
        ConfigError: the file is not TOML, or a key is unknown or has a wrong value.
    """
    file = workspace / SETTINGS_FILE
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return Settings(**values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}", hint="correct the file, or remove it") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(p) for p in first["loc"])
        raise ConfigError(
            f"{file}: {place}: {first['msg']}", hint="see infra/settings.example.toml"
        ) from error


def environment(name: str, default: str = "") -> str:
    """One environment variable that is not part of the tree (language, terminal)."""
    return os.environ.get(name, default)


def hand_down(name: str, value: str) -> None:
    """Let the processes started from here have this variable, unless it is set."""
    os.environ.setdefault(name, value)
