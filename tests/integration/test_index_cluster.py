"""The real node behind a proxy: own certificate authority, API key, busy, blocked and slow."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import json
import os
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from elasticsearch import ApiError
from pydantic import SecretStr

from pipeline.errors import ConfigError, IndexingError, IndexUnavailable
from pipeline.index.documents import Document
from pipeline.index.elastic import ElasticIndex
from pipeline.index.run import search
from pipeline.settings import IndexSettings

URL = "EVIDENCE_TEST_ELASTICSEARCH_URL"
KEY = "VGVzdDpLZXk="
DOCUMENT = Document(doc_id="b/s0", kind="line", broadcast_id="b", text="七天无理由")

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(
        not os.environ.get(URL),
        reason=f"{URL} is not set: start a node with infra/elasticsearch/node.py start",
    ),
]


class Proxy:
    """A TLS proxy in front of the node. ``faults`` holds replies to give instead, in order."""

    def __init__(self, folder: Path, *, key: str) -> None:
        self.faults: list[tuple[int, dict[str, Any]]] = []
        self.only = ""
        self.delay_s = 0.0
        self.ca_file = folder / "ca.pem"
        server, proxy = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, key)), self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_certificates(folder, proxy.ca_file))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.server = server
        self.url = f"https://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def fault(self, path: str) -> tuple[int, dict[str, Any]] | None:
        return self.faults.pop(0) if self.faults and self.only in path else None


def _handler(proxy: Proxy, key: str) -> type[BaseHTTPRequestHandler]:
    node = urlsplit(os.environ.get(URL, "http://127.0.0.1:1"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Quiet."""

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            time.sleep(proxy.delay_s)
            if self.headers.get("Authorization") != f"ApiKey {key}":
                return self.reply(401, b'{"error": {"type": "security_exception"}}', {})
            fault = proxy.fault(self.path)
            if fault is not None:
                return self.reply(fault[0], json.dumps(fault[1]).encode(), {})
            link = http.client.HTTPConnection(node.hostname or "", node.port, timeout=30)
            kept = {
                k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")
            }
            link.request(self.command, self.path, body, kept)
            answer = link.getresponse()
            headers = {"Content-Type": answer.getheader("Content-Type") or "application/json"}
            return self.reply(answer.status, answer.read(), headers)

        def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            headers = {"Content-Type": "application/json", **headers}
            for name, value in {**headers, "X-Elastic-Product": "Elasticsearch"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

    return Handler


def _certificates(folder: Path, ca_file: Path) -> tuple[Path, Path]:
    """An authority of our own and a certificate for the loopback address."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test node")])
    now = datetime.datetime.now(datetime.UTC)

    def signed(subject: x509.Name, public: Any, *extensions: Any) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name)
        builder = builder.public_key(public).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(ca_key, hashes.SHA256())

    constraints = x509.BasicConstraints(ca=True, path_length=None)
    ca = signed(ca_name, ca_key.public_key(), constraints)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    own = signed(name, key.public_key(), names)
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "own.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))
    (folder / "own.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "own.pem", folder / "own.key"


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    made = Proxy(tmp_path, key=KEY)
    yield made
    made.server.shutdown()
    made.server.server_close()


def connect(proxy: Proxy, **changes: Any) -> ElasticIndex:
    values: dict[str, Any] = {
        "kind": "elasticsearch",
        "url": proxy.url,
        "alias": f"test-{uuid.uuid4().hex[:10]}",
        "ca_file": str(proxy.ca_file),
        "api_key": SecretStr(KEY),
        "timeout_s": 20,
    }
    return ElasticIndex(IndexSettings(**{**values, **changes}))


@pytest.fixture
def index(proxy: Proxy) -> Iterator[ElasticIndex]:
    made = connect(proxy)
    made.put([DOCUMENT])
    yield made
    proxy.faults.clear()
    proxy.delay_s = 0
    made.remove()


def test_an_own_authority_and_an_api_key(index: ElasticIndex) -> None:
    assert search(index, "七天").total == 1


def test_shards_and_replicas_are_those_of_the_settings(proxy: Proxy) -> None:
    made = connect(proxy, shards=3, replicas=2)
    try:
        made.put([DOCUMENT])
        assert made.swap([("undated", [DOCUMENT])]) == 1
        (told,) = made._client.indices.get_settings(index=made._alias).body.values()
        index = told["settings"]["index"]
        assert (index["number_of_shards"], index["number_of_replicas"]) == ("3", "2")
        assert search(made, "七天").total == 1
    finally:
        made.remove()


def test_a_field_that_no_type_knows_is_refused_by_the_cluster(index: ElasticIndex) -> None:
    (name,) = index._client.indices.get_alias(index=index._alias).body
    with pytest.raises(ApiError, match="strict_dynamic_mapping_exception"):
        index._client.index(index=name, document={"text": "七天", "guessed": 1})
    assert search(index, "七天").total == 1


def test_pages_stay_those_of_the_first_while_others_write(index: ElasticIndex) -> None:
    index.put([DOCUMENT.model_copy(update={"doc_id": f"b/s{n}", "start_ms": n}) for n in range(6)])
    seen, cursor = [], ""
    for turn in range(9):
        answer = search(index, "七天", size=2, cursor=cursor)
        seen += [hit.document.doc_id for hit in answer.hits]
        cursor = answer.cursor
        if turn == 1:  # the second page opened a point in time; this one comes too late for it
            index.put([DOCUMENT.model_copy(update={"doc_id": "b/s9", "start_ms": 1})])
        if not cursor:
            break
    assert seen == [f"b/s{n}" for n in range(6)]
    assert search(index, "七天", size=50).total == 7


def test_a_wrong_key_is_said_to_be_wrong(proxy: Proxy) -> None:
    with pytest.raises(IndexingError, match=r"index\.api_key") as caught:
        search(connect(proxy, api_key=SecretStr("d3Jvbmc=")), "七天")
    assert not caught.value.transient


def test_an_unknown_authority_is_refused(proxy: Proxy) -> None:
    with pytest.raises(ConfigError, match=r"index\.ca_file"):
        search(connect(proxy, ca_file=""), "七天")


def test_a_busy_cluster_is_waited_for(proxy: Proxy, index: ElasticIndex) -> None:
    proxy.only = "_bulk"
    proxy.faults = [(429, {"error": {"type": "es_rejected_execution_exception"}})] * 2
    assert index.put([DOCUMENT.model_copy(update={"text": "八天"})]) == 1
    assert proxy.faults == []
    assert search(index, "八天").total == 1


def test_a_cluster_out_of_disk_is_unavailable_and_loses_nothing(
    proxy: Proxy, index: ElasticIndex
) -> None:
    proxy.only = "_bulk"
    block = {"error": {"type": "cluster_block_exception", "reason": "read-only / allow delete"}}
    proxy.faults = [(403, block)]
    with pytest.raises(IndexUnavailable, match="disk") as caught:
        index.put([DOCUMENT.model_copy(update={"text": "八天"})])
    assert caught.value.transient
    assert search(index, "七天").total == 1


def test_a_removed_index_is_never_made_again_by_a_write(proxy: Proxy, index: ElasticIndex) -> None:
    connect(proxy, alias=index._alias).remove()
    with pytest.raises(IndexUnavailable, match="evidence rebuild"):
        index.put([DOCUMENT])
    fresh = connect(proxy, alias=index._alias)
    assert fresh.swap([("undated", [DOCUMENT])], whole=True) == 1
    assert search(fresh, "七天").total == 1


def test_a_slow_cluster_times_out_as_unavailable(proxy: Proxy, index: ElasticIndex) -> None:
    slow = connect(proxy, alias=index._alias, timeout_s=1)
    slow.ensure()
    proxy.delay_s = 3
    with pytest.raises(IndexUnavailable):
        search(slow, "七天")


def test_an_index_of_another_schema_asks_for_a_rebuild(proxy: Proxy, index: ElasticIndex) -> None:
    from pipeline.errors import MappingConflict

    node = urlsplit(os.environ[URL])
    link = http.client.HTTPConnection(node.hostname or "", node.port, timeout=30)
    body = json.dumps({"_meta": {"schema": "0.9", "alias": index._alias}})
    link.request("PUT", f"/{index._alias}/_mapping", body, {"Content-Type": "application/json"})
    assert link.getresponse().status == 200
    fresh = connect(proxy, alias=index._alias)
    with pytest.raises(MappingConflict, match="evidence rebuild"):
        search(fresh, "七天")
    assert fresh.swap([("undated", [DOCUMENT])], whole=True) == 1
    assert search(fresh, "七天").total == 1
