"""Text from recordings, descriptions and file names is hostile; nowhere is it more than text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from tests.command import evidence, short_broadcast, spoken, workspace
from tests.desks import ask, new_key, served

MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></textarea></script><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7*191 }}${7*191}",
    "<!--<base href=//evil.example>",
)
FORMULAS = (
    '=HYPERLINK("http://evil.example")',
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
)
TERMINAL = "\x1b[31mred\x1b]0;owned\x07\u202egnp.exe"
HOSTILE = " ".join(MARKUP)
ID = "b" + " ".join(MARKUP[:3])
ORDER = "o" + " ".join(MARKUP[:3])
SKU = f'SKU"><script>{FORMULAS[0]}'
FILE = "=cmd'\"><img src=x onerror=alert(1)>{{7*191}}.mp4"
ALLOWED = frozenset(
    re.findall(
        r"\w+",
        "html head meta title link script body a header form input button nav main footer h1 h2 p "
        "strong small aside ul ol li mark span div section video label select option output dl dt "
        "dd table thead tbody tr th td svg rect line text circle br time fieldset legend textarea "
        "img details summary code",
    )
)


class Given(NamedTuple):
    address: str
    here: Path
    key: str
    claim_id: str
    case_id: str

    def ask(self, path: str) -> Any:
        return ask(self.address + path, key=self.key)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = short_broadcast(tmp_path_factory.mktemp("in") / "zh01", seconds=20)
    described = json.loads((folder / "broadcast.json").read_text(encoding="utf-8"))
    described |= {"title": HOSTILE + TERMINAL, "host_id": ID, "merchant_id": ID}
    described["broadcast_id"] = ID
    product = described["products"][0]
    product |= {"sku_id": SKU, "name": HOSTILE, "listing": {"warranty": HOSTILE}}
    for entry in described["product_schedule"]:
        entry["sku_id"] = SKU if entry["sku_id"] == "LZ-LUG-01" else entry["sku_id"]
    video = next(folder.glob("recording.*"))
    video.rename(folder / FILE)
    described["recordings"] = [{"file": FILE, "started_at": described["started_at"]}]
    (folder / "broadcast.json").write_text(json.dumps(described), encoding="utf-8")
    rows = [(3000, 6000, "来看这款行李箱")]
    rows += [
        (7000 + 500 * n, 7400 + 500 * n, f"{payload}质保五年")
        for n, payload in enumerate((*MARKUP, *FORMULAS, TERMINAL))
    ]
    words = spoken(folder / "words.json", rows)
    here = workspace(tmp_path_factory.mktemp("hostile") / "w")
    done = evidence("process", folder, "--transcript", words, "-w", here)
    assert done.code == 0, done.err
    orders = folder / "orders.jsonl"
    order = json.loads(orders.read_text(encoding="utf-8").splitlines()[0])
    order |= {"sku_id": SKU, "broadcast_ids": [described["broadcast_id"]], "order_id": ORDER}
    order |= {"reason_text": f"质保五年{HOSTILE}", "buyer_id": ID}
    orders.write_text(json.dumps(order), encoding="utf-8")
    assert evidence("orders", "import", orders, "-w", here).code == 0
    claims = evidence("claims", described["broadcast_id"], "--json", "-w", here).json
    key = evidence("access", "new", "<b>&\"'", "--role", "admin", "--json", "-w", here).json["key"]
    assert len(key) > 40
    claim_id = next(c["claim_id"] for c in claims if c["value"] == "P5Y")
    named = ("--claim", claim_id, "--order", ORDER, "--span", f"{ID}:7000-9000", "--broadcast", ID)
    case = evidence("cases", "create", HOSTILE + TERMINAL, *named, "--json", "-w", here)
    assert case.code == 0, case.err
    told = new_key(here, "party")
    disclosed = ("--to", told["key_id"], "--why", HOSTILE + TERMINAL, "--by", HOSTILE, "-w", here)
    case_id = case.json["case_id"]
    assert evidence("cases", "disclose", case_id, "--all", *disclosed).code == 0
    with served(here) as address:
        yield Given(address, here, key, claim_id, case_id)


class Strict(HTMLParser):
    """Notes everything in a page that only its templates may hold, and they do not."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in ALLOWED:
            self.found.append(f"<{tag}>")
        if tag == "script":
            self.scripts.append(values.get("src"))
        for name, value in attrs:
            active = name.startswith("on") or name in ("style", "srcdoc", "formaction")
            leads = name in ("href", "src", "action", "poster") and not _own(value or "")
            if active or leads:
                self.found.append(f"{tag} {name}={value}")
        if tag == "img" and not (values.get("src") or "").startswith("/api/v1/broadcasts/"):
            self.found.append(f"img {values}")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"comment {data}")


def _own(address: str) -> bool:
    return address[:1] in ("/", "?", "#") and address[:2] != "//"


def paths(given: Given) -> list[str]:
    broadcast, sku, order = (quote(x, safe="") for x in (ID, SKU, ORDER))
    hostile = quote(HOSTILE + TERMINAL)
    return [
        f"/?q={hostile}",
        "/?q=%E8%B4%A8%E4%BF%9D",
        "/?q=(",
        f"/m/{given.claim_id}",
        f"/m/{hostile}",
        f"/s/7000-9000-r1/{broadcast}",
        f"/b/{broadcast}",
        f"/b/{hostile}",
        "/b",
        f"/o/{order}",
        f"/o/{hostile}",
        f"/sku/{sku}",
        f"/sku/{hostile}",
        "/review",
        f"/review?broadcast={broadcast}",
        f"/review/{given.claim_id}",
        f"/login?next={hostile}",
        "/status",
        f"/{hostile}",
        f"/?lang={hostile}",
        f"/?cursor={hostile}",
        "/cases",
        f"/cases/{given.case_id}",
        *(f"/cases/{given.case_id}/{number}" for number in range(1, 6)),
        f"/cases/{hostile}",
    ]


def test_no_page_holds_more_than_its_template(given: Given):
    shown = 0
    for path in paths(given):
        said = given.ask(path)
        assert said.status in (200, 400, 404), path
        assert said.headers["content-type"].startswith("text/html"), path
        seen = Strict()
        seen.feed(said.text)
        assert seen.found == [], path
        assert seen.scripts == ["/static/desk.js"], path
        assert "1337" not in said.text, path
        assert not {"\x1b", "\x07", "\u202e"} & set(said.text), path
        shown += "&lt;script&gt;alert(1)&lt;/script&gt;" in said.text
    assert shown >= 6


def test_what_it_would_take_is_noticed():
    for page in (
        "<script src=x></script><b>",
        "<a href=javascript:1>",
        "<p onclick=x>",
        "<!--x-->",
    ):
        seen = Strict()
        seen.feed(page)
        assert seen.found, page


def test_the_api_answers_with_json_that_no_browser_takes_for_a_page(given: Given):
    broadcast, sku, order = (quote(x, safe="") for x in (ID, SKU, ORDER))
    for path in (
        "search?q=%E8%B4%A8%E4%BF%9D",
        f"search?q={quote(HOSTILE)}",
        f"broadcasts/{broadcast}",
        f"claims/{quote(HOSTILE, safe='')}",
        f"skus/{sku}",
        f"orders/{order}",
        f"broadcasts/{quote(HOSTILE + TERMINAL, safe='')}",
    ):
        said = given.ask(f"/api/v1/{path}")
        kind = "application/json" if said.status == 200 else "application/problem+json"
        assert said.headers["content-type"] == kind, path
        assert said.headers["x-content-type-options"] == "nosniff"
        json.loads(said.body)
    dossier = given.ask(f"/api/v1/orders/{order}").json
    assert dossier["order_id"] == ORDER


def test_a_hostile_file_name_never_becomes_a_header_or_a_path(given: Given):
    made = given.ask(f"/api/v1/claims/{given.claim_id}/clip").json
    assert made["info"]["file_name"] == FILE
    video = given.ask(f"/api/v1/claims/{given.claim_id}/clip.mp4")
    assert video.headers["content-disposition"] == f'inline; filename="{given.claim_id}.mp4"'
    span = given.ask(f"/api/v1/spans/7000-9000/{quote(ID, safe='')}/clip.mp4")
    assert "<" not in span.headers["content-disposition"]
    assert ".." not in span.headers["content-disposition"]


def test_no_cell_of_the_csv_is_a_formula(given: Given):
    rows = evidence("claims", ID, "--csv", "-w", given.here)
    assert rows.code == 0, rows.err
    served_rows = given.ask(f"/api/v1/broadcasts/{quote(ID, safe='')}/claims.csv")
    assert served_rows.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in served_rows.headers["content-disposition"]
    assert served_rows.text == rows.out.replace("\r\n", "\n").replace("\n", "\r\n")
    cells = [cell for row in csv.reader(io.StringIO(served_rows.text)) for cell in row]
    assert len(cells) > 100
    for cell in cells:
        assert cell.lstrip()[:1] not in tuple("=+-@＝＋－＠"), cell
    assert any(cell.startswith("'SKU") or "SKU" in cell for cell in cells)


@pytest.mark.parametrize("payload", FORMULAS)
def test_every_formula_is_quoted(payload: str):
    from pipeline.serve.exports import safe_cell

    assert safe_cell(payload) == f"'{payload}"
    assert safe_cell("质保五年") == "质保五年"


def test_the_terminal_is_not_driven(given: Given):
    for command in (["show", ID], ["search", "质保"], ["order", ORDER], ["status"]):
        done = evidence(*command, "-w", given.here)
        assert done.code == 0, done.err
        assert not {"\x1b", "\x07", "\u202e"} & set(done.out + done.err)


def test_names_of_keys_are_text_too(given: Given):
    page = given.ask("/").text
    assert "&lt;b&gt;" in page
    assert new_key(given.here, "agent")["role"] == "agent"
