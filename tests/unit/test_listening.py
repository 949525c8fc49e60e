"""The socket that the desk listens on."""

import socket

import pytest

from pipeline.serve.commands_serve import listening


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_is_answered_leaves_at_once(host: str) -> None:
    try:
        listener = listening(host, 0)
    except OSError as error:
        pytest.skip(f"no address {host} on this machine: {error}")
    with listener, socket.create_connection(listener.getsockname()[:2]) as caller:
        answering, _ = listener.accept()
        with answering:
            assert answering.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            answering.sendall(b"here")
            assert caller.recv(4) == b"here"
