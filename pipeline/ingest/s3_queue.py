"""Messages from a queue that speaks Amazon SQS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.ingest.messages import Letter
from pipeline.ingest.s3_errors import translated
from pipeline.settings import StoreSettings

if TYPE_CHECKING:
    from botocore.client import BaseClient

_LONGEST_WAIT_S = 20
_AT_ONCE = 10
_REGION = re.compile(r"sqs\.([a-z0-9-]+)\.amazonaws\.com")


class SqsMailbox:
    """One queue.

    Args:
        url: Its address, ``https://sqs.<region>.amazonaws.com/<account>/<name>``.
        store: Key and secret as the store has them; without, the machine's own AWS credentials.
        hidden_s: A message that was given out and not deleted comes again after so long.
    """

    def __init__(self, url: str, store: StoreSettings, *, hidden_s: int = 300) -> None:
        self._url, self._store, self._hidden_s = url, store, hidden_s
        self._host = str(urlsplit(url).hostname)

    def receive(self, *, wait_s: float) -> Sequence[Letter]:
        """See :class:`pipeline.ingest.messages.Mailbox`."""
        with translated("receive", where=self._host):
            reply = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_AT_ONCE,
                WaitTimeSeconds=min(_LONGEST_WAIT_S, max(0, round(wait_s))),
                VisibilityTimeout=self._hidden_s,
            )
        return [
            Letter(m["MessageId"], str(m.get("Body", "")).encode(), m["ReceiptHandle"])
            for m in reply.get("Messages", ())
        ]

    def delete(self, letter: Letter) -> None:
        """See :class:`pipeline.ingest.messages.Mailbox`."""
        with translated("delete", where=self._host):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        s, parts = self._store, urlsplit(self._url)
        named = _REGION.fullmatch(self._host)
        config = Config(
            connect_timeout=s.connect_timeout_s,
            read_timeout=s.read_timeout_s + _LONGEST_WAIT_S,
            retries={"mode": "standard", "total_max_attempts": s.max_attempts},
        )
        with translated("settings", where=self._host):
            client: BaseClient = boto3.session.Session().client(
                "sqs",
                region_name=named[1] if named else s.region or "us-east-1",
                endpoint_url=f"{parts.scheme}://{parts.netloc}",
                aws_access_key_id=s.access_key_id or None,
                aws_secret_access_key=s.secret_access_key.get_secret_value() or None,
                config=config,
            )
        return client
