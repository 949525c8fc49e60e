"""API keys: made once, shown once, kept as a keyed hash beside the other secrets.

``<workspace>/keys/api/<key id>.json``, readable by its owner only. A revoked or expired key
stays as a record of who had access, and so the desk never falls open again.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.archive import parsed
from pipeline.cases.run import KeyRing
from pipeline.errors import InputError, NotAllowed, NotFound
from pipeline.model import Frozen
from pipeline.private import keep_private
from pipeline.serve.access.roles import LIMITED, Role, Viewer

_KEY = re.compile(r"re_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_KEY_ID = re.compile(r"[0-9a-f]{12}")
LONGEST_NAME = 100
LONGEST_LIFE_DAYS = 366


class ApiKey(Frozen):
    """What is kept of a key."""

    schema_version: int = 1
    """Version of this form."""
    key_id: str
    """Names the key; no secret."""
    name: str
    """Who it was made for."""
    role: Role
    """What it may do."""
    merchants: tuple[str, ...] = ()
    """For a merchant: whose broadcasts it sees."""
    hosts: tuple[str, ...] = ()
    """For a host or an agency: whose broadcasts it sees."""
    digest: str
    """Keyed hash of the whole key."""
    made_utc_ms: int
    """When it was made."""
    expires_utc_ms: int
    """From when on it opens nothing."""
    revoked_utc_ms: int | None = None
    """When it was taken back; null while it was not."""
    issuer: str = ""
    """For a person who signs in through an issuer: which; no key then opens this."""
    subject: str = ""
    """The person's id at the issuer."""

    def live(self, now_utc_ms: int) -> bool:
        """Whether it opens anything."""
        return self.revoked_utc_ms is None and now_utc_ms < self.expires_utc_ms

    def viewer(self) -> Viewer:
        """Whoever holds it."""
        return Viewer(self.key_id, self.name, self.role, self.merchants, self.hosts)


class KeyBook:
    """Makes, finds and revokes keys. Several processes may share one folder."""

    def __init__(self, keys: Path) -> None:
        """Use the workspace's ``keys`` folder."""
        self._folder = keys / "api"
        self.ring = KeyRing(keys)
        self._made = False

    def any(self) -> bool:
        """Whether a key was ever made here, live or not; once there was one, there always was."""
        self._made = self._made or any(True for _ in self._files())
        return self._made

    def every(self) -> list[ApiKey]:
        """Every key ever made, oldest first."""
        found = [self._load(path) for path in self._files()]
        return sorted(found, key=lambda key: (key.made_utc_ms, key.key_id))

    def new(
        self,
        name: str,
        *,
        role: Role,
        expires_utc_ms: int,
        merchants: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
    ) -> tuple[ApiKey, str]:
        """Make a key; the record that stays and the key itself, which is not kept.

        Raises:
            InputError: the name, the role's limits or the time do not fit.
        """
        made = _now_ms()
        _check(name, role, merchants, hosts)
        if not made < expires_utc_ms <= made + LONGEST_LIFE_DAYS * 86_400_000:
            raise InputError(
                "a key ends in the future, within a year",
                hint=f"give --days 1 to {LONGEST_LIFE_DAYS}",
            )
        key_id = secrets.token_hex(6)
        whole = f"re_{key_id}_{secrets.token_urlsafe(32)}"
        record = ApiKey(
            key_id=key_id,
            name=name,
            role=role,
            merchants=merchants,
            hosts=hosts,
            digest=self.ring.hashed("api-key", whole),
            made_utc_ms=made,
            expires_utc_ms=expires_utc_ms,
        )
        self._write(record)
        return record, whole

    def person(
        self,
        issuer: str,
        subject: str,
        *,
        name: str,
        role: Role,
        merchants: tuple[str, ...],
        hosts: tuple[str, ...],
        expires_utc_ms: int,
    ) -> ApiKey:
        """The record of someone an issuer vouches for: always the same one, as of this sign-in.

        Raises:
            NotAllowed: it was taken back here. InputError: name or limits do not fit.
        """
        _check(name, role, merchants, hosts)
        digest = self.ring.hashed("oidc-person", f"{issuer}\0{subject}")
        known = self.get(digest[:12])
        if known is not None and (known.revoked_utc_ms is not None or known.digest != digest):
            raise NotAllowed(
                "access was taken back here", hint="ask whoever gives out access to this desk"
            )
        record = ApiKey(
            key_id=digest[:12],
            name=name,
            role=role,
            merchants=merchants,
            hosts=hosts,
            digest=digest,
            made_utc_ms=known.made_utc_ms if known else _now_ms(),
            expires_utc_ms=expires_utc_ms,
            issuer=issuer,
            subject=subject,
        )
        self._write(record)
        return record

    def revoke(self, key_id: str) -> ApiKey:
        """Take a key back at once; revoking again changes nothing.

        Raises:
            NotFound: no key of this id.
        """
        record = self.get(key_id)
        if record is None:
            raise NotFound(f"no key {key_id!r}", hint="`evidence access list` shows their ids")
        if record.revoked_utc_ms is None:
            record = record.model_copy(update={"revoked_utc_ms": _now_ms()})
            self._write(record)
        return record

    def get(self, key_id: str) -> ApiKey | None:
        """A key's record by its id; None for an unknown one."""
        path = self._folder / f"{key_id}.json"
        return self._load(path) if _KEY_ID.fullmatch(key_id) and path.exists() else None

    def live(self, key_id: str) -> ApiKey | None:
        """A key's record while it opens anything."""
        record = self.get(key_id)
        return record if record and record.live(_now_ms()) else None

    def opened_by(self, whole: str) -> ApiKey | None:
        """The record of a key someone shows; None for a wrong, expired or revoked one."""
        match = _KEY.fullmatch(whole)
        record = self.live(match[1]) if match else None
        expected = record.digest if record else "0" * 64
        same = hmac.compare_digest(self.ring.hashed("api-key", whole), expected)
        return record if same else None

    def _files(self) -> Iterable[Path]:
        return self._folder.glob("????????????.json")

    def _load(self, path: Path) -> ApiKey:
        return parsed(path.read_bytes(), ApiKey, name=str(path))

    def _write(self, record: ApiKey) -> None:
        keep_private(record, self._folder / f"{record.key_id}.json")


def _check(name: str, role: str, merchants: tuple[str, ...], hosts: tuple[str, ...]) -> None:
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InputError(f"a key's name has 1 to {LONGEST_NAME} printable characters")
    wanted = {"merchant": (merchants, hosts), "host": (hosts, merchants)}.get(role)
    if wanted is None and (merchants or hosts):
        limited = " and ".join(sorted(LIMITED))
        raise InputError(
            f"the role {role} is not limited to broadcasts of a merchant or host",
            hint=f"only the roles {limited} are",
        )
    if wanted is not None and (not all(wanted[0]) or not wanted[0] or wanted[1]):
        raise InputError(
            f"a key for a {role} names whose broadcasts it sees",
            hint=f"add --{role} ID, once or several times, and nothing else",
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
