"""What a client of the old description would trip over in the new one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")


def breaking(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Every break, in words; empty when clients of the old one go on working."""
    return [*_paths(old, new)]


def _paths(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method in _METHODS:
            if method not in methods:
                continue
            name = f"{method.upper()} {path}"
            found = new["paths"].get(path, {}).get(method)
            if found is None:
                yield f"{name} is gone"
                continue
            yield from _parameters(name, methods[method], found)
            yield from _answers(name, methods[method], found, old, new)
            yield from _body(name, methods[method], found, old, new)


def _parameters(name: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    before = {(p["in"], p["name"]): p for p in old.get("parameters", ())}
    after = {(p["in"], p["name"]): p for p in new.get("parameters", ())}
    for key, parameter in after.items():
        if parameter.get("required") and not before.get(key, {}).get("required"):
            yield f"{name}: parameter {key[1]} is now required"
    for key, parameter in before.items():
        if key not in after:
            yield f"{name}: parameter {key[1]} is gone"
            continue
        yield from _tighter(
            f"{name}: parameter {key[1]}", parameter["schema"], after[key]["schema"]
        )


def _tighter(name: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    if old.get("type") != new.get("type"):
        yield f"{name} has another type"
    if "enum" in new and not set(old.get("enum", ())) <= set(new["enum"]):
        yield f"{name} has lost a choice"
    for bound, worse in (("maximum", -1), ("maxLength", -1), ("minimum", 1), ("minLength", 1)):
        if bound in new and (bound not in old or (new[bound] - old[bound]) * worse > 0):
            yield f"{name} has a tighter {bound}"


def _answers(
    name: str, old: dict[str, Any], new: dict[str, Any], whole: Any, newer: Any
) -> Iterator[str]:
    for status, answer in old["responses"].items():
        if not status.startswith("2"):
            continue
        if status not in new["responses"]:
            yield f"{name}: no longer answers {status}"
            continue
        for media, content in answer.get("content", {}).items():
            there = new["responses"][status].get("content", {})
            if media not in there:
                yield f"{name}: no longer answers {media}"
                continue
            pair = (content.get("schema", {}), there[media].get("schema", {}))
            yield from _fields(f"{name} {status}", *pair, whole, newer, seen=set())


def _fields(
    name: str, old: Any, new: Any, whole: Any, newer: Any, *, seen: set[str]
) -> Iterator[str]:
    reference = old.get("$ref", "")
    if reference in seen:
        return
    seen = seen | {reference} if reference else seen
    old, new = _resolved(old, whole), _resolved(new, newer)
    if old.get("type") != new.get("type"):
        yield f"{name}: another type"
    for field, schema in old.get("properties", {}).items():
        if field not in new.get("properties", {}):
            yield f"{name}: field {field} is gone"
        else:
            inner = new["properties"][field]
            yield from _fields(f"{name}.{field}", schema, inner, whole, newer, seen=seen)
    if "items" in old and "items" in new:
        yield from _fields(f"{name}[]", old["items"], new["items"], whole, newer, seen=seen)


def _body(
    name: str, old: dict[str, Any], new: dict[str, Any], whole: Any, newer: Any
) -> Iterator[str]:
    if "requestBody" not in old:
        if new.get("requestBody", {}).get("required"):
            yield f"{name}: now needs a body"
        return
    before = _resolved(old["requestBody"]["content"]["application/json"]["schema"], whole)
    content = new.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        yield f"{name}: takes no body any more"
        return
    after = _resolved(content["schema"], newer)
    for field in set(after.get("required", ())) - set(before.get("required", ())):
        yield f"{name}: field {field} of the request is now required"
    for field, schema in before.get("properties", {}).items():
        if field not in after.get("properties", {}):
            yield f"{name}: field {field} of the request is gone"
        else:
            yield from _tighter(f"{name}: field {field}", schema, after["properties"][field])


def _resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    return whole["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema
