"""Museum: time-stamps, keys, trust files, the script, and zips."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.evidence.seal import write_sums, write_zip
from pipeline.evidence.verify_bundle import SIGNATURE
from tests.authority import Authority
from tests.museum import (
    EXHIBITS,
    Break,
    Exhibit,
    Json,
    Store,
    exhibit,
    only,
    resealed,
    seal_again,
    stamp_again,
)

# --- time -------------------------------------------------------------------------------------------


@exhibit(10)
def time_stamp_of_an_unknown_authority(folder: Path, store: Store) -> None:
    stamp_again(folder, store.thieves)


@exhibit(10)
def time_stamp_of_another_file(folder: Path, store: Store) -> None:
    query, reply = store.authority.stamp(b"something else")
    (folder / "seal/timestamp-1.tsq").write_bytes(query)
    (folder / "seal/timestamp-1.tsr").write_bytes(reply)
    write_sums(folder)


@exhibit(10)
def time_stamp_with_another_nonce(folder: Path, store: Store) -> None:
    query, _ = store.authority.stamp((folder / SIGNATURE).read_bytes())
    (folder / "seal/timestamp-1.tsq").write_bytes(query)
    write_sums(folder)


@exhibit(10)
def time_stamp_over_sha1(folder: Path, store: Store) -> None:
    stamp_again(folder, store.authority, algorithm="sha1")


@exhibit(10)
def second_time_stamp_of_an_unknown_authority(folder: Path, store: Store) -> None:
    query, reply = store.thieves.stamp((folder / SIGNATURE).read_bytes())
    (folder / "seal/timestamp-2.tsq").write_bytes(query)
    (folder / "seal/timestamp-2.tsr").write_bytes(reply)
    write_sums(folder)


@exhibit(10)
def time_stamp_that_is_no_token(folder: Path, store: Store) -> None:
    (folder / "seal/timestamp-1.tsr").write_bytes(b"0" * 40)
    write_sums(folder)


def _with_authority(folder: Path, store: Store, authority: Authority) -> Path:
    """The right trust file with one more authority."""
    found = json.loads(store.trust.read_bytes())
    row = {"name": authority.name, "certificates": authority.root.read_text()}
    found["authorities"].append(row | {"from_utc_ms": 0, "until_utc_ms": None})
    return _trust(folder, found)


def _trust(folder: Path, found: Json) -> Path:
    place = folder.with_name(f"{folder.name}.trust.json")
    place.write_text(json.dumps(found))
    return place


LAPSED = timedelta(days=-1)


def _beside(folder: Path, store: Store) -> Path:
    return folder.with_name(f"{folder.name}.trust.json")


@exhibit(10, trust=_beside)
def time_stamp_of_a_lapsed_certificate(folder: Path, store: Store) -> None:
    lapsed = Authority(store.scratch / f"{folder.name}-tsa", name="Lapsed", until=LAPSED)
    stamp_again(folder, lapsed)
    _with_authority(folder, store, lapsed)


@exhibit(10, trust=_beside)
def authority_no_longer_trusted_then(folder: Path, store: Store) -> None:
    found = json.loads(store.trust.read_bytes())
    for row in found["authorities"]:
        row["until_utc_ms"] = 1_000_000_000_000
    _trust(folder, found)


@exhibit(10)
def log_token_of_an_unknown_authority(folder: Path, store: Store) -> None:
    token = only(folder, "custody/log-*.tsr")
    head = token.with_name(token.name.rpartition("-")[0] + ".json").read_bytes()
    query, reply = store.thieves.stamp(head)
    token.write_bytes(reply)
    token.with_suffix(".tsq").write_bytes(query)
    seal_again(folder, store.signer, store.authority)


# --- keys, trust, script ----------------------------------------------------------------------------


@exhibit(11)
def signed_with_another_key(folder: Path, store: Store) -> None:
    seal_again(folder, store.thief, store.authority)


@exhibit(9)
def signed_with_another_key_under_the_right_name(folder: Path, store: Store) -> None:
    data = (folder / "MANIFEST.json").read_bytes()
    (folder / SIGNATURE).write_bytes(store.thief.sign(data))
    stamp_again(folder, store.authority)


def _key_row(**change: Any) -> Callable[[Path, Store], Path]:
    def trust(folder: Path, store: Store) -> Path:
        found = json.loads(store.trust.read_bytes())
        for row in found["keys"]:
            row.update(change)
        return _trust(folder, found)

    return trust


@exhibit(11, trust=_key_row(revoked_utc_ms=1_000_000_000_000))
def key_revoked_before(folder: Path, store: Store) -> None:
    pass


@exhibit(11, trust=_key_row(until_utc_ms=1_000_000_000_000))
def key_no_longer_in_use_then(folder: Path, store: Store) -> None:
    pass


@exhibit(11, trust=_key_row(from_utc_ms=4_000_000_000_000))
def key_not_yet_in_use_then(folder: Path, store: Store) -> None:
    pass


def _expired_now(folder: Path, store: Store) -> Path:
    now = int(datetime.now(UTC).timestamp() * 1000) - 1
    return _key_row(until_utc_ms=now)(folder, store)


@exhibit(11, trust=_expired_now)
def key_expired_now_and_no_time_stamp(folder: Path, store: Store) -> None:
    for token in (folder / "seal").glob("timestamp-*"):
        token.unlink()
    write_sums(folder)


@exhibit(trust=_expired_now)
def key_expired_now_but_good_when_stamped(folder: Path, store: Store) -> None:
    """Good: the time-stamp shows that the key was in use."""


@exhibit(4, 10, 11, 12, trust=lambda folder, _: folder / "trust.json")
def trust_file_in_the_bundle(folder: Path, store: Store) -> None:
    shutil.copyfile(store.trust, folder / "trust.json")


@exhibit(10, 11, 12, trust=lambda folder, store: _trust(folder, {"format": "other", "version": 1}))
def trust_file_of_another_form(folder: Path, store: Store) -> None:
    pass


@resealed(12)
def script_replaced(folder: Path, store: Store) -> None:
    (folder / "verify.py").write_text("print('all is well')\n")


# --- zips -------------------------------------------------------------------------------------------


def zipped(change: Callable[[bytes], bytes]) -> Break:
    """An exhibit that alters the bytes of the good zip."""

    def make(folder: Path, store: Store) -> Path:
        place = write_zip(folder, folder.with_name(f"{folder.name}.zip"))
        assert place is not None
        shutil.rmtree(folder)
        place.write_bytes(change(place.read_bytes()))
        return place

    return make


def written(fill: Callable[[zipfile.ZipFile, Path], None], *, packed: bool = False) -> Break:
    """An exhibit that is a zip as others write it."""

    def make(folder: Path, store: Store) -> Path:
        place = folder.with_name(f"{folder.name}.zip")
        with zipfile.ZipFile(place, "w", 8 if packed else 0) as file:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                file.write(path, path.relative_to(folder).as_posix())
            fill(file, folder)
        shutil.rmtree(folder)
        return place

    return make


def _twice(file: zipfile.ZipFile, folder: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.writestr("claims.json", "{}")


def _linked(file: zipfile.ZipFile, folder: Path) -> None:
    info = zipfile.ZipInfo("zz")
    info.external_attr = 0o120777 << 16
    file.writestr(info, "/etc/passwd")


def _at_directory(data: bytes, offset: int, change: bytes) -> bytes:
    at = int.from_bytes(data[-6:-2], "little") + offset
    return data[:at] + change + data[at + len(change) :]


ZIPS: dict[str, Break] = {
    "zip_truncated": zipped(lambda data: data[: len(data) * 2 // 3]),
    "zip_without_its_end": zipped(lambda data: data[:-22]),
    "zip_with_bytes_before_it": zipped(lambda data: b"MZ" + data),
    "zip_with_bytes_behind_it": zipped(lambda data: data + b"more"),
    "zip_with_a_comment": zipped(lambda data: data[:-2] + b"\4\0more"),
    "zip_with_another_date": zipped(lambda data: data[:12] + b"\x22" + data[13:]),
    "zip_with_another_checksum": zipped(lambda data: _at_directory(data, 16, b"\0\0\0\0")),
    "zip_with_a_flag": zipped(lambda data: data[:6] + b"\1\0" + data[8:]),
    "zip_with_another_name_inside": zipped(lambda data: data[:30] + b"m" + data[31:]),
    "zip_with_an_unix_mode": zipped(lambda data: _at_directory(data, 38, b"\0\0\xff\xa1")),
    "zip_slip": written(lambda file, _: file.writestr("../outside.json", "{}")),
    "zip_with_an_absolute_path": written(lambda file, _: file.writestr("/tmp/x.json", "{}")),
    "zip_with_a_backslash": written(lambda file, _: file.writestr("a\\b.json", "{}")),
    "zip_with_an_entry_twice": written(_twice),
    "zip_with_a_link": written(_linked),
    "zip_with_a_homoglyph": written(lambda file, _: file.writestr("cl\u0430ims.json", "{}")),
    "zip_with_a_folder_entry": written(lambda file, _: file.writestr("more/", "")),
    "zip_bomb": written(lambda file, _: file.writestr("zero.bin", bytes(50_000_000)), packed=True),
    "zip_that_is_packed": written(lambda file, _: None, packed=True),
    "zip_of_nothing": zipped(lambda data: data[-22:-14] + bytes(12) + b"\0\0"),
}
EXHIBITS += [Exhibit(name, frozenset({1}), make) for name, make in ZIPS.items()]
