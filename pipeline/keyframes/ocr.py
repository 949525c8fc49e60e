"""Reading text with RapidOCR and the PP-OCR models that come inside its wheel.

Nothing is downloaded: the bundled files are named explicitly and checked to be there.
Text direction is not classified (overlays stand upright), which saves a tenth of the time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ModelError, ModelMissing
from pipeline.model import Box
from pipeline.ports import SeenText
from pipeline.provenance import sha256_file

if TYPE_CHECKING:
    from pipeline.ports import Image

_DETECTION = "PP-OCRv6_det_small.onnx"
_RECOGNITION = "PP-OCRv6_rec_small.onnx"
_LONG_SIDE_PX = 1280
_MIN_SCORE = 0.5


class RapidReader:
    """A :class:`pipeline.ports.TextReader` on RapidOCR, ONNX Runtime on the CPU.

    The number of threads is fixed, so that results do not depend on the host's cores.
    """

    def __init__(self, *, threads: int = 2) -> None:
        """Find both models; they are loaded when the first picture is read.

        Raises:
            ModelMissing: RapidOCR or one of its bundled models is not installed.
        """
        self._threads = threads
        self._folder, version = _installed()
        folder = self._folder
        digests = [sha256_file(folder / name)[:12] for name in (_DETECTION, _RECOGNITION)]
        self._producer = f"rapidocr {version} {_DETECTION}@{digests[0]} {_RECOGNITION}@{digests[1]}"

    @cached_property
    def _engine(self) -> Any:
        import rapidocr

        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        return rapidocr.RapidOCR(params=_parameters(self._folder, self._threads))

    @property
    def producer(self) -> str:
        """Name, version and model digests."""
        return self._producer

    def read(self, image: Image) -> Sequence[SeenText]:
        """All lines of text in a BGR picture, top to bottom.

        Raises:
            ModelError: the engine failed on this picture.
        """
        from rapidocr.inference_engine.onnxruntime.main import ONNXRuntimeError

        if min(image.shape[:2]) < 4:
            return ()
        engine = self._engine  # a failure to load it is not one of this picture
        try:
            found = engine(image, use_cls=False)
        except (ONNXRuntimeError, ValueError, IndexError, RuntimeError, MemoryError) as error:
            raise ModelError(
                f"RapidOCR failed on a picture of {image.shape[1]} x {image.shape[0]} pixels: "
                f"{str(error).splitlines()[-1] if str(error) else type(error).__name__}",
                hint="the picture is kept without its text; run evidence doctor to check the models",
            ) from error
        return _lines(found, width_px=image.shape[1], height_px=image.shape[0])


def _installed() -> tuple[Path, str]:
    """Where the bundled models lie, and RapidOCR's version; nothing of it is imported."""
    from importlib.metadata import version
    from importlib.util import find_spec

    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise ModelMissing(
            "rapidocr is not installed: text in pictures cannot be read",
            hint="run the set-up command of the README, or set keyframes.ocr = false",
        )
    folder = Path(spec.origin).parent / "models"
    for name in (_DETECTION, _RECOGNITION):
        if not (folder / name).is_file():
            raise ModelMissing(
                f"{folder / name}: the model bundled with rapidocr is not there",
                hint="install rapidocr again in the version of the lock file",
            )
    return folder, version("rapidocr")


def _parameters(folder: Path, threads: int) -> dict[str, Any]:
    return {
        "Global.log_level": "error",
        "Global.use_cls": False,
        "Global.text_score": _MIN_SCORE,
        "Global.max_side_len": 4096,
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        "Det.model_path": str(folder / _DETECTION),
        "Det.limit_type": "max",
        "Det.limit_side_len": _LONG_SIDE_PX,
        "Rec.model_path": str(folder / _RECOGNITION),
    }


def _lines(found: Any, *, width_px: int, height_px: int) -> tuple[SeenText, ...]:
    if getattr(found, "txts", None) is None or found.boxes is None:
        return ()
    lines = []
    for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
        xs, ys = [float(c[0]) for c in corners], [float(c[1]) for c in corners]
        x, y = max(0, round(min(xs))), max(0, round(min(ys)))
        right, bottom = min(width_px, round(max(xs))), min(height_px, round(max(ys)))
        if text.strip() and right > x and bottom > y:
            box = Box(x_px=x, y_px=y, w_px=right - x, h_px=bottom - y)
            lines.append(SeenText(text, box, min(1000, max(0, round(float(score) * 1000)))))
    return tuple(sorted(lines, key=lambda s: (s.box.y_px, s.box.x_px, s.text)))
