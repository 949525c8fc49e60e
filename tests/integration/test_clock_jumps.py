"""A wall clock that jumps by days, back and forth, changes neither bytes nor what is waited for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.clocks import jumping
from tests.command import EXAMPLES, PROGRAM, evidence, short_broadcast, workspace
from tests.kills import outputs
from tests.on_air import Air, cut_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DAY_S = 86_400
JUMPS = [-3 * DAY_S, 40 * DAY_S, -3600, 400 * DAY_S]

FOLLOW = """
import json, sys
from pathlib import Path
from pipeline.bootstrap import init
from pipeline.ingest.places import place_of
from pipeline.journal import Journal
from pipeline.live import Session
from pipeline.live_lag import Pace
from tests.fakes import LoudnessTranscriber

app = init(Path(sys.argv[1]))
app.transcriber = LoudnessTranscriber()
place = place_of(sys.argv[2], s3=lambda _: app.store, marker="_END")
pace = Pace(every_s=0.1, patience_s=2, settle_s=0.2, seal_ms=10_000)
session = Session(app, place, pace=pace)
Path(sys.argv[3]).touch()
found = session.follow()
seals = [s for s in Journal(app.store, session.prefix).seals()]
print(json.dumps({
    "contents": [s.content for s in seals],
    "events": [e.kind for s in seals for e in s.events],
    "lags": [lag.after_landing_ms for lag in found.lags],
}))
"""


def test_a_run_whose_clock_jumps_gives_the_same_bytes(tmp_path: Path):
    recording = short_broadcast(tmp_path / "in", seconds=12)
    words = EXAMPLES / "zh01" / "transcript.json"
    left = []
    for name in ("steady", "jumping"):
        here = workspace(tmp_path / name)
        (here / "evidence.toml").write_text("[keyframes]\nocr = false\n")
        process = ["process", str(recording), "--transcript", str(words), "-w", str(here)]
        if name == "steady":
            assert evidence(*process).code == 0
        else:
            done = jumping([*PROGRAM, *process], tmp_path, jumps=JUMPS, every_s=0.7)
            assert done.returncode == 0, done.stderr
        left.append(outputs(here))
    assert left[0] == left[1]


def test_a_broadcast_on_air_is_followed_through_a_clock_that_jumps(tmp_path: Path):
    air = Air(tmp_path / "air", cut_up(tmp_path / "segments", seconds=32))
    for number in (0, 1, 2, 4, 5, 6, 7):  # one is missing: it is waited for, by a steady clock
        air.land(number)
    air.end()
    found = []
    for name in ("steady", "jumping"):
        jumps = JUMPS if name == "jumping" else [0]
        begun = tmp_path / f"{name}-begun"
        command = [sys.executable, "-c", FOLLOW, str(tmp_path / name), str(air.folder), str(begun)]
        done = jumping(command, tmp_path, jumps=jumps, every_s=0.5, begun=begun)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    steady, jumped = found
    assert jumped["contents"] == steady["contents"]
    assert jumped["events"] == steady["events"] == ["missing"]
    assert jumped["lags"]
    assert all(0 <= lag < 300_000 for lag in jumped["lags"])
