"""Bad input: the error names the file and what to do, and nothing is half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import EXAMPLES, evidence, workspace

DESCRIPTION = (EXAMPLES / "zh01" / "broadcast.json").read_text(encoding="utf-8")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return workspace(tmp_path / "w")


def objects(here: Path) -> list[Path]:
    return [p for p in (here / "objects").rglob("*") if p.is_file() and ".evidence" not in p.parts]


def refused(here: Path, file: Path, *more: str | Path) -> dict[str, object]:
    done = evidence("process", file, *more, "-w", here, "--json")
    assert done.code not in (0, 1), done.err
    assert "Traceback" not in done.err
    assert objects(here) == []
    assert done.error["hint"]
    return done.error | {"code": done.code}


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("empty.mp4", b"", 7), ("text.mp4", b"not a recording\n" * 50, 7), ("gone.mp4", None, 4)],
)
def test_what_is_no_recording(
    here: Path, tmp_path: Path, name: str, content: bytes | None, code: int
):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    error = refused(here, file)
    assert error["code"] == code
    assert name in str(error["message"])


@pytest.mark.parametrize(
    "line", ["../other.ts", "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/x.ts"]
)
def test_a_playlist_that_leads_outside(here: Path, tmp_path: Path, line: str):
    folder = tmp_path / "hls"
    folder.mkdir()
    (tmp_path / "other.ts").write_bytes(b"G" * 188)
    playlist = folder / "a.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{line}\n#EXT-X-ENDLIST\n")
    error = refused(here, playlist)
    assert (error["code"], error["error"]) == (7, "outside_reference")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (DESCRIPTION.replace('"host_id"', "host_id", 1), "line 3"),
        (json.dumps({**json.loads(DESCRIPTION), "products": [{"name": "x"}]}), "products[0]"),
        (json.dumps({**json.loads(DESCRIPTION), "started_at": "soon"}), "started_at"),
        (json.dumps({**json.loads(DESCRIPTION), "broadcast_id": ""}), "broadcast_id"),
        ("[]", "broadcast.json"),
    ],
)
def test_a_broken_description_names_the_place(here: Path, tmp_path: Path, text: str, place: str):
    file = tmp_path / "broadcast.json"
    file.write_text(text, encoding="utf-8")
    words = EXAMPLES / "zh01" / "transcript.json"
    done = evidence("process", "--broadcast", file, "--transcript", words, "-w", here, "--json")
    assert done.code == 4
    assert place in done.error["message"]
    assert objects(here) == []


def test_a_broken_transcript_names_the_segment(here: Path, tmp_path: Path):
    file = tmp_path / "t.json"
    file.write_text('{"segments": [{"start_ms": 0, "end_ms": 5, "text": "a"}, {"start_ms": -4}]}')
    described = EXAMPLES / "zh01" / "broadcast.json"
    done = evidence("process", "--broadcast", described, "--transcript", file, "-w", here, "--json")
    assert done.code == 4
    assert "segments[1]" in done.error["message"]


def test_an_unknown_sku_and_a_schedule_outside_are_kept_and_warned(here: Path, tmp_path: Path):
    value = json.loads(DESCRIPTION)
    value["product_schedule"] += [
        {"sku_id": "NOT-LISTED", "start_ms": 1000, "end_ms": 5000},
        {"sku_id": "LZ-BAG-02", "start_ms": 200_000, "end_ms": 99_000_000},
    ]
    file = tmp_path / "broadcast.json"
    file.write_text(json.dumps(value))
    words = EXAMPLES / "zh01" / "transcript.json"
    done = evidence("process", "--broadcast", file, "--transcript", words, "-w", here, "--json")
    assert done.code == 0, done.err
    warnings = "\n".join(done.json["warnings"])
    assert "NOT-LISTED" in warnings
    assert "clipped" in warnings


def test_a_hostile_name_is_only_a_name(here: Path, tmp_path: Path):
    value = json.loads(DESCRIPTION) | {
        "broadcast_id": "../../../tmp/x; rm -rf /",
        "title": "<script>alert(1)</script>\u001b[2J../..",
    }
    file = tmp_path / "broadcast.json"
    file.write_text(json.dumps(value))
    words = EXAMPLES / "zh01" / "transcript.json"
    done = evidence("process", "--broadcast", file, "--transcript", words, "-w", here, "--json")
    assert done.code == 0, done.err
    shown = evidence("show", value["broadcast_id"], "-w", here)
    assert "\u001b" not in shown.out
    assert all(here in p.parents for p in objects(here))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["claims", "nobody"], 12),
        (["clip", "0000-000000000000-0"], 12),
        (["clip", "no-such-claim"], 12),
        (["order", "nobody"], 12),
        (["search", "("], 2),
        (["search", "price<<3"], 2),
        (["order"], 2),
        (["clip", "b", "--from", "1"], 2),
    ],
)
def test_exit_codes_are_stable(here: Path, arguments: list[str], code: int):
    done = evidence(*arguments, "-w", here)
    assert done.code == code, done.err
    assert "Traceback" not in done.err


def test_outside_a_workspace_the_way_in_is_told(tmp_path: Path):
    done = evidence("status", cwd=tmp_path)
    assert done.code == 3
    assert "evidence init" in done.err


def test_a_wrong_setting_names_its_key(here: Path):
    (here / "evidence.toml").write_text("[transcribe]\nbeam_width = 3\n")
    done = evidence("status", "-w", here)
    assert done.code == 3
    assert "transcribe.beam_width" in done.err


def test_help_of_every_command_has_an_example():
    from pipeline.serve.cli import _COMMANDS

    for name in _COMMANDS:
        shown = evidence(name, "--help")
        assert shown.code == 0
        assert name in ("orders", "flows") or "Examples:" in shown.out
