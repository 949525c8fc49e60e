"""Webhooks registered at the desk: signed with a secret shown once, told, tried, and no way inwards."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from pipeline.bootstrap import Application, open_workspace
from pipeline.errors import InputError
from pipeline.hooks import HookBook, _Pinned, line_to
from pipeline.notify import Notice, receivers, send_again, tell, tell_of
from pipeline.serve.service import Service
from pipeline.serve.webhooks import register, try_out
from tests import broadcasts
from tests.command import evidence, workspace
from tests.desks import Said, ask, new_key, served
from tests.unit.test_notify import Receiver, receiver

ALLOWED = "EVIDENCE_NOTIFY__ALLOWED_HOSTS"
NOTICE = Notice(type="arrival.quarantined", place="s3://x/y", error="crashed", message="坏")
INWARDS = (
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "https://localhost:{port}/",
    "https://[::1]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://0.0.0.0/",
    "https://2130706433/",
    "https://127.1/",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://192.168.1.1/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://224.0.0.1/",
    "ftp://192.0.2.1/",
    "file:///etc/passwd",
    "https://user:pass@hooks.example/",
    "https://hooks.example/#x",
    "https://hooks.example:99999/",
    "https://does-not-exist.invalid/",
    "https://",
    "//127.0.0.1/",
    "https://hooks.example/\r\nHost: x",
)


class Given(NamedTuple):
    address: str
    here: Path
    hook: Receiver
    keys: dict[str, str]

    def ask(self, path: str = "", *, role: str = "admin", method: str = "GET", **body: Any) -> Said:
        sent = json.dumps(body).encode() if method == "POST" else None
        return ask(
            f"{self.address}/api/v1/webhooks{path}",
            method=method,
            key=self.keys[role],
            body=sent,
            Content_Type="application/json",
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    here = workspace(tmp_path_factory.mktemp("hooks") / "w")
    keys = {role: new_key(here, role)["key"] for role in ("admin", "operator", "auditor")}
    with receiver() as hook:
        allowed = json.dumps([f"127.0.0.1:{hook.server_address[1]}"])
        with served(here, **{ALLOWED: allowed}) as address:
            yield Given(address, here, hook, keys)


@pytest.fixture
def given(running: Given) -> Iterator[Given]:
    yield running
    for row in running.ask().json["items"]:
        assert running.ask(f"/{row['hook_id']}", method="DELETE").status == 204
    running.hook.seen.clear()
    running.hook.statuses.clear()


def signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Whether a message is signed as Standard Webhooks says."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(key, text, hashlib.sha256).digest()
    return headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


def test_a_receiver_is_registered_tried_and_removed_and_its_secret_shown_once(given: Given):
    made = given.ask(method="POST", name="console", url=given.hook.url)
    assert made.status == 201, made
    hook, secret = made.json["hook_id"], made.json["secret"]
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret[6:])) == 32
    listed = given.ask()
    (row,) = listed.json["items"]
    assert (row["hook_id"], row["name"], row["types"]) == (hook, "console", [])
    assert row["origin"] == given.hook.url.partition("/hook")[0]
    assert secret not in listed.text
    assert "/hook?x=1" not in listed.text
    tried = given.ask(f"/{hook}/test", method="POST").json
    assert tried == {"hook_id": hook, "status": 204, "delivered": True}
    ((headers, body),) = given.hook.seen
    assert json.loads(body)["type"] == "webhook.test"
    assert signed(headers, body, secret)
    given.hook.statuses[:] = [500]
    assert given.ask(f"/{hook}/test", method="POST").json["delivered"] is False
    assert given.ask(method="POST", name="again", url=given.hook.url).status == 400
    assert given.ask(f"/{hook}", method="DELETE").status == 204
    assert given.ask(f"/{hook}", method="DELETE").status == 404
    assert given.ask(f"/{hook}/test", method="POST").status == 404
    assert given.ask().json["items"] == []
    assert len(given.hook.seen) == 2


def test_all_of_it_is_written_down_and_no_secret_leaves_the_keys_folder(given: Given):
    made = given.ask(method="POST", name="noted", url=given.hook.url).json
    given.ask(f"/{made['hook_id']}/test", method="POST")
    given.ask(f"/{made['hook_id']}", method="DELETE")
    day = datetime.now(UTC).date().isoformat()
    said = ask(f"{given.address}/api/v1/custody/{day}?size=1000", key=given.keys["auditor"])
    mine = [e for e in said.json["items"] if e.get("hook_id") == made["hook_id"]]
    assert [e["event"] for e in mine] == ["registered", "tried", "removed"]
    assert mine[1]["status"] == 204
    given.ask(method="POST", name="kept", url=given.hook.url)
    (file,) = (given.here / "keys" / "hooks").glob("*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    secret = json.loads(file.read_bytes())["secret"].encode()
    for path in given.here.rglob("*"):
        if path.is_file() and path != file:
            assert secret not in path.read_bytes(), path
            assert b"/hook?x=1" not in path.read_bytes(), path


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_only_admins_manage_them(given: Given, role: str):
    made = given.ask(method="POST", name="x", url=given.hook.url).json["hook_id"]
    assert given.ask(role=role).status == 403
    assert given.ask(role=role, method="POST", name="y", url="https://h.example/").status == 403
    assert given.ask(f"/{made}/test", role=role, method="POST").status == 403
    assert given.ask(f"/{made}", role=role, method="DELETE").status == 403
    assert len(given.ask().json["items"]) == 1


@pytest.mark.parametrize("url", INWARDS)
def test_no_address_leads_into_the_desks_own_network(given: Given, url: str):
    with receiver() as inside:
        aimed = url.replace("{port}", str(inside.server_address[1]))
        said = given.ask(method="POST", name="x", url=aimed)
        assert said.status == 400, said
        assert said.json["title"] == "input"
        assert inside.seen == []
    assert given.ask().json["items"] == []


def application(here: Path, *allowed: str) -> Application:
    app = open_workspace(here)
    told = app.settings.notify.model_copy(update={"allowed_hosts": allowed})
    return Application(app.root, app.settings.model_copy(update={"notify": told}))


def test_a_name_that_leads_inwards_later_is_not_spoken_to(tmp_path: Path):
    here = workspace(tmp_path / "w")
    with receiver() as hook:
        host = f"127.0.0.1:{hook.server_address[1]}"
        made = register(application(here, host), "x", hook.url, types=(), by="admin")
        later = application(here)
        assert try_out(later, made.hook_id).status == 0
        assert tell(later, [NOTICE], sleep=lambda _: None) == 0
        assert hook.seen == []
        assert send_again(application(here, host)) == 1
        ((headers, body),) = hook.seen
        assert signed(headers, body, made.secret)


def test_receivers_are_told_what_they_want_each_under_its_own_secret(tmp_path: Path):
    here = workspace(tmp_path / "w")
    with receiver() as every, receiver() as some:
        hosts = [f"127.0.0.1:{one.server_address[1]}" for one in (every, some)]
        app = application(here, *hosts)
        one = register(app, "all", every.url, types=(), by="admin")
        other = register(app, "some", some.url, types=("arrival.quarantined",), by="admin")
        state = broadcasts.processed(Service(app), tmp_path, "zb-1", day="2026-06-05")
        assert tell_of(app, state) == ""
        assert tell(app, [NOTICE]) == 2
        assert tell(app, [NOTICE]) == 0
        told = [[json.loads(body)["type"] for _, body in r.seen] for r in (every, some)]
        assert "broadcast.searchable" in told[0]
        assert told[1] == ["arrival.quarantined"]
        for seen, hook in ((every.seen, one), (some.seen, other)):
            assert all(signed(headers, body, hook.secret) for headers, body in seen)
        HookBook(app.keys).remove(one.hook_id)
        assert [r.url for r in receivers(app)] == [some.url]


def test_the_command_does_the_same(tmp_path: Path):
    here = workspace(tmp_path / "w")
    with receiver() as hook:
        environment = {ALLOWED: json.dumps([f"127.0.0.1:{hook.server_address[1]}"])}
        made = evidence("webhooks", "add", "c", hook.url, "--json", "-w", here, **environment)
        assert made.code == 0, made.err
        told = evidence("webhooks", "list", "--json", "-w", here)
        assert json.loads(told.out)["hook_id"] == made.json["hook_id"]
        assert made.json["secret"] not in told.out
        one = (made.json["hook_id"], "-w", here)
        assert evidence("webhooks", "test", *one, **environment).code == 0
        assert evidence("webhooks", "test", *one).code == 1
        assert len(hook.seen) == 1
        assert evidence("webhooks", "remove", *one).code == 0
        assert evidence("webhooks", "remove", *one).code == 12
    wrong = evidence("webhooks", "add", "c", "https://127.0.0.1/", "--json", "-w", here)
    assert (wrong.code, wrong.error["error"]) == (4, "input")


# --- the connection to a public host ----------------------------------------------------------


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server on this machine that may call itself hooks.example."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example")])
    names = x509.SubjectAlternativeName([x509.DNSName("hooks.example")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (tmp_path / "ca.pem").write_bytes(pem)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "both.pem").write_bytes(secret + pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    server = HTTPServer(("127.0.0.1", 0), _Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_goes_to_the_address_looked_at_under_the_name_that_was_given(secure: int):
    line = _Pinned("hooks.example", secure, "127.0.0.1", 5.0)
    line.request("POST", "/", b"{}")
    assert line.getresponse().status == 204
    line.close()
    other = _Pinned("other.example", secure, "127.0.0.1", 5.0)
    with pytest.raises(ssl.SSLCertVerificationError):
        other.request("POST", "/", b"{}")
    other.close()


def test_a_public_address_is_taken_and_pinned():
    line = line_to("https://1.1.1.1/x", allowed=(), timeout_s=1.0)
    assert isinstance(line, _Pinned)
    assert (line.host, line.port, line._address) == ("1.1.1.1", 443, "1.1.1.1")
    with pytest.raises(InputError):
        line_to("http://1.1.1.1/x", allowed=(), timeout_s=1.0)
