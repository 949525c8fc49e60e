"""Stage results to packs and back: which tables each kind of pack has.

sidecar     head: –                      tables: recordings (one packet index each), packets
                                          (a record a group, recording by recording)
transcript  head: all but the segments   tables: segments
screen      head: all but the two lists  tables: images (JPEG), keyframes, lines
claims      head: all but the claims     tables: claims (claim n is record n)
viewing     head: tools                  tables: proxies (one a recording)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.errors import UnknownFormat
from pipeline.model import Claim, ClaimSet, Frozen, PacketIndex, Screen, Transcript, ViewingProxy
from pipeline.packs import Pack, pack_bytes, write_pack
from pipeline.provenance import canonical_bytes


def _plain(record: Frozen, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record.model_dump_json(**options))
    return found


def _rows(records: Iterable[Frozen]) -> list[bytes]:
    return [canonical_bytes(_plain(record)) for record in records]


def sidecar_pack(indexes: Sequence[PacketIndex]) -> bytes:
    """The packet indexes of all recordings of a broadcast."""
    packets = [record for index in indexes for record in index.packets]
    tables = {"recordings": _rows(indexes), "packets": packets}
    return pack_bytes("sidecar", head={}, tables=tables)


def transcript_pack(transcript: Transcript) -> bytes:
    """A transcript."""
    head = _plain(transcript, exclude={"segments"})
    return pack_bytes("transcript", head=head, tables={"segments": _rows(transcript.segments)})


def write_screen(path: Path, screen: Screen, images: Iterable[bytes]) -> None:
    """Keyframes, their pictures and the text on them, to a file: pictures are large and many."""
    head = _plain(screen, exclude={"keyframes", "lines"})
    keyframes, lines = _rows(screen.keyframes), _rows(screen.lines)
    tables = {"images": images, "keyframes": keyframes, "lines": lines}
    with path.open("wb") as file:
        write_pack(file, "screen", head=head, tables=tables)


def claims_pack(claims: ClaimSet) -> bytes:
    """Claims and product windows."""
    head = _plain(claims, exclude={"claims"})
    return pack_bytes("claims", head=head, tables={"claims": _rows(claims.claims)})


def viewing_pack(proxies: Sequence[ViewingProxy], *, tools: dict[str, str]) -> bytes:
    """Where the viewing proxies of a broadcast lie, and what made them."""
    return pack_bytes("viewing", head={"tools": tools}, tables={"proxies": _rows(proxies)})


def sidecar_of(pack: Pack) -> tuple[PacketIndex, ...]:
    """The packet indexes in a sidecar pack."""
    _expect(pack, "sidecar")
    left = iter(pack.records("packets"))
    found = [PacketIndex.model_validate_json(r) for r in pack.records("recordings")]
    return tuple(
        one.model_copy(update={"packets": tuple(islice(left, len(one.gops)))}) if one.init else one
        for one in found
    )


def viewing_of(pack: Pack) -> tuple[ViewingProxy, ...]:
    """The viewing proxies in a pack."""
    _expect(pack, "viewing")
    return tuple(ViewingProxy.model_validate_json(r) for r in pack.records("proxies"))


def transcript_of(pack: Pack) -> Transcript:
    """The transcript in a pack."""
    _expect(pack, "transcript")
    return Transcript.model_validate_json(_joined(pack, ("segments",)))


def screen_of(pack: Pack) -> Screen:
    """The screen record in a pack (its images apart)."""
    _expect(pack, "screen")
    return Screen.model_validate_json(_joined(pack, ("keyframes", "lines")))


def claims_of(pack: Pack) -> ClaimSet:
    """The claims in a pack."""
    _expect(pack, "claims")
    return ClaimSet.model_validate_json(_joined(pack, ("claims",)))


def claim_of(pack: Pack, number: int) -> Claim | None:
    """One claim of a pack; the others are not looked at. None past the end."""
    _expect(pack, "claims")
    places = pack.tables.get("claims", [])
    if not 0 <= number < len(places):
        return None
    at, size = places[number]
    return Claim.model_validate_json(pack.data[at : at + size])


def _joined(pack: Pack, tables: Sequence[str]) -> bytes:
    """One JSON text of head and rows, so that a single validation pass reads it."""
    head = json.dumps(pack.head, ensure_ascii=False)[1:-1].encode()
    rows = [f'"{name}":['.encode() + b",".join(pack.records(name)) + b"]" for name in tables]
    return b"{" + b",".join([part for part in (head, *rows) if part]) + b"}"


def _expect(pack: Pack, kind: str) -> None:
    if pack.kind != kind:
        raise UnknownFormat(f"a {kind} pack was expected and a {pack.kind} pack found")
