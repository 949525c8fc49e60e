"""The desk while a recording is archived: its state, its viewing copy, and its clip once it is back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cellars import BROADCAST as BROADCAST_ID
from tests.cellars import Cellar, cellar
from tests.command import evidence
from tests.desks import ask, served

KINDS = ["folder", pytest.param("s3", marks=pytest.mark.services)]
KIND = {"Content_Type": "application/json"}
ON = "[viewing]\nenabled = true\nshort_side_px = 120\n"


@pytest.fixture(scope="module", params=KINDS)
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cellar]:
    with cellar(request.param, tmp_path_factory.mktemp(request.param), settings=ON) as one:
        yield one


def test_the_desk_shows_it_and_says_what_it_is(stored: Cellar) -> None:
    stored.chill()
    works, root = stored.desk.works, stored.desk.app.root
    claim = [c for c in works.claims(BROADCAST_ID) if c.source == "speech"][1]
    with served(root) as address:
        api = f"{address}/api/v1"
        said = ask(f"{api}/claims/{claim.claim_id}/clip")
        assert said.status == 202
        assert said.json["recording"]["state"] == "cold"
        assert said.json["viewing"]["info"]["kind"] == "viewing_copy"
        video = ask(f"{address}{said.json['viewing']['links']['mp4']}", Range="bytes=4-7")
        assert (video.status, video.body) == (206, b"ftyp")
        assert ask(f"{api}/claims/{claim.claim_id}/clip.mp4").status == 202
        wanted = {"broadcast_id": BROADCAST_ID, "start_ms": 1000, "end_ms": 3000}
        body = json.dumps(wanted).encode()
        made = ask(f"{api}/clips", method="POST", body=body, Content_Type="application/json")
        assert made.status == 202
        assert ask(f"{address}{made.json['viewing']['links']['srt']}").status == 200
        for asked in ({"claim_id": claim.claim_id}, {"order_id": "ORD-1"}):
            sealed = ask(f"{api}/bundles", method="POST", body=json.dumps(asked).encode(), **KIND)
            assert sealed.status == 202
            assert sealed.json["viewing"]["links"]["mp4"]
        order = ask(f"{api}/orders/ORD-1").json
        assert (order["verdict"], order["recording"]["state"]) == ("found", "cold")
        shown = ask(f"{address}/m/{claim.claim_id}?lang=zh").text
        assert "归档" in shown
        assert "不是证据" in shown
        assert "viewing.mp4" in shown
        assert "must be restored first" in ask(f"{address}/o/ORD-1?lang=en").text
        assert evidence("restore", BROADCAST_ID, "-w", root).code == 0
        again = ask(f"{api}/claims/{claim.claim_id}/clip")
        assert (again.status, again.json["recording"]["state"]) == (202, "restoring")
        stored.bring_back()
        there = ask(f"{api}/claims/{claim.claim_id}/clip")
        assert there.status == 200
        assert there.json["info"]["source_ranges"]
        body = json.dumps({"claim_id": claim.claim_id}).encode()
        assert ask(f"{api}/bundles", method="POST", body=body, **KIND).status == 201
