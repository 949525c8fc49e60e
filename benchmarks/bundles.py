"""Sealed bundles: good ones that verify, and changed ones that must not.

    python -m benchmarks.bundles [--good 200] [--changes 10000] [--json FILE]

Good bundles are sealed from claims of the eight examples, whose given transcripts are used, with
a local time-stamp authority; each is verified as folder and as zip with a trust file. Then single
bytes of one bundle are changed at random, in the folder and in the zip, and every exhibit of the
museum is looked at. Wall time of a check stands beside ``sha256sum -c`` over the same files.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.bootstrap import init, open_workspace
from pipeline.errors import EvidenceError
from pipeline.evidence.verify_bundle import Asked, verify
from pipeline.runner import Request
from pipeline.serve.bundles import bundle_claim, key_folder, trust_file
from pipeline.serve.service import Service
from tests.authority import Authority
from tests.museum import collection, exhibits, made

EXAMPLES = Path(__file__).parents[1] / "examples"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def workspace(folder: Path, authority: Authority) -> Service:
    """A workspace with the examples, their words given, pictures kept but not read."""
    app = init(folder)
    row = f'{{name = "{authority.name}", url = "{authority.url}", ca_file = "{authority.root}"}}'
    text = f"[keyframes]\nocr = false\n[seal]\nauthorities = [{row}]\n"
    (folder / "evidence.toml").write_text(text, encoding="utf-8")
    works = Service(open_workspace(app.root))
    key_folder(works.app).new(name="benchmark", now_utc_ms=int(time.time() * 1000) - 1000)
    for example in sorted(EXAMPLES.iterdir()):
        recording = min(example.glob("recording.*"))
        words, about = example / "transcript.json", example / "broadcast.json"
        works.process(Request((str(recording),), about, words))
        say(f"{example.name}: processed")
    return works


def good_ones(works: Service, trust: Path, out: Path, count: int) -> dict[str, Any]:
    """Seal and verify; what was rejected is named."""
    claims = [works.claims(f"sample-{example.name}") for example in sorted(EXAMPLES.iterdir())]
    rounds = (claim for row in itertools.zip_longest(*claims) for claim in row if claim)
    rejected, sealing, checking, summing, sizes = [], [], [], [], []
    for number, claim in enumerate(itertools.islice(rounds, count)):
        begun = time.perf_counter()
        try:
            sealed = bundle_claim(works, claim.claim_id, out=out)
        except EvidenceError as error:
            rejected.append(f"{claim.claim_id}: not sealed: {error}")
            continue
        sealing.append(time.perf_counter() - begun)
        for place in (sealed.folder, sealed.archive):
            assert place is not None
            begun = time.perf_counter()
            report = verify(Asked(place, trust))
            checking.append(time.perf_counter() - begun)
            if report.failed or not report.holds("trusted") or not report.holds("time_proven"):
                rejected.append(
                    f"{claim.claim_id}: {[c for c in report.checks if c.status != 'pass']}"
                )
        begun = time.perf_counter()
        asked = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
        subprocess.run(asked, cwd=sealed.folder, check=True)
        summing.append(time.perf_counter() - begun)
        assert sealed.archive is not None
        sizes.append(sealed.archive.stat().st_size)
        if number:
            shutil.rmtree(sealed.folder)
            sealed.archive.unlink()
    return {
        "good": len(sealing),
        "verified": len(checking),
        "false_rejects": rejected,
        "seal_median_s": round(statistics.median(sealing), 3),
        "verify_median_s": round(statistics.median(checking), 3),
        "sha256sum_median_s": round(statistics.median(summing), 3),
        "zip_median_bytes": int(statistics.median(sizes)),
    }


def changed_ones(folder: Path, trust: Path, count: int) -> dict[str, Any]:
    """Change one byte, verify, change it back; half in the folder, half in the zip."""
    dice = random.Random(datetime.now(UTC).timestamp())
    archive = folder.with_name(f"{folder.name}.zip")
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    weights = [p.stat().st_size for p in files]
    accepted = []
    for number in range(count):
        evenly = dice.choice(files)
        file = archive if number % 2 else dice.choice([evenly, *dice.choices(files, weights)])
        at = dice.randrange(file.stat().st_size)
        with file.open("r+b") as held:
            held.seek(at)
            (before,) = held.read(1)
            held.seek(at)
            held.write(bytes([before ^ dice.randrange(1, 256)]))
        report = verify(Asked(archive if number % 2 else folder, trust))
        if not report.failed or report.holds("trusted"):
            accepted.append(f"{file.name} at {at}")
        with file.open("r+b") as held:
            held.seek(at)
            held.write(bytes([before]))
        if number % 1000 == 999:
            say(f"{number + 1} changes, {len(accepted)} accepted")
    assert verify(Asked(folder, trust)).holds("trusted")
    assert verify(Asked(archive, trust)).holds("trusted")
    return {"changes": count, "false_accepts": accepted}


def museum(folder: Path) -> dict[str, Any]:
    """Every exhibit; whether any came through, and whether each fails as it says."""
    store = collection(folder / "store")
    accepted, otherwise = [], []
    for one in exhibits():
        shown = made(one, store, folder / "shown")
        report = verify(Asked(shown.bundle, shown.trust))
        if one.fails and report.holds("trusted"):
            accepted.append(one.name)
        if set(report.failed) != one.fails:
            otherwise.append(one.name)
    return {"exhibits": len(exhibits()), "false_accepts": accepted, "fail_otherwise": otherwise}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--good", type=int, default=200)
    options.add_argument("--changes", type=int, default=10_000)
    options.add_argument("--json", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        with Authority(here / "authority") as authority:
            works = workspace(here / "w", authority)
            trust = here / "trust.json"
            trust.write_text(json.dumps(trust_file(works.app)), encoding="utf-8")
            found: dict[str, Any] = good_ones(works, trust, here / "sealed", asked.good)
        say(json.dumps(found, ensure_ascii=False))
        (folder,) = (p for p in (here / "sealed").iterdir() if p.is_dir())
        found["single_bytes"] = changed_ones(folder, trust, asked.changes)
        found["museum"] = museum(here / "museum")
    text = json.dumps(found, indent=2, ensure_ascii=False)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
