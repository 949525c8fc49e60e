"""Speech recognition by Whisper on CTranslate2 (faster-whisper), one chunk at a time or many.

What a chunk says depends on that chunk alone: every chunk is padded to Whisper's
30 s window, nothing is carried from one chunk to the next, no prompt is given and
the temperature is 0. Chunks are decoded together only to save time.

Method: Radford et al., "Robust Speech Recognition via Large-Scale Weak
Supervision" (2022); times by dynamic time warping over the cross-attention of the
model's alignment heads, as in the reference implementation.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import ModelMissing, TranscriptionFailed
from pipeline.ports import Heard
from pipeline.provenance import content_id
from pipeline.settings import TranscribeSettings
from pipeline.transcribe.models import ModelFiles

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.ports import Audio

DECODING_VERSION = "1"
"""Raised whenever this file's way of decoding could change a text."""
SAMPLE_RATE_HZ = 16_000
LANGUAGES = ("zh", "en")
"""Languages a chunk may be decided to be in; others are decoded as the likelier of these."""
_ALIASES = {"yue": "zh"}
_WINDOW_SAMPLES = 30 * SAMPLE_RATE_HZ
_WINDOW_FRAMES = 3000
_FRAME_MS = 10
_TOKEN_MS = 20
_BROKEN = "\ufffd"


class Decoding(NamedTuple):
    """One set of decoding options; everything in it can change a text."""

    beam_size: int
    timestamps: bool
    repetition_penalty_pm: int
    no_repeat_ngram: int


class _Piece(NamedTuple):
    """The text tokens between two of the model's time tokens."""

    tokens: tuple[int, ...]


class _Decoded(NamedTuple):
    """What came out for one chunk, before times are known."""

    pieces: list[_Piece]
    no_speech_pm: int


class WhisperTranscriber:
    """``ports.Transcriber`` on a local Whisper model; load one per process.

    Args:
        files: The model, as ``models.resolve`` found it.
        settings: Beam width, device, compute type; threads and batch never change texts.

    Raises:
        ModelMissing: the files cannot be loaded as a Whisper model.
    """

    def __init__(self, files: ModelFiles, settings: TranscribeSettings) -> None:
        self._files = files
        self._settings = settings
        self._model = _load(files, settings)
        self._first = Decoding(settings.beam_size, False, 1000, 0)
        self._retry = Decoding(max(5, settings.beam_size), True, 1100, 4)

    @property
    def producer(self) -> str:
        """Model name, source and the first 12 digits of the digest."""
        return f"whisper:{self._files.name} ({self._files.source}) {self._files.digest[:12]}"

    @property
    def digest(self) -> str:
        """SHA-256 over the model's files and the options and code that can change a text."""
        body = {
            "model": self._files.digest,
            "compute_type": self._settings.compute_type,
            "first": list(self._first),
            "retry": list(self._retry),
            "version": DECODING_VERSION,
            "engine": _engine_versions(),
        }
        return content_id(body)

    def transcribe(
        self, chunks: Sequence[Audio], *, language: str, retry: bool = False
    ) -> list[list[Heard]]:
        """What is heard in each chunk (float32 mono 16 kHz, at most 30 s).

        Args:
            chunks: Audio; what is beyond 30 s is refused.
            language: ``zh``, ``en``, or empty to decide for each chunk.
            retry: Use the second set of options (beam search, no repeats, time tokens).

        Raises:
            TranscriptionFailed: a chunk is too long, or the model failed.
        """
        heard: list[list[Heard]] = []
        for at in range(0, len(chunks), self._settings.batch_chunks):
            batch = chunks[at : at + self._settings.batch_chunks]
            try:
                heard += self._batch(batch, language, self._retry if retry else self._first)
            except (RuntimeError, ValueError) as error:
                raise TranscriptionFailed(
                    f"{self._files.name} failed on a chunk: {error}",
                    hint="try another compute_type or device",
                ) from error
        return heard

    def _batch(
        self, batch: Sequence[Audio], language: str, decoding: Decoding
    ) -> list[list[Heard]]:
        encoded = self._encode(batch)
        languages = [language] * len(batch) if language else self._languages(encoded)
        results = self._generate(encoded, languages, decoding)
        return self._align(encoded, batch, languages, results)

    def _encode(self, batch: Sequence[Audio]) -> Any:
        import numpy as np

        features = np.stack([self._features(chunk) for chunk in batch])
        return self._model.encode(features)

    def _features(self, chunk: Audio) -> npt.NDArray[np.float32]:
        """Log-mel features of the chunk, padded with silence to the window of 30 s."""
        import numpy as np

        if chunk.shape[0] > _WINDOW_SAMPLES:
            raise ValueError(f"a chunk of {chunk.shape[0] / SAMPLE_RATE_HZ:.1f} s is over 30 s")
        features = self._model.feature_extractor(chunk.astype(np.float32, copy=False))
        features = features[:, :_WINDOW_FRAMES]
        return np.pad(features, ((0, 0), (0, _WINDOW_FRAMES - features.shape[1])))

    def _languages(self, encoded: Any) -> list[str]:
        """The likeliest of ``LANGUAGES`` for each chunk."""
        if not self._model.model.is_multilingual:
            return ["en"] * encoded.shape[0]
        found = []
        for ranked in self._model.model.detect_language(encoded):
            share = dict.fromkeys(LANGUAGES, 0.0)
            for token, prob in ranked:
                code = _ALIASES.get(token[2:-2], token[2:-2])
                if code in share:
                    share[code] += prob
            found.append(max(LANGUAGES, key=lambda code: share[code]))
        return found

    def _generate(
        self, encoded: Any, languages: Sequence[str], decoding: Decoding
    ) -> list[_Decoded]:
        prompts = []
        for language in languages:
            tokenizer = self._tokenizer(language)
            prompt = list(tokenizer.sot_sequence)
            prompts.append(prompt if decoding.timestamps else [*prompt, tokenizer.no_timestamps])
        results = self._model.model.generate(
            encoded,
            prompts,
            beam_size=decoding.beam_size,
            repetition_penalty=decoding.repetition_penalty_pm / 1000,
            no_repeat_ngram_size=decoding.no_repeat_ngram,
            max_length=self._model.max_length,
            suppress_blank=True,
            suppress_tokens=list(self._suppressed()),
            max_initial_timestamp_index=50,
            sampling_temperature=0,
            return_no_speech_prob=True,
        )
        tokenizer = self._tokenizer(languages[0])
        return [
            _Decoded(
                _pieces(r.sequences_ids[0], tokenizer.eot, tokenizer.timestamp_begin),
                _per_mille(r.no_speech_prob),
            )
            for r in results
        ]

    def _align(
        self,
        encoded: Any,
        batch: Sequence[Audio],
        languages: Sequence[str],
        decoded: Sequence[_Decoded],
    ) -> list[list[Heard]]:
        """Times and probabilities of the tokens, then of the characters, of each chunk.

        Aligned one by one: together they would be padded to the longest text, which
        moves times by a step and probabilities by a few per mille.
        """
        heard: list[list[Heard]] = []
        states = _on_host(encoded)
        for n, (chunk, one) in enumerate(zip(batch, decoded, strict=True)):
            tokens = [token for piece in one.pieces for token in piece.tokens]
            length_ms = chunk.shape[0] * 1000 // SAMPLE_RATE_HZ
            if not tokens:
                heard.append([])
                continue
            tokenizer = self._tokenizer(languages[n])
            (result,) = self._model.model.align(
                _storage(states[n : n + 1]),
                tokenizer.sot_sequence,
                [tokens],
                max(2, length_ms // _FRAME_MS),
            )
            timed = _timed(result, len(tokens), length_ms)
            heard.append(_heard(one, timed, tokenizer.tokenizer.decode))
        return heard

    def _tokenizer(self, language: str) -> Any:
        return _tokenizer(self._model.hf_tokenizer, self._model.model.is_multilingual, language)

    def _suppressed(self) -> tuple[int, ...]:
        """Symbols that Whisper's own decoder never lets through, and its control tokens."""
        t = self._tokenizer("en")
        control = (t.transcribe, t.translate, t.sot, t.sot_prev, t.sot_lm, t.no_speech)
        return tuple(sorted({*t.non_speech_tokens, *(c for c in control if c is not None)}))


def _on_host(encoded: Any) -> npt.NDArray[np.float32]:
    """The encoder's states in this machine's own memory."""
    import ctranslate2
    import numpy as np

    if encoded.device != "cpu":
        encoded = encoded.to_device(ctranslate2.Device.cpu)
    return np.array(encoded)


def _storage(states: npt.NDArray[np.float32]) -> Any:
    import ctranslate2
    import numpy as np

    return ctranslate2.StorageView.from_array(np.ascontiguousarray(states))


class _Timed(NamedTuple):
    """Start of each token and of the end, and the probability of each token."""

    starts_ms: list[int]
    probs_pm: list[int]


def _timed(result: Any, count: int, length_ms: int) -> _Timed:
    """Token starts from the alignment path: the first audio step that reaches each token."""
    starts = [length_ms] * (count + 1)
    for token, step in reversed(result.alignments):
        if token <= count:
            starts[token] = min(step * _TOKEN_MS, length_ms)
    for n in range(count - 1, -1, -1):
        starts[n] = min(starts[n], starts[n + 1])
    return _Timed(starts, [_per_mille(p) for p in result.text_token_probs[:count]])


def _heard(decoded: _Decoded, timed: _Timed, decode: Callable[[list[int]], str]) -> list[Heard]:
    """Characters with times and probabilities, for each of the model's own segments."""
    heard: list[Heard] = []
    at = 0
    for piece in decoded.pieces:
        after = at + len(piece.tokens)
        characters = _characters(piece.tokens, at, timed, decode)
        end_ms = timed.starts_ms[after]
        one = _one(characters, end_ms, decoded.no_speech_pm)
        heard += [one] if one is not None else []
        at = after
    return heard


def _characters(
    tokens: Sequence[int], first: int, timed: _Timed, decode: Callable[[list[int]], str]
) -> list[tuple[str, int, int]]:
    """``(character, start ms, probability)``; tokens are joined until they are whole characters."""
    out: list[tuple[str, int, int]] = []
    start = 0
    for n in range(len(tokens)):
        text = decode(list(tokens[start : n + 1]))
        if _BROKEN in text and n + 1 < len(tokens):
            continue
        a, b = timed.starts_ms[first + start], timed.starts_ms[first + n + 1]
        prob = min(timed.probs_pm[first + start : first + n + 1])
        out += [(c, a + (b - a) * k // len(text), prob) for k, c in enumerate(text)]
        start = n + 1
    return out


def _one(characters: list[tuple[str, int, int]], end_ms: int, no_speech_pm: int) -> Heard | None:
    """One piece of speech without the blanks around it; None when nothing is left."""
    while characters and characters[-1][0].isspace():
        end_ms = characters.pop()[1]
    while characters and characters[0][0].isspace():
        characters.pop(0)
    if not characters:
        return None
    text = "".join(c for c, _, _ in characters)
    starts = [start for _, start, _ in characters]
    probs = tuple(prob for _, _, prob in characters)
    return Heard(
        start_ms=starts[0],
        end_ms=max(end_ms, starts[-1]),
        text=text,
        char_start_ms=(*starts, max(end_ms, starts[-1])),
        char_prob_pm=probs,
        prob_pm=round(sum(probs) / len(probs)),
        no_speech_pm=no_speech_pm,
        compression_pm=compression_pm(text),
    )


def compression_pm(text: str) -> int:
    """Bytes of the text over bytes of its zlib form, per mille; loops compress well.

    Whisper's own measure of a looping text; it treats more than 2400 as one.
    """
    data = text.encode("utf-8", "surrogatepass")
    return len(data) * 1000 // len(zlib.compress(data)) if data else 0


def _pieces(tokens: Sequence[int], eot: int, timestamp_begin: int) -> list[_Piece]:
    """The tokens between time tokens; without time tokens, all in one piece."""
    pieces: list[_Piece] = []
    held: list[int] = []
    for token in tokens:
        if token < eot:
            held.append(token)
        elif token >= timestamp_begin and held:
            pieces.append(_Piece(tuple(held)))
            held = []
    return [*pieces, _Piece(tuple(held))] if held else pieces


def _per_mille(share: float) -> int:
    return min(1000, max(0, round(float(share) * 1000)))


@lru_cache(maxsize=8)
def _tokenizer(tokens: Any, multilingual: bool, language: str) -> Any:
    from faster_whisper.tokenizer import Tokenizer

    return Tokenizer(tokens, multilingual, task="transcribe", language=language)


def _load(files: ModelFiles, settings: TranscribeSettings) -> Any:
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(
            str(files.folder),
            device=settings.device,
            compute_type=settings.compute_type,
            cpu_threads=settings.cpu_threads or available_cpus(),
            local_files_only=True,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelMissing(
            f"{files.folder} cannot be loaded as a Whisper model: {error}",
            hint="`evidence models` lists the models that can be used here",
        ) from error


def available_cpus() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _engine_versions() -> str:
    from importlib.metadata import version

    return f"ctranslate2 {version('ctranslate2')}, faster-whisper {version('faster-whisper')}"
