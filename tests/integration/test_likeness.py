"""A buyer's photo: the right picture is found by command, API and page, and nothing is proved by it."""

from __future__ import annotations

import base64
import http.client
import json
import re
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.keyframes import likeness
from pipeline.keyframes.likeness import MAX_BYTES, nearness, photo_of, sight
from pipeline.keyframes.pixels import hash_distance, perceptual_hash
from tests.command import EXAMPLES, evidence, short_broadcast, workspace
from tests.desks import Said, ask, new_key, served

ORDER = "ORD-26060501"


class Given(NamedTuple):
    address: str
    here: Path
    frames: dict[int, bytes]
    """Kept pictures of the broadcast, by number."""
    numbers: list[int]
    """Those kept while the order's product was shown."""

    def post(self, photo: bytes, order: str = ORDER, **more: Any) -> Said:
        path = f"/api/v1/orders/{order}/likeness"
        return ask(
            self.address + path, method="POST", body=photo, Content_Type="image/jpeg", **more
        )


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=220)
    words = EXAMPLES / "zh01" / "transcript.json"
    here = workspace(tmp_path_factory.mktemp("like") / "w")
    done = evidence(
        "process", folder, "--transcript", words, "-w", here, EVIDENCE_KEYFRAMES__OCR="false"
    )
    assert done.code == 0, done.err
    assert evidence("orders", "import", folder / "orders.jsonl", "-w", here).code == 0
    windows = evidence("order", ORDER, "--json", "-w", here).json["windows"]
    with served(here) as address:
        shown = ask(f"{address}/api/v1/broadcasts/sample-zh01").json["keyframes"]
        ends = [*(k["at_ms"] for k in shown[1:]), 1 << 40]
        inside = [
            k["index"]
            for k, end in zip(shown, ends, strict=True)
            if any(a < end and k["at_ms"] < b for a, b in windows)
        ]
        path = f"{address}/api/v1/broadcasts/sample-zh01/keyframes"
        frames = {k["index"]: ask(f"{path}/{k['index']}.jpg").body for k in shown}
        yield Given(address, here, frames, inside)


def altered(jpeg: bytes, *, kind: str = ".jpg") -> bytes:
    """A part of a picture, brighter, packed again."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    height, width = bgr.shape[:2]
    part = bgr[height // 10 : height * 9 // 10, width // 8 : width * 9 // 10]
    lit = np.clip(part.astype(np.float32) * 1.25, 0, 255).astype(np.uint8)
    return cv2.imencode(kind, lit)[1].tobytes()


def test_the_right_picture_is_among_the_first_three(given: Given) -> None:
    assert 1 < len(given.numbers) < len(given.frames)
    for number in given.numbers:
        for kind in (".jpg", ".png"):
            said = given.post(altered(given.frames[number], kind=kind)).json
            assert said["pictures"] == said["looked_at"] == len(given.numbers)
            assert number in [one["number"] for one in said["likest"][:3]]
            scores = [one["score_pm"] for one in said["likest"]]
            assert scores == sorted(scores, reverse=True)
            assert "证据" in said["label"]["zh"]
            assert "never proof" in said["label"]["en"]


def test_the_command_says_the_same(given: Given, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(altered(given.frames[given.numbers[0]]))
    done = evidence("picture", ORDER, photo, "--json", "-w", given.here)
    assert done.code == 0, done.err
    assert done.json == given.post(photo.read_bytes()).json
    read = evidence("picture", ORDER, photo, "--lang", "en", "-w", given.here)
    assert read.out.startswith("Likeness only")
    broken = evidence("picture", ORDER, given.here / "evidence.toml", "--json", "-w", given.here)
    assert broken.code == 4


def test_the_page_shows_both_side_by_side_with_the_label(given: Given) -> None:
    number = given.numbers[0]
    line = "x" * 20
    body = (
        (
            f'--{line}\r\nContent-Disposition: form-data; name="photo"; filename="<script>.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        ).encode()
        + altered(given.frames[number])
        + f"\r\n--{line}--\r\n".encode()
    )
    said = ask(
        f"{given.address}/o/{ORDER}/likeness?lang=zh", method="POST", body=body,
        Origin=given.address, Content_Type=f"multipart/form-data; boundary={line}",
    )  # fmt: skip
    assert said.status == 200, said.text
    assert "不构成证据" in said.text
    assert "&lt;script" not in said.text
    assert "<script>" not in said.text
    assert f"/keyframes/{number}.jpg" in said.text
    data = re.search(r"data:image/jpeg;base64,([\w+/=]+)", said.text)
    assert data is not None
    assert max(photo_of(base64.b64decode(data[1])).shape) == 480
    assert "img-src 'self' data:" in said.headers["content-security-policy"]
    form = ask(f"{given.address}/o/{ORDER}?lang=en").text
    assert "never proof" in form
    assert "multipart/form-data" in form


def png(width: int, height: int) -> bytes:
    """A PNG that says it is this large and has no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def announced(address: str, path: str, size_bytes: int) -> int:
    """The status for a body that is only announced: it is refused before it is sent."""
    line = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    line.putrequest("POST", path)
    line.putheader("Content-Length", str(size_bytes))
    line.endheaders()
    return line.getresponse().status


def test_photos_that_are_none_are_refused(given: Given) -> None:
    whole = given.frames[given.numbers[0]]
    for photo, words in (
        (b"", "neither"),
        (b"GIF89a" + b"0" * 100, "neither"),
        (b"<svg onload=alert(1)>", "neither"),
        (png(60_000, 60_000), "pixels"),
        (png(0, 10), "pixels"),
        (png(100, 100), "decoded"),
        (whole[:3], "neither"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 1000, "neither"),
    ):
        said = given.post(photo)
        assert (said.status, said.json["title"]) == (400, "input"), photo[:20]
        assert words in said.json["detail"], said.json
    assert announced(given.address, f"/api/v1/orders/{ORDER}/likeness", 5 << 20) == 413
    assert announced(given.address, "/api/v1/search", 70_000) == 413
    with pytest.raises(InputError, match="MiB"):
        photo_of(b"\xff\xd8\xff" + b"0" * MAX_BYTES)


def test_every_look_is_written_down(given: Given) -> None:
    assert given.post(altered(given.frames[0]), order="none").status == 404
    made = given.post(altered(given.frames[given.numbers[0]])).json
    key = new_key(given.here, "auditor")["key"]
    day = datetime.now(UTC).date().isoformat()
    events = ask(f"{given.address}/api/v1/custody/{day}?size=1000", key=key).json["items"]
    seen = [e for e in events if e.get("what") == "likeness"]
    assert made["photo_sha256"] in [e["photo_sha256"] for e in seen]
    assert ORDER not in json.dumps(seen)


def test_the_hash_of_many_is_the_hash_of_one() -> None:
    dice = np.random.default_rng(2)
    greys = [
        cv2.resize(dice.integers(0, 255, (9, 9), dtype=np.uint8), (200, 120)) for _ in range(20)
    ]
    for grey, bits in zip(greys, likeness._hashes(greys), strict=True):
        one = int.from_bytes(np.packbits(bits).tobytes(), "big")
        assert hash_distance(one, perceptual_hash(grey)) <= 1


def test_a_picture_is_most_like_itself_and_least_like_noise() -> None:
    dice = np.random.default_rng(1)
    plain = cv2.resize(dice.integers(0, 255, (6, 8, 3), dtype=np.uint8), (640, 480))
    other = cv2.resize(dice.integers(0, 255, (6, 8, 3), dtype=np.uint8), (640, 480))
    itself = nearness(sight(plain), sight(plain))
    assert (itself.score_pm >= 995, itself.hash_bits) == (True, 0)
    assert nearness(sight(plain), sight(other)).score_pm < itself.score_pm - 100
