"""The desk, as a Python object."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import quote

from .errors import Archived, NotFound
from .records import (
    BroadcastRow,
    BundleMade,
    CardLink,
    CaseRow,
    CaseShown,
    Claim,
    ClipMade,
    Correction,
    Hit,
    Likeness,
    Operations,
    Party,
    ReviewedAnswer,
    ReviewedDossier,
    ReviewRecord,
    ReviewSheet,
    SkuReport,
    ThingShown,
    Transcript,
    WebhookMade,
    WebhookRow,
    WebhookTried,
)
from .wire import Wire, sleeping

Kind = Literal["mp4", "jpg", "srt"]


class Client:
    """Asks a desk; every method answers with what the API does (docs/openapi.json).

    Requests that are refused for now (429, 503) or get no answer are sent again, later each time,
    and after as long as the desk asks for. Use it with ``with``, or ``close`` it.

    Raises, from every method: a :class:`DeskError` (see ``errors.py``).
    """

    def __init__(
        self,
        address: str,
        *,
        key: str = "",
        timeout_s: float = 120.0,
        tries: int = 5,
        waits: Callable[[float], None] = sleeping,
    ) -> None:
        """``key`` is of the form ``re_…``; it is sent to this address only, and never logged."""
        self._address = address
        self._wire = Wire(address, key=key, timeout_s=timeout_s, tries=tries, waits=waits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._address!r})"

    def close(self) -> None:
        """Give the connections back."""
        self._wire.close()

    # --- search and broadcasts ------------------------------------------------------------

    def search(self, query: str = "", *, size: int = 100, **filters: str) -> Iterator[Hit]:
        """Every hit, page after page, in the desk's order.

        ``filters``: ``sku``, ``type``, ``host``, ``merchant``, ``broadcast``, ``polarity``.
        """
        cursor = ""
        while True:
            page = self.search_page(query, size=size, cursor=cursor, **filters)
            yield from page["hits"]
            cursor = page["cursor"]
            if not cursor:
                return

    def search_page(
        self, query: str = "", *, size: int = 20, cursor: str = "", **filters: str
    ) -> ReviewedAnswer:
        """One page with its facets, total and coverage: what the answer rests on."""
        params = {"q": query, "size": size, "cursor": cursor, **filters}
        return cast(ReviewedAnswer, self._get("/search", params))

    def broadcasts(self) -> Iterator[BroadcastRow]:
        """Every finished broadcast that the key may see."""
        return cast(Iterator[BroadcastRow], self._pages("/broadcasts"))

    def broadcast(self, broadcast_id: str) -> dict[str, Any]:
        """Description, clock map, windows, claims, keyframes, coverage."""
        return cast(dict[str, Any], self._get(f"/broadcasts/{_part(broadcast_id)}"))

    def transcript(self, broadcast_id: str, *, verbatim: bool = True) -> Transcript:
        """Segments with times and gaps, as heard or in the normal form."""
        path = f"/broadcasts/{_part(broadcast_id)}/transcript"
        return cast(Transcript, self._get(path, {"verbatim": str(verbatim).lower()}))

    def claims(self, broadcast_id: str) -> Iterator[Claim]:
        """A broadcast's claims in order of time."""
        return cast(Iterator[Claim], self._pages(f"/broadcasts/{_part(broadcast_id)}/claims"))

    def claim(self, claim_id: str) -> Claim:
        """A claim by its id, of whatever version made it."""
        return cast(Claim, self._get(f"/claims/{_part(claim_id)}"))

    def sku(self, sku_id: str) -> SkuReport:
        """All claims about a SKU over all broadcasts, and which contradict each other."""
        return cast(SkuReport, self._get(f"/skus/{_part(sku_id)}"))

    def order(self, order_id: str) -> ReviewedDossier:
        """The answer to an order's dispute: *found*, *not said* or *cannot say*."""
        return cast(ReviewedDossier, self._get(f"/orders/{_part(order_id)}"))

    def likeness(self, order_id: str, photo: bytes) -> Likeness:
        """The pictures kept while an order's product was shown that are most like a buyer's photo.

        ``photo`` is a JPEG or PNG, and is not kept. Likeness, never proof.
        """
        path = f"/api/v1/orders/{_part(order_id)}/likeness"
        return cast(Likeness, self._wire.asked("POST", path, file=photo)[1])

    # --- clips and bundles ----------------------------------------------------------------

    def make_clip(
        self,
        claim_id: str = "",
        *,
        broadcast_id: str = "",
        span_ms: tuple[int, int] | None = None,
        once: str = "",
    ) -> ClipMade:
        """Cut the clip of a claim, or of a span of a broadcast.

        ``once`` is an idempotency key of your own; without it each call takes a new one, which
        makes its own tries safe.

        Raises:
            Archived: the recording is not at hand now.
        """
        wanted: dict[str, Any] = {"claim_id": claim_id, "broadcast_id": broadcast_id}
        if span_ms is not None:
            wanted |= {"start_ms": span_ms[0], "end_ms": span_ms[1]}
        return cast(ClipMade, self._made("/clips", wanted, once))

    def clip(self, clip_id: str) -> ClipMade:
        """A clip that was made, by its id."""
        return cast(ClipMade, self._get(f"/clips/{_part(clip_id)}"))

    def fetch_clip(self, made: ClipMade, to: Path, *, kind: Kind = "mp4") -> Path:
        """A file of a clip, streamed to ``to``, continued where a try broke off, then checked."""
        path = f"/api/v1/clips/{_part(made['clip_id'])}/clip.{kind}"
        return self._wire.fetched(path, to, sha256=_digest_of(made, kind))

    def make_bundle(self, claim_id: str = "", *, order_id: str = "", once: str = "") -> BundleMade:
        """Seal the evidence of a claim or of an order's answer; ``once`` as in ``make_clip``.

        Raises:
            Archived: the recording is not at hand now.
        """
        wanted = {"claim_id": claim_id, "order_id": order_id}
        return cast(BundleMade, self._made("/bundles", wanted, once))

    def bundle(self, bundle_id: str) -> BundleMade:
        """A bundle that was made, by its id."""
        return cast(BundleMade, self._get(f"/bundles/{_part(bundle_id)}"))

    def check_bundle(self, bundle_id: str) -> dict[str, Any]:
        """Its numbered checks and verdicts; check a copy of your own offline all the same."""
        return cast(dict[str, Any], self._get(f"/bundles/{_part(bundle_id)}/checks"))

    def fetch_bundle(self, made: BundleMade, to: Path) -> Path:
        """The zip, streamed to ``to``, continued where a try broke off, then checked."""
        path = f"/api/v1/bundles/{_part(made['bundle']['bundle_id'])}/bundle.zip"
        return self._wire.fetched(path, to, sha256=made["bundle"]["zip_sha256"])

    def card(self, claim_id: str) -> CardLink:
        """A link to a claim's card, to be framed in a page of yours within ten minutes."""
        return cast(
            CardLink, self._wire.asked("POST", "/api/v1/embeds", body={"claim_id": claim_id})[1]
        )

    # --- cases ----------------------------------------------------------------------------

    def cases(self) -> Iterator[CaseRow]:
        """The cases that the key may see: for a party those of which something is disclosed to it."""
        return cast(Iterator[CaseRow], self._pages("/cases"))

    def case(self, case_id: str) -> CaseShown:
        """A case, as far as the key may see it."""
        return cast(CaseShown, self._get(f"/cases/{_part(case_id)}"))

    def open_case(
        self,
        title: str,
        *,
        orders: Sequence[str] = (),
        claims: Sequence[str] = (),
        broadcasts: Sequence[str] = (),
        spans: Sequence[tuple[str, int, int]] = (),
        parties: Sequence[Party] = (),
        once: str = "",
    ) -> CaseShown:
        """Open a case; ``spans`` are ``(broadcast_id, start_ms, end_ms)``, ``once`` as in ``make_clip``.

        The title stays for ever: no names of persons.
        """
        wanted = _things(orders, claims, broadcasts, spans)
        wanted |= {"title": title, "parties": list(parties)}
        return cast(CaseShown, self._made("/cases", wanted, once))

    def add_to_case(
        self,
        case_id: str,
        *,
        orders: Sequence[str] = (),
        claims: Sequence[str] = (),
        broadcasts: Sequence[str] = (),
        spans: Sequence[tuple[str, int, int]] = (),
    ) -> CaseShown:
        """Let more belong to a case; by that it is disclosed to nobody."""
        return self._stepped(case_id, "things", _things(orders, claims, broadcasts, spans))

    def disclose(
        self, case_id: str, *, to: Sequence[str], things: Sequence[int], why: str
    ) -> CaseShown:
        """Let keys (by their ids) see things of a case, by their numbers."""
        wanted = {"to": list(to), "things": list(things), "why": why}
        return self._stepped(case_id, "disclosures", wanted)

    def withdraw(self, case_id: str, disclosure: int, *, why: str) -> CaseShown:
        """End a disclosure, by its number."""
        return self._stepped(case_id, f"disclosures/{disclosure}/withdrawal", {"why": why})

    def close_case(self, case_id: str, *, why: str) -> CaseShown:
        """Close a case: it stays, and all of its disclosures end."""
        return self._stepped(case_id, "closing", {"why": why})

    def thing(self, case_id: str, number: int) -> ThingShown:
        """A thing of a case: the claim, the order's answer, the words of the span or broadcast."""
        return cast(ThingShown, self._get(f"/cases/{_part(case_id)}/things/{number}"))

    def fetch_thing(self, case_id: str, number: int, to: Path, *, kind: Kind = "mp4") -> Path:
        """A file of the clip of a claim or span of a case, fetched as by ``fetch_clip``.

        Raises:
            Archived: the recording is not at hand now.
        """
        path = f"/api/v1/cases/{_part(case_id)}/things/{number}/clip"
        status, made = self._wire.asked("GET", path)
        if status == 202:
            raise Archived(made)
        return self._wire.fetched(f"{path}.{kind}", to, sha256=_digest_of(made, kind))

    # --- webhooks -------------------------------------------------------------------------

    def webhooks(self) -> Iterator[WebhookRow]:
        """The registered receivers, without their secrets; for keys of admins, as all of these."""
        return cast(Iterator[WebhookRow], self._pages("/webhooks"))

    def register_webhook(self, name: str, url: str, *, types: Sequence[str] = ()) -> WebhookMade:
        """Register a receiver; keep its ``secret``, which is not shown again."""
        wanted = {"name": name, "url": url, "types": list(types)}
        said = self._wire.asked("POST", "/api/v1/webhooks", body=wanted, again=False)
        return cast(WebhookMade, said[1])

    def try_webhook(self, hook_id: str) -> WebhookTried:
        """Send a receiver one message, and say how it answered."""
        path = f"/api/v1/webhooks/{_part(hook_id)}/test"
        return cast(WebhookTried, self._wire.asked("POST", path, again=False)[1])

    def remove_webhook(self, hook_id: str) -> None:
        """Remove a receiver and its secret."""
        self._wire.asked("DELETE", f"/api/v1/webhooks/{_part(hook_id)}", again=False)

    # --- review and the system ------------------------------------------------------------

    def review_queue(self, *, broadcast: str = "") -> Iterator[Hit]:
        """Claims that wait for a person."""
        return cast(Iterator[Hit], self._pages("/review", {"broadcast": broadcast}, rows="hits"))

    def reviews(self, claim_id: str) -> ReviewSheet:
        """A claim's reviews; its listing only after the key's holder wrote down what was heard."""
        return cast(ReviewSheet, self._get(f"/claims/{_part(claim_id)}/reviews"))

    def hear(self, claim_id: str, heard: str) -> ReviewRecord:
        """The first step: the words that were heard; empty when they cannot be made out."""
        return self._reviewed(claim_id, {"step": "heard", "heard": heard})

    def decide(
        self,
        claim_id: str,
        verdict: Literal["confirmed", "corrected", "rejected"],
        *,
        reason: str = "",
        correction: Correction | None = None,
        after: int | None = None,
    ) -> ReviewRecord:
        """The second step; ``after`` is the last decision you know of (``reviews()["after"]``)."""
        step = {"step": "decided", "verdict": verdict, "reason": reason}
        return self._reviewed(claim_id, step | {"correction": correction, "after": after})

    def status(self) -> dict[str, Any]:
        """What is here, what is unfinished, free disk; for keys that operate the desk."""
        return cast(dict[str, Any], self._get("/status"))

    def operations(self) -> Operations:
        """Backlog, coverage, what was set aside and why; for keys that operate the desk."""
        return cast(Operations, self._get("/operations"))

    # --- the parts of it ------------------------------------------------------------------

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return self._wire.asked("GET", f"/api/v1{path}", params=params)[1]

    def _pages(
        self, path: str, params: Mapping[str, Any] | None = None, *, rows: str = "items"
    ) -> Iterator[Any]:
        cursor = ""
        while True:
            page = self._get(path, {**(params or {}), "size": 100, "cursor": cursor})
            yield from page[rows]
            cursor = page["cursor"]
            if not cursor:
                return

    def _made(self, path: str, wanted: Mapping[str, Any], once: str) -> Any:
        status, said = self._wire.asked(
            "POST", f"/api/v1{path}", body=wanted, once=once or uuid.uuid4().hex
        )
        if status == 202:
            raise Archived(said)
        return said

    def _reviewed(self, claim_id: str, step: Mapping[str, Any]) -> ReviewRecord:
        """A step stays for ever, so it is not sent twice unless the first did nothing."""
        path = f"/api/v1/claims/{_part(claim_id)}/reviews"
        return cast(ReviewRecord, self._wire.asked("POST", path, body=step, again=False)[1])

    def _stepped(self, case_id: str, step: str, wanted: Mapping[str, Any]) -> CaseShown:
        """A step of a case stays as well."""
        path = f"/api/v1/cases/{_part(case_id)}/{step}"
        return cast(CaseShown, self._wire.asked("POST", path, body=wanted, again=False)[1])


def _things(
    orders: Sequence[str],
    claims: Sequence[str],
    broadcasts: Sequence[str],
    spans: Sequence[tuple[str, int, int]],
) -> dict[str, Any]:
    named = [{"broadcast_id": b, "start_ms": start, "end_ms": end} for b, start, end in spans]
    ids = {"orders": list(orders), "claims": list(claims), "broadcasts": list(broadcasts)}
    return ids | {"spans": named}


def _digest_of(made: ClipMade, kind: Kind) -> str:
    """The hash that the desk gives for a file of a clip."""
    digests = [d for name, d in made["info"]["files"].items() if name.endswith(f".{kind}")]
    if not digests:
        raise NotFound(f"this clip has no {kind}", code="not_found")
    return digests[0]


def _part(name: str) -> str:
    """One part of an address: slashes in an id are no way elsewhere."""
    return quote(name, safe="")
