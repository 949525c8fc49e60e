"""A real RFC 3161 time-stamp authority for tests: OpenSSL behind a small web server."""

from __future__ import annotations

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

_CONFIG = """\
[ req ]
distinguished_name = name
prompt = no
[ name ]
CN = {cn}
[ root ]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[ stamping ]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
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
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """One authority with a root of its own; ``url`` answers while it is entered.

    ``days`` is how long its certificate lasts from now; a negative one has lapsed.
    """

    def __init__(self, folder: Path, *, name: str = "Test authority", days: int = 3650) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.root = folder / "root.pem"
        self.refuse = False
        config = folder / "openssl.cnf"
        config.write_text(_CONFIG.format(cn=name, folder=folder), encoding="ascii")
        (folder / "serial").write_text("01\n")
        for key in ("root.key", "tsa.key"):
            _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", folder / key)  # fmt: skip
        _openssl("req", "-x509", "-new", "-key", folder / "root.key", "-out", self.root, "-days", 3650,
                 "-config", config, "-extensions", "root")  # fmt: skip
        request = folder / "tsa.csr"
        _openssl("req", "-new", "-key", folder / "tsa.key", "-out", request, "-config", config,
                 "-subj", f"/CN={name} stamping")  # fmt: skip
        _openssl("x509", "-req", "-in", request, "-CA", self.root, "-CAkey", folder / "root.key",
                 "-set_serial", 2, "-out", folder / "tsa.pem", "-days", days,
                 "-extfile", config, "-extensions", "stamping")  # fmt: skip

    def reply(self, query: bytes) -> bytes:
        """The reply to a request."""
        asked, given = self.folder / "asked.tsq", self.folder / "given.tsr"
        asked.write_bytes(query)
        _openssl("ts", "-reply", "-queryfile", asked, "-config", self.folder / "openssl.cnf", "-out", given)  # fmt: skip
        return given.read_bytes()

    def stamp(self, data: bytes) -> tuple[bytes, bytes]:
        """A request over ``data`` and its reply."""
        file, query = self.folder / "data", self.folder / "query.tsq"
        file.write_bytes(data)
        _openssl("ts", "-query", "-data", file, "-sha256", "-cert", "-out", query)
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
