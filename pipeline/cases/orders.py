"""Keeping orders: encrypted under a key per person, named by keyed hashes.

An order is an object ``orders/<h4>/<hash of the order id>/<content hash>.bin``. Its bytes:

    "REO1" | revision (4) | hashed subject (32) | key id (8) | nonce (12) | AES-256-GCM

Everything before the nonce, and the object's key, is authenticated with the data. The
content hash is keyed with the person's key, so that it says nothing once the key is gone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import struct
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from pipeline.cases.keyring import KeyRing
from pipeline.errors import HashMismatch, NotFound, UnknownFormat
from pipeline.evidence.holds import refuse_held_subject
from pipeline.model import Order
from pipeline.ports import ObjectStore
from pipeline.provenance import canonical_bytes

PREFIX = "orders/"
_MAGIC = b"REO1"
_HEAD = struct.Struct(">4sI32s8s12s")


class _Sealed(NamedTuple):
    """One stored version of an order."""

    key: str
    revision: int
    subject: str
    key_id: bytes
    nonce: bytes
    body: bytes
    aad: bytes


class OrderBook:
    """The orders of a workspace."""

    def __init__(self, store: ObjectStore, keys: KeyRing, *, keep_days: int = 0) -> None:
        """``keep_days`` after an order was completed its objects are locked; 0: not at all."""
        self._store = store
        self._keys = keys
        self._kept = timedelta(days=keep_days)

    def put(self, order: Order) -> bool:
        """Keep an order; whether anything was written. The same order again is a no-op.

        Raises:
            SourceError, ConfigError.
        """
        subject = order.buyer_id or order.order_id
        key = self._keys.key(subject)
        plain = canonical_bytes(json.loads(order.model_dump_json()))
        content = hmac.new(key, plain, hashlib.sha256).hexdigest()
        folder = self._folder(order.order_id)
        name = f"{folder}{content}.bin"
        if self._store.stat(name) is not None:
            return False
        revision = 1 + max((s.revision for s in self._versions(folder)), default=0)
        hashed = bytes.fromhex(self._keys.hashed_subject(subject))
        sealed = _seal(plain, key=key, name=name, revision=revision, hashed_subject=hashed)
        last = max(at for at in (order.ordered_at, order.paid_at, order.completed_at) if at)
        until = last + self._kept if self._kept else None
        return self._store.put_if_absent(name, sealed, retain_until=until)

    def get(self, order_id: str) -> Order:
        """The latest version of an order: highest revision, then highest content hash.

        Raises:
            NotFound: never imported, or its key was destroyed. HashMismatch: changed bytes.
        """
        versions = self._versions(self._folder(order_id))
        order = self._latest(versions)
        if order is not None:
            return order
        if versions:
            raise NotFound(
                f"the data of order {order_id!r} was deleted: its key is destroyed",
                hint="nothing can bring it back; import the order again if you may",
            )
        raise NotFound(
            f"no order {order_id!r} is known here", hint="import it: evidence orders import FILE"
        )

    def kept_as(self, hashed_order: str) -> Order | None:
        """The latest version of an order by its keyed hash; None where it cannot be read."""
        return self._latest(self._versions(_folder(hashed_order)))

    def all(self) -> Iterator[Order]:
        """The latest version of every order that can still be read, by hashed id.

        Raises:
            HashMismatch: changed bytes. SourceError.
        """
        folders = dict.fromkeys(s.key.rpartition("/")[0] + "/" for s in self._store.list(PREFIX))
        for folder in folders:
            order = self._latest(self._versions(folder))
            if order is not None:
                yield order

    def subject_of(self, order_id: str) -> str:
        """The hashed id of the person an order is kept under, whether it can be read or not.

        Raises:
            NotFound: never imported.
        """
        versions = self._versions(self._folder(order_id))
        if not versions:
            raise NotFound(f"no order {order_id!r} is known here", hint="check the id")
        return versions[0].subject

    def hashed_order(self, order_id: str) -> str:
        """The keyed hash under which an order lies."""
        return self._keys.hashed("order", order_id)

    def hashed_subject(self, subject: str) -> str:
        """The keyed hash of a person's id."""
        return self._keys.hashed_subject(subject)

    def of_subject(self, hashed_subject: str) -> Iterator[tuple[str, bytes, Order | None]]:
        """Everything kept under a person: key, bytes, and the order where it can be read."""
        for stat in self._store.list(PREFIX):
            head = self._store.read(stat.key, end=_HEAD.size)
            if _opened(stat.key, head).subject == hashed_subject:
                data = self._store.read(stat.key)
                yield stat.key, data, self._latest([_opened(stat.key, data)])

    def erase(self, hashed_subject: str) -> bool:
        """Destroy a person's key; whether there was one.

        All orders kept under that person become unreadable for ever.

        Raises:
            UnderHold: a case covers the person, or a broadcast that one of the orders names.
        """
        orders = [order for _, _, order in self.of_subject(hashed_subject) if order]
        named = {name for order in orders for name in order.broadcast_ids}
        refuse_held_subject(self._store, hashed_subject, broadcast_ids=named)
        return self._keys.destroy(hashed_subject)

    def _folder(self, order_id: str) -> str:
        return _folder(self._keys.hashed("order", order_id))

    def _versions(self, folder: str) -> list[_Sealed]:
        """All stored versions, latest first."""
        found = [_opened(s.key, self._store.read(s.key)) for s in self._store.list(folder)]
        return sorted(found, key=lambda s: (s.revision, s.key), reverse=True)

    def _latest(self, versions: list[_Sealed]) -> Order | None:
        for sealed in versions:
            key = self._keys.key_if_there(sealed.subject)
            if key is not None and _key_id(key) == sealed.key_id:
                return Order.model_validate_json(_unseal(sealed, key))
        return None


def _folder(hashed_order: str) -> str:
    return f"{PREFIX}{hashed_order[:4]}/{hashed_order}/"


def _key_id(key: bytes) -> bytes:
    """Tells a destroyed key's successor from the key itself, and reveals neither."""
    return hashlib.sha256(b"key id\0" + key).digest()[:8]


def _seal(plain: bytes, *, key: bytes, name: str, revision: int, hashed_subject: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(12)
    head = _HEAD.pack(_MAGIC, revision, hashed_subject, _key_id(key), nonce)
    return head + AESGCM(key).encrypt(nonce, plain, head + name.encode())


def _opened(name: str, payload: bytes) -> _Sealed:
    if len(payload) < _HEAD.size or not payload.startswith(_MAGIC):
        raise UnknownFormat(
            f"{name} is not an order this program can read", hint="update the program"
        )
    _, revision, subject, key_id, nonce = _HEAD.unpack_from(payload)
    head, body = payload[: _HEAD.size], payload[_HEAD.size :]
    return _Sealed(name, revision, subject.hex(), key_id, nonce, body, head + name.encode())


def _unseal(sealed: _Sealed, key: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed.nonce, sealed.body, sealed.aad)
    except InvalidTag as error:
        raise HashMismatch(
            f"{sealed.key} was changed after it was written",
            hint="restore the object from a copy",
        ) from error
