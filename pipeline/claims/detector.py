"""The rule detector: lines to claims, in three steps.

1. Each line is read on its own (:mod:`candidates`), with the line before it as context.
2. Bare answers are resolved with their question, corrections within an utterance are settled.
3. Claims are tied to products, linked with what they correct or confirm, compared with the
   listing, and sent to review where a person should hear them first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from pipeline.claims.answers import resolve_answer
from pipeline.claims.candidates import LineReading, read_line, without_numbers
from pipeline.claims.colour_families import ColourFamilies
from pipeline.claims.compiled import Possible, RuleBook
from pipeline.claims.completion import with_windows
from pipeline.claims.corrections import link_corrections, settle
from pipeline.claims.corroborate import corroborate
from pipeline.claims.english import currency_of
from pipeline.claims.frames import Frames
from pipeline.claims.learned import Opinion
from pipeline.claims.listing import colour_names, compare
from pipeline.claims.prepared import prepared
from pipeline.claims.products import SkuLinker
from pipeline.claims.resolve import Resolver
from pipeline.claims.rules import RULES_FOLDER, RuleSource, read_rules, spoken_words
from pipeline.claims.shape import Shape, shape_of
from pipeline.claims.values import Setting
from pipeline.claims.writer import ClaimWriter
from pipeline.model import Broadcast, Claim, ClaimSet, Line, Screen

CODE_VERSION = "8"
"""Raised whenever a change of code can change a claim."""
_CURRENCY = {"zh": "CNY"}


class RuleDetector:
    """Implements ``ports.ClaimDetector`` over a folder of rule files."""

    def __init__(self, folder: Path) -> None:
        """What is in the folder is named at once, and read when the first line is."""
        self._folder = folder
        self.digest = _digest(folder)

    @classmethod
    def load(cls, folder: Path | None = None) -> RuleDetector:
        """The rules of a folder, read and checked; else those built in.

        Raises:
            RuleError: a file breaks the format.
        """
        if folder is None:
            return cls(RULES_FOLDER)
        made = cls(folder)
        _ = made.source
        return made

    @cached_property
    def source(self) -> RuleSource:
        """The rule files as they are written."""
        return read_rules(self._folder)

    @cached_property
    def book(self) -> RuleBook:
        """The rules, ready to match."""
        return RuleBook(self.source)

    @cached_property
    def _colours(self) -> ColourFamilies:
        return ColourFamilies(self.source.lexicons, colour_names())

    @cached_property
    def _resolver(self) -> Resolver:
        return Resolver(spoken_words(self.source))

    @cached_property
    def producer(self) -> str:
        """Rule set name and digest."""
        return f"rules {self.digest[:12]}"

    def detect(
        self, broadcast: Broadcast, lines: Sequence[Line], *, screen: Screen | None, work_key: str
    ) -> ClaimSet:
        """All claims and product windows; never raises on what a line says."""
        linker = SkuLinker(broadcast, lines, screen)
        setting = self._setting(broadcast, lines)
        writer = ClaimWriter(
            broadcast, linker, Frames(screen), producer=self.producer, work_key=work_key
        )
        links = frozenset(p.link_number for p in broadcast.products if p.link_number is not None)
        resolver = self._resolver.with_listing(broadcast)
        before: LineReading | None = None
        for one in prepared(lines, resolver=resolver, book=self.book):
            reading = self._read(
                one.shape, before=before, setting=setting, opinion=one.opinion,
                heard=one.heard, possible=one.possible,
            )  # fmt: skip
            for candidate in without_numbers(reading, links):
                writer.add(one.line, one.shape, candidate, one.repairs)
            if one.line.source == "speech":
                before = reading
        claims = self._compared(link_corrections(writer.claims, lines), broadcast)
        return ClaimSet(
            broadcast_id=broadcast.broadcast_id,
            claims=tuple(claims),
            windows=linker.windows,
            producer=self.producer,
        )

    def _compared(self, claims: Sequence[Claim], broadcast: Broadcast) -> list[Claim]:
        """With the screen, then with the listing."""
        units = self.source.units
        out = []
        for claim in corroborate(with_windows(claims), units=units):
            check = compare(claim, broadcast, units=units, colours=self._colours)
            update: dict[str, object] = {"listing": check}
            if check is not None and check.agreement == "needs_review":
                update |= {
                    "needs_review": True,
                    "review_reasons": (*claim.review_reasons, check.reason),
                }
            out.append(claim.model_copy(update=update) if check else claim)
        return out

    def read(
        self, text: str, *, before: LineReading | None, setting: Setting,
        judged: bool = False, heard: bool = False,
    ) -> LineReading:  # fmt: skip
        """One line with the line before it; ``judged`` asks the classifier as well.

        ``heard`` is for recognised speech, in which a question may be no question.
        """
        shape = shape_of(text)
        context = before.shape.text if before else ""
        opinion = self.book.opinions([(shape, context)])[0] if judged else None
        return self._read(shape, before=before, setting=setting, opinion=opinion, heard=heard)

    def _read(
        self, shape: Shape, *, before: LineReading | None, setting: Setting,
        opinion: Opinion | None, heard: bool, possible: Possible | None = None,
    ) -> LineReading:  # fmt: skip
        reading = read_line(
            shape, before=before.shape.text if before else "", book=self.book, setting=setting,
            opinion=opinion, heard=heard, possible=possible,
        )  # fmt: skip
        reading = settle(reading, before, book=self.book, setting=setting)
        return resolve_answer(reading, before, book=self.book, setting=setting)

    def _setting(self, broadcast: Broadcast, lines: Sequence[Line] = ()) -> Setting:
        currency = broadcast.currency or _currency(broadcast, lines)
        day = None
        if broadcast.started_at is not None:
            day = broadcast.started_at.date()
        return Setting(currency, day, self.source.units)


def _currency(broadcast: Broadcast, lines: Sequence[Line]) -> str:
    """Of the language, and in English of the money words used."""
    if not broadcast.language.startswith("en"):
        return _CURRENCY.get(broadcast.language, "CNY")
    offset = broadcast.started_at.utcoffset() if broadcast.started_at else None
    spoken = " ".join(line.text for line in lines)
    return currency_of(spoken, offset.total_seconds() / 3600 if offset is not None else None)


def _name(path: Path) -> str:
    return path.name


def _digest(folder: Path) -> str:
    digest = hashlib.sha256(f"claims {CODE_VERSION}\n".encode())
    files = (*folder.glob("*.toml"), *folder.glob("*.npz"), *Path(__file__).parent.glob("*.toml"))
    for path in sorted(files, key=_name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
