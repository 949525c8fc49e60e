"""Small records signed by the seal key: what was disposed of, whose key was destroyed.

    {"record": {…}, "signer": "<64 hex digits>", "signature": "<128 hex digits>"}

The Ed25519 signature is over the canonical JSON (RFC 8785) of ``record``.
"""

from __future__ import annotations

import json
from typing import Any

from pipeline.errors import HashMismatch, UnknownFormat
from pipeline.evidence.signing import Signer
from pipeline.provenance import canonical_bytes


def signed(record: dict[str, Any], signer: Signer) -> bytes:
    """The record with its signature, in canonical form.

    Raises:
        ConfigError: the key cannot be used.
    """
    body = canonical_bytes(record)
    whole = {"record": json.loads(body), "signer": signer.public_key.hex()}
    return canonical_bytes(whole | {"signature": signer.sign(body).hex()})


def opened(data: bytes, *, name: str) -> tuple[dict[str, Any], str]:
    """The record, and the key that signed it.

    Raises:
        UnknownFormat: it is none. HashMismatch: the signature does not fit.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        whole = json.loads(data)
        record, key = whole["record"], bytes.fromhex(whole["signer"])
        signature = bytes.fromhex(whole["signature"])
        Ed25519PublicKey.from_public_bytes(key).verify(signature, canonical_bytes(record))
    except (ValueError, KeyError, TypeError) as error:
        raise UnknownFormat(f"{name}: is no signed record") from error
    except InvalidSignature as error:
        raise HashMismatch(
            f"{name}: the signature does not fit the record", hint="restore it from a copy"
        ) from error
    return record, key.hex()
