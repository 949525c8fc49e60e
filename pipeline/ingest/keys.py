"""Which keys a store accepts (relative, ``/``-separated, safe everywhere), and which must stay."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pipeline.errors import InputError, UnderHold

MAX_KEY_BYTES = 1024
"""S3's limit for a key (Amazon S3 User Guide, *Naming Amazon S3 objects*)."""

MAX_SEGMENT_BYTES = 255
"""Longest name of one file on ext4, XFS and APFS."""

_SEGMENT = re.compile(r"[A-Za-z0-9!_()%=+@~,\-][A-Za-z0-9!_.()%=+@~,\-]*")
"""Never begins with a dot, so that ``.``, ``..`` and a store's own folders are outside."""


def checked(key: str) -> str:
    """The key itself.

    Raises:
        InputError: empty, absolute, too long, with a part that begins with a dot, or with a
            character outside ``A-Z a-z 0-9 ! _ . ( ) % = + @ ~ , -``.
    """
    parts = key.split("/")
    fits = len(key) <= MAX_KEY_BYTES and all(len(p) <= MAX_SEGMENT_BYTES for p in parts)
    if fits and all(_SEGMENT.fullmatch(part) for part in parts):
        return key
    raise InputError(
        f"object key {key[:80]!r} cannot be used",
        hint="use relative keys of letters, digits and ! _ . ( ) % = + @ ~ , - whose parts "
        "do not begin with a dot",
        where="key",
    )


def checked_prefix(prefix: str) -> str:
    """The prefix itself: the beginning of some key, perhaps ending in ``/``, perhaps empty.

    Raises:
        InputError: no key can begin like this.
    """
    if prefix:
        checked(prefix + "x")
    return prefix


def refuse_kept(key: str, *, held: bool, until: datetime | None) -> None:
    """Refuse the removal of what must stay.

    Raises:
        UnderHold: a legal hold is on, or the retention has not ended.
    """
    if held:
        raise UnderHold(f"{key}: is under a legal hold", hint="`evidence holds` says by which case")
    if until is not None and until > datetime.now(UTC):
        raise UnderHold(
            f"{key}: is kept until {until.isoformat(timespec='seconds')}", hint="wait until then"
        )
