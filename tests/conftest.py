"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A shared, busy machine must not fail a property by being slow; pytest-timeout bounds the whole.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
