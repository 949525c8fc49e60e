"""What every text reader keeps to: the fake and RapidOCR."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.keyframes.ocr import RapidReader
from pipeline.ports import TextReader
from tests.fakes import BlockReader


@pytest.fixture(scope="module", params=["fake", "rapidocr"])
def reader(request: pytest.FixtureRequest) -> TextReader:
    return BlockReader() if request.param == "fake" else RapidReader()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Two red blocks for the fake; written words for the real one, above each other."""
    import cv2

    image = np.full((240, 480, 3), 255, np.uint8)
    cv2.rectangle(image, (300, 40), (359, 59), (0, 0, 255), -1)
    cv2.rectangle(image, (300, 180), (339, 199), (0, 0, 255), -1)
    cv2.putText(image, "Price 459", (30, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
    cv2.putText(image, "Link 3", (30, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
    return image


def test_lines_come_top_to_bottom_inside_the_picture(
    reader: TextReader, picture: np.ndarray
) -> None:
    lines = reader.read(picture)
    assert len(lines) >= 2
    assert [s.box.y_px for s in lines] == sorted(s.box.y_px for s in lines)
    for text, box, confidence_pm in lines:
        assert text.strip()
        assert 0 <= confidence_pm <= 1000
        assert box.w_px > 0
        assert box.h_px > 0
        assert 0 <= box.x_px <= box.x_px + box.w_px <= 480
        assert 0 <= box.y_px <= box.y_px + box.h_px <= 240


def test_the_same_picture_reads_the_same(reader: TextReader, picture: np.ndarray) -> None:
    assert list(reader.read(picture)) == list(reader.read(picture.copy()))


def test_a_part_of_a_picture_may_be_read(reader: TextReader, picture: np.ndarray) -> None:
    part = picture[150:230]
    assert {s.text for s in reader.read(part)} < {s.text for s in reader.read(picture)}


def test_nothing_to_read_is_no_error(reader: TextReader) -> None:
    assert list(reader.read(np.full((120, 200, 3), 128, np.uint8))) == []
    assert list(reader.read(np.zeros((3, 3, 3), np.uint8))) == []


def test_the_producer_names_what_read(reader: TextReader) -> None:
    assert reader.producer
    assert reader.producer == reader.producer.strip()


def test_rapidocr_reads_words_and_says_nothing(
    picture: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = [s.text.replace(" ", "") for s in RapidReader().read(picture)]
    assert "Price459" in texts
    assert "Link3" in texts
    assert capfd.readouterr() == ("", "")
