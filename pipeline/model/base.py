"""The common base of every type that crosses a room's border."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

PerMille = Annotated[int, Field(ge=0, le=1000)]
"""A probability or share as an integer per mille, so that hashed bodies hold no floats."""

Extra = dict[str, JsonValue]
"""Fields of an input that this version does not know; kept, reported, never refused."""


class Frozen(BaseModel):
    """Immutable, closed to unknown fields, documented field by field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
