"""Where bytes come from: hashes, canonical JSON, work keys and Merkle trees.

Two kinds of name are kept apart. A *work key* says what was asked for (inputs,
stage version, model, parameters) and is known before the work; a *content id*
says which bytes came out. The same work done twice has the same key; that the
bytes agree is then a checked fact and not an assumption.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rfc8785

from pipeline.errors import IntegrityError

VERSION = "0.1.0"
_BLOCK_BYTES = 1 << 20


def sha256_hex(data: bytes) -> str:
    """SHA-256 of bytes, lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def canonical_bytes(value: Any) -> bytes:
    """The RFC 8785 (JSON Canonicalization Scheme) form of a JSON value.

    Floats are refused: times are integer milliseconds and probabilities integer
    per mille, so that the bytes cannot depend on a library's number formatting.

    Raises:
        IntegrityError: the value holds a float or something JSON cannot hold.
    """
    _refuse_floats(value, "$")
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise IntegrityError(f"value has no canonical form: {error}") from error


def _refuse_floats(value: Any, path: str) -> None:
    if isinstance(value, float):
        raise IntegrityError(f"{path} is a float; hashed bodies hold integers only")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_floats(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for n, item in enumerate(value):
            _refuse_floats(item, f"{path}[{n}]")


def content_id(value: Any) -> str:
    """SHA-256 hex over the canonical bytes of a JSON value."""
    return sha256_hex(canonical_bytes(value))


def work_key(
    stage: str,
    *,
    version: str,
    inputs: Sequence[str],
    model_digest: str = "",
    parameters: Mapping[str, Any] | None = None,
) -> str:
    """The name of a piece of work, known before it is done (64 hex digits)."""
    return content_id(
        {
            "stage": stage,
            "version": version,
            "inputs": list(inputs),
            "model": model_digest,
            "parameters": dict(parameters or {}),
        }
    )


def shard(broadcast_id: str) -> str:
    """The first four hex digits of the id's hash: spreads keys, and leads from a claim id
    to its broadcast's objects without an index."""
    return sha256_hex(broadcast_id.encode())[:4]


# --- Merkle trees as in RFC 6962, section 2.1 -------------------------------------------


def leaf_hash(data: bytes) -> bytes:
    """``SHA-256(0x00 || data)``."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """``SHA-256(0x01 || left || right)``."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(count: int) -> int:
    """The largest power of two smaller than ``count`` (count > 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The tree hash over leaf hashes; SHA-256 of nothing for an empty tree."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = _split(len(leaves))
    return node_hash(merkle_root(leaves[:k]), merkle_root(leaves[k:]))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of leaf ``index`` (RFC 6962, 2.1.1), nearest sibling first.

    Raises:
        IndexError: no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*inclusion_proof(leaves[:k], index), merkle_root(leaves[k:])]
    return [*inclusion_proof(leaves[k:], index - k), merkle_root(leaves[:k])]


def root_from_proof(leaf: bytes, index: int, count: int, proof: Sequence[bytes]) -> bytes:
    """The root that a proof leads to; compare it with the root you trust.

    Raises:
        IntegrityError: the proof has the wrong length for this leaf and tree size.
    """
    if not 0 <= index < count:
        raise IntegrityError(f"leaf {index} is outside a tree of {count}")
    if count == 1:
        if proof:
            raise IntegrityError("inclusion proof is too long")
        return leaf
    if not proof:
        raise IntegrityError("inclusion proof is too short")
    k = _split(count)
    if index < k:
        return node_hash(root_from_proof(leaf, index, k, proof[:-1]), proof[-1])
    return node_hash(proof[-1], root_from_proof(leaf, index - k, count - k, proof[:-1]))
