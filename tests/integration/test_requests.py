"""What the store is asked for an order, a broadcast, a clip and a bundle, with the index stopped."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.bootstrap import init, open_workspace
from pipeline.errors import IndexUnavailable
from pipeline.evidence.verify_bundle import Asked, verify
from pipeline.ports import ObjectStat, ObjectStore, Tier
from pipeline.runner import Request
from pipeline.serve.bundles import bundle_claim, bundle_order, note_clip, stamp_custody
from pipeline.serve.service import Service
from tests.authority import Authority
from tests.broadcasts import processed
from tests.bundles import desk
from tests.command import EXAMPLES, evidence, short_broadcast
from tests.faults import FaultProxy
from tests.services import s3_settings

MOST_METADATA = 5


class CountingStore:
    """A store as from afar: every request is written down, nothing lies on this machine's disk."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.asked: list[tuple[str, str]] = []

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """All but writing and the content itself: reading packs and recordings."""
        return [a for a in self.asked if a[0] != "put" and not (a[0] == "read" and _content(a[1]))]

    def stat(self, key: str) -> ObjectStat | None:
        self.asked.append(("stat", key))
        return self.store.stat(key)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        self.asked.append(("list", prefix))
        return self.store.list(prefix)

    def read(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str = ""
    ) -> bytes:
        self.asked.append(("read", key))
        return self.store.read(key, start=start, end=end, if_match=if_match)

    def download(self, key: str, path: Path) -> str:
        self.asked.append(("download", key))
        return self.store.download(key, path)

    def put(self, key: str, source: bytes | Path, *, retain_until: datetime | None = None) -> str:
        self.asked.append(("put", key))
        return self.store.put(key, source, retain_until=retain_until)

    def put_if_absent(
        self, key: str, source: bytes | Path, *, retain_until: datetime | None = None
    ) -> bool:
        self.asked.append(("put", key))
        return self.store.put_if_absent(key, source, retain_until=retain_until)

    def presign(self, key: str, *, expires_s: int) -> str:
        self.asked.append(("presign", key))
        return self.store.presign(key, expires_s=expires_s)

    def hold(self, key: str, *, on: bool) -> None:
        self.asked.append(("hold", key))
        self.store.hold(key, on=on)

    def restore(self, key: str, *, days: int, tier: Tier) -> bool:
        self.asked.append(("restore", key))
        return self.store.restore(key, days=days, tier=tier)

    def local_path(self, key: str) -> Path | None:
        return None


def _content(key: str) -> bool:
    return "/packs/" in key or "/media/" in key


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a broadcast, its orders and five others; then its index goes away."""
    folder = tmp_path_factory.mktemp("asked")
    made = init(folder / "w")
    settings = folder / "w" / "evidence.toml"
    settings.write_text("[keyframes]\nocr = false\n")
    works = Service(init(made.root))
    short = short_broadcast(folder / "zh01", seconds=60)
    works.process(
        Request(inputs=(str(short),), transcript_file=EXAMPLES / "zh01" / "transcript.json")
    )
    works.import_orders(EXAMPLES / "zh01" / "orders.jsonl")
    for number in range(5):
        processed(works, folder, f"other-{number}", day=f"2026-06-1{number}")
    settings.write_text(
        f'[index]\nkind = "elasticsearch"\nurl = "http://127.0.0.1:{closed_port()}"\ntimeout_s = 2\n'
    )
    return made.root


@pytest.fixture
def counted(root: Path) -> tuple[Service, CountingStore]:
    app = init(root)
    store = CountingStore(app.store)
    app.store = store
    return Service(app), store


def test_the_index_is_away(root: Path) -> None:
    with pytest.raises(IndexUnavailable):
        Service(init(root)).search("藏青")


def test_an_order(counted: tuple[Service, CountingStore]) -> None:
    works, store = counted
    dossier = works.order("ORD-26060501")
    assert dossier.verdict == "found"
    assert len(store.metadata) <= MOST_METADATA, store.metadata
    assert len(store.asked) <= MOST_METADATA + 2  # and the words and the claims


def test_a_broadcast(counted: tuple[Service, CountingStore]) -> None:
    works, store = counted
    shown = works.show("sample-zh01")
    assert shown["claims"]
    assert shown["keyframes"]
    assert len(store.metadata) <= MOST_METADATA, store.metadata
    assert len(store.asked) <= MOST_METADATA + 4


def test_a_clip_of_a_claim_and_of_a_span(
    counted: tuple[Service, CountingStore], tmp_path: Path
) -> None:
    works, store = counted
    claim = works.claims("sample-zh01")[0]
    store.asked.clear()
    clip = works.clip_claim(claim.claim_id, out=tmp_path, margin_ms=0)
    assert Path(clip.video).stat().st_size > 10_000
    assert len(store.metadata) <= MOST_METADATA, store.metadata
    store.asked.clear()
    works.clip_span("sample-zh01", span=(5_000, 9_000), out=tmp_path, margin_ms=0)
    assert len(store.metadata) <= MOST_METADATA, store.metadata


@pytest.fixture(scope="module", params=["folder", pytest.param("s3", marks=pytest.mark.services)])
def sealing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Service, CountingStore, str]:
    """A workspace whose custody is in the time-stamped log, on a folder or the real server."""
    folder = tmp_path_factory.mktemp(request.param)
    store = ""
    if request.param == "s3":
        settings = s3_settings(bucket=f"asked-{uuid.uuid4().hex[:12]}")
        rows = settings.model_dump(include={"kind", "bucket", "endpoint_url", "access_key_id"})
        rows["secret_access_key"] = settings.secret_access_key.get_secret_value()
        store = "[store]\n" + "".join(f'{key} = "{value}"\n' for key, value in rows.items())
    with Authority(folder / "authority") as authority:
        made = desk(folder / "desk", authority=authority, store=store)
        assert stamp_custody(made.app).stamped
    (index_away := made.app.root / "index").rename(index_away.with_name("gone"))
    app = open_workspace(made.app.root)
    counting = CountingStore(app.store)
    app.store = counting
    claim = next(c for c in made.works.claims("b-<script>1") if c.source == "speech")
    return Service(app), counting, claim.claim_id


def test_a_bundle_of_a_claim_and_of_an_order(
    sealing: tuple[Service, CountingStore, str], tmp_path: Path
) -> None:
    works, store, claim_id = sealing
    for turn in range(3):  # whatever was taken out before
        store.asked.clear()
        sealed = bundle_claim(works, claim_id, out=tmp_path / f"claim-{turn}")
        assert len(store.metadata) <= MOST_METADATA, store.metadata
        assert len(store.asked) <= MOST_METADATA + 11, store.asked
        dossier = works.order("ORD-1")
        store.asked.clear()
        bundle_order(works, dossier, out=tmp_path / f"order-{turn}")
        assert len(store.metadata) <= MOST_METADATA, store.metadata
        clip = works.clip_claim(claim_id, out=tmp_path, margin_ms=0)
        store.asked.clear()
        note_clip(works, clip)
        assert len(store.metadata) <= MOST_METADATA, store.metadata
    report = verify(Asked(sealed.folder))
    assert report.failed == ()
    events = json.loads((sealed.folder / "custody.json").read_bytes())
    assert len(events["events"]) == 2 + 3 * 2
    assert events["log"][0]["tokens"]
    assert (sealed.folder / events["log"][0]["tokens"][0]).is_file()


def test_many_pictures_of_a_bundle_are_a_few_requests(
    sealing: tuple[Service, CountingStore, str], tmp_path: Path
) -> None:
    works, store, claim_id = sealing
    store.asked.clear()
    sealed = bundle_claim(works, claim_id, out=tmp_path)
    assert len(list((sealed.folder / "keyframes").iterdir())) > 1
    packs = [key for what, key in store.asked if what == "read" and "/packs/" in key]
    assert len(packs) <= 6  # words, claims, sidecar; the pictures' table, lines and themselves


@pytest.mark.services
def test_on_the_wire_to_the_real_server(tmp_path: Path) -> None:
    bucket = s3_settings(bucket=f"wire-{uuid.uuid4().hex[:12]}")
    with FaultProxy(bucket.endpoint_url) as proxy:
        rows = bucket.model_dump(include={"kind", "bucket", "access_key_id"})
        rows |= {"endpoint_url": proxy.url}
        rows["secret_access_key"] = bucket.secret_access_key.get_secret_value()
        store = "[store]\n" + "".join(f'{key} = "{value}"\n' for key, value in rows.items())
        made = desk(tmp_path, store=store)
        claim = next(c for c in made.works.claims("b-<script>1") if c.source == "speech")
        proxy.seen.clear()
        done = evidence("bundle", claim.claim_id, "--out", tmp_path / "b", "-w", made.app.root)
        assert done.code == 0, done.err
        asked = [(method, path) for method, path, _ in proxy.seen if method in ("GET", "HEAD")]
    opening = [a for a in asked if a == ("HEAD", f"/{bucket.bucket}")]
    writing = [a for a in asked if a[1].endswith("?object-lock")]
    content = [a for a in asked if a[0] == "GET" and _content(a[1])]
    assert (len(opening), len(writing)) == (1, 1)  # once a process: is it there, does it lock
    rest = [a for a in asked if a not in (*opening, *writing, *content)]
    assert len(rest) <= MOST_METADATA, rest
    assert len(content) <= 9, content


def test_an_order_that_names_no_broadcast_looks_at_its_days_alone(
    counted: tuple[Service, CountingStore],
) -> None:
    works, store = counted
    order = works.book.get("ORD-26060501")
    store.asked.clear()
    dossier = works.order(order.model_copy(update={"broadcast_ids": ()}))
    assert dossier.broadcast_id == "sample-zh01"
    assert not [key for _, key in store.asked if "other-" in key]


def test_the_commands_answer_without_the_index(root: Path, tmp_path: Path) -> None:
    assert evidence("order", "ORD-26060501", "-w", root, "--json").json["verdict"] == "found"
    claims = evidence("show", "sample-zh01", "-w", root, "--json").json["claims"]
    clip = evidence("clip", claims[0]["claim_id"], "-w", root, "--out", tmp_path, "--json")
    assert clip.code == 0, clip.err
    assert evidence("search", "藏青", "-w", root).code == 9
