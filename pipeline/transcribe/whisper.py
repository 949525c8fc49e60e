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
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import ModelMissing, TranscriptionFailed
from pipeline.ports import Heard
from pipeline.provenance import content_id
from pipeline.settings import TranscribeSettings
from pipeline.transcribe.alignment import per_mille, pieces_heard, timed
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
SWITCH_PM = 800
"""A chunk detected this surely as the other language is also decoded in that."""
_LOOP_TOKENS = 10
"""A second decoding may not say so many tokens twice: that ends a loop of any length, and
nobody says the same thing twice so exactly in half a minute."""
_FIGURES = frozenset("%‰$£€¥₩")
_ROMAN = frozenset(
    [
        "II",
        "III",
        "IV",
        "VI",
        "VII",
        "VIII",
        "IX",
        "XI",
        "XII",
        "XIII",
        "XIV",
        "XV",
        "XVI",
        "XVII",
        "XVIII",
        "XIX",
    ]
)


class Decoding(NamedTuple):
    """One set of decoding options; everything in it can change a text."""

    beam_size: int
    timestamps: bool
    repetition_penalty_pm: int
    no_repeat_ngram: int
    spoken_numerals: bool


class _Decoded(NamedTuple):
    """What came out for one chunk, before times are known."""

    pieces: list[tuple[int, ...]]
    """The text tokens between two of the model's time tokens."""
    no_speech_pm: int


class _Tongue(NamedTuple):
    """The likelier of ``LANGUAGES`` and its share of the two."""

    code: str
    prob_pm: int


class WhisperTranscriber:
    """``ports.Transcriber`` on a local Whisper model, loaded when it first listens.

    Args:
        files: The model, as ``models.resolve`` found it.
        settings: Beam width, device, compute type; threads and batch never change texts.
    """

    def __init__(self, files: ModelFiles, settings: TranscribeSettings) -> None:
        self._files = files
        self._settings = settings
        spoken = settings.numerals == "spoken"
        self._first = Decoding(settings.beam_size, False, 1000, 0, spoken)
        self._retry = Decoding(max(5, settings.beam_size), True, 1000, _LOOP_TOKENS, spoken)

    def load(self) -> None:
        """Have the model in memory.

        Raises:
            ModelMissing: the files cannot be loaded as a Whisper model.
        """
        assert self._model  # noqa: S101

    def rest(self) -> None:
        """Give the model's memory back; it is loaded again when it listens."""
        self.__dict__.pop("_model", None)

    @cached_property
    def _model(self) -> Any:
        return _load(self._files, self._settings)

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
            language: ``zh`` or ``en`` as a rule (a chunk that is clearly in the other is
                decoded in both, and the surer reading kept), or empty to decide for each chunk.
            retry: Use the second set of options (time tokens, which end skipping; no repeats).

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
        found = self._detected(encoded)
        languages = [language or tongue.code for tongue in found]
        heard = self._align(encoded, batch, languages, self._generate(encoded, languages, decoding))
        for n, tongue in enumerate(found):
            if tongue.code != languages[n] and tongue.prob_pm >= SWITCH_PM:
                state = _storage(_on_host(encoded)[n : n + 1])
                other = self._generate(state, [tongue.code], decoding)
                (again,) = self._align(state, batch[n : n + 1], [tongue.code], other)
                heard[n] = max(heard[n], again, key=_sureness)
        return heard

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

    def _detected(self, encoded: Any) -> list[_Tongue]:
        """The likelier of ``LANGUAGES`` for each chunk."""
        if not self._model.model.is_multilingual:
            return [_Tongue("en", 1000)] * encoded.shape[0]
        found = []
        for ranked in self._model.model.detect_language(encoded):
            share = dict.fromkeys(LANGUAGES, 0.0)
            for token, prob in ranked:
                code = _ALIASES.get(token[2:-2], token[2:-2])
                if code in share:
                    share[code] += prob
            best = max(LANGUAGES, key=lambda code: share[code])
            found.append(_Tongue(best, per_mille(share[best] / max(1e-9, sum(share.values())))))
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
            suppress_tokens=list(self._suppressed(decoding)),
            max_initial_timestamp_index=50,
            sampling_temperature=0,
            return_no_speech_prob=True,
        )
        tokenizer = self._tokenizer(languages[0])
        return [
            _Decoded(
                _pieces(r.sequences_ids[0], tokenizer.eot, tokenizer.timestamp_begin),
                per_mille(r.no_speech_prob),
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
            tokens = [token for piece in one.pieces for token in piece]
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
            times = timed(result, len(tokens), length_ms)
            heard.append(
                pieces_heard(
                    one.pieces,
                    times,
                    no_speech_pm=one.no_speech_pm,
                    decode=tokenizer.tokenizer.decode,
                )
            )
        return heard

    def _tokenizer(self, language: str) -> Any:
        return _tokenizer(self._model.hf_tokenizer, self._model.model.is_multilingual, language)

    def _suppressed(self, decoding: Decoding) -> tuple[int, ...]:
        """Symbols that Whisper's own decoder never lets through, its control tokens, figures."""
        t = self._tokenizer("en")
        control = (t.transcribe, t.translate, t.sot, t.sot_prev, t.sot_lm, t.no_speech)
        figures = _figures(self._model.hf_tokenizer, t.eot) if decoding.spoken_numerals else ()
        return tuple(
            sorted({*t.non_speech_tokens, *(c for c in control if c is not None), *figures})
        )


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


def _sureness(heard: Sequence[Heard]) -> int:
    """Mean probability of the characters of a reading; an empty one is the least sure."""
    probs = [p for one in heard for p in one.char_prob_pm]
    return sum(probs) // len(probs) if probs else -1


@lru_cache(maxsize=4)
def _figures(tokens: Any, count: int) -> tuple[int, ...]:
    """Text tokens with a digit or a sign that is spoken as a word (``%``, ``$``).

    Without them (and Roman numerals, its next choice) the model writes numerals as they were said: "forty-nine ninety-nine" and
    not 4999, 三个零 and not 3个0. What is said is the evidence, and it is less ambiguous.
    """
    texts = ((n, tokens.decode([n])) for n in range(count))
    return tuple(n for n, text in texts if _is_figure(text))


def _is_figure(text: str) -> bool:
    return any(c.isdecimal() or c in _FIGURES for c in text) or text.strip() in _ROMAN


def _pieces(tokens: Sequence[int], eot: int, timestamp_begin: int) -> list[tuple[int, ...]]:
    """The tokens between time tokens; without time tokens, all in one piece."""
    pieces: list[tuple[int, ...]] = []
    held: list[int] = []
    for token in tokens:
        if token < eot:
            held.append(token)
        elif token >= timestamp_begin and held:
            pieces.append(tuple(held))
            held = []
    return [*pieces, tuple(held)] if held else pieces


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
