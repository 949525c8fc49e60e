"""A buyer's photo over HTTP: as a body to the API, or from the form of an order's page."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from pipeline.errors import InputError
from pipeline.keyframes.likeness import photo_of, shown
from pipeline.serve.access.gate import HEADERS
from pipeline.serve.http_common import PROBLEMS, bearer, office_of
from pipeline.serve.http_pages import language_of, page
from pipeline.serve.likeness import Likeness, LikenessDesk
from pipeline.serve.web.words_likeness import LIKENESS

router = APIRouter(prefix="/api/v1", tags=["orders"], responses=PROBLEMS, dependencies=[bearer])
pages = APIRouter(include_in_schema=False)
_POLICY = "Content-Security-Policy"
_PHOTO: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/jpeg", "image/png", "application/octet-stream")
        },
    }
}


def likeness_desk_of(request: Request) -> LikenessDesk:
    """The desk for photos, within the limits of whoever asks."""
    return LikenessDesk(office_of(request), request.state.viewer)


Works = Annotated[LikenessDesk, Depends(likeness_desk_of)]


@router.post("/orders/{order_id:path}/likeness", openapi_extra=_PHOTO)
async def likeness(request: Request, works: Works, order_id: str) -> Likeness:
    """The pictures kept while an order's product was shown that are most like a photo.

    The body is the photo, JPEG or PNG. Likeness, never proof; the photo is not kept.
    """
    works.viewer.require("orders")
    return await run_in_threadpool(works.of_order, order_id, await request.body())


@pages.post("/o/{order_id:path}/likeness", response_class=HTMLResponse)
async def likeness_page(request: Request, works: Works, order_id: str) -> Response:
    """The photo and the pictures most like it, side by side."""
    works.viewer.require("orders")
    photo = await _sent(request)
    return await run_in_threadpool(_page, request, works, order_id, photo)


def _page(request: Request, works: LikenessDesk, order_id: str, photo: bytes) -> Response:
    found = works.of_order(order_id, photo)
    small = base64.b64encode(shown(photo_of(photo))).decode("ascii")
    words = LIKENESS[language_of(request)]
    answer = page(request, "likeness.html", found=found, photo=small, l=words)
    # The photo is coded anew here and shown from the page itself: it has no address.
    answer.headers[_POLICY] = HEADERS[_POLICY].replace("img-src 'self'", "img-src 'self' data:")
    return answer


async def _sent(request: Request) -> bytes:
    """The photo of the form.

    Raises:
        InputError: there is none.
    """
    try:
        form = await request.form(max_files=1, max_fields=2)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise InputError("this form cannot be read", hint="use the order's page") from error
    photo = form.get("photo")
    if not isinstance(photo, UploadFile):
        raise InputError("there is no photo", hint="choose a JPEG or PNG")
    return await photo.read()
