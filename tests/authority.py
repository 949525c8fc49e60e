"""A real RFC 3161 time-stamp authority for tests: OpenSSL behind a small web server."""

from __future__ import annotations

import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIG = """\
[ tsa ]
default_tsa = here
[ here ]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha1, sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""
_YEARS = timedelta(days=3650)


def openssl(*arguments: object) -> None:
    """Run OpenSSL."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """One authority with a root of its own; ``url`` answers while it is entered.

    Its certificate holds from ``since`` to ``until``, counted from now.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "Test authority",
        since: timedelta = -_YEARS,
        until: timedelta = _YEARS,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self.root = folder / "root.pem"
        self.refuse = False
        (folder / "openssl.cnf").write_text(_CONFIG.format(folder=folder), encoding="ascii")
        (folder / "serial").write_text("01\n")
        now = datetime.now(UTC)
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        about = x509.CertificateBuilder().issuer_name(_named(name))
        root = about.subject_name(_named(name)).public_key(root_key.public_key()).serial_number(1)
        root = root.not_valid_before(now - 2 * _YEARS).not_valid_after(now + 2 * _YEARS)
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        own = about.subject_name(_named(f"{name} stamping")).public_key(key.public_key())
        own = own.serial_number(2).not_valid_before(now + since).not_valid_after(now + until)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        own = own.add_extension(usage, critical=True)
        for file, builder in ((self.root, root), (folder / "tsa.pem", own)):
            made = builder.sign(root_key, hashes.SHA256())
            file.write_bytes(made.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "tsa.key").write_bytes(private)

    def reply(self, query: bytes) -> bytes:
        """The reply to a request."""
        asked, given = self.folder / "asked.tsq", self.folder / "given.tsr"
        asked.write_bytes(query)
        openssl("ts", "-reply", "-queryfile", asked, "-config", self.folder / "openssl.cnf", "-out", given)  # fmt: skip
        return given.read_bytes()

    def stamp(self, data: bytes, *, algorithm: str = "sha256") -> tuple[bytes, bytes]:
        """A request over ``data`` and its reply."""
        file, query = self.folder / "data", self.folder / "query.tsq"
        file.write_bytes(data)
        openssl("ts", "-query", "-data", file, f"-{algorithm}", "-cert", "-out", query)
        asked = query.read_bytes()
        return asked, self.reply(asked)

    def __enter__(self) -> Authority:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers["Content-Length"]))
                body = b"" if authority.refuse else authority.reply(asked)
                self.send_response(503 if authority.refuse else 200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
