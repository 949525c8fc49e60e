"""Small forms from the desk's own pages."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import Request

from pipeline.errors import InputError

LONGEST_FORM_BYTES = 65_536
MOST_FIELDS = 20


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form (``application/x-www-form-urlencoded``), the first of each name.

    Raises:
        InputError: longer than a form of these pages can be.
    """
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > LONGEST_FORM_BYTES:
            raise InputError(f"a form of over {LONGEST_FORM_BYTES} bytes", hint="write less")
    try:
        fields = parse_qs(data.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise InputError("a form with too many fields", hint="use the desk's pages") from error
    return {name: values[0] for name, values in fields.items()}
