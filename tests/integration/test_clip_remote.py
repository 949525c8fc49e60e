"""A clip from a remote store reads only what it needs, and is the same as from the whole file."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from pipeline.media import run as media
from pipeline.media.remote import spans_of
from pipeline.model import Gop, PacketIndex
from pipeline.provenance import sha256_file
from tests import media as made
from tests.command import EXAMPLES
from tests.faults import FaultProxy
from tests.services import needed, s3_settings, s3_store
from tests.stored import stored

pytestmark = pytest.mark.services
SPAN = (121_000, 131_000)


MASTER = EXAMPLES / "zh01" / "recording.mp4"


@pytest.mark.parametrize("form", made.FORMS)
def test_the_same_clip_with_one_read_an_object(form: str, tmp_path: Path) -> None:
    with FaultProxy(needed("EVIDENCE_TEST_S3_ENDPOINT")) as proxy:
        store = s3_store(
            s3_settings(bucket=f"remote-{uuid.uuid4().hex[:8]}", endpoint_url=proxy.url)
        )
        local = media.open_source(made.contained(MASTER, tmp_path / "in", form))
        recording, index = stored(local, store)
        whole = media.cut(
            local, start_ms=SPAN[0], end_ms=SPAN[1], out=tmp_path / "whole.mp4", index=index
        )
        assert media.can_be_remote(recording, index, span_ms=SPAN)
        for turn in ("cold", "warm"):  # nothing but the span is read either way
            proxy.seen.clear()
            near = {"span_ms": SPAN, "store": store, "cache": tmp_path / "cache"}
            with media.remote_source(recording, index, **near) as source:
                part = media.cut(
                    source,
                    start_ms=SPAN[0],
                    end_ms=SPAN[1],
                    out=tmp_path / f"{turn}.mp4",
                    index=index,
                )
            assert part.sha256 == whole.sha256
            assert part.ranges == whole.ranges
            assert sha256_file(part.path) == sha256_file(whole.path)
            gets = [(path, h["Range"]) for method, path, h in proxy.seen if method == "GET"]
            assert [said for _, said in gets] == [f"bytes={a}-{b - 1}" for _, a, b in part.ranges]
            assert len({path for path, _ in gets}) == len(gets)
            read = sum(end - start for _, start, end in part.ranges)
            assert read <= 1.02 * group_bytes(index, part)
            heads = [method for method, _, _ in proxy.seen if method != "GET"]
            assert len(heads) == (len(gets) if turn == "cold" else 0)
        assert all("if-match" in {k.lower() for k in h} for m, _, h in proxy.seen if m == "GET")


def group_bytes(index: PacketIndex, clip: media.CutResult) -> int:
    """The bytes of the groups of pictures that a clip holds, one range a part."""
    spans: dict[int, tuple[int, int]] = {}
    for gop in index.gops:
        if gop.start_ms < clip.media_end_ms - 100 and gop.end_ms > clip.media_start_ms + 100:
            low, high = spans.get(gop.part, (gop.byte_start, gop.byte_end))
            spans[gop.part] = (min(low, gop.byte_start), max(high, gop.byte_end))
    return sum(high - low for low, high in spans.values())


def test_the_span_reads_whole_groups_and_no_more() -> None:
    mega = 1 << 20
    gops = [
        Gop(start_ms=n * 1000, end_ms=n * 1000 + 1000, part=n // 30, byte_start=n % 30 * mega, byte_end=(n % 30 + 1) * mega)
        for n in range(60)
    ]  # fmt: skip
    index = PacketIndex(recording_id="r", container="mp4", gops=tuple(gops))
    key, edge = round(mega * 0.4), 64 << 10
    assert spans_of(index, (10_000, 15_000)) == {0: (10 * mega - edge, 15 * mega + key)}
    assert spans_of(index, (0, 500)) == {0: (0, mega + key)}
    assert spans_of(index, (29_500, 31_500)) == {
        0: (29 * mega - edge, 30 * mega),
        1: (0, 2 * mega + key),
    }
    assert spans_of(index, (59_500, 60_000)) == {1: (29 * mega - edge, 30 * mega)}
    by_bytes = index.model_copy(update={"container": "flv"})
    assert spans_of(by_bytes, (10_000, 15_000)) == {0: (9 * mega, 15 * mega + key)}
    fragments = index.model_copy(update={"container": "fmp4"})
    assert spans_of(fragments, (10_000, 15_000)) == {0: (9 * mega, 16 * mega)}
