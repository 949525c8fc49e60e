"""The mailbox that a person names: a queue's address, a folder, or a port to listen on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import ConfigError, InputError
from pipeline.ingest.inbox import Inbox
from pipeline.ingest.listener import listening
from pipeline.ingest.messages import Mailbox
from pipeline.settings import StoreSettings

_LISTEN = re.compile(r"listen:(?:(.+):)?(\d{1,5})")
_HERE = ("127.0.0.1", "localhost", "::1")


@contextmanager
def mailbox(text: str, *, store: StoreSettings, spool: Path, token: str = "") -> Iterator[Mailbox]:
    """``https://sqs…/queue``, a folder of message files, or ``listen:[host:]port``.

    Args:
        text: Which.
        store: Key, secret and region for a queue.
        spool: Where messages that come to the port are kept until they are dealt with.
        token: What their sender must show; needed where other machines can reach the port.

    Raises:
        InputError: no such folder. ConfigError: a port open to others without a token.
    """
    found = _LISTEN.fullmatch(text)
    if found:
        host, port = found[1] or _HERE[0], int(found[2])
        if host not in _HERE and not token:
            raise ConfigError(
                f"{text}: other machines reach this port, and no token is set",
                hint="give --token-file; the sender shows what stands in it as a bearer token",
            )
        with listening(spool, host=host, port=port, token=token):
            yield Inbox(spool)
    elif text.startswith(("http://", "https://")):
        from pipeline.ingest.s3_queue import SqsMailbox

        yield SqsMailbox(text, store)
    elif "://" in text:
        raise InputError(
            f"{text[:200]}: no queue",
            hint="give a queue's https:// address, a folder, or listen:PORT",
        )
    else:
        yield Inbox(Path(text))
