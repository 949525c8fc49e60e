"""Writes the client's record types from the API's description.

    .venv/bin/python client/generate.py      # docs/openapi.json -> replay_evidence_client/records.py

Every field of an answer is always there, so the types are total; only what is sent may be partial.
"""

from __future__ import annotations

import json
import keyword
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DESCRIBED = HERE.parent / "docs" / "openapi.json"
WRITTEN = HERE / "replay_evidence_client" / "records.py"
PARTIAL = {"Correction"}
"""What is sent: fields may be left out."""
LEFT_OUT = re.compile(r"Page_|.*Wanted$|^(Heard|Decided|JsonValue|Problem)$")
_PLAIN = {"integer": "int", "string": "str", "boolean": "bool", "number": "float", "null": "None"}
_TOP = '''"""What the desk answers with, as types; made from its description by ``client/generate.py``.

They are plain dictionaries at run time: fields that a later desk adds do no harm.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Segment(TypedDict):
    """Words and when they were said."""

    start_ms: int
    end_ms: int
    text: str
    prob_pm: int
    flags: list[str]


class Transcript(TypedDict):
    """A broadcast's words."""

    broadcast_id: str
    language: str
    producer: str
    verbatim: bool
    segments: list[Segment]
    gaps: list[Gap]
'''


def name_of(schema: str) -> str:
    """``pipeline__evidence__clip__Moment`` is a ``ClipMoment``."""
    *_, room, last = ["", *schema.split("__")]
    return room.title() + last


def kind(schema: dict[str, Any]) -> str:
    """A schema as a Python type."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "Any" if name == "JsonValue" else name_of(name)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(kind(one) for one in schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        return f"Literal[{', '.join(repr(v) for v in schema.get('enum', [schema.get('const')]))}]"
    if schema.get("type") == "array":
        return f"list[{kind(schema.get('items', {}))}]" if "items" in schema else "list[Any]"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties", {})
        return f"dict[str, {kind(inner) if isinstance(inner, dict) else 'Any'}]"
    return _PLAIN.get(schema.get("type", ""), "Any")


def _doc(text: str, indent: str = "    ") -> str:
    told = " ".join(text.split()).replace("\\", "\\\\")
    return textwrap.fill(f'"""{told}"""', 96, initial_indent=indent, subsequent_indent=indent)


def described(schemas: dict[str, Any]) -> Iterator[str]:
    """One class a schema."""
    for schema, body in sorted(schemas.items(), key=lambda item: name_of(item[0])):
        if LEFT_OUT.match(schema) or "properties" not in body:
            continue
        yield "\n"
        yield f"class {name_of(schema)}(TypedDict{', total=False' if schema in PARTIAL else ''}):"
        yield _doc(body.get("description", name_of(schema)))
        yield ""
        for field, of in body["properties"].items():
            if keyword.iskeyword(field):
                raise ValueError(f"{schema}.{field} is a keyword")
            yield f"    {field}: {kind(of)}"
            if of.get("description"):
                yield _doc(of["description"])


def made() -> str:
    """The module's text."""
    schemas = json.loads(DESCRIBED.read_text(encoding="utf-8"))["components"]["schemas"]
    return _TOP + "\n".join(described(schemas)) + "\n"


if __name__ == "__main__":
    WRITTEN.write_text(made(), encoding="utf-8")
