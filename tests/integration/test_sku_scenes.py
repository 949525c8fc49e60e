"""SKU links on the development scenes: other hosts, other goods, worse schedules and hearing."""

import functools

import pytest

from benchmarks.calibration import FITTED, Scene, error, heard, points, scenes, table, with_schedule
from pipeline.claims.confidence import of_basis, of_margin
from pipeline.claims.products import SkuLinker

SCHEDULES = ("given", "removed", "late", "swapped")


@functools.cache
def given() -> tuple[Scene, ...]:
    return tuple(s for s in scenes() if s.broadcast.broadcast_id.startswith("dev-"))


def share(scene: Scene, schedule: str, speech: str = "as labelled") -> float:
    changed = heard(scene, speech)
    linker = SkuLinker(with_schedule(changed.broadcast, schedule), changed.lines)
    right = 0
    for c in scene.claims:
        line = changed.lines[c["segment_index"]]
        link = linker.link(line, c["char_start"], c["char_end"], claim_type=c["claim_type"])
        right += link.sku_id == c["sku_id"]
    return right / len(scene.claims)


def mean(schedule: str, speech: str) -> float:
    weights = [len(s.claims) for s in given()]
    parts = [share(s, schedule, speech) * n for s, n in zip(given(), weights, strict=True)]
    return sum(parts) / sum(weights)


def test_there_are_scenes():
    assert len(given()) >= 12


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_scene_with_every_schedule(schedule):
    shares = {s.name: share(s, schedule) for s in given()}
    assert min(shares.values()) >= 0.57, shares
    assert sum(shares.values()) / len(shares) >= 0.95


@pytest.mark.parametrize(
    ("speech", "floor"),
    [("numbers misheard", 0.89), ("words misheard", 0.95), ("no aliases", 0.92)],
)
@pytest.mark.parametrize("schedule", ["given", "removed"])
def test_links_hold_when_less_is_heard(schedule, speech, floor):
    assert mean(schedule, speech) >= floor


def test_with_announcements_lost_the_links_called_sure_stay_near_what_they_claim():
    made = [p for p in points(given()[:6]) if p.speech == FITTED]
    sure = [p for p in made if not p.link.unsure]
    assert sum(p.right for p in sure) / len(sure) >= 0.81
    assert error(table(made)) <= 0.12


def test_confidence_never_falls_with_the_margin_and_never_claims_certainty():
    steps = [of_margin(n / 10) for n in range(200)]
    assert steps == sorted(steps)
    assert steps[0] <= 500
    assert steps[-1] <= 990
    assert of_basis("closing") < of_basis("rules") < of_basis("room")
