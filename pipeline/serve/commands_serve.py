"""The command that serves the desk and the API."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.serve.options import examples, service, workspace_option

if TYPE_CHECKING:
    from pipeline.serve.service import Service

_M_ARENA_MAX = -8
"""From glibc's ``malloc.h``."""
_HERE = ("127.0.0.1", "localhost", "::1")
_PATH = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command(
    "serve",
    epilog=examples(
        "evidence serve",
        "evidence serve --port 8100",
        "evidence serve --host 10.0.0.5 --tls-cert desk.pem --tls-key desk.key",
        "evidence serve --host 0.0.0.0 --name desk.example --proxy 10.0.0.2",
    ),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option("--name", "names", multiple=True, help="A host name the desk answers to.")
@click.option("--tls-cert", type=_PATH, help="Certificate chain (PEM), for HTTPS.")
@click.option("--tls-key", type=_PATH, help="Its key (PEM).")
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    help="Address of a proxy in front that speaks HTTPS; its X-Forwarded headers are believed.",
)
@click.option("--openapi", is_flag=True, help="Print the API's description (OpenAPI) and end.")
@workspace_option
def serve_command(
    host: str,
    port: int,
    names: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    proxies: tuple[str, ...],
    openapi: bool,
    workspace: Path | None,
) -> None:
    """Serve the arbitrator's desk and the HTTP API; Ctrl-C ends it.

    Without keys it serves this machine alone. For others, give out keys first
    (`evidence access new`), and let it speak HTTPS, itself or through a proxy.
    The API is described at /openapi.json.
    """
    from pipeline.serve.render import note, say

    if openapi:
        from pipeline.serve.http import description

        say(json.dumps(description(), ensure_ascii=False, indent=1, sort_keys=True))
        return
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    works = service(workspace)
    if host not in _HERE:
        if not works.app.settings.serve.oidc.issuer:
            _require_keys(works.app.keys, host)
        _require_tls(host, secret=tls_cert is not None or bool(proxies))
    listener = listening(host, port)
    scheme = "https" if tls_cert else "http"
    note(f"{scheme}://{_bracketed(host)}:{listener.getsockname()[1]}/")
    _run(works, listener, [*_names(host), *names], proxies, tls_cert, tls_key)


def _run(
    works: Service,
    listener: socket.socket,
    hosts: list[str],
    proxies: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Answer until told to stop; what is being answered then has 20 s to end."""
    import uvicorn

    from pipeline.serve.http import make_app

    _few_arenas()
    config = uvicorn.Config(
        make_app(works, hosts=hosts),
        log_level="warning",
        server_header=False,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=20,
        timeout_keep_alive=75,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _few_arenas() -> None:
    """Threads share two heaps: with one each (glibc), what one frees the others cannot use."""
    import ctypes

    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _names(host: str) -> list[str]:
    """Host names the desk answers to: those of this machine, and the address it listens on."""
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    return [*_HERE, "[::1]", *([] if everywhere else [_bracketed(host)])]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _require_keys(keys: Path, host: str) -> None:
    from pipeline.errors import ConfigError
    from pipeline.serve.access.keys import KeyBook

    if not KeyBook(keys).any():
        raise ConfigError(
            f"--host {host}: no key was ever made, and without keys the desk is not opened to "
            "other machines",
            hint="give out the first with `evidence access new`, or leave --host out",
        )


def _require_tls(host: str, *, secret: bool) -> None:
    from pipeline.errors import ConfigError

    if not secret:
        raise ConfigError(
            f"--host {host}: keys would cross the network in the open",
            hint="give --tls-cert and --tls-key, or name the proxy that speaks HTTPS with --proxy",
        )


def listening(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once.

    asyncio sets that only for sockets that name their protocol. Without it the second packet of
    an answer waits for the client's delayed acknowledgement, 40 ms on Linux.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
