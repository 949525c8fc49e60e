"""The command that serves the desk and the API."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from pipeline.serve.options import examples, service, workspace_option

_HERE = ("127.0.0.1", "localhost", "::1")


@click.command("serve", epilog=examples("evidence serve", "evidence serve --port 8100"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@workspace_option
def serve_command(host: str, port: int, workspace: Path | None) -> None:
    """Serve the arbitrator's desk and the HTTP API on this machine; Ctrl-C ends it.

    It has no accounts, so it listens to this machine alone: another address is refused. Let
    others in through a proxy that knows who they are, or an SSH tunnel.
    The API is described at /openapi.json.
    """
    from pipeline.errors import ConfigError
    from pipeline.serve.render import note

    if host not in _HERE:
        raise ConfigError(
            f"--host {host}: the desk has no accounts and is not opened to other machines",
            hint="leave --host out, and put a proxy with a login in front",
        )
    import uvicorn

    from pipeline.serve.http import make_app

    app = make_app(service(workspace), hosts=[*_HERE, "[::1]"])
    listener = socket.create_server((host, port), family=_family(host))
    note(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/")
    config = uvicorn.Config(app, log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
