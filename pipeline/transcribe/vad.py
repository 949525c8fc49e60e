"""Speech probability of each 32 ms of audio, by the Silero model that ships with faster-whisper.

The model is recurrent: frame *n* depends on frames ``<= n`` only, so it can follow
a live stream. It is always run over blocks of the same number of frames, counted
from the start of the stream, so that its figures do not depend on how the audio
arrived.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.errors import ModelMissing
from pipeline.provenance import sha256_file

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.ports import Audio

FRAME_SAMPLES = 512
"""Samples in one frame at 16 kHz; fixed by the model."""
FRAME_MS = 32
"""The same in milliseconds."""
BLOCK_FRAMES = 32
"""Frames per run of the model (1.024 s)."""
BLOCK_SAMPLES = FRAME_SAMPLES * BLOCK_FRAMES
"""Samples per run of the model."""
_CONTEXT_SAMPLES = 64
_STATE_SIZE = 128
_ASSET = "silero_vad_v6.onnx"


class Vad(Protocol):
    """Speech probabilities of consecutive blocks of one stream."""

    def __call__(self, block: Audio) -> npt.NDArray[np.float32]:
        """``BLOCK_FRAMES`` probabilities for ``BLOCK_SAMPLES`` samples that follow the last ones."""


class SileroVad:
    """The recurrent Silero model over one stream; make a new one for each recording.

    Raises:
        ModelMissing: faster-whisper's asset is not installed.
    """

    def __init__(self) -> None:
        import numpy as np

        self._session = _session()
        self._h = np.zeros((1, 1, _STATE_SIZE), dtype=np.float32)
        self._c = np.zeros((1, 1, _STATE_SIZE), dtype=np.float32)
        self._tail = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)

    def __call__(self, block: Audio) -> npt.NDArray[np.float32]:
        """``BLOCK_FRAMES`` probabilities for the next ``BLOCK_SAMPLES`` samples."""
        import numpy as np

        joined = np.concatenate([self._tail, block]).astype(np.float32, copy=False)
        width = _CONTEXT_SAMPLES + FRAME_SAMPLES
        frames = np.lib.stride_tricks.sliding_window_view(joined, width)[::FRAME_SAMPLES]
        feed = {"input": np.ascontiguousarray(frames), "h": self._h, "c": self._c}
        probs, self._h, self._c = self._session.run(None, feed)
        self._tail = block[-_CONTEXT_SAMPLES:].copy()
        return np.asarray(probs, dtype=np.float32).reshape(-1)


def vad_file() -> Path:
    """Where the model file lies.

    Raises:
        ModelMissing: faster-whisper no longer ships it.
    """
    from faster_whisper.utils import get_assets_path

    file = Path(get_assets_path()) / _ASSET
    if not file.is_file():
        raise ModelMissing(
            f"{file} is not there",
            hint="install the faster-whisper version of the lock file (1.2)",
        )
    return file


def vad_digest() -> str:
    """SHA-256 of the model file: its decisions can change a transcript."""
    return sha256_file(vad_file())


def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        str(vad_file()), providers=["CPUExecutionProvider"], sess_options=options
    )
