"""Running the pipeline over labelled broadcasts, and showing how it did."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline import runner
from pipeline.bootstrap import Application
from pipeline.cases.run import Bounds, Material, answer_order, read_orders, reader_of
from pipeline.claims import run as claims_room
from pipeline.errors import ConfigError, InputError
from pipeline.evaluate.run import Case, Labelled, evaluate, labelled
from pipeline.ingest.formats import parse_broadcast
from pipeline.ingest.run import transcript_clock
from pipeline.model import ClaimSet, Moment, Order, Transcript
from pipeline.plan import Progress
from pipeline.ports import ClaimDetector
from pipeline.runner import Request
from pipeline.serve.render import clean, say, table
from pipeline.transcribe.given import from_given

SHOWN = (
    "f1",
    "macro_f1",
    "value_accuracy",
    "negation_f1",
    "hedge_f1",
    "sku_accuracy",
    "sure_precision",
    "sure_share",
    "sure_inverted",
    "recall_at_3",
    "right_none",
    "time_error_median_ms",
    "time_error_p95_ms",
    "cer",
    "length_ratio",
)


def from_words(paths: Sequence[Path], *, reason_text_only: bool = False) -> dict[str, Any]:
    """Score claims and answers made from the given transcripts."""
    from pipeline.claims.detector import RuleDetector

    detector = RuleDetector.load()
    cases = [_words_case(labelled(path), detector, reason_text_only) for path in paths]
    return evaluate(cases, audio=False)


def from_recordings(
    app: Application,
    paths: Sequence[Path],
    *,
    reason_text_only: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Process each recording in a workspace, then score what came out, with wall times."""
    cases, seconds = [], {}
    for path in paths:
        one = labelled(path)
        if one.folder is None:
            raise InputError(f"{path}: has no recording", hint="leave out --audio for scenes")
        begun = time.monotonic()
        state = runner.process(app, Request(inputs=(str(path),)), progress=progress)
        seconds[one.name] = round(time.monotonic() - begun, 2)
        parts = runner.parts_of(app, state)
        claims = parts.claims or ClaimSet(broadcast_id=state.revision.broadcast.broadcast_id)
        clock = state.revision.clock_map
        found = Material(state.revision.broadcast, parts.transcript, claims, clock)
        answers = _answers(one, found, app.rules, reason_text_only)
        cases.append(_case(one, claims, answers, parts.transcript))
    return evaluate(cases, audio=True) | {"seconds": seconds}


def _words_case(one: Labelled, detector: ClaimDetector, reason_text_only: bool) -> Case:
    broadcast, _ = parse_broadcast(one.broadcast, file_name=one.name)
    words = from_given(
        one.transcript,
        file_name=one.name,
        broadcast_id=broadcast.broadcast_id,
        duration_ms=None,
    )
    claims = claims_room.run(
        broadcast, transcript=words, screen=None, detector=detector, work_key="0" * 64
    )
    found = Material(broadcast, words, claims, transcript_clock(broadcast, words.duration_ms))
    answers = _answers(one, found, detector, reason_text_only)
    return _case(one, claims, answers, None)


def _case(
    one: Labelled,
    claims: ClaimSet,
    answers: dict[str, Sequence[Moment]],
    transcript: Transcript | None,
) -> Case:
    given = from_given(one.transcript, file_name=one.name, broadcast_id="", duration_ms=None)
    reference = "".join(s.text for s in given.segments)
    return Case(one.name, one.labels, reference, claims.claims, answers, transcript)


def _answers(
    one: Labelled, found: Material, detector: ClaimDetector, reason_text_only: bool
) -> dict[str, Sequence[Moment]]:
    read = reader_of(detector)

    def answer(order: Order) -> Sequence[Moment]:
        asked = order.model_copy(update={"reason_code": ""}) if reason_text_only else order
        return answer_order(
            asked, material=lambda _: found, known=tuple, bounds=Bounds(), lookback_ms=0, read=read
        ).moments

    given = one.orders.strip()
    orders = read_orders(given, file_name=one.name).orders if given else ()
    return {order.order_id: answer(order) for order in orders}


# --- showing ------------------------------------------------------------------------------


def print_report(report: dict[str, Any], *, against: dict[str, Any] | None) -> None:
    """Tables: measures (beside an earlier run), by type, then every miss in words."""
    rows = [(name, _cell(report[name]), *_beside(name, report, against)) for name in SHOWN]
    table(("measure", "value", *(("before", "change") if against else ())), rows)
    for name, (low, high) in report["intervals"].items():
        say(f"{name}: 95 % interval over broadcasts {low:.3f} to {high:.3f}")
    say("F1 by type: " + ", ".join(f"{k} {v:.2f}" for k, v in report["f1_by_type"].items()))
    for title in ("missed", "extra", "wrong", "moments_wrong"):
        for row in report[title]:
            say(f"{title}: " + " | ".join(clean(part) for part in row))


def _beside(name: str, report: dict[str, Any], against: dict[str, Any] | None) -> Iterator[str]:
    if against is None:
        return
    now, then = report[name], against.get(name)
    yield _cell(then)
    yield f"{now - then:+.4g}" if now is not None and then is not None else ""


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def plot_report(report: dict[str, Any], path: Path) -> None:
    """F1 by claim type and the main measures by broadcast, as PNG.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            "plots need matplotlib", hint="install the extra: replay-evidence[plots]"
        ) from error
    figure = Figure(figsize=(13, 6), layout="constrained")
    left, right = figure.subplots(1, 2)
    kinds = report["f1_by_type"]
    left.barh(list(kinds), list(kinds.values()), color="#4a5a78")
    left.set_xlim(0, 1)
    left.set_title("F1 by claim type")
    names = list(report["by_broadcast"])
    for n, measure in enumerate(("f1", "value_accuracy", "sku_accuracy", "recall_at_3")):
        values = [report["by_broadcast"][name][measure] for name in names]
        right.plot(values, range(len(names)), "os^D"[n], label=measure)
    right.set_yticks(range(len(names)), names)
    right.set_xlim(0, 1.02)
    right.legend()
    right.set_title("by broadcast")
    figure.savefig(path, dpi=110)
