"""Reading the fields of one JSON object, with a path in every complaint."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pipeline.errors import InputError
from pipeline.ingest.jsontext import Number, as_json, as_text
from pipeline.model import Extra
from pipeline.timeline import parse_instant


class Fields:
    """One JSON object; what was not asked for by name is ``rest()``."""

    def __init__(self, value: Any, *, file: str, path: str = "") -> None:
        """Wrap ``value``, which stands at ``path`` of ``file``.

        Raises:
            InputError: not an object.
        """
        self.file, self.path = file, path
        if not isinstance(value, dict):
            raise self.wrong("", f"should be an object, not {_kind(value)}")
        self._values: dict[str, Any] = value
        self._asked: set[str] = set()

    def wrong(self, name: str, complaint: str, *, hint: str = "") -> InputError:
        """An error about one field."""
        where = self.at(name) or "the file's content"
        return InputError(
            f"{self.file}: {where} {complaint}",
            hint=hint or "correct this field; the format is described in docs/formats.md",
            file=self.file,
            where=where,
        )

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path and name else self.path + name

    def get(self, name: str) -> Any:
        """The raw value; None when absent or null."""
        self._asked.add(name)
        return self._values.get(name)

    def text(self, name: str) -> str:
        """Text; numbers become text, absent becomes empty.

        Raises:
            InputError: an object, a list or a truth value.
        """
        value = self.get(name)
        if value is None:
            return ""
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
        raise self.wrong(name, f"should be text, not {_kind(value)}")

    def needed(self, name: str) -> str:
        """Text that must be there.

        Raises:
            InputError: absent, empty or not text.
        """
        value = self.text(name)
        if not value.strip():
            raise self.wrong(name, "is missing or empty", hint=f"give {name!r} a value")
        return value

    def whole(self, name: str) -> int | None:
        """A whole number; ``1000.0`` and ``"1000"`` count, absent is None.

        Raises:
            InputError: something else.
        """
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str):
            try:
                number = float(value)
                if number.is_integer() and abs(number) < 2**53:
                    return int(number)
            except (ValueError, OverflowError):
                pass  # the complaint below says what was expected
        raise self.wrong(name, f"should be a whole number, not {str(value)[:40]!r}")

    def needed_whole(self, name: str) -> int:
        """A whole number that must be there.

        Raises:
            InputError: absent or not whole.
        """
        value = self.whole(name)
        if value is None:
            raise self.wrong(name, "is missing", hint=f"give {name!r} in whole milliseconds")
        return value

    def instant(self, name: str) -> datetime | None:
        """An instant with an offset; None when absent or empty.

        Raises:
            InputError: not ISO 8601 with an offset.
        """
        text = self.text(name)
        if not text:
            return None
        try:
            return parse_instant(text, field=self.at(name))
        except InputError as error:
            raise InputError(
                f"{self.file}: {error.message}",
                hint=error.hint,
                file=self.file,
                where=self.at(name),
            ) from error

    def items(self, name: str) -> list[tuple[str, Any]]:
        """The members of a list with their paths; absent is empty.

        Raises:
            InputError: not a list.
        """
        value = self.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, f"should be a list, not {_kind(value)}")
        return [(f"{self.at(name)}[{n}]", item) for n, item in enumerate(value)]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; one text alone counts as a list of one.

        Raises:
            InputError: a member is not text or a number.
        """
        if isinstance(self.get(name), str):
            return (self.text(name),)
        for path, item in self.items(name):
            if not isinstance(item, (str, int)) or isinstance(item, bool):
                raise self.wrong(path.removeprefix(f"{self.path}."), "should be text")
        return tuple(str(item) for _, item in self.items(name))

    def table(self, name: str) -> dict[str, str]:
        """A map of free keys to text; nulls are left out.

        Raises:
            InputError: not an object.
        """
        value = self.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.wrong(name, f"should be an object, not {_kind(value)}")
        return {k: as_text(v) for k, v in value.items() if v is not None}

    def rest(self) -> Extra:
        """The fields nobody asked for."""
        return {k: as_json(v) for k, v in self._values.items() if k not in self._asked}


def _kind(value: Any) -> str:
    if isinstance(value, Number):
        return f"the number {str(value)[:40]}"
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number"}
    return names.get(type(value), "null")
