"""The recipe printed in docs/evidence.md verifies a bundle without this package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.evidence import verify_bundle
from pipeline.evidence.seal import write_sums
from pipeline.provenance import VERSION, sha256_file
from tests.authority import Authority
from tests.bundles import Desk, desk
from tests.museum import flip, only

DOCS = Path(__file__).parents[2] / "docs" / "evidence.md"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Authority(tmp_path_factory.mktemp("authority")) as authority:
        yield desk(tmp_path_factory.mktemp("desk"), authority=authority)


@pytest.fixture(scope="module")
def sealed(here: Desk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return here.seal(tmp_path_factory.mktemp("sealed")).folder


@pytest.fixture
def clean(here: Desk, sealed: Path, tmp_path: Path) -> Path:
    """A folder with the bundle and what comes from elsewhere, and nothing else."""
    shutil.copytree(sealed, tmp_path / "bundle")
    trust = json.loads(here.trust(tmp_path / "trust.json").read_bytes())
    (tmp_path / "trust.json").unlink()
    (tmp_path / "key.hex").write_text(trust["keys"][0]["key"])
    (tmp_path / "roots.pem").write_text(trust["authorities"][0]["certificates"])
    shutil.copyfile(here.recording, tmp_path / "recording")
    return tmp_path


def by_hand(folder: Path) -> subprocess.CompletedProcess[str]:
    (recipe,) = re.findall(r"```sh\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", recipe],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_recipe_verifies_a_good_bundle(clean: Path) -> None:
    done = by_hand(clean)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith("verified")
    assert "Signature Verified Successfully" in done.stdout
    assert (done.stdout + done.stderr).count("Verification: OK") == 2


def _another_recording(folder: Path) -> None:
    flip(folder / "recording")


def _report(folder: Path) -> None:
    flip(folder / "bundle/report.html")


def _report_with_its_sum(folder: Path) -> None:
    flip(folder / "bundle/report.html")
    write_sums(folder / "bundle")


def _more(folder: Path) -> None:
    (folder / "bundle/more.json").write_text("{}")


def _signature(folder: Path) -> None:
    flip(folder / "bundle/seal/MANIFEST.sig")
    write_sums(folder / "bundle")


def _key(folder: Path) -> None:
    (folder / "key.hex").write_text("0" * 64)


def _token(folder: Path) -> None:
    flip(folder / "bundle/seal/timestamp-1.tsr", -20)
    write_sums(folder / "bundle")


def _source(folder: Path) -> None:
    flip(only(folder / "bundle", "source/*.bin"))
    write_sums(folder / "bundle")


def _removed(folder: Path) -> None:
    (folder / "bundle/claims.json").unlink()
    write_sums(folder / "bundle")


BROKEN = [_another_recording, _report, _report_with_its_sum, _more, _signature, _key, _token, _source, _removed]  # fmt: skip


@pytest.mark.parametrize("breaks", BROKEN, ids=lambda one: one.__name__[1:])
def test_the_recipe_refuses_a_broken_one(clean: Path, breaks) -> None:  # type: ignore[no-untyped-def]
    breaks(clean)
    done = by_hand(clean)
    assert done.returncode != 0
    assert "verified\n" not in done.stdout


def test_the_published_hash_is_that_of_the_script() -> None:
    text = DOCS.read_text(encoding="utf-8")
    published = re.search(r"`verify.py` of version (\S+) has the SHA-256\s+`([0-9a-f]{64})`", text)
    assert published is not None
    assert published[1] == VERSION
    assert published[2] == sha256_file(Path(verify_bundle.__file__))
