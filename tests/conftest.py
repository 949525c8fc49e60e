"""What holds for every test."""

from __future__ import annotations

import pytest
from hypothesis import settings

LONG = (
    "test_survival.py",
    "test_flow_hand.py",
    "test_flows_many.py",
    "test_outage.py",
    "test_spread.py",
    "test_whole_way.py",
    "test_live_growing.py",
    "test_memory.py",
    "test_store_way.py",
)
"""Minutes each: they are begun first, so that at the end no worker is left with one of them."""

# A shared, busy machine must not fail a property by being slow; pytest-timeout bounds the whole.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first; else the order stays."""
    rank = {name: at for at, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONG)))
