#!/usr/bin/env python3
"""Checks a sealed evidence bundle, offline: ``python verify.py BUNDLE [--trust FILE]``.

One file, Python's standard library (3.11 or later) and OpenSSL 3; the package runs this same
file. A check fails unless it comes to its end: whatever a hostile bundle makes it raise is a
failed check.

 1 container    plain names, no links, nothing packed, hidden or doubled
 2 manifest     MANIFEST.json has its one canonical form and a version read here
 3 files        every listed file is there with its size and SHA-256
 4 unlisted     no file is there that nothing lists
 5 contents     the records agree with each other and with the files
 6 source       source bytes lead by Merkle proofs (RFC 6962) to the recording's root
 7 packets      every packet of each clip stands in the source bytes, in order
 8 custody      the custody chains hold and name the same recording roots
 9 signature    Ed25519 over MANIFEST.json
10 time         RFC 3161 tokens over the signature, from authorities that --trust names
11 key          the signing key was good at that time, by --trust
12 script       verify.py is this script, or one that --trust names
13 against      the recording itself, given with --against, holds the same bytes
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

FORMAT, TRUST_FORMAT, VERSION = "replay-evidence-bundle", "replay-evidence-trust", 1
MAX_FILES, MAX_BYTES, MAX_READ, MAX_JSON = 5_000, 16 << 30, 2 << 30, 64 << 20
NAMES = """container manifest files unlisted contents source packets custody
signature time key script against""".split()  # noqa: SIM905
CHINESE = "容器 清单 文件 多余文件 记录 源字节 数据包 保管链 签名 时间 密钥 脚本 对照原录像".split()  # noqa: SIM905
REQUIRED = """bundle claims clock coverage custody keyframes listing recording rules transcript
versions windows source/packets source/proofs""".split()  # noqa: SIM905
ROOTS = ("MANIFEST.json", "SHA256SUMS")
SIGNATURE = "seal/MANIFEST.sig"
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127}){0,5}")
SEAL = re.compile(r"seal/(MANIFEST\.sig|timestamp-[1-9]\.ts[qr])")
HEX = re.compile(r"[0-9a-f]{64}")
ED25519 = bytes.fromhex("302a300506032b6570032100")
NEAR_BYTES = 64
"""Between two packets a container writes at most this much of its own."""
_BLOCK = 1 << 20
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Check(NamedTuple):
    """One numbered check: ``pass``, ``fail`` or ``skip``, with a reason code and a sentence."""

    number: int
    name: str
    status: str
    code: str
    sentence: str


class Verdict(NamedTuple):
    """What the checks come to, taken together."""

    name: str
    holds: bool
    code: str
    en: str
    zh: str


class Asked(NamedTuple):
    """What to hold a bundle against."""

    bundle: Path
    trust: Path | None = None
    against: tuple[Path, ...] = ()


class Report(NamedTuple):
    """Everything a run found out."""

    checks: tuple[Check, ...]
    verdicts: tuple[Verdict, ...]
    facts: dict[str, Any]

    def holds(self, name: str) -> bool:
        """Whether a verdict holds."""
        return any(v.holds for v in self.verdicts if v.name == name)

    @property
    def failed(self) -> tuple[int, ...]:
        """Numbers of the failed checks."""
        return tuple(c.number for c in self.checks if c.status == "fail")


class Broken(Exception):
    """A check failed: a reason code, and a sentence."""


class Skipped(Exception):
    """A check has nothing to look at: a reason code, and a sentence."""


class Outcome:
    """What a check comes to: a failure, until the block that judges it reaches its end.

    Everything raised inside, by a hostile bundle or by a fault of this script, is a failure.
    """

    def __init__(self) -> None:
        self.status, self.code, self.sentence = "fail", "unfinished", "the check came to no end"

    def __enter__(self) -> Outcome:
        return self

    def passed(self, sentence: str) -> None:
        """The check holds."""
        self.status, self.code, self.sentence = "pass", "ok", sentence

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        if isinstance(error, (Broken, Skipped)):
            self.status = "fail" if isinstance(error, Broken) else "skip"
            self.code, self.sentence = error.args
        elif error is not None:
            self.status, self.code = "fail", "malformed"
            self.sentence = f"cannot be read ({type(error).__name__}: {shown(error)})"
        return isinstance(error, Exception)


def need(holds: bool, code: str, sentence: str) -> None:
    """Fail the check unless something holds."""
    if not holds:
        raise Broken(code, sentence)


def instant(at_s: int) -> str:
    """A time in UTC, for a person."""
    return datetime.fromtimestamp(at_s, UTC).isoformat()


def shown(text: object) -> str:
    """Hostile text for a terminal: ASCII, and not long."""
    return ascii(str(text))[1:-1][:100]


def sha(data: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    """RFC 8785 for what bundles hold: ASCII keys and integers."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def parse(data: bytes) -> Any:
    """JSON without floats and without doubled keys."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len({k for k, _ in pairs}) == len(pairs), "json", "a JSON object has a key twice")
        return dict(pairs)

    def no_float(text: str) -> Any:
        raise Broken("json", f"{shown(text)} is not an integer")

    need(len(data) <= MAX_JSON, "json", "a JSON file is too long")
    text = data.decode()
    return json.loads(text, object_pairs_hook=once, parse_float=no_float, parse_constant=no_float)


# --- 1: folder or zip -----------------------------------------------------------------------


class Stored(NamedTuple):
    """A file of the bundle: bytes of a file on disk."""

    path: Path
    start: int
    size: int

    def blocks(self) -> Iterator[bytes]:
        """Its bytes, piece by piece."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            left = self.size
            while left and (block := file.read(min(left, _BLOCK))):
                left -= len(block)
                yield block
        need(left == 0, "short", "a file ends before its end")

    def read(self) -> bytes:
        """All its bytes."""
        need(self.size <= MAX_READ, "too_large", "a file is too large to be checked")
        return b"".join(self.blocks())


def open_bundle(place: Path) -> dict[str, Stored]:
    """The files of a folder or zip; raises Broken where the container itself is odd."""
    need(place.exists() and not place.is_symlink(), "missing", "there is no bundle here")
    files = _folder(place) if place.is_dir() else _zip(place)
    need(0 < len(files) <= MAX_FILES, "too_many", f"a bundle has 1 to {MAX_FILES} files")
    need(len({n.lower() for n in files}) == len(files), "doubled", "two names differ by case only")
    need(sum(f.size for f in files.values()) <= MAX_BYTES, "too_large", "the bundle is too large")
    return files


def _plain(name: str) -> None:
    need(bool(PLAIN.fullmatch(name)), "name", f"{shown(name)} is not a plain file name")


def _folder(place: Path) -> dict[str, Stored]:
    files: dict[str, Stored] = {}
    for here, folders, names in os.walk(place):
        need(bool(folders or names), "empty_folder", f"{shown(Path(here).name)} is empty")
        for name in sorted(folders + names):
            path = Path(here, name)
            inside = path.relative_to(place).as_posix()
            _plain(inside)
            plain = not path.is_symlink() and (path.is_dir() or path.is_file())
            need(plain, "link", f"{shown(inside)} is no plain file")
            if path.is_file():
                files[inside] = Stored(path, 0, path.stat().st_size)
            need(len(files) <= MAX_FILES, "too_many", f"a bundle has 1 to {MAX_FILES} files")
    return files


def zip_local(name: str, crc: int, size: int) -> bytes:
    """The only header an entry may have: stored, dated 1980-01-01, nothing beside."""
    head = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 0, 0, 33, crc, size, size, len(name), 0)
    return head + name.encode("ascii")


def zip_central(name: str, crc: int, size: int, at: int) -> bytes:
    """The only directory record an entry may have."""
    sizes = struct.pack("<IIIHHHHH", crc, size, size, len(name), 0, 0, 0, 0)
    head = struct.pack("<IHHHHHH", 0x02014B50, 0x0314, 20, 0, 0, 0, 33)
    return head + sizes + struct.pack("<II", 0o100644 << 16, at) + name.encode("ascii")


def zip_end(count: int, size: int, at: int) -> bytes:
    """The only end a zip may have."""
    return struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, size, at, 0)


def _zip(place: Path) -> dict[str, Stored]:
    """Stored entries in order of name, each byte of the zip accounted for."""
    whole = place.stat().st_size
    need(whole >= 22, "cut_off", "this is no whole zip")
    with place.open("rb") as file:
        file.seek(whole - 22)
        signature, *_, size, at, comment = struct.unpack("<IHHHHIIH", file.read(22))
        need(signature == 0x06054B50 and not comment, "cut_off", "this is no whole, plain zip")
        need(at + size + 22 == whole and size <= 64 << 20, "hidden", "the directory does not fit")
        file.seek(at)
        directory = file.read(size)
    files, crcs, expected = _entries(place, directory, at)
    end = zip_end(len(files), len(expected), at)
    need(directory == expected, "hidden", "the zip's directory is not in its one form")
    with place.open("rb") as file:
        file.seek(at + size)
        need(file.read() == end, "hidden", "the zip's end is not in its one form")
    for name, stored in files.items():
        crc = 0
        for block in stored.blocks():
            crc = zlib.crc32(block, crc)
        need(crc == crcs[name], "crc", f"{shown(name)} has another checksum")
    return files


def _entries(
    place: Path, directory: bytes, end: int
) -> tuple[dict[str, Stored], dict[str, int], bytes]:
    """What a directory lists, its checksums, and the directory as it must be."""
    files: dict[str, Stored] = {}
    crcs: dict[str, int] = {}
    read, at, last, expected = 0, 0, "", []
    with place.open("rb") as file:
        while read < len(directory):
            crc, _, size, length = struct.unpack_from("<IIIH", directory, read + 16)
            name = directory[read + 46 : read + 46 + length].decode("ascii")
            _plain(name)
            need(name > last, "doubled", f"{shown(name)} is there twice, or out of order")
            need(len(files) < MAX_FILES, "too_many", f"a bundle has 1 to {MAX_FILES} files")
            head = zip_local(name, crc, size)
            file.seek(at)
            need(file.read(len(head)) == head, "hidden", f"{shown(name)} is packed or not plain")
            files[name], crcs[name], last = Stored(place, at + len(head), size), crc, name
            expected.append(zip_central(name, crc, size, at))
            read, at = read + len(expected[-1]), at + len(head) + size
    need(at == end, "hidden", "the zip holds bytes that no entry accounts for")
    return files, crcs, b"".join(expected)


# --- 6, 7: Merkle trees, MP4, MPEG-TS -----------------------------------------------------------


def root_of(leaf: bytes, index: int, count: int, path: list[str]) -> bytes:
    """The root that an audit path leads to (RFC 6962, 2.1.1)."""
    need(0 <= index < count and bool(path) == (count > 1), "proof", "a proof does not fit its tree")
    if count == 1:
        return leaf
    k = 1 << ((count - 1).bit_length() - 1)
    side = bytes.fromhex(path[-1])
    need(len(side) == 32, "proof", "a proof holds something that is no hash")
    if index < k:
        return hashlib.sha256(b"\1" + root_of(leaf, index, k, path[:-1]) + side).digest()
    return hashlib.sha256(b"\1" + side + root_of(leaf, index - k, count - k, path[:-1])).digest()


Places = list[tuple[int, int]]


def boxes(data: bytes, at: int = 0, end: int | None = None) -> dict[bytes, Places]:
    """The boxes of a stretch of MP4: kind to ``(start, end)`` of each body."""
    end = len(data) if end is None else end
    found: dict[bytes, Places] = {}
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 16 if size == 1 else 8
        size = struct.unpack_from(">Q", data, at + 8)[0] if size == 1 else size or end - at
        need(head <= size <= end - at, "mp4", "the clip's boxes do not fit into each other")
        found.setdefault(kind, []).append((at + head, at + size))
        at += size
    return found


def samples(data: bytes) -> list[tuple[str, Places]]:
    """Each track of an MP4: what it is (``vide``, ``soun``) and ``(start, end)`` of each sample."""
    tracks, top = [], boxes(data)
    known = set(top) <= {b"ftyp", b"free", b"moov", b"mdat"} and len(top[b"moov"]) == 1
    need(known, "mp4_hidden", "the clip holds more than an index and media")
    for start, end in boxes(data, *top[b"moov"][0])[b"trak"]:
        mdia = boxes(data, *boxes(data, start, end)[b"mdia"][0])
        kind = data[mdia[b"hdlr"][0][0] + 8 :][:4].decode("ascii")
        stbl = boxes(data, *boxes(data, *mdia[b"minf"][0])[b"stbl"][0])
        tracks.append((kind, _places(data, {k: v[0][0] for k, v in stbl.items()})))
    held = [edge for place in top[b"mdat"] for edge in place]
    used = sorted(place for _, places in tracks for place in places)
    edges = [used[0][0], *(e for (_, a), (b, _) in pairwise(used) if a != b for e in (a, b))]
    need(
        [*edges, used[-1][1]] == held,
        "mp4_hidden",
        "the clip holds bytes that no packet accounts for",
    )
    return tracks


def _places(data: bytes, at: dict[bytes, int]) -> Places:
    """The samples of a track by its tables (ISO/IEC 14496-12, 8.7)."""
    same, count = struct.unpack_from(">II", data, at[b"stsz"] + 4)
    need(count <= len(data), "mp4", "the clip has more packets than bytes")
    sizes = [same] * count if same else struct.unpack_from(f">{count}I", data, at[b"stsz"] + 12)
    wide = b"co64" in at
    place = at[b"co64" if wide else b"stco"]
    many = struct.unpack_from(">I", data, place + 4)[0]
    need(many <= len(data), "mp4", "the clip has more chunks than bytes")
    chunks = struct.unpack_from(f">{many}{'Q' if wide else 'I'}", data, place + 8)
    runs = struct.unpack_from(">I", data, at[b"stsc"] + 4)[0]
    need(runs <= many, "mp4", "the clip's sample tables disagree")
    flat = struct.unpack_from(f">{runs * 3}I", data, at[b"stsc"] + 8)
    firsts, per, found, number = [*flat[::3], many + 1], flat[1::3], [], 0
    for run in range(runs):
        for chunk in range(firsts[run], firsts[run + 1]):
            need(0 < chunk <= many, "mp4", "the clip's sample tables disagree")
            begin = chunks[chunk - 1]
            for size in sizes[number : number + per[run]]:
                found.append((begin, begin + size))
                begin += size
            number += per[run]
    need(len(found) == count, "mp4", "the clip's sample tables disagree")
    return found


def nals(sample: bytes) -> list[bytes]:
    """The NAL units of a picture packet, without the lengths before them."""
    at, parts = 0, []
    while at < len(sample):
        size = struct.unpack_from(">I", sample, at)[0]
        need(0 < size <= len(sample) - at - 4, "packet", "a packet's NAL units do not fit")
        parts.append(sample[at + 4 : at + 4 + size])
        at += 4 + size
    return parts


def elementary(data: bytes) -> dict[str, bytes]:
    """The streams in MPEG-TS bytes by PID, without transport and PES headers (ISO/IEC 13818-1)."""
    found: dict[int, bytearray] = {}
    at = 0
    while at + 188 <= len(data):
        if data[at] != 0x47:
            at += 1
            continue
        flags, low, control = data[at + 1], data[at + 2], data[at + 3] >> 4 & 3
        pid, begin = (flags & 31) << 8 | low, at + 4
        if control & 2:
            begin += 1 + data[begin]
        body = data[begin : at + 188] if control & 1 else b""
        if flags & 0x40 and body[:3] == b"\0\0\1":
            found.setdefault(pid, bytearray()).extend(body[9 + body[8] :])
        elif pid in found and not flags & 0x40:
            found[pid] += body
        at += 188
    return {f"ts:{pid}": bytes(stream) for pid, stream in found.items()}


def uncovered(used: Places) -> list[list[int]]:
    """Stretches between packets too long to be a container's own bytes."""
    found: list[list[int]] = []
    end: int | None = None
    for start, stop in sorted(used):
        if end is not None and start - end > NEAR_BYTES:
            found.append([end, start])
        end = stop if end is None else max(end, stop)
    return found


# --- OpenSSL ------------------------------------------------------------------------------------


def openssl(*arguments: object) -> tuple[int, str]:
    """Exit status and output of ``openssl``."""
    try:
        done = subprocess.run(
            ["openssl", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        raise Broken("no_openssl", "OpenSSL is not installed here") from None
    return done.returncode, done.stdout.decode("utf-8", "replace")


def pem(public: bytes) -> bytes:
    """An Ed25519 public key as PEM (RFC 8410)."""
    body = base64.b64encode(ED25519 + public).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n".encode()


class Token(NamedTuple):
    """What an RFC 3161 reply says about itself; nothing of it is proven yet."""

    at_s: int
    algorithm: str
    digest: str


def token_of(reply: Path) -> Token:
    """Reads a time-stamp reply."""
    code, text = openssl("ts", "-reply", "-in", reply, "-text")
    stamp = re.search(
        r"^Time stamp: (\w{3}) +(\d+) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d{4}) GMT", text, re.M
    )
    algorithm = re.search(r"^Hash Algorithm: (\w+)", text, re.M)
    block = re.search(r"^Message data:\n((?: +[0-9a-f]{4} - .*\n)+)", text, re.M)
    if code or not (stamp and algorithm and block):
        raise Broken("token", "a time-stamp cannot be read")
    month, day, hour, minute, second, year = stamp.groups()
    when = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
    at_s = int(datetime(*when, tzinfo=UTC).timestamp())
    lines = [line.split(" - ", 1)[1][:48] for line in block[1].splitlines()]
    digest = "".join(re.findall(r"[0-9a-f]{2}", "".join(lines)))
    return Token(at_s, algorithm[1], digest)


# --- the checks -----------------------------------------------------------------------------


class Verifier:
    """Runs the checks of one bundle in order; ``facts`` holds what came out."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.facts: dict[str, Any] = {}
        self.files: dict[str, Stored] = {}
        self.manifest: dict[str, Any] = {}
        self.proven_s: int | None = None
        self._json: dict[str, Any] = {}

    def run(self) -> Report:
        """Every check, in order; what a broken container hides is ``not_reached``."""
        checks = []
        for number, name in enumerate(NAMES, 1):
            with Outcome() as outcome:
                hidden = (number > 1 and not self.files) or (number > 2 and not self.manifest)
                if hidden:
                    raise Skipped("not_reached", "an earlier check left nothing to look at")
                outcome.passed(getattr(self, f"_{number}_{name}")())
            checks.append(Check(number, name, outcome.status, outcome.code, outcome.sentence))
        return Report(tuple(checks), verdicts(checks), self.facts)

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        need(name in self.files, "missing", f"{shown(name)} is not there")
        return self.files[name].read()

    def load(self, name: str) -> Any:
        """A JSON file of the bundle, read once."""
        if name not in self._json:
            self._json[name] = parse(self.read(f"{name}.json"))
        return self._json[name]

    def listed(self, folder: str, ending: str) -> list[str]:
        """Files of a folder, by the manifest."""
        names = [f["name"] for f in self.manifest["files"]]
        return [n for n in names if n.startswith(f"{folder}/") and n.endswith(ending)]

    def hash_of(self, name: str) -> str:
        """A file's hash, by the manifest."""
        return next((str(f["sha256"]) for f in self.manifest["files"] if f["name"] == name), "")

    def trust(self) -> dict[str, Any]:
        """The trust file, which must not come from the bundle."""
        if self.asked.trust is None:
            raise Skipped("no_trust", "no --trust file was given")
        place = self.asked.trust.resolve()
        inside = self.asked.bundle.resolve() in (place, *place.parents)
        need(not inside, "trust_inside", "the trust file lies in the bundle itself")
        found: dict[str, Any] = parse(place.read_bytes())
        form = (found["format"], found["version"]) == (TRUST_FORMAT, VERSION)
        need(form, "trust_file", "the trust file is not of a form read here")
        return found

    # --- 1 to 5 ---------------------------------------------------------------------------------

    def _1_container(self) -> str:
        self.files = open_bundle(self.asked.bundle)
        return f"{len(self.files)} plain files"

    def _2_manifest(self) -> str:
        data = self.read("MANIFEST.json")
        found = parse(data)
        keys = {"format", "version", "sealed_utc_ms", "program", "signer", "files"}
        need(set(found) == keys, "form", "MANIFEST.json has other fields than it should")
        form = (found["format"], found["version"]) == (FORMAT, VERSION)
        need(form, "version", "MANIFEST.json is not of a form read here")
        need(canonical(found) == data, "canonical", "MANIFEST.json is not in its canonical form")
        need(bool(HEX.fullmatch(found["signer"])), "form", "MANIFEST.json names no key")
        names = [f["name"] for f in found["files"]]
        need(
            names == sorted(set(names)), "order", "MANIFEST.json lists a file twice or out of order"
        )
        for file in found["files"]:
            need(set(file) == {"name", "sha256", "size"}, "form", "an entry has other fields")
            _plain(file["name"])
            own = file["name"] in ROOTS or file["name"].startswith("seal/")
            need(not own, "form", f"{file['name']} cannot be listed in the manifest")
            whole = type(file["size"]) is int and bool(HEX.fullmatch(file["sha256"]))
            need(whole, "form", f"{file['name']} has no size or hash")
        lacking = {"verify.py", "signer.pem", *(f"{n}.json" for n in REQUIRED)} - set(names)
        need(not lacking, "incomplete", f"not listed: {', '.join(sorted(lacking))}")
        self.manifest = found
        self.facts["sealed_utc_ms"] = found["sealed_utc_ms"]
        return f"{len(names)} files listed"

    def _3_files(self) -> str:
        bad, sums = [], []
        for file in self.manifest["files"]:
            stored = self.files.get(file["name"])
            digest = hashlib.sha256()
            for block in stored.blocks() if stored and stored.size == file["size"] else ():
                digest.update(block)
            if stored is None or digest.hexdigest() != file["sha256"]:
                bad.append(file["name"])
            sums.append((file["name"], file["sha256"]))
        need(not bad, "changed", f"missing or changed: {', '.join(bad[:3])} ({len(bad)} in all)")
        sums += [(n, sha(self.read(n))) for n in self.files if SEAL.fullmatch(n)]
        sums.append(("MANIFEST.json", sha(self.read("MANIFEST.json"))))
        listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums))
        fits = self.read("SHA256SUMS") == listing.encode()
        need(fits, "sums", "SHA256SUMS does not fit the files")
        return f"{len(sums)} files have their SHA-256"

    def _4_unlisted(self) -> str:
        known = {f["name"] for f in self.manifest["files"]} | set(ROOTS)
        more = [n for n in self.files if n not in known and not SEAL.fullmatch(n)]
        need(not more, "unlisted", f"unlisted: {', '.join(more[:3])} ({len(more)} in all)")
        lone = [n for n in self.files if n.endswith(".tsr") and f"{n[:-1]}q" not in self.files]
        lone += [n for n in self.files if n.endswith(".tsq") and f"{n[:-1]}r" not in self.files]
        need(not lone, "lone", "a time-stamp lacks its request, or a request its time-stamp")
        return "no other file"

    def _5_contents(self) -> str:
        about = self.load("bundle")
        form = (about["format"], about["version"]) == (FORMAT, VERSION)
        need(form, "form", "bundle.json is not of a form read here")
        same = about["sealed_utc_ms"] == self.manifest["sealed_utc_ms"]
        need(same, "sealed", "bundle.json and MANIFEST.json name two times of sealing")
        key = self.read("signer.pem") == pem(bytes.fromhex(self.manifest["signer"]))
        need(key, "signer", "signer.pem is not the key that MANIFEST.json names")
        named = (
            self.load(n)["broadcast_id"] for n in ("claims", "transcript", "windows", "custody")
        )
        one = {about["broadcast_id"], *named}
        need(len(one) == 1, "broadcast", "the records are of more than one broadcast")
        claims = self._claims(about)
        for clip in about["clips"]:
            self._clip(clip, claims)
        clips = [clip["file"] for clip in about["clips"]]
        need(sorted(clips) == self.listed("clips", ".mp4"), "clips", "other clips than listed")
        self._pictures()
        return f"{len(claims)} claims, {len(clips)} clips"

    def _claims(self, about: dict[str, Any]) -> dict[str, Any]:
        """Quotes stand in the transcript, and wall times follow from the clock map."""
        rows = self.load("claims")["claims"]
        claims = {row["claim"]["claim_id"]: row["claim"] for row in rows}
        need(len(claims) == len(rows), "claims", "a claim is there twice")
        need(set(about["asked"]) <= set(claims), "claims", "a claim asked about is not there")
        heard = {s["index"]: s for s in self.load("transcript")["segments"]}
        for row in rows:
            claim, name = row["claim"], shown(row["claim"]["claim_id"])
            need(claim["broadcast_id"] == about["broadcast_id"], "broadcast", f"{name} is foreign")
            wall = self._wall(claim["start_ms"])
            need(
                [row["wall_utc_ms"], row["wall_uncertainty_ms"]] == wall, "clock", f"{name}: clock"
            )
            asked = (row["relation"] == "asked") == (claim["claim_id"] in about["asked"])
            need(asked, "claims", f"{name} is not marked as it should be")
            if claim["source"] == "speech":
                said = heard[claim["segment_index"]]["text"]
                part = said[claim["char_start"] : claim["char_end"]]
                need(part == claim["quote"], "quote", f"{name} does not stand in the transcript")
        return claims

    def _wall(self, at_ms: int) -> list[int | None]:
        spans = self.load("clock")["spans"]
        span = min(
            spans, key=lambda s: max(s["start_ms"] - at_ms, at_ms - s["end_ms"], 0), default=None
        )
        if span is None or span["wall_start_utc_ms"] is None:
            return [None, None]
        return [span["wall_start_utc_ms"] + at_ms - span["start_ms"], span["uncertainty_ms"]]

    def _clip(self, clip: dict[str, Any], claims: dict[str, Any]) -> None:
        """A clip's sidecar names the files beside it, its recording, and holds its claims."""
        name = shown(clip["file"])
        info = parse(self.read(clip["info"]))
        folder = clip["file"].rpartition("/")[0]
        beside = {n: self.hash_of(f"{folder}/{n}") for n in info["files"]}
        need(beside == info["files"], "clip", f"{name}: its record names other files")
        own = beside.get(clip["file"].rpartition("/")[2]) == clip["sha256"]
        need(own, "clip", f"{name}: its hash is not in its record")
        recording = self.load("recording")["recordings"][clip["recording"]]
        same = (info["recording_sha256"], info["merkle_root"]) == (
            recording["sha256"],
            recording["merkle_root"],
        )
        need(same, "clip", f"{name}: its record names another recording")
        need(
            info["broadcast_id"] == self.load("bundle")["broadcast_id"], "clip", f"{name}: foreign"
        )
        need(clip["copied"] == (not info["coded_anew"]), "clip", f"{name}: copied or coded anew")
        low, high = info["start"]["timeline_ms"], info["end"]["timeline_ms"]
        for claim in (claims[c] for c in clip["claims"]):
            inside = low <= claim["start_ms"] and claim["end_ms"] <= high
            need(inside or not info["complete"], "clip", f"{name} does not hold its claim")

    def _pictures(self) -> None:
        rows = self.load("keyframes")["keyframes"]
        for row in rows:
            need(
                self.hash_of(row["file"]) == row["image_sha256"], "picture", "a picture is another"
            )
        names = sorted(row["file"] for row in rows)
        need(names == self.listed("keyframes", ".jpg"), "picture", "other pictures than listed")

    # --- 6 to 8 ---------------------------------------------------------------------------------

    def _6_source(self) -> str:
        proofs, total = self.load("source/proofs")["recordings"], 0
        known = self.load("recording")["recordings"]
        pieces = [p["file"] for r in proofs for p in r["pieces"]]
        need(sorted(pieces) == self.listed("source", ".bin"), "pieces", "other bytes than proven")
        if not pieces:
            raise Skipped("no_clip", "the bundle holds no source bytes")
        for proof in proofs:
            same = {k: known[proof["recording"]][k] for k in ("sha256", "merkle_root", "leaves")}
            need(same == {k: proof[k] for k in same}, "root", "a proof is of another recording")
            for piece in proof["pieces"]:
                part = known[proof["recording"]]["parts"][piece["part"]]
                fits = 0 <= piece["byte_start"] < piece["byte_end"] <= part["size_bytes"]
                need(fits, "pieces", "source bytes lie outside the recording")
                total += self._piece(piece, proof)
        return f"{total} bytes lead to the roots of {len(proofs)} recordings"

    def _piece(self, piece: dict[str, Any], proof: dict[str, Any]) -> int:
        data, at = self.read(piece["file"]), piece["byte_start"]
        first = piece["leaves"][0]["index"]
        for number, leaf in enumerate(piece["leaves"]):
            fits = (leaf["index"], leaf["byte_start"]) == (first + number, at)
            need(fits and leaf["byte_end"] > at, "leaves", "leaves do not follow each other")
            body = data[at - piece["byte_start"] : leaf["byte_end"] - piece["byte_start"]]
            need(len(body) == leaf["byte_end"] - at, "leaves", "source bytes are cut off")
            top = root_of(
                hashlib.sha256(b"\0" + body).digest(), leaf["index"], proof["leaves"], leaf["path"]
            )
            fits = top.hex() == proof["merkle_root"]
            need(fits, "root", f"{shown(piece['file'])} does not lead to the recording's root")
            at = leaf["byte_end"]
        whole = at == piece["byte_end"] and len(data) == at - piece["byte_start"]
        need(whole, "leaves", "source bytes go on behind their last leaf")
        return len(data)

    def _7_packets(self) -> str:
        clips, packets, anew = self.load("source/packets")["clips"], 0, []
        need([c["clip"] for c in clips] == self.listed("clips", ".mp4"), "clips", "other clips")
        if not clips:
            raise Skipped("no_clip", "the bundle holds no clip")
        gaps = 0
        for clip in clips:
            if clip["copied"]:
                packets += self._packets(clip)
                gaps += sum(b - a for gap in clip["gaps"].values() for a, b in gap)
            else:
                anew.append(clip["clip"])
        self.facts["bytes_between_packets"] = gaps
        if anew:
            raise Skipped("coded_anew", f"coded anew, so no copy: {shown(', '.join(anew))}")
        between = f"; {gaps} source bytes between them belong to none" if gaps else ""
        return f"{packets} packets stand in the source bytes, in order{between}"

    def _packets(self, clip: dict[str, Any]) -> int:
        about = {c["file"]: c for c in self.load("bundle")["clips"]}[clip["clip"]]
        proofs = [
            p
            for p in self.load("source/proofs")["recordings"]
            if p["recording"] == about["recording"]
        ]
        proven = {p["file"] for proof in proofs for p in proof["pieces"]}
        need(set(clip["pieces"]) <= proven, "pieces", "a clip points to bytes that are not proven")
        need(about["copied"] is True, "clips", "a clip coded anew has no packets to compare")
        data, source = self.read(clip["clip"]), b"".join(self.read(p) for p in clip["pieces"])
        streams = {"raw": source, **(elementary(source) if clip["transport"] else {})}
        tracks = samples(data)
        used: dict[str, Places] = {name: [] for name in streams}
        need(len(tracks) == len(clip["tracks"]) > 0, "tracks", "the clip has other tracks")
        for (kind, places), said in zip(tracks, clip["tracks"], strict=True):
            need(said["kind"] == kind, "tracks", "the clip has other tracks")
            need(len(said["packets"]) == len(places) > 0, "packet", "the clip has other packets")
            stream, at = streams[said["stream"]], 0
            for (start, end), (digest, *begins) in zip(places, said["packets"], strict=True):
                need(sha(data[start:end]) == digest, "packet", "a packet has another hash")
                parts = nals(data[start:end]) if said["units"] == "nal" else [data[start:end]]
                for part, begin in zip(parts, begins, strict=True):
                    there = begin >= at and stream[begin : begin + len(part)] == part
                    need(there, "packet", "a packet does not stand in the source bytes")
                    at = begin + len(part)
                    used[said["stream"]].append((begin, at))
        gaps = {name: uncovered(places) for name, places in used.items() if uncovered(places)}
        need(gaps == clip["gaps"], "gaps", "bytes between the packets are not as recorded")
        return sum(len(places) for _, places in tracks)

    def _8_custody(self) -> str:
        events = self.load("custody")["events"]
        last: dict[str, tuple[int, str]] = {}
        for event in events:
            body = event["body"]
            need(body["broadcast_id"] == self.load("custody")["broadcast_id"], "foreign", "foreign")
            if "number" in body:
                before = last.get(body["writer"], (0, ""))
                follows = (body["number"], body["previous"]) == (before[0] + 1, before[1])
                need(follows, "chain", f"{shown(event['name'])} does not follow the one before it")
                last[body["writer"]] = (body["number"], sha(canonical(body)))
        taken = [e["body"] for e in events if e["body"]["event"] == "ingested"]
        kept = {
            (r["sha256"], r["merkle_root"]): b for b in reversed(taken) for r in b["recordings"]
        }
        for recording in self.load("recording")["recordings"]:
            there = (recording["sha256"], recording["merkle_root"]) in kept
            need(there, "root", "no custody event took this recording's root")
        firsts = [body["at_utc_ms"] for body in kept.values()]
        self._delay(min(firsts, default=None))
        for row in self.load("custody")["log"]:
            self._logged(row, {event["name"]: event["body"] for event in events})
        return f"{len(events)} events"

    def _logged(self, row: dict[str, Any], bodies: dict[str, Any]) -> None:
        """An event is in the custody log, by its proof to the root of an entry's head."""
        head = parse(self.read(row["head"]))
        need(canonical(head) == self.read(row["head"]), "log", "a log entry is not canonical")
        leaf = hashlib.sha256(b"\0" + canonical(bodies[row["event"]])).digest()
        top = root_of(leaf, row["index"], head["count"], row["path"])
        need(top.hex() == head["root"], "log", f"{shown(row['event'])} is not in the custody log")

    def _delay(self, first_ms: int | None) -> None:
        """Since when, by its own record, the recording is hashed, and how long after its end."""
        self.facts["first_hash_utc_ms"] = first_ms
        ended = self.load("clock")["ended_utc_ms"]
        known = first_ms is not None and ended is not None
        self.facts["first_hash_after_end_ms"] = first_ms - ended if known and first_ms else None

    # --- 9 to 13 --------------------------------------------------------------------------------

    def _9_signature(self) -> str:
        need(SIGNATURE in self.files, "unsigned", "there is no signature")
        need(self.files[SIGNATURE].size == 64, "signature", "the signature has a wrong length")
        with tempfile.TemporaryDirectory() as folder:
            key, data, signature = (Path(folder, n) for n in ("key.pem", "data", "sig"))
            key.write_bytes(pem(bytes.fromhex(self.manifest["signer"])))
            data.write_bytes(self.read("MANIFEST.json"))
            signature.write_bytes(self.read(SIGNATURE))
            asked = ["-verify", "-pubin", "-inkey", key, "-rawin", "-in", data]
            code, _ = openssl("pkeyutl", *asked, "-sigfile", signature)
        need(code == 0, "signature", "the signature does not fit MANIFEST.json and its key")
        return f"signed with key {self.manifest['signer'][:16]}"

    def _10_time(self) -> str:
        own = sorted(n for n in self.files if n.startswith("seal/") and n.endswith(".tsr"))
        log = [(t, row["head"]) for row in self.load("custody")["log"] for t in row["tokens"]]
        if not own and not log:
            raise Skipped("untimestamped", "no authority has stamped this bundle yet")
        need(SIGNATURE in self.files or not own, "unsigned", "there is no signature to stamp")
        with tempfile.TemporaryDirectory() as folder:
            stamps = [(name, SIGNATURE) for name in own] + log
            tokens = [self._imprint(Path(folder), name, over) for name, over in stamps]
            authorities = self.trust()["authorities"]
            if not authorities:
                raise Skipped("no_authority", "the --trust file names no authority")
            for (name, over), token in zip(stamps, tokens, strict=True):
                self._stamped(Path(folder), name, over, token, authorities)
        taken = min((t.at_s for t in tokens[len(own) :]), default=None)
        if taken is not None:
            self.facts["recording_proven_utc_ms"] = taken * 1000
        since = f"the recording is unchanged since {instant(taken)}; " if taken is not None else ""
        if not own:
            raise Skipped("untimestamped", f"{since}no authority has stamped the bundle yet")
        self.proven_s = min(token.at_s for token in tokens[: len(own)])
        self.facts["proven_utc_ms"] = self.proven_s * 1000
        return (
            f"{since}the bundle, and so the recording's hash in it, existed at"
            f" {instant(self.proven_s)} ({len(own)} time-stamps); {self._first_hash()}"
        )

    def _first_hash(self) -> str:
        """When the recording was first hashed: what custody says, which no token proves."""
        first, late = self.facts.get("first_hash_utc_ms"), self.facts.get("first_hash_after_end_ms")
        if first is None:
            return "its record does not say when the recording was first hashed"
        after = "" if late is None else f", {late // 1000} s after the broadcast's end"
        return (
            f"by its own record the recording was first hashed at {instant(first // 1000)}{after}"
        )

    def _imprint(self, folder: Path, name: str, over: str) -> Token:
        """A token over this very file."""
        data, reply = self.read(over), folder / name.replace("/", "-")
        (folder / over.replace("/", "-")).write_bytes(data)
        for suffix in (".tsr", ".tsq"):
            reply.with_suffix(suffix).write_bytes(self.read(name[:-4] + suffix))
        token = token_of(reply)
        strong = token.algorithm in ("sha256", "sha384", "sha512")
        need(strong, "algorithm", f"{shown(name)} uses {shown(token.algorithm)}")
        fits = hashlib.new(token.algorithm, data).hexdigest() == token.digest
        need(fits, "imprint", f"{shown(name)} stamps something else")
        return token

    def _stamped(
        self, folder: Path, name: str, over: str, token: Token, authorities: list[dict[str, Any]]
    ) -> None:
        """Signed by an authority that was good then, for the request that lies beside it."""
        name, data = shown(name), folder / over.replace("/", "-")
        good = [a["certificates"] for a in authorities if _good(a, token.at_s * 1000)]
        need(bool(good), "authority", f"{name}: no authority of --trust was good at that time")
        roots, reply = folder / "roots.pem", folder / name.replace("/", "-")
        roots.write_text("\n".join(good), encoding="ascii")
        rest = ["-in", reply, "-CAfile", roots, "-attime", str(token.at_s)]
        code, _ = openssl("ts", "-verify", "-data", data, *rest)
        need(code == 0, "authority", f"{name} is from no authority of --trust, or was altered")
        code, _ = openssl("ts", "-verify", "-queryfile", reply.with_suffix(".tsq"), *rest)
        need(code == 0, "nonce", f"{name} does not answer the request beside it")
        need(token.at_s <= time.time() + 300, "future", f"{name} is from the future")

    def _11_key(self) -> str:
        rows = [k for k in self.trust()["keys"] if k["key"] == self.manifest["signer"]]
        need(bool(rows), "unknown_key", "--trust does not name the key that signed")
        at_ms = int(time.time() * 1000) if self.proven_s is None else self.proven_s * 1000
        how = "now" if self.proven_s is None else "when it was stamped"
        for row in rows:
            revoked = row["revoked_utc_ms"]
            need(revoked is None or at_ms < revoked, "revoked", f"the key was revoked {how}")
            need(_good(row, at_ms), "out_of_date", f"the key was not in use {how}")
        return f"the key of {shown(rows[0]['name'])} was good {how}"

    def _12_script(self) -> str:
        own, inner = Path(__file__).resolve(), self.hash_of("verify.py")
        if self.asked.trust is not None and inner in self.trust().get("scripts", ()):
            return f"verify.py is {inner[:16]}, which --trust names"
        if self.asked.bundle.resolve() in own.parents:
            words = "this script came with the bundle; compare its SHA-256 with the published one"
            raise Skipped("self", words)
        if sha(own.read_bytes()) == inner:
            return f"verify.py is this script ({inner[:16]})"
        need(self.asked.trust is None, "script", "verify.py is no script that --trust names")
        raise Skipped("other_script", "verify.py is of another version, or not ours")

    def _13_against(self) -> str:
        if not self.asked.against:
            raise Skipped("not_asked", "no recording was given with --against")
        given: dict[str, Path] = {}
        for place in self.asked.against:
            for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
                if path.is_file():
                    digest = hashlib.sha256()
                    for block in Stored(path, 0, path.stat().st_size).blocks():
                        digest.update(block)
                    given[digest.hexdigest()] = path
        total, known = 0, self.load("recording")["recordings"]
        for proof in self.load("source/proofs")["recordings"]:
            for piece in proof["pieces"]:
                digest_of = known[proof["recording"]]["parts"][piece["part"]]["sha256"]
                need(
                    digest_of in given, "other", "the recording given is not the one in the bundle"
                )
                size = piece["byte_end"] - piece["byte_start"]
                there = Stored(given[digest_of], piece["byte_start"], size).read()
                need(there == self.read(piece["file"]), "bytes", "the recording holds other bytes")
                total += len(there)
        need(total > 0, "nothing", "the bundle holds no source bytes to compare")
        return f"{total} bytes are those of the recording"


def _good(row: dict[str, Any], at_ms: int) -> bool:
    """Whether a dated row of the trust file holds at a time."""
    until = row["until_utc_ms"]
    return bool(row["from_utc_ms"] <= at_ms and (until is None or at_ms < until))


# --- verdicts -----------------------------------------------------------------------------------


def verdicts(checks: list[Check]) -> tuple[Verdict, ...]:
    """What the checks come to; each verdict stands or falls by its own."""
    by = {c.number: c for c in checks}
    failed = [c for c in checks if c.status == "fail"]
    clipless = by[6].code == by[7].code == "no_clip"
    needs = {
        "intact": (1, 2, 3, 4, 5),
        "lineage": (1, 2, 3, 4, 5, 6, 7, 8),
        "signed": (1, 2, 9),
        "time_proven": (1, 2, 9, 10),
        "trusted": (1, 2, 3, 4, 5, 8, 9, 11, 12) if clipless else (*range(1, 10), 11, 12),
    }
    found = []
    for name, numbers in needs.items():
        lacking = next((by[n] for n in numbers if by[n].status != "pass"), None)
        if name == "trusted" and lacking is None and failed:
            lacking = failed[0]
        code = "ok" if lacking is None else f"{lacking.number}_{lacking.name}_{lacking.code}"
        yes, no = _WORDS[name]
        en, zh = yes if lacking is None else no
        why = "" if lacking is None else f" ({lacking.number} {lacking.name}: {lacking.sentence})"
        found.append(Verdict(name, lacking is None, code, en + why, zh))
    return tuple(found)


_WORDS = {
    "intact": (
        ("nothing was changed since it was sealed", "封存后未被改动"),
        ("it is not as it was sealed", "与封存时不一致"),
    ),
    "lineage": (
        ("the clips are bytes of the recording that was taken in", "片段出自入库的原始录像"),
        ("it is not shown that the clips come from the recording", "未证明片段出自原始录像"),
    ),
    "signed": (
        ("the holder of the key named in it signed it", "由其所载密钥的持有人签名"),
        ("it is not signed", "没有有效签名"),
    ),
    "time_proven": (
        ("a named authority saw its signature at the time given", "受信机构证明了签名存在的时间"),
        ("when it existed is not proven", "存在时间未获证明"),
    ),
    "trusted": (
        ("it holds, and --trust vouches for its key", "全部成立，且密钥为所给信任文件认可"),
        ("it is not vouched for", "未获信任"),
    ),
}


def verify(asked: Asked) -> Report:
    """All checks of a bundle."""
    return Verifier(asked).run()


def as_dict(asked: Asked, report: Report) -> dict[str, Any]:
    """A report as JSON: checks, verdicts and facts."""
    return {
        "bundle": str(asked.bundle),
        "checks": [check._asdict() for check in report.checks],
        "verdicts": {v.name: v._asdict() for v in report.verdicts},
        "facts": report.facts,
    }


def exit_code(asked: Asked, report: Report) -> int:
    """0 where nothing failed (and, with a trust file, all is trusted), else 10."""
    good = not report.failed and (asked.trust is None or report.holds("trusted"))
    return 0 if good else 10


def text_of(report: Report) -> str:
    """A report for a person."""
    sign = {"pass": "ok  ", "fail": "FAIL", "skip": "-   "}
    lines = [
        f"{sign[c.status]} {c.number:2} {c.name:<9} {zh}: {c.sentence} [{c.code}]"
        for c, zh in zip(report.checks, CHINESE, strict=True)
    ]
    lines += [
        f"{'YES' if v.holds else 'no ':<4} {v.name:<12} {v.zh}: {v.en}" for v in report.verdicts
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    about = (__doc__ or "").replace("``", "")
    options = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("bundle", type=Path, help="a bundle: folder or zip")
    options.add_argument("--trust", type=Path, help="keys, authorities and scripts to trust")
    options.add_argument("--against", type=Path, action="append", default=[], help="the recording")
    options.add_argument("--json", action="store_true", help="print JSON")
    given = options.parse_args(arguments)
    asked = Asked(given.bundle, given.trust, tuple(given.against))
    report = verify(asked)
    text = json.dumps(as_dict(asked, report), ensure_ascii=False) if given.json else text_of(report)
    sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
    return exit_code(asked, report)


if __name__ == "__main__":
    sys.exit(main())
