"""The redacted viewing copy: what is covered is gone from the picture, and the clip stays as it was."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.evidence.redaction import found_boxes
from pipeline.model import Box, ScreenLine
from pipeline.provenance import sha256_file
from pipeline.serve.bundles import custody_checked
from tests.bundles import Desk, desk
from tests.command import evidence

NAME = "b-<script>1"
BOX = {"kind": "face", "x_px": 41, "y_px": 31, "w_px": 60, "h_px": 50}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return desk(tmp_path_factory.mktemp("desk"))


def brightest(video: Path, box: dict[str, object]) -> list[tuple[float, int]]:
    """For each picture its second and the brightest pixel in a box."""
    x, y, w, h = (int(str(box[key])) for key in ("x_px", "y_px", "w_px", "h_px"))
    with av.open(str(video)) as source:
        pictures = [(f.time or 0.0, f.to_ndarray(format="gray")) for f in source.decode(video=0)]
    first = pictures[0][0]
    return [(t - first, int(np.max(p[y : y + h, x : x + w]))) for t, p in pictures]


def test_boxes_are_black_for_their_time_and_the_clip_is_untouched(
    here: Desk, tmp_path: Path
) -> None:
    root = here.app.root
    span = ["--from", "3", "--to", "8", "--out", tmp_path, "-w", root, "--json"]
    plain = evidence("clip", NAME, *span)
    assert plain.code == 0, plain.err
    video = Path(plain.json["video"])
    before = sha256_file(video)
    begin = plain.json["info"]["start"]["timeline_ms"]
    boxes = [BOX | {"start_ms": begin + 2000, "end_ms": begin + 4000}]
    (tmp_path / "boxes.json").write_text(json.dumps({"boxes": boxes}))
    done = evidence("clip", NAME, *span, "--redact", tmp_path / "boxes.json")
    assert done.code == 0, done.err
    copy = done.json["redacted_copy"]
    out = tmp_path / copy["file"]
    assert sha256_file(video) == before == copy["of_sha256"]
    assert sha256_file(out) == copy["sha256"] != before
    assert json.loads(out.with_suffix(".json").read_text()) == copy
    assert copy["recording_sha256"] == done.json["info"]["recording_sha256"]
    assert (copy["kind"], copy["automatic"], copy["boxes"]) == ("redacted_copy", False, boxes)
    assert "not the evidence" in copy["statement"]["en"]
    shown = brightest(video, BOX)
    assert min(light for _, light in shown) > 60, "the picture is bright there"
    for second, light in brightest(out, BOX):
        if 2.1 < second < 3.9:
            assert light < 32, second
        if second < 1.9 or second > 4.1:
            assert light > 60, second
    events = evidence("custody", "list", NAME, "-w", root, "--json").out.splitlines()
    last = json.loads(events[-1])
    assert (last["event"], last["about"]["sha256"]) == ("redacted", copy["sha256"])
    (checked,) = custody_checked(here.app, [NAME], deep=False)
    assert checked.faults == ()


@pytest.mark.parametrize("body", ["{}", '{"boxes": []}', "[1]", '{"boxes": [{"x_px": -1}]}'])
def test_what_is_no_file_of_boxes_is_refused_before_anything_is_cut(
    here: Desk, tmp_path: Path, body: str
) -> None:
    (tmp_path / "b.json").write_text(body)
    words = ["--from", "3", "--to", "8", "--out", tmp_path / "o", "-w", here.app.root]
    done = evidence("clip", NAME, *words, "--redact", tmp_path / "b.json", "--json")
    assert (done.code, done.error["error"]) == (4, "input"), done.err
    assert not (tmp_path / "o").exists()


def test_where_nothing_is_found_nothing_is_made(here: Desk, tmp_path: Path) -> None:
    words = ["--from", "3", "--to", "8", "--out", tmp_path, "-w", here.app.root]
    done = evidence("clip", NAME, *words, "--redact", "auto", LC_ALL="zh_CN.UTF-8")
    assert done.code == 0, done.err
    assert "未生成遮盖副本" in done.err
    assert not list(tmp_path.glob("*.redacted.*"))


def test_viewers_and_long_numbers_on_the_screen_are_found(here: Desk, tmp_path: Path) -> None:
    clip = here.works.clip_span(NAME, span=(3000, 8000), out=tmp_path, margin_ms=None)

    def line(text: str, role: str, at_ms: int = 4000) -> ScreenLine:
        box = Box(x_px=4, y_px=50, w_px=80, h_px=20)
        return ScreenLine.model_validate(
            {"start_ms": at_ms, "end_ms": at_ms + 500, "text": text, "box": box}
            | {"confidence_pm": 900, "role": role, "keyframe": 0}
        )

    lines = [
        line("豆豆:纯棉吗", "comment"),
        line("电话 138-0013-8000", "banner"),
        line("到手价 129", "card"),
        line("小王来了", "comment", at_ms=60_000),
    ]
    found = found_boxes(lines, clip)
    assert [box.kind for box in found] == ["nickname", "number"]
    assert (found[0].x_px, found[0].w_px, found[0].start_ms, found[0].end_ms) == (0, 90, 2000, 6500)


def test_a_bundle_that_was_given_away_is_on_record(here: Desk, tmp_path: Path) -> None:
    sealed = here.seal(tmp_path / "sealed")
    for place in (sealed.folder, sealed.archive):
        done = evidence("custody", "share", place, "--to", "法院", "-w", here.app.root, "--json")
        assert done.code == 0, done.err
        assert done.json["manifest_sha256"] == sealed.manifest_sha256
    events = evidence("custody", "list", NAME, "-w", here.app.root, "--json").out.splitlines()
    last = json.loads(events[-1])
    assert (last["event"], last["about"]["to"]) == ("shared", "法院")
    odd = evidence("custody", "share", tmp_path, "--to", "x", "-w", here.app.root, "--json")
    assert odd.code == 4
