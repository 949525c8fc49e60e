"""Clocks that wrap, jump or lie; damaged, odd and refused recordings."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import (
    HashMismatch,
    InputError,
    NoAudio,
    NoVideo,
    OutsideReference,
    UnreadableMedia,
)
from pipeline.media.binary import run_ffmpeg
from pipeline.media.run import (
    RecordingClock,
    audio_blocks,
    build,
    cut,
    ffmpeg_version,
    inspect,
    key_pictures,
    open_source,
    picture_at,
    probe,
    source_of,
)
from pipeline.model import Hole
from pipeline.provenance import inclusion_proof, leaf_hash, root_from_proof
from tests import media as made
from tests.integration.test_media_time import close, codes, heard


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.master(tmp_path_factory.mktemp("traps") / "master.mp4")


# --- clocks -----------------------------------------------------------------------------


@pytest.mark.parametrize("before_s", [0.02, 6.5])
def test_wrapped_flv(master: Path, tmp_path: Path, before_s: float) -> None:
    source = open_source(made.wrapped_flv(master, tmp_path / "a.flv", before_s=before_s))
    close(heard(source)[0], made.BEEPS_S)
    assert len(codes(source)) == made.SECONDS
    found = inspect(source)
    assert abs(found.probed.duration_ms - 12_000) < 60
    assert found.probed.holes == ()
    assert made.code_ms(picture_at(source, media_ms=9_000).bgr) == 9_000
    result = cut(source, start_ms=5_500, end_ms=8_500, out=tmp_path / "clip.mp4")
    clip = open_source(result.path)
    close([n + result.media_start_ms for n in heard(clip)[0]], [5, 8])


@pytest.mark.parametrize("before_s", [0.02, 6.5])
def test_wrapped_mpegts(master: Path, tmp_path: Path, before_s: float) -> None:
    shift = (1 << 33) / 90_000 - before_s - 1.4  # the muxer adds its own delay
    file = made.remux(master, tmp_path / "a.ts", form="mpegts", shift_s=shift)
    source = open_source(file)
    close(heard(source)[0], made.BEEPS_S)
    codes(source)
    assert probe(source).holes == ()
    assert abs(probe(source).duration_ms - 12_000) < 60


def test_wrap_between_hls_segments(master: Path, tmp_path: Path) -> None:
    shift = (1 << 33) / 90_000 - 6.5 - 1.4
    source = open_source(made.contained(master, tmp_path, "hls", shift_s=shift))
    close(heard(source)[0], made.BEEPS_S)
    codes(source)
    assert probe(source).holes == ()


@pytest.mark.parametrize("form", ["flv", "mpegts"])
def test_restarted_clock(master: Path, tmp_path: Path, form: str) -> None:
    """The encoder restarts its clock at 6 s: media time runs on, and the place is named."""
    ending, muxer, _ = made.FORMS[form]
    first = made.remux(master, tmp_path / f"1.{ending}", form=muxer, keep=lambda _, t: t < 6)
    second = made.remux(
        master, tmp_path / f"2.{ending}", form=muxer, keep=lambda _, t: t >= 6, shift_s=-6
    )
    joined = tmp_path / f"joined.{ending}"
    tail = second.read_bytes()
    joined.write_bytes(first.read_bytes() + (tail[13:] if form == "flv" else tail))
    source = open_source(joined)
    found = inspect(source)
    beeps, report, _ = heard(source)
    assert len(beeps) == len(made.BEEPS_S)
    close(beeps[:4], made.BEEPS_S[:4])
    for ms, second_s in zip(beeps, made.BEEPS_S, strict=True):
        assert abs(ms - second_s * 1000) < 2 * made.TICK_MS  # how much is lost is unknown
    assert "clock_jump" in {h.reason for h in found.probed.holes}
    assert "clock_jump" in {h.reason for h in report}
    assert found.sidecar.discontinuities_ms
    assert abs(found.sidecar.discontinuities_ms[0] - 6000) < 2 * made.TICK_MS


def test_hls_discontinuity_and_dates(master: Path, tmp_path: Path) -> None:
    parts = [
        made.remux(master, tmp_path / "a.ts", form="mpegts", keep=lambda _, t: t < 6),
        made.remux(master, tmp_path / "b.ts", form="mpegts", keep=lambda _, t: t >= 6, shift_s=900),
    ]
    file = made.hls_of(
        parts,
        tmp_path / "list.m3u8",
        seconds=6,
        lines=[
            ["#EXT-X-PROGRAM-DATE-TIME:2026-06-05T15:00:00.250+08:00"],
            ["#EXT-X-DISCONTINUITY", "#EXT-X-PROGRAM-DATE-TIME:2026-06-05T15:01:00.250+08:00"],
        ],
    )
    source = open_source(file)
    close(heard(source)[0], made.BEEPS_S)
    codes(source)
    found = probe(source)
    assert [h for h in found.holes if h.reason == "gap"] == []
    zero = datetime(2026, 6, 5, 7, 0, tzinfo=UTC)
    clock_map = build(
        [RecordingClock(found.duration_ms, zero, found.holes, found.program_dates)],
        broadcast_started_at=zero,
        zone_minutes=480,
    )
    late = clock_map.spans[-1]
    assert late.source == "program_date_time"
    assert abs(late.start_ms - 60_250) < made.TICK_MS
    assert abs(late.media_start_ms - 6000) < made.TICK_MS
    assert clock_map.at(30_000) is None


def test_variable_frame_rate(tmp_path: Path) -> None:
    times = [0, 0.04, 0.08, 0.52, 1.0, 1.6, 2.0, 2.04, 2.12, 3.0, 3.96, 4.0, 4.72, 5.0, 5.48]
    file = made.master(tmp_path / "vfr.mp4", seconds=6, times=times)
    for form in ("mp4", "matroska", "mpegts", "flv"):
        source = open_source(made.contained(file, tmp_path, form))
        assert {at for at, _ in codes(source)} == {0, 1000, 2000, 3000, 4000, 5000}
        for at_ms in (70, 90, 1500, 1601, 3900, 4719, 4721):
            shown = max(t for t in times if t * 1000 <= at_ms)
            assert made.code_ms(picture_at(source, media_ms=at_ms).bgr) == round(shown * 1000)
        assert probe(source).holes == ()


def test_portrait(tmp_path: Path) -> None:
    file = made.master(tmp_path / "portrait.mp4", seconds=3, portrait=True)
    source = open_source(file)
    codes(source)
    picture = picture_at(source, media_ms=1_500)
    assert picture.bgr.shape == (320, 180, 3)
    (video,) = [s for s in probe(source).streams if s.kind == "video"]
    assert (video.width_px, video.height_px) == (180, 320)
    assert video.rotation_deg in (90, 270)
    result = cut(source, start_ms=1_200, end_ms=1_800, out=tmp_path / "clip.mp4")
    clip = picture_at(open_source(result.path), media_ms=0)
    assert clip.bgr.shape == (320, 180, 3)
    assert made.code_ms(clip.bgr) == 1_000
    run_ffmpeg(["-i", str(file), "-frames:v", "1", str(tmp_path / "player.png")])
    import cv2

    assert made.code_ms(cv2.imread(str(tmp_path / "player.png"))) == 0


@pytest.mark.parametrize("claimed_s", [3.0, 4000.0])
@pytest.mark.parametrize("form", ["flv", "mkv"])
def test_lying_duration(master: Path, tmp_path: Path, form: str, claimed_s: float) -> None:
    maker = made.lying_flv if form == "flv" else made.lying_mkv
    source = open_source(maker(master, tmp_path / f"a.{form}", claimed_s=claimed_s))
    found = probe(source)
    assert found.claimed_duration_ms == claimed_s * 1000
    assert abs(found.duration_ms - 12_000) < 60
    assert found.holes == ()
    close(heard(source)[0], made.BEEPS_S)


# --- damage -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["mp4", "fmp4", "flv", "mpegts", "matroska"])
def test_truncated_tail(master: Path, tmp_path: Path, form: str) -> None:
    whole = made.contained(master, tmp_path / "whole", form)
    source = open_source(made.truncated(whole, tmp_path / whole.name))
    found = probe(source)
    assert 3_000 < found.duration_ms < 11_000
    assert "truncated" in {h.reason for h in found.holes}
    beeps, _, samples = heard(source)
    close(beeps, [s for s in made.BEEPS_S if s * 1000 + 30 < len(samples) / 16][: len(beeps)])
    assert len(beeps) >= 2
    codes(source)


@pytest.mark.parametrize("form", ["mp4", "fmp4", "flv", "mpegts", "matroska", "hls"])
def test_corrupt_middle(master: Path, tmp_path: Path, form: str) -> None:
    whole = made.contained(master, tmp_path / "whole", form)
    target = whole
    if form == "hls":
        target = sorted(whole.parent.glob("*.ts"))[3]
        made.corrupted(target, target, start=0.2, end=0.7)
    else:
        target = made.corrupted(whole, tmp_path / whole.name)
    source = open_source(whole if form == "hls" else target)
    report: list[Hole] = []
    samples = np.concatenate([b.samples for b in audio_blocks(source, report=report)])
    loud = made.beep_ms(samples)
    for second in (1, 2, 4, 10):  # before and well after the damage nothing moved
        assert any(abs(ms - second * 1000) < made.TICK_MS for ms in loud), (second, loud)
    pictures = list(key_pictures(source, min_gap_ms=0))
    right = [p for p in pictures if made.code_ms(p.bgr) is not None]
    assert len(right) >= 8
    for p in right[:3] + right[-2:]:
        assert abs(p.media_ms - (made.code_ms(p.bgr) or 0)) < made.TICK_MS
    named = [*report, *probe(source).holes]
    assert any(h.start_ms < 9_000 and h.end_ms > 3_000 for h in named), named


@pytest.mark.parametrize("lost", [0, 2])
def test_unreadable_segment(master: Path, tmp_path: Path, lost: int) -> None:
    file = made.contained(master, tmp_path, "hls")
    sorted(file.parent.glob("*.ts"))[lost].write_bytes(b"\0" * 5000)
    source = open_source(file)
    beeps, report, _ = heard(source)
    holes = probe(source).holes
    assert "corrupt" in {h.reason for h in holes}
    if lost:  # what comes after keeps its time
        close(beeps, [1, 2, 8, 10])
        codes(source)
        assert [h.reason for h in report] == ["gap"]
    else:  # only the playlist's rounded length says how long the lost beginning was
        assert len(beeps) == 5
        for ms, second in zip(beeps[1:], [4, 5, 8, 10], strict=True):
            assert abs(ms - second * 1000) < 100


def test_no_segment_readable(master: Path, tmp_path: Path) -> None:
    file = made.contained(master, tmp_path, "hls")
    for part in file.parent.glob("*.ts"):
        part.write_bytes(b"nothing")
    with pytest.raises(UnreadableMedia) as caught:
        probe(open_source(file))
    assert caught.value.hint


def test_without_moov(master: Path, tmp_path: Path) -> None:
    whole = made.contained(master, tmp_path, "mp4_moov_last")
    with pytest.raises(UnreadableMedia) as caught:
        open_source(made.without_moov(whole, tmp_path / "broken.mp4"))
    assert "moov" in str(caught.value)
    assert "broken.mp4" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"this is only text\n" * 50,
        b"1\n00:00:00,000 --> 00:00:02,000\nsubtitle\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        bytes(5000),
        b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
    ],
)
def test_not_a_recording(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "show.mp4"
    file.write_bytes(content)
    with pytest.raises(UnreadableMedia) as caught:
        probe(open_source(file))
    assert "show.mp4" in str(caught.value)
    assert caught.value.hint


def test_no_audio(tmp_path: Path) -> None:
    source = open_source(made.master(tmp_path / "a.mp4", seconds=3, audio=False))
    assert [s.kind for s in probe(source).streams] == ["video"]
    codes(source)
    with pytest.raises(NoAudio):
        list(audio_blocks(source))
    result = cut(source, start_ms=1_000, end_ms=2_000, out=tmp_path / "clip.mp4")
    assert result.has_video


@pytest.mark.parametrize("ending", ["m4a", "mp3", "opus", "wav", "flac", "ogg", "mkv", "flv", "ts"])
def test_sound_only(tmp_path: Path, ending: str) -> None:
    base = made.master(tmp_path / "base.mp4", video=False)
    file = tmp_path / f"sound.{ending}"
    codec = {"ogg": ["-c:a", "libvorbis"], "mkv": ["-c:a", "pcm_s16le"], "ts": ["-c:a", "aac"]}.get(
        ending, []
    )
    run_ffmpeg(["-i", str(base), "-vn", *codec, str(file)])
    source = open_source(file)
    assert source.container == "audio"
    close(heard(source)[0], made.BEEPS_S)
    found = inspect(source)
    assert abs(found.probed.duration_ms - 12_000) < 120
    assert found.probed.holes == ()
    with pytest.raises(NoVideo):
        list(key_pictures(source, min_gap_ms=0))
    result = cut(source, start_ms=3_500, end_ms=8_500, out=tmp_path / "clip.mp4")
    assert (result.coded_anew != ()) == (ending in ("mkv", "wav", "ogg"))
    clip = open_source(result.path)
    close([n + result.media_start_ms for n in heard(clip)[0]], [4, 5, 8])
    assert result.media_start_ms <= 3_500
    assert result.media_end_ms >= 8_500


def test_one_second(tmp_path: Path) -> None:
    source = open_source(made.master(tmp_path / "a.mp4", seconds=1))
    assert abs(probe(source).duration_ms - 1000) < 60
    (block,) = audio_blocks(source)
    assert 900 < len(block.samples) / 16 < 1100
    result = cut(source, start_ms=0, end_ms=1_000, out=tmp_path / "clip.mp4")
    assert abs(probe(open_source(result.path)).duration_ms - 1000) < 60


def test_recoded_pictures(master: Path, tmp_path: Path) -> None:
    file = tmp_path / "old.avi"
    run_ffmpeg(["-i", str(master), "-c:v", "mpeg4", "-q:v", "3", "-c:a", "pcm_s16le", str(file)])
    source = open_source(file)
    result = cut(source, start_ms=4_500, end_ms=6_500, out=tmp_path / "clip.mp4")
    assert result.coded_anew == ("video: mpeg4", "audio: pcm_s16le")
    clip = open_source(result.path)
    close([n + result.media_start_ms for n in heard(clip)[0]], [5])
    picture = picture_at(clip, media_ms=5_200 - result.media_start_ms)
    assert abs((made.code_ms(picture.bgr) or 0) - 5_200) <= made.TICK_MS


def test_nothing_half_written(master: Path, tmp_path: Path) -> None:
    source = open_source(master)
    for start_ms, end_ms in ((5_000, 5_000), (60_000, 61_000)):
        with pytest.raises(InputError):
            cut(source, start_ms=start_ms, end_ms=end_ms, out=tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


# --- playlists --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "../a.ts",
        "/etc/passwd",
        "file:///etc/passwd",
        "http://example.com/a.ts",
        "HTTPS://example.com/a.ts",
        "//example.com/a.ts",
        "sub/../../a.ts",
        "%2e%2e/a.ts",
        "..\\a.ts",
        "concat:a.ts|b.ts",
        "link.ts",
        "data:video/mp2t;base64,AAAA",
    ],
)
def test_playlist_leads_outside(tmp_path: Path, uri: str) -> None:
    folder = tmp_path / "list"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "a.ts").write_bytes(b"G")
    (folder / "link.ts").symlink_to(tmp_path / "a.ts")
    file = folder / "list.m3u8"
    file.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{uri}\n#EXT-X-ENDLIST\n")
    with pytest.raises(OutsideReference):
        open_source(file)


def test_playlist_with_key_map_or_missing(tmp_path: Path) -> None:
    file = tmp_path / "list.m3u8"
    (tmp_path / "a.ts").write_bytes(b"G")
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n"
    file.write_text(f'{head}#EXT-X-KEY:METHOD=AES-128,URI="key.bin"\n#EXTINF:6,\na.ts\n')
    with pytest.raises(OutsideReference):
        open_source(file)
    file.write_text(f'{head}#EXT-X-MAP:URI="../init.mp4"\n#EXTINF:6,\na.ts\n')
    with pytest.raises(OutsideReference):
        open_source(file)
    file.write_text(f"{head}#EXTINF:6,\nmissing.ts\n")
    with pytest.raises(UnreadableMedia, match=r"missing\.ts"):
        open_source(file)
    file.write_text(head)
    with pytest.raises(UnreadableMedia):
        open_source(file)


def test_fragmented_hls_and_stored_names(master: Path, tmp_path: Path) -> None:
    file = made.remux(
        master,
        tmp_path / "list.m3u8",
        form="hls",
        options={"hls_segment_type": "fmp4", "hls_list_size": "0", "hls_time": "2"},
    )
    source = open_source(file)
    close(heard(source)[0], made.BEEPS_S)
    codes(source)
    found = inspect(source)
    assert found.probed.holes == ()
    stored = []
    (tmp_path / "store").mkdir()
    for number, part in enumerate(source.parts):
        stored.append(tmp_path / "store" / f"{number:04d}")
        stored[-1].write_bytes(part.read_bytes())
    again = source_of(stored, container="hls", file_name="list.m3u8")
    assert inspect(again) == found
    with pytest.raises(UnreadableMedia):
        source_of(stored[:-1], container="hls", file_name="list.m3u8")


# --- bytes ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", tuple(made.FORMS))
def test_leaves_cover_every_byte(master: Path, tmp_path: Path, form: str) -> None:
    source = open_source(made.contained(master, tmp_path, form))
    found = inspect(source)
    data = [p.read_bytes() for p in source.parts]
    at = [0] * len(data)
    leaves = []
    for part, start, end, digest in found.sidecar.leaves:
        assert start == at[part]
        assert start < end or end == len(data[part]) == 0
        at[part] = end
        leaves.append(leaf_hash(data[part][start:end]))
        assert leaves[-1].hex() == digest
    assert at == [len(d) for d in data]
    assert [hashlib.sha256(d).hexdigest() for d in data] == list(found.part_sha256)
    proof = inclusion_proof(leaves, 3)
    assert root_from_proof(leaves[3], 3, len(leaves), proof).hex() == found.merkle_root
    gops = found.sidecar.gops
    assert len(gops) == made.SECONDS
    edges = {(part, start) for part, start, _, _ in found.sidecar.leaves}
    for gop, after in zip(gops, [*gops[1:], None], strict=True):
        assert (gop.part, gop.byte_start) in edges
        assert 0 <= gop.byte_start < gop.byte_end <= len(data[gop.part])
        assert after is None or gop.end_ms == after.start_ms
    if form in ("flv", "mpegts", "fmp4", "matroska"):  # headers and groups alone can be played
        lone = tmp_path / f"lone.{source.parts[0].suffix}"
        pieces = [data[p][a:b] for p, a, b in found.sidecar.init_ranges]
        pieces += [data[g.part][g.byte_start : g.byte_end] for g in gops[4:6]]
        lone.write_bytes(b"".join(pieces))
        seen = [made.code_ms(p.bgr) for p in key_pictures(open_source(lone), min_gap_ms=0)]
        assert [code for code in seen if code in (4000, 5000)] == [4000, 5000]
        assert len(seen) <= (2 if form != "matroska" else 7)  # a cluster may hold several groups


def test_same_clip_same_bytes(master: Path, tmp_path: Path) -> None:
    source = open_source(master)
    first = cut(source, start_ms=2_500, end_ms=4_000, out=tmp_path / "a.mp4")
    second = cut(source, start_ms=2_500, end_ms=4_000, out=tmp_path / "b.mp4")
    assert first.sha256 == second.sha256
    part, start, end = first.ranges[0]
    assert part == 0
    assert 0 < start < end <= master.stat().st_size


@pytest.mark.parametrize("form", tuple(made.FORMS))
def test_index_changes_nothing_but_the_way(master: Path, tmp_path: Path, form: str) -> None:
    source = open_source(made.contained(master, tmp_path, form))
    index = inspect(source).sidecar.model_copy(update={"packets": ()})  # as it was before 0.2
    plain = cut(source, start_ms=8_100, end_ms=9_200, out=tmp_path / "a.mp4")
    quick = cut(source, start_ms=8_100, end_ms=9_200, out=tmp_path / "b.mp4", index=index)
    assert quick._replace(path=plain.path) == plain
    assert made.code_ms(picture_at(source, media_ms=8_900, index=index).bgr) == 8_880
    blocks = audio_blocks(source, start_ms=7_500, end_ms=11_000, index=index)
    loud = made.beep_ms(np.concatenate([b.samples for b in blocks]))
    close([n + 7_500 for n in loud], [8, 10])


def packets_in(clip: Path) -> dict[str, list[tuple[float, str]]]:
    """Each stream's packets: clip seconds and what they hold."""
    found: dict[str, list[tuple[float, str]]] = {"video": [], "audio": []}
    with av.open(str(clip)) as media:
        for packet in media.demux():
            if packet.size:
                at = round(float(packet.pts * packet.time_base), 2)
                found[packet.stream.type].append((at, hashlib.sha256(bytes(packet)).hexdigest()))
    return found


@pytest.mark.parametrize("form", tuple(made.FORMS))
def test_listed_packets_are_those_of_the_demuxer(master: Path, tmp_path: Path, form: str) -> None:
    source = open_source(made.contained(master, tmp_path, form))
    index = inspect(source).sidecar
    assert len(index.packets) == len(index.gops) > 10
    for start_ms, end_ms in ((0, 900), (3_950, 4_050), (8_100, 9_200), (11_400, 12_000)):
        span = {"start_ms": start_ms, "end_ms": end_ms}
        plain = cut(source, out=tmp_path / "a.mp4", **span)  # type: ignore[arg-type]
        quick = cut(source, out=tmp_path / "b.mp4", index=index, **span)  # type: ignore[arg-type]
        assert quick.media_start_ms == plain.media_start_ms <= start_ms
        assert quick.media_end_ms >= end_ms
        there, here = packets_in(plain.path), packets_in(quick.path)
        assert here["video"] == there["video"]
        first = there["audio"].index(here["audio"][0])
        assert here["audio"] == there["audio"][first : first + len(here["audio"])]
        sounds = [quick.media_start_ms + at * 1000 for at, _ in here["audio"]]
        assert min(sounds) <= start_ms + 35  # sound begins up to a packet late in the recording
        assert max(sounds) + 35 >= end_ms


def test_bytes_that_were_not_taken_in_are_no_clip(master: Path, tmp_path: Path) -> None:
    path = made.contained(master, tmp_path, "mp4")
    index = inspect(open_source(path)).sidecar
    data = bytearray(path.read_bytes())
    data[(index.gops[5].byte_start + index.gops[5].byte_end) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(HashMismatch):
        cut(open_source(path), start_ms=4_500, end_ms=6_500, out=tmp_path / "a.mp4", index=index)


def test_ffmpeg_is_there() -> None:
    assert ffmpeg_version()[0].isdigit()


# --- clock map --------------------------------------------------------------------------


def test_two_recordings_with_a_gap() -> None:
    zero = datetime(2026, 6, 5, 15, 0, tzinfo=UTC)
    clock_map = build(
        [
            RecordingClock(60_000, zero),
            RecordingClock(60_000, zero + timedelta(seconds=90, milliseconds=500)),
        ],
        broadcast_started_at=zero,
        zone_minutes=480,
    )
    assert clock_map.media(59_999) == (0, 59_999)
    assert clock_map.at(75_000) is None
    assert clock_map.media(90_500) == (1, 0)
    wall = clock_map.wall_utc_ms(100_000)
    assert wall == (int(zero.timestamp() * 1000) + 100_000, 100)


def test_overlap_order_and_no_wall_clock() -> None:
    zero = datetime(2026, 6, 5, 15, 0, tzinfo=UTC)
    overlap = build(
        [RecordingClock(60_000, zero + timedelta(seconds=50)), RecordingClock(60_000, zero)],
        broadcast_started_at=zero,
    )
    assert [(s.recording_index, s.start_ms, s.end_ms, s.media_start_ms) for s in overlap.spans] == [
        (1, 0, 60_000, 0),
        (0, 60_000, 110_000, 10_000),
    ]
    bare = build([RecordingClock(5_000), RecordingClock(6_000)], broadcast_started_at=None)
    assert [(s.start_ms, s.end_ms, s.wall_start_utc_ms, s.source) for s in bare.spans] == [
        (0, 5_000, None, "media_only"),
        (5_000, 11_000, None, "media_only"),
    ]
    followed = build([RecordingClock(5_000), RecordingClock(6_000)], broadcast_started_at=zero)
    assert [s.uncertainty_ms for s in followed.spans] == [1_000, 60_000]
    stated = build([RecordingClock(5_000)], broadcast_started_at=zero, uncertainty_ms=40)
    assert stated.spans[0].uncertainty_ms == 40
    assert build([], broadcast_started_at=zero).spans == ()
