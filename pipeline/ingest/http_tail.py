"""A broadcast that is read over HTTP while it is on air: a stream, or a file that grows on a server.

After a break reading goes on where it stopped, if the server can do that. If it sends known
bytes again they are compared and passed over; if it begins anew, as a live stream does, what follows is
the next part. The address may hold a secret, so messages name its host alone.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from pipeline.errors import AccessDenied, InputError, StoreUnavailable
from pipeline.ingest.landing import Event
from pipeline.ingest.tails import Ending, Grown, Part, note, write_at

_TAKE_S = 1.0
_TIMEOUT_S = 10.0
_OVERLAP_BYTES = 4096
_BLOCK_BYTES = 1 << 16
_MOST_REDIRECTS = 3
_LONGEST_PAUSE_S = 30.0
_GONE = (404, 410)


class _Open(NamedTuple):
    """A reply that is being read."""

    line: http.client.HTTPConnection
    reply: http.client.HTTPResponse


class HttpTail:
    """A stream at an ``http://`` or ``https://`` address.

    It has ended when the server says that it is gone, or when nothing came for ``quiet_s`` seconds.

    Raises:
        InputError: another kind of address.
    """

    def __init__(self, url: str, *, quiet_s: float = 120) -> None:
        _split(url)
        self._url, self._quiet_s = url, quiet_s
        self.name = _name(url)
        self.events: list[Event] = []
        self._ending = Ending(marker=None, quiet_s=quiet_s)
        self._open: _Open | None = None
        self._again_s, self._pause_s = float("-inf"), _TAKE_S
        self._whole = self._repeats = False
        self._compared: int | None = None

    def begin(self, folder: Path, parts: Sequence[Part]) -> None:
        """See :class:`pipeline.ingest.tails.Tail`."""
        self._folder, self._parts = folder, list(parts)

    def take(self, *, now_s: float) -> Grown:
        """See :class:`pipeline.ingest.tails.Tail`."""
        gone, before = False, self._taken
        if self._open is None and now_s >= self._again_s:
            gone = self._connect(now_s)
        end_s = time.monotonic() + _TAKE_S
        while self._open is not None and time.monotonic() < end_s:
            data = self._next()
            if data and self._keep(data):
                continue
            self._close(now_s, grew=self._taken > before)
        grew = self._taken > before
        if grew:
            self._ending.grew(now_s)
        ended = (gone and before > 0) or (not grew and self._ending.quiet(now_s))
        if ended:
            self._close(now_s, grew=False)
        return Grown(tuple(self._parts), ended)

    def description(self) -> bytes | None:
        """None: it is named apart."""
        return None

    def own_playlist(self) -> bytes:
        """None."""
        return b""

    # --- the line ---------------------------------------------------------------------------

    def _connect(self, now_s: float) -> bool:
        """Ask for what follows; whether the server says that there is nothing any more."""
        have = self._parts[-1].size_bytes if self._parts else 0
        start = 0 if self._whole else max(0, have - _OVERLAP_BYTES)
        headers = {"Range": f"bytes={start}-"} if start else {}
        self._open = _asked(self._url, headers)
        status = self._open.reply.status if self._open is not None else 0
        if status in (200, 206):
            begins = _begins(self._open, start) if status == 206 else 0
            self._compared = begins if have else None
            self._repeats = begins == 0 and have > 0
            return False
        self._close(now_s, grew=False)
        if status in (401, 403):
            raise AccessDenied(
                f"{urlsplit(self._url).hostname}: the stream is refused ({status})",
                hint="check the address and its key",
            )
        if status not in (0, 416, *_GONE) and status < 500:
            raise StoreUnavailable(
                f"{urlsplit(self._url).hostname}: answers {status}", hint="check the address"
            )
        return status in _GONE

    def _next(self) -> bytes:
        """What came; empty at the end of the reply or of the line."""
        assert self._open is not None  # noqa: S101
        try:
            return self._open.reply.read1(_BLOCK_BYTES)
        except (OSError, http.client.HTTPException):
            return b""

    def _close(self, now_s: float, *, grew: bool) -> None:
        if self._open is not None:
            self._open.line.close()
        self._open = None
        longest_s = min(_LONGEST_PAUSE_S, self._quiet_s / 4)
        self._pause_s = _TAKE_S if grew else min(self._pause_s * 2, max(_TAKE_S, longest_s))
        self._again_s = now_s + self._pause_s

    # --- bytes ------------------------------------------------------------------------------

    @property
    def _taken(self) -> int:
        return sum(part.size_bytes for part in self._parts)

    def _keep(self, data: bytes) -> bool:
        """Append what is new; False where the server must be asked for the whole."""
        if self._compared is not None:
            return self._compare(data)
        if not self._parts:
            self._parts.append(Part(number=1, name=self.name))
        self._append(data)
        return True

    def _compare(self, data: bytes) -> bool:
        """Pass over what is known already."""
        at, part = self._compared or 0, self._parts[-1]
        with (self._folder / part.name).open("rb") as file:
            file.seek(at)
            ours = file.read(len(data))
        same = _common(ours, data)
        if same < len(ours):
            if at > 0 and not self._whole:
                self._whole = True  # another stream behind the same address: from its beginning
                return False
            self._begin_anew(at + same)
            self._append(data[same:])
        elif at + same < part.size_bytes:
            self._compared = at + same
        else:
            self._compared = None
            if self._repeats:
                note(self.events, "repeated", part.number, part.name)
            if data[same:]:
                self._append(data[same:])
        return True

    def _begin_anew(self, common: int) -> None:
        """The next part, whose first bytes are those of the one before (the container's header)."""
        before, number = self._parts[-1], len(self._parts) + 1
        stem, _, suffix = self.name.rpartition(".")
        part = Part(number=number, name=f"{stem}-{number:03d}.{suffix}", discontinuity=True)
        self._parts.append(part)
        note(self.events, "restarted", number, part.name)
        with (self._folder / before.name).open("rb") as file:
            self._append(file.read(common))
        self._compared, self._whole = None, False

    def _append(self, data: bytes) -> None:
        part = self._parts[-1]
        size = part.size_bytes + write_at(self._folder / part.name, part.size_bytes, data)
        self._parts[-1] = part.model_copy(update={"size_bytes": size})


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            "not an http:// or https:// address", hint="give the address of an FLV stream"
        )
    return parts


def _name(url: str) -> str:
    """A name for the copy: the address's last, where that is plainly a file name."""
    last = urlsplit(url).path.rpartition("/")[2]
    plain = re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,80}\.[a-z0-9]{2,4}", last)
    return last if plain else "stream.flv"


def _asked(url: str, headers: dict[str, str]) -> _Open | None:
    """The reply, after as many redirects as are allowed; None without an answer."""
    for _ in range(_MOST_REDIRECTS + 1):
        parts = _split(url)
        kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        line = kind[parts.scheme](str(parts.hostname), parts.port, timeout=_TIMEOUT_S)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            line.request("GET", target, headers=headers)
            reply = line.getresponse()
        except (OSError, http.client.HTTPException):
            line.close()
            return None
        if reply.status not in (301, 302, 303, 307, 308):
            return _Open(line, reply)
        with closing(line):
            url = urljoin(url, reply.headers.get("Location", ""))
    return None


def _begins(found: _Open | None, start: int) -> int:
    """Where a partial reply begins, by its own word."""
    said = found.reply.headers.get("Content-Range", "") if found is not None else ""
    place = re.match(r"bytes (\d{1,18})-", said)
    return int(place[1]) if place else start


def _common(one: bytes, other: bytes) -> int:
    """Length of the common beginning."""
    least = min(len(one), len(other))
    if one[:least] == other[:least]:
        return least
    return next(n for n in range(least) if one[n] != other[n])
