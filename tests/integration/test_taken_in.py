"""What was taken in to the end is known again; whatever a killed run had not kept is kept then."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bootstrap import Application, init, open_workspace
from pipeline.ingest import run as ingest_room
from pipeline.runner import Request, take_in
from tests.bundles import described
from tests.media import contained, master

FORMS = ("mp4", "hls", "bare")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Request]:
    """One recording as it comes: a file, a playlist, and a file that nobody describes."""
    here = tmp_path_factory.mktemp("given")
    whole = master(here / "master.mp4")
    made = {form: contained(whole, here / form, form) for form in ("mp4", "hls")}
    about = described(here / "in", made["mp4"])
    words = {
        "broadcast_file": about / "broadcast.json",
        "transcript_file": about / "transcript.json",
    }
    asked = {form: Request(inputs=(str(made[form]),), **words) for form in made}
    return asked | {"bare": Request(inputs=(str(made["mp4"]),))}


def kept(app: Application) -> dict[str, tuple[int, int]]:
    """Every object with its size and when it was written."""
    root = app.root / "objects"
    stats = {p.relative_to(root).as_posix(): p.stat() for p in root.rglob("*") if p.is_file()}
    return {key: (stat.st_size, stat.st_mtime_ns) for key, stat in stats.items()}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_known_by_its_hashes(
    given: dict[str, Request], tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
):
    app = init(tmp_path / "w")
    first, before = take_in(app, given[form]), kept(app)

    def looked(source: object) -> None:
        raise AssertionError(f"{source} is looked through again")

    monkeypatch.setattr(ingest_room.media, "inspect", looked)
    again = take_in(open_workspace(app.root), given[form])
    assert (first.created, again.created) == (True, False)
    assert (again.prefix, again.revision) == (first.prefix, first.revision)
    assert kept(app) == before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lost", ["media/", "work/ingest-", "custody/", "given/"])
def test_what_a_killed_run_left_out_is_kept(
    given: dict[str, Request], tmp_path: Path, form: str, lost: str
):
    app = init(tmp_path / "w")
    prefix = take_in(app, given[form]).prefix
    before = set(kept(app))
    gone = sorted(key for key in before if key.startswith(f"{prefix}/{lost}"))
    assert bool(gone) is ((form, lost) != ("bare", "given/"))
    for key in gone[-1:]:
        (app.root / "objects" / key).unlink()
    take_in(app, given[form])
    assert set(kept(app)) == before


def test_a_longer_time_to_keep_holds_for_what_is_here(given: dict[str, Request], tmp_path: Path):
    app = init(tmp_path / "w")
    taken = take_in(app, given["mp4"])
    key = taken.revision.recordings[0].parts[0].key
    before = app.store.retained_until(key)
    (app.root / "evidence.toml").write_text("retention_days = 4000\n", encoding="utf-8")
    take_in(open_workspace(app.root), given["mp4"])
    after = app.store.retained_until(key)
    assert before is not None
    assert after is not None
    assert (after - before).days > 1000
