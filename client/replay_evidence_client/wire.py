"""Requests that are tried again where that is safe, and files that are fetched in pieces."""

from __future__ import annotations

import hashlib
import ipaddress
import random
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from .errors import Damaged, Unreachable, error_of

Waits = Callable[[float], None]
_BUSY = frozenset({429, 502, 503})
_NOTHING_LEFT = 416
"""The range begins at the end of the file: the digest decides whether it is whole."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 60.0
_FROM = re.compile(r"bytes (\d+)-")
_PIECE_BYTES = 1 << 16


class Wire:
    """One desk, one key. The key stands in the header of requests and nowhere else."""

    def __init__(
        self, address: str, *, key: str, timeout_s: float, tries: int, waits: Waits
    ) -> None:
        _checked(address, key)
        self._tries, self._waits = max(1, tries), waits
        headers = {"Accept": "application/json", "User-Agent": "replay-evidence-client/0.1"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx.Client(
            base_url=address.rstrip("/"), headers=headers, timeout=timeout_s, trust_env=not key
        )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def asked(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        file: bytes | None = None,
        once: str = "",
        again: bool = True,
    ) -> tuple[int, Any]:
        """The status and the JSON of an answer; ``file`` is sent as it is, ``body`` as JSON.

        ``once`` is the request's Idempotency-Key. ``again`` says that it may be sent twice;
        without it only a refusal that did nothing (429) is tried again.
        """
        headers = {"Idempotency-Key": once} if once else {}

        def sent() -> httpx.Response:
            return self._http.request(
                method, path, params=params, json=body, content=file, headers=headers
            )

        answer = self._persisted(sent, again=again)
        if not answer.is_success:
            raise error_of(answer.status_code, _json(answer))
        return answer.status_code, _json(answer)

    def fetched(self, path: str, to: Path, *, sha256: str) -> Path:
        """A file, whole and checked; what an earlier try left in ``….part`` is continued.

        Raises:
            Damaged: the bytes are not those of ``sha256``. DeskError: as said by the desk.
        """
        part = to.with_name(to.name + ".part")
        for attempt in range(self._tries):
            last = attempt + 1 == self._tries
            try:
                answer = self._continued(path, part)
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(f"the line broke: {type(error).__name__}") from error
                answer = None
            if answer is not None and (last or answer.status_code not in _BUSY):
                if answer.is_error and answer.status_code != _NOTHING_LEFT:
                    raise error_of(answer.status_code, _json(answer))
                break
            self._waits(self._wait_s(attempt, answer))
        if _digest(part) != sha256:
            part.unlink()
            raise Damaged(f"{to.name} is not what the desk says it is", hint="fetch it again")
        return part.replace(to)

    def _continued(self, path: str, part: Path) -> httpx.Response:
        """The answer; what it brought lies behind what was there already."""
        have = part.stat().st_size if part.exists() else 0
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={have}-"} if have else {}
        with self._http.stream("GET", path, headers=headers) as answer:
            if not answer.is_success:
                answer.read()
                return answer
            at = _FROM.match(answer.headers.get("content-range", ""))
            if answer.status_code == 206 and (at is None or int(at[1]) != have):
                raise Damaged("the desk sent another range than was asked for")
            with part.open("ab" if answer.status_code == 206 else "wb") as file:
                for piece in answer.iter_raw(_PIECE_BYTES):
                    file.write(piece)
        return answer

    def _persisted(self, send: Callable[[], httpx.Response], *, again: bool) -> httpx.Response:
        for attempt in range(self._tries):
            last = attempt + 1 == self._tries
            try:
                answer = send()
            except httpx.TransportError as error:
                sent_nothing = isinstance(error, httpx.ConnectError)
                if last or not (again or sent_nothing):
                    raise Unreachable(f"no answer: {type(error).__name__}") from error
                self._waits(self._wait_s(attempt, None))
                continue
            tried_again = answer.status_code in _BUSY if again else answer.status_code == 429
            if last or not tried_again:
                return answer
            self._waits(self._wait_s(attempt, answer))
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _wait_s(self, attempt: int, answer: httpx.Response | None) -> float:
        """What the desk asks for, else longer each time and never in step with others."""
        asked = answer.headers.get("retry-after", "") if answer is not None else ""
        if asked.isascii() and asked.isdigit():
            return min(float(asked), _LONGEST_WAIT_S)
        longest = min(_FIRST_WAIT_S * float(2**attempt), _LONGEST_WAIT_S)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret


def sleeping(wait_s: float) -> None:
    """Wait."""
    time.sleep(wait_s)


def _checked(address: str, key: str) -> None:
    """Refuse what would send the key in the open, or print it in an error of the HTTP library."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError("the desk's address is like https://desk.example")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError("the key holds characters that no key has")
    if key and parts.scheme == "http" and not _near(parts.hostname):
        raise ValueError("a key is sent over https only, but for this machine itself")


def _near(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
