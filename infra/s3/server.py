#!/usr/bin/env python3
"""A real S3 server (versitygw, Apache-2.0) on this machine, for development and tests.

    python infra/s3/server.py start     installs it once, starts it, prints its address
    python infra/s3/server.py status    says whether it runs; exit status 3 when it does not
    python infra/s3/server.py stop      stops what ``start`` started and removes its data

``start`` prints shell lines, so that ``eval "$(python infra/s3/server.py start)"`` sets
EVIDENCE_TEST_S3_ENDPOINT, EVIDENCE_TEST_S3_KEY and EVIDENCE_TEST_S3_SECRET. Nothing is
written into the checkout: the program lies in ``$REPLAY_EVIDENCE_CACHE`` (default
``~/.cache/replay-evidence``), the data in a folder of its own under ``--dir``. Only the
Python standard library and, for the first start, Go are needed.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

MODULE = "github.com/versity/versitygw/cmd/versitygw"
VERSION = "v1.8.0"
START_LIMIT_S = 20
STOP_LIMIT_S = 10


def cache() -> Path:
    named = os.environ.get("REPLAY_EVIDENCE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "replay-evidence"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def installed() -> Path:
    """The program, built on first use; its version is part of the path."""
    folder = cache() / f"versitygw-{VERSION}"
    program = folder / "versitygw"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise SystemExit("s3: Go is needed once to build the server; install Go 1.24 or newer")
    say(f"s3: building versitygw {VERSION} (once, some minutes) ...")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [go, "install", f"{MODULE}@{VERSION}"]
        env = {**os.environ, "GOBIN": scratch, "GOFLAGS": "", "CGO_ENABLED": "0"}
        if subprocess.run(command, env=env, cwd=scratch, check=False).returncode != 0:
            raise SystemExit(f"s3: {' '.join(command)} failed; see above")
        os.replace(Path(scratch) / "versitygw", program)
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def keeps_attributes(folder: Path) -> bool:
    """Whether the disk keeps extended attributes, where the server stores metadata."""
    if not hasattr(os, "setxattr"):
        return sys.platform == "darwin"
    try:
        os.setxattr(folder, "user.evidence", b"1")
    except OSError:
        return False
    return True


def read_state(state: Path) -> dict:
    try:
        return json.loads((state / "server.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def is_ours(pid: int) -> bool:
    """Whether this process is alive and is the server; process ids are used again."""
    command = ["ps", "-p", str(pid), "-o", "command="]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return "versitygw" in shown


def answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/health", timeout=2) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def running(state: Path) -> dict:
    known = read_state(state)
    return known if known and is_ours(known["pid"]) and answers(known["endpoint"]) else {}


def command_line(program: Path, port: int, data: Path) -> list:
    folders = {name: data / name for name in ("objects", "versions", "metadata")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    line = [str(program), "--quiet", "--port", f"127.0.0.1:{port}", "--health", "/health", "posix"]
    line += ["--versioning-dir", str(folders["versions"])]
    if not keeps_attributes(folders["objects"]):
        line += ["--sidecar", str(folders["metadata"])]
    return [*line, str(folders["objects"])]


def start(state: Path, port: int) -> dict:
    known = running(state)
    if known:
        return known
    stop(state)
    program = installed()
    port = port or free_port()
    state.mkdir(parents=True, exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="data-", dir=state))
    key, secret = f"EV{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    env = {**os.environ, "ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret}
    with open(state / "server.log", "wb") as log:
        process = subprocess.Popen(
            command_line(program, port, data),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    known = {"pid": process.pid, "endpoint": f"http://127.0.0.1:{port}", "key": key}
    known |= {"secret": secret, "data": str(data)}
    write_state(state, known)
    wait_until_up(state, process, known["endpoint"])
    return known


def write_state(state: Path, known: dict) -> None:
    handle = os.open(state / "server.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(known, file)


def wait_until_up(state: Path, process: subprocess.Popen, endpoint: str) -> None:
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        if answers(endpoint):
            return
        time.sleep(0.05)
    tail = (state / "server.log").read_text(encoding="utf-8", errors="replace")[-2000:]
    stop(state)
    raise SystemExit(f"s3: the server did not come up within {START_LIMIT_S} s\n{tail}")


def stop(state: Path) -> bool:
    """Stop the server of this state folder and remove its data; whether it ran."""
    known = read_state(state)
    ran = bool(known) and is_ours(known["pid"])
    if ran:
        end(known["pid"])
    if known:
        shutil.rmtree(known["data"], ignore_errors=True)
        (state / "server.json").unlink(missing_ok=True)
    return ran


def end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + STOP_LIMIT_S
    while time.monotonic() < until and is_ours(pid):
        time.sleep(0.05)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    if is_ours(pid):
        os.kill(pid, signal.SIGKILL)


def show(known: dict) -> None:
    print(f"export EVIDENCE_TEST_S3_ENDPOINT={known['endpoint']}")
    print(f"export EVIDENCE_TEST_S3_KEY={known['key']}")
    print(f"export EVIDENCE_TEST_S3_SECRET={known['secret']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=["install", "start", "stop", "status"])
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument(
        "--dir", "--state", dest="state", type=Path, help="default: s3/ in the cache"
    )
    chosen = parser.parse_args()
    state = (chosen.state or cache() / "s3").absolute()
    if chosen.action == "install":
        say(f"s3: {installed()}")
    elif chosen.action == "start":
        show(start(state, chosen.port))
        say("s3: running; stop it with: python infra/s3/server.py stop")
    elif chosen.action == "stop":
        say("s3: stopped" if stop(state) else "s3: was not running")
    else:
        known = running(state)
        say(f"s3: running at {known['endpoint']}" if known else "s3: not running")
        if not known:
            return 3
        show(known)
    return 0


if __name__ == "__main__":
    sys.exit(main())
