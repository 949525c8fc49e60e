"""What can be searched of a broadcast on air: its lines, and the claims that they give so far.

Claims found on air are provisional: more words may complete, correct or cancel them, and what stands
on the screen is not read yet. They are entered without a pack and with release 0, which no
finished broadcast has, and the final ones take their place when the broadcast has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pipeline.bootstrap import Application
from pipeline.claims import run as claims_room
from pipeline.errors import EvidenceError
from pipeline.index import run as index_room
from pipeline.index.documents import Document, documents_of
from pipeline.model import Broadcast, ClaimSet, ClockMap, Revision, Transcript
from pipeline.patience import INDEX, Standing
from pipeline.provenance import work_key

_REST = 9
"""After a detection so many times its length pass without one: it takes a tenth of the time."""


class Shown:
    """The documents of one broadcast on air, kept in step with what was heard.

    Args:
        app: The workspace.
        broadcast: Which.
        say: Tells the operator.
        now_s: A clock that never jumps.
    """

    def __init__(
        self,
        app: Application,
        broadcast: Broadcast,
        say: Callable[[str], None],
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._broadcast, self._say, self._now_s = app, broadcast, say, now_s
        self._claims: ClaimSet | None = None
        self._rested_s = float("-inf")
        self._there: dict[str, Document] | None = None
        self._wait = Standing(app.scratch, INDEX, broadcast.broadcast_id)

    def detect(self, transcript: Transcript) -> bool:
        """Find the claims of what was heard so far, unless that was done just now."""
        begun_s = self._now_s()
        if begun_s < self._rested_s:
            return False
        rules = self._app.rules
        key = work_key(
            "claims",
            version=f"{claims_room.STAGE_VERSION} on air",
            inputs=[self._broadcast.broadcast_id],
            model_digest=rules.digest,
            parameters={},
        )
        self._claims = claims_room.run(
            self._broadcast, transcript=transcript, screen=None, detector=rules, work_key=key
        )
        ended_s = self._now_s()
        self._rested_s = ended_s + _REST * (ended_s - begun_s)
        return True

    def show(self, transcript: Transcript, clock: ClockMap, end_ms: int) -> bool:
        """Put what is new or has changed into the index; whether that worked now."""
        revision = Revision(
            number=0,
            input_id="live",
            broadcast=self._broadcast,
            clock_map=clock,
            duration_ms=end_ms,
        )
        made = documents_of(revision, transcript=transcript, screen=None, claims=self._claims)
        documents = list(made)
        try:
            self._put(documents)
        except EvidenceError as error:
            if not error.transient:
                raise
            self._say(f"the index is away: {error.message}")
            self._wait.begin(error.message)
            return False
        self._wait.end()
        self._there = {document.doc_id: document for document in documents}
        return True

    def rest(self) -> None:
        """Nothing more is shown by this one: what it waited for is the next one's."""
        self._wait.end()

    def _put(self, documents: list[Document]) -> None:
        if self._there is None:
            index_room.index_documents(self._app.index, documents)
            return
        ids = [document.doc_id for document in documents]
        changed = [d for d in documents if self._there.get(d.doc_id) != d]
        self._app.index.put(changed)
        if not self._there.keys() <= set(ids):
            self._app.index.drop(documents[0].broadcast_id, keep=ids, day=documents[0].day)
