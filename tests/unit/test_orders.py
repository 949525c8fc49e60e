"""Orders: reading both forms, keeping them encrypted, deleting by key."""

import json
import multiprocessing
import os
import stat
from datetime import UTC, datetime

import pytest

from pipeline.cases.keyring import KeyRing
from pipeline.cases.orders import OrderBook
from pipeline.cases.orders_file import read_orders
from pipeline.cases.run import import_orders
from pipeline.errors import ConfigError, HashMismatch, InputError, NotFound
from pipeline.model import Order
from tests.fakes import MemoryStore

LINE = {
    "order_id": "O-1",
    "broadcast_id": "b1",
    "sku_id": "S-1",
    "ordered_at": "2026-06-05T15:01:45+08:00",
    "reason_code": "warranty_refused",
    "reason_text": "不给修",
}


def jsonl(*rows):
    return "\n".join(json.dumps(r, ensure_ascii=False) for r in rows).encode()


def an_order(**fields):
    return Order(
        **{"order_id": "O-1", "sku_id": "S", "ordered_at": datetime(2026, 1, 1, tzinfo=UTC)}
        | fields
    )


def book_at(folder):
    return OrderBook(MemoryStore(), KeyRing(folder))


# --- reading ------------------------------------------------------------------------------


def test_json_lines_with_broadcast_absent_or_list():
    rows = [LINE, LINE | {"order_id": "O-2", "broadcast_id": ["a", "b"]}]
    rows.append({k: v for k, v in LINE.items() if k != "broadcast_id"} | {"order_id": "O-3"})
    found = read_orders(b"\xef\xbb\xbf" + jsonl(*rows) + b"\n\n", file_name="o.jsonl")
    assert [o.broadcast_ids for o in found.orders] == [("b1",), ("a", "b"), ()]
    assert found.orders[0].reason_text == "不给修"
    assert found.warnings == ()


def test_csv_gives_the_same_orders_as_json_lines():
    csv = (
        "order_id,broadcast_id,sku_id,ordered_at,reason_code,reason_text,external_ids.erp,price\r\n"
        'O-1,b1;b2,S-1,2026-06-05T15:01:45+08:00,warranty_refused,"坏了,\n不给修",E9,12.50\r\n'
    )
    row = LINE | {
        "broadcast_id": ["b1", "b2"],
        "reason_text": "坏了,\n不给修",
        "external_ids": {"erp": "E9"},
        "price": "12.50",
    }
    for payload in (csv.encode(), csv.encode("utf-8-sig")):
        assert (
            read_orders(payload, file_name="o.csv").orders
            == read_orders(jsonl(row), file_name="o").orders
        )
    other = read_orders(csv.encode("gb18030"), file_name="o.csv")
    assert other.orders[0].reason_text == "坏了,\n不给修"
    assert "GB 18030" in other.warnings[0]


def test_unknown_fields_are_kept_and_reported():
    found = read_orders(jsonl(LINE | {"seat": 4, "weight": 1.5}), file_name="o.jsonl")
    assert found.orders[0].extra == {"seat": 4, "weight": "1.5"}
    assert "'seat', 'weight'" in found.warnings[0]


def test_a_later_line_for_the_same_order_counts_with_a_warning():
    found = read_orders(jsonl(LINE, LINE | {"sku_id": "S-2"}), file_name="o.jsonl")
    assert [o.sku_id for o in found.orders] == ["S-2"]
    assert "line 2" in found.warnings[0]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"  \n", ["o.x", "empty"]),
        (jsonl(LINE) + b'\n{"order_id": ', ["o.x", "line 2"]),
        (jsonl(LINE, {"sku_id": "x"}), ["o.x: line 2", "ordered_at"]),
        (jsonl(LINE | {"ordered_at": "2026-06-05 15:00"}), ["line 1", "ordered_at", "time zone"]),
        (jsonl(LINE | {"order_id": ""}), ["line 1", "order_id"]),
        (jsonl(LINE | {"broadcast_id": [{}]}), ["line 1", "broadcast_id"]),
        (jsonl(LINE | {"schema_version": 9}), ["line 1", "schema_version"]),
        (b"[1, 2]", ["line 1", "object"]),
        (b"order_id,sku_id\nO,S\n", ["line 1", "ordered_at"]),
        (b"order_id,sku_id,ordered_at\nO,S\n", ["line 2", "2 cells"]),
        (b"order_id,sku_id,sku_id,ordered_at\n", ["line 1", "twice"]),
        (b"order_id,sku_id,ordered_at\nO,S,2026-06-05T15:00:00Z\nP,S,soon\n", ["line 3", "soon"]),
        (b'order_id,sku_id,ordered_at\nO,"S\n', ["line", "CSV"]),
    ],
)
def test_errors_name_file_line_and_field(payload, words):
    with pytest.raises(InputError) as caught:
        read_orders(payload, file_name="o.x")
    assert all(w in str(caught.value) for w in words), str(caught.value)
    assert caught.value.hint


# --- keeping ------------------------------------------------------------------------------


def test_put_and_get_and_the_same_again_is_a_no_op(tmp_path):
    book = book_at(tmp_path)
    assert book.put(an_order(buyer_id="B")) is True
    assert book.put(an_order(buyer_id="B")) is False
    assert book.get("O-1") == an_order(buyer_id="B")
    with pytest.raises(NotFound, match="O-9"):
        book.get("O-9")


def test_a_changed_order_is_a_new_version_and_the_old_stays(tmp_path):
    store = MemoryStore()
    book = OrderBook(store, KeyRing(tmp_path))
    book.put(an_order(price="1"))
    book.put(an_order(price="2"))
    assert book.get("O-1").price == "2"
    book.put(an_order(price="1"))
    assert book.get("O-1").price == "2", "an old file imported again does not go back"
    assert len(list(store.list("orders/"))) == 2
    assert [o.price for o in book.all()] == ["2"]


def test_nothing_personal_is_readable_in_the_store(tmp_path):
    store = MemoryStore()
    OrderBook(store, KeyRing(tmp_path)).put(
        an_order(order_id="ORD-777", buyer_id="buyer-42", reason_text="不给修 secret words")
    )
    for found in store.list(""):
        blob = found.key.encode() + store.read(found.key)
        for text in ("ORD-777", "buyer-42", "secret words", "不给修"):
            assert text.encode() not in blob


def test_destroying_a_key_destroys_the_orders_of_that_person_only(tmp_path):
    book = book_at(tmp_path)
    mine, also, other = (
        an_order(order_id=i, buyer_id=b) for i, b in (("1", "A"), ("2", "A"), ("3", "B"))
    )
    for order in (mine, also, other):
        book.put(order)
    assert book.erase(book.subject_of("1")) is True
    for gone in ("1", "2"):
        with pytest.raises(NotFound, match="deleted"):
            book.get(gone)
    assert book.get("3") == other
    assert list(book.all()) == [other]
    assert book.erase(book.subject_of("1")) is False
    book.put(mine)
    assert book.get("1") == mine, "a new import makes a new key"
    with pytest.raises(NotFound):
        book.get("2")


def test_changed_bytes_and_a_moved_object_are_noticed(tmp_path):
    store = MemoryStore()
    keys = KeyRing(tmp_path)
    OrderBook(store, keys).put(an_order())
    (found,) = store.list("orders/")
    payload = bytearray(store.read(found.key))
    payload[-1] ^= 1
    changed = MemoryStore()
    changed.put(found.key, bytes(payload))
    with pytest.raises(HashMismatch):
        OrderBook(changed, keys).get("O-1")
    moved = MemoryStore()
    moved.put(found.key.replace(".bin", "0.bin"), store.read(found.key))
    with pytest.raises(HashMismatch):
        OrderBook(moved, keys).get("O-1")


def test_import_keeps_nothing_of_a_broken_file(tmp_path):
    book = book_at(tmp_path)
    with pytest.raises(InputError):
        import_orders(jsonl(LINE, {"order_id": "x"}), file_name="o.jsonl", book=book)
    with pytest.raises(NotFound):
        book.get("O-1")
    done = import_orders(jsonl(LINE), file_name="o.jsonl", book=book)
    again = import_orders(jsonl(LINE), file_name="o.jsonl", book=book)
    assert (done.new, done.unchanged, again.new, again.unchanged) == (1, 0, 0, 1)


def test_key_files_are_private_and_a_short_one_is_refused(tmp_path):
    keys = KeyRing(tmp_path / "keys")
    keys.key("A")
    files = [p for p in (tmp_path / "keys").rglob("*") if p.is_file()]
    assert len(files) == 2
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in files)
    assert not any("A" in p.name for p in files)
    (tmp_path / "keys" / "secret.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="backup"):
        KeyRing(tmp_path / "keys").hashed("order", "1")


def _key_of(folder):
    os.nice(0)
    return KeyRing(folder).key("A"), KeyRing(folder).hashed("order", "1")


def test_processes_that_make_the_keys_at_once_agree(tmp_path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.map(_key_of, [tmp_path] * 16)
    assert len(set(found)) == 1
