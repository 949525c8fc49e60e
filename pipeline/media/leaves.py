"""Hashes of a recording's parts: SHA-256 of each, and Merkle leaves at the packet boundaries.

The leaves follow RFC 6962 and cover every byte of every part in order, so that a clip's
bytes can be proven to belong to the recording without the rest of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from pipeline.provenance import content_id, merkle_root

LEAF_BYTES = 4 << 20
"""A leaf is at most this long."""
_BLOCK_BYTES = 1 << 20

Leaf = tuple[int, int, int, str]


class PartHash(NamedTuple):
    """One part's hashes from one read of its bytes."""

    sha256: str
    leaves: tuple[Leaf, ...]


def hash_part(path: Path, *, part: int, cuts: Iterable[int]) -> PartHash:
    """SHA-256 and leaves of one file; ``cuts`` are byte positions at which leaves begin."""
    size = path.stat().st_size
    whole, leaves = hashlib.sha256(), []
    with path.open("rb") as file:
        for start, end in _ranges(size, cuts):
            leaf = hashlib.sha256(b"\x00")
            left = end - start
            while left and (block := file.read(min(left, _BLOCK_BYTES))):
                whole.update(block)
                leaf.update(block)
                left -= len(block)
            leaves.append((part, start, end, leaf.hexdigest()))
    return PartHash(whole.hexdigest(), tuple(leaves))


def _ranges(size: int, cuts: Iterable[int]) -> list[tuple[int, int]]:
    edges = sorted({0, size, *(c for c in cuts if 0 < c < size)})
    return [
        (start, min(start + LEAF_BYTES, end))
        for first, end in pairwise(edges)
        for start in range(first, end, LEAF_BYTES)
    ]


def root_of(leaves: Sequence[Leaf]) -> str:
    """The Merkle root over leaves, hex."""
    return merkle_root([bytes.fromhex(leaf[3]) for leaf in leaves]).hex()


def recording_sha256(part_hashes: Sequence[str]) -> str:
    """A recording's hash: its file's own, or that of the list of part hashes (RFC 8785)."""
    return part_hashes[0] if len(part_hashes) == 1 else content_id(list(part_hashes))
