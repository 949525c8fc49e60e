"""Hashes, canonical JSON and Merkle trees."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import IntegrityError
from pipeline.provenance import (
    canonical_bytes,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    root_from_proof,
    work_key,
)

_LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def test_the_empty_tree_and_one_leaf_follow_rfc_6962():
    assert merkle_root([]) == hashlib.sha256(b"").digest()
    assert merkle_root([leaf_hash(b"a")]) == hashlib.sha256(b"\x00a").digest()


def test_a_known_tree_of_three_leaves():
    a, b, c = (leaf_hash(x) for x in (b"a", b"b", b"c"))
    left = hashlib.sha256(b"\x01" + a + b).digest()
    assert merkle_root([a, b, c]) == hashlib.sha256(b"\x01" + left + c).digest()


@given(_LEAVES, st.data())
def test_every_leaf_proves_its_place(items: list[bytes], data: st.DataObject):
    leaves = [leaf_hash(item) for item in items]
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = inclusion_proof(leaves, index)
    assert root_from_proof(leaves[index], index, len(leaves), proof) == merkle_root(leaves)


@given(_LEAVES, st.data())
def test_a_changed_leaf_leads_to_another_root(items: list[bytes], data: st.DataObject):
    leaves = [leaf_hash(item) for item in items]
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = inclusion_proof(leaves, index)
    other = leaf_hash(items[index] + b"!")
    assert root_from_proof(other, index, len(leaves), proof) != merkle_root(leaves)


@pytest.mark.parametrize("change", ["long", "short", "outside"])
def test_a_proof_of_the_wrong_shape_is_refused(change: str):
    leaves = [leaf_hash(bytes([n])) for n in range(5)]
    proof = inclusion_proof(leaves, 2)
    index = 9 if change == "outside" else 2
    proof = [*proof, leaves[0]] if change == "long" else proof[:-1] if change == "short" else proof
    with pytest.raises(IntegrityError):
        root_from_proof(leaves[2], index, 5, proof)


def test_canonical_bytes_do_not_depend_on_key_order():
    assert canonical_bytes({"b": 1, "a": "中"}) == canonical_bytes({"a": "中", "b": 1})


def test_floats_are_refused_with_their_place():
    with pytest.raises(IntegrityError, match=r"\$\.a\[1\]\.b"):
        canonical_bytes({"a": [1, {"b": 0.5}]})


def test_everything_that_can_change_bytes_changes_the_work_key():
    base = {"version": "1", "inputs": ["x"], "model_digest": "m", "parameters": {"beam": 1}}
    keys = {
        work_key("s", **base),
        work_key("t", **base),
        work_key("s", **base | {"version": "2"}),
        work_key("s", **base | {"inputs": ["y"]}),
        work_key("s", **base | {"model_digest": "n"}),
        work_key("s", **base | {"parameters": {"beam": 5}}),
    }
    assert len(keys) == 6
