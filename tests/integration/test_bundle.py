"""A sealed bundle is made from a real recording and verifies; nothing else does."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, InputError
from pipeline.evidence import verify_bundle
from pipeline.evidence.bundle import restamp
from pipeline.evidence.seal import write_zip
from pipeline.evidence.verify_bundle import Asked, verify
from pipeline.serve.bundles import bundle_order, custody_checked, key_folder, now_ms
from tests import media as made
from tests.authority import Authority
from tests.bundles import Desk, desk
from tests.services import s3_settings


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority(tmp_path_factory.mktemp("authority")) as one:
        yield one


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Desk:
    return desk(tmp_path_factory.mktemp("desk"), authority=authority)


@pytest.fixture(scope="module")
def sealed(here: Desk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return here.seal(tmp_path_factory.mktemp("sealed")).folder


@pytest.fixture(scope="module")
def trust(here: Desk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return here.trust(tmp_path_factory.mktemp("trust") / "trust.json")


def test_all_five_verdicts_hold_with_an_outside_root(here: Desk, sealed: Path, trust: Path) -> None:
    report = verify(Asked(sealed, trust, (here.recording,)))
    assert [c for c in report.checks if c.status != "pass"] == []
    assert [v.name for v in report.verdicts if v.holds] == [
        "intact",
        "lineage",
        "signed",
        "time_proven",
        "trusted",
    ]
    assert report.facts["first_hash_after_end_ms"] > 0
    assert abs(report.facts["proven_utc_ms"] - report.facts["sealed_utc_ms"]) < 60_000


def test_another_recording_is_told(here: Desk, sealed: Path, trust: Path, tmp_path: Path) -> None:
    data = bytearray(here.recording.read_bytes())
    data[-200] ^= 1
    (tmp_path / "other.mp4").write_bytes(data)
    for given in ((tmp_path / "other.mp4",), (tmp_path,)):
        report = verify(Asked(sealed, trust, given))
        assert report.failed == (13,)
        assert not report.holds("trusted")
    assert verify(Asked(sealed, trust, (tmp_path, here.recording))).holds("trusted")


def test_nothing_is_trusted_without_an_outside_root(sealed: Path) -> None:
    report = verify(Asked(sealed))
    assert report.failed == ()
    assert [v.name for v in report.verdicts if v.holds] == ["intact", "lineage", "signed"]


def test_the_zip_is_the_folder_and_always_the_same(
    sealed: Path, trust: Path, tmp_path: Path
) -> None:
    archive = sealed.with_name(f"{sealed.name}.zip")
    assert verify(Asked(archive, trust)).holds("trusted")
    again = write_zip(sealed, tmp_path / "again.zip")
    assert again is not None
    assert again.read_bytes() == archive.read_bytes()
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "folder")
    assert verify(Asked(tmp_path / "folder", trust)).holds("trusted")


def test_the_script_in_the_bundle_is_the_one_the_command_runs(sealed: Path, trust: Path) -> None:
    inner = sealed / "verify.py"
    assert inner.read_bytes() == Path(verify_bundle.__file__).read_bytes()
    asked = [sys.executable, "-I", str(inner), str(sealed), "--trust", str(trust), "--json"]
    done = subprocess.run(asked, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["verdicts"]["trusted"]["holds"] is True
    alone = subprocess.run(asked[:4], capture_output=True, check=False, text=True)
    assert alone.returncode == 0
    assert "[self]" in alone.stdout


@pytest.mark.parametrize("form", [f for f in made.FORMS if f != "mp4"])
def test_every_container_has_lineage(form: str, tmp_path: Path) -> None:
    one = desk(tmp_path, form=form)
    made_of = one.seal(tmp_path / "out", nth=2)
    given = one.recording.parent if form == "hls" else one.recording
    report = verify(Asked(made_of.folder, None, (given,)))
    assert report.failed == (), [c for c in report.checks if c.status == "fail"]
    assert report.holds("lineage")
    assert report.checks[12].status == "pass"
    assert made_of.stamped == ()
    assert made_of.refused


@pytest.mark.services
def test_a_bundle_from_an_s3_store(tmp_path: Path, authority: Authority) -> None:
    settings = s3_settings(bucket=f"bundle-{uuid.uuid4().hex[:12]}")
    rows = settings.model_dump(include={"kind", "bucket", "endpoint_url", "access_key_id"})
    rows["secret_access_key"] = settings.secret_access_key.get_secret_value()
    store = "[store]\n" + "".join(f'{key} = "{value}"\n' for key, value in rows.items())
    one = desk(tmp_path, form="flv", authority=authority, store=store)
    made_of = one.seal(tmp_path / "out")
    report = verify(Asked(made_of.folder, one.trust(tmp_path / "t.json"), (one.recording,)))
    assert [c for c in report.checks if c.status != "pass"] == []
    (found,) = custody_checked(one.app, [], deep=True)
    assert (found.events, found.faults) == (3, ())


def test_an_order_is_answered_and_sealed_in_one_call(
    here: Desk, trust: Path, tmp_path: Path
) -> None:
    made_of = bundle_order(here.works, here.works.order("ORD-1"), out=tmp_path)
    assert verify(Asked(made_of.folder, trust)).holds("trusted")
    told = json.loads((made_of.folder / "claims.json").read_bytes())["claims"]
    warranty = {r["relation"] for r in told if r["claim"]["claim_type"] == "warranty"}
    assert "asked" in warranty
    assert {"LUG-1"} <= {r["claim"]["sku_id"] for r in told}
    about = (made_of.folder / "bundle.json").read_text(encoding="utf-8")
    assert "ORD-1" in about
    assert "buyer-1" not in "".join(
        p.read_text(encoding="utf-8") for p in made_of.folder.glob("*.json")
    )


def test_the_report_runs_nothing_and_escapes_everything(sealed: Path) -> None:
    page = (sealed / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "[U+202E]" in page
    assert "default-src 'none'" in page
    assert "五年质保" in page
    assert "sha256sum -c SHA256SUMS" in page


def test_a_missing_time_stamp_is_said_and_asked_for_again(
    here: Desk, authority: Authority, trust: Path, tmp_path: Path
) -> None:
    authority.refuse = True
    made_of = here.seal(tmp_path, nth=1)
    authority.refuse = False
    assert made_of.stamped == ()
    assert [r.authority for r in made_of.refused] == ["Test authority"]
    report = verify(Asked(made_of.folder, trust))
    assert report.checks[9].code == "untimestamped"
    assert not report.holds("time_proven")
    signature = (made_of.folder / "seal" / "MANIFEST.sig").read_bytes()
    assert restamp(made_of.folder, here.app.settings.seal).stamped == ("Test authority",)
    assert (made_of.folder / "seal" / "MANIFEST.sig").read_bytes() == signature
    archive = made_of.archive
    assert archive is not None
    for place in (made_of.folder, archive):
        assert verify(Asked(place, trust)).holds("time_proven")
    assert restamp(archive, here.app.settings.seal).stamped == ()


def test_a_seal_is_never_replaced(here: Desk, tmp_path: Path) -> None:
    here.seal(tmp_path)
    with pytest.raises(InputError, match="there is a bundle already"):
        here.seal(tmp_path)


def test_without_a_key_nothing_is_sealed(here: Desk, tmp_path: Path) -> None:
    keys = here.app.keys / "signing"
    kept = keys.rename(keys.with_name("away"))
    try:
        with pytest.raises(ConfigError, match="no signing key"):
            here.seal(tmp_path / "out")
        assert not (tmp_path / "out").exists()
    finally:
        kept.rename(keys)


def test_keys_have_a_dated_history(here: Desk, trust: Path, tmp_path: Path) -> None:
    first = here.seal(tmp_path / "a").folder
    folder = key_folder(here.app)
    old = folder.history().current
    assert old is not None
    folder.new(name="second", now_utc_ms=now_ms() + 1000)
    later = here.trust(tmp_path / "later.json")
    assert verify(Asked(first, later)).holds("trusted")  # stamped while the key was in use
    second = here.seal(tmp_path / "b").folder
    assert verify(Asked(second, trust)).checks[10].code == "unknown_key"
    folder.revoke(old.key[:12], since_utc_ms=now_ms() - 3_600_000)
    revoked = here.trust(tmp_path / "revoked.json")
    assert verify(Asked(first, revoked)).checks[10].code == "revoked"
