#!/usr/bin/env python3
"""The genuine Elasticsearch server, one node on this machine, for development and tests.

    python infra/elasticsearch/node.py install  fetches the server's jars once
    python infra/elasticsearch/node.py start    starts a node on a free port, prints its address
    python infra/elasticsearch/node.py status   says whether it runs; exit status 3 when not
    python infra/elasticsearch/node.py stop     stops what ``start`` started, removes its data

``start`` prints a shell line, so that ``eval "$(python infra/elasticsearch/node.py start)"``
sets EVIDENCE_TEST_ELASTICSEARCH_URL. Needs Java 17 and, the first time, Maven. Nothing is
written into the checkout: jars lie in ``$REPLAY_EVIDENCE_CACHE`` (default
``~/.cache/replay-evidence``), data in a folder of its own under ``--dir``. The server is
fetched from its makers under their licence and is not part of this project. The published
jars lack the security module: this node is for loopback only, never for production.
"""

import argparse
import contextlib
import json
import os
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

VERSION = "8.17.1"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
HERE = Path(__file__).resolve().parent
START_LIMIT_S = 120
STOP_LIMIT_S = 30
DESCRIPTOR = f"""name=transport-netty4
description=Netty 4 based transport
version={VERSION}
elasticsearch.version={VERSION}
java.version=17
classname=org.elasticsearch.transport.netty4.Netty4Plugin
modulename=org.elasticsearch.transport.netty4
"""


def cache() -> Path:
    named = os.environ.get("REPLAY_EVIDENCE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "replay-evidence"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def tool(name: str, why: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SystemExit(f"elasticsearch: {name} is not on this machine; {why}")
    return path


def run(line: list, scratch: Path) -> None:
    if subprocess.run(line, cwd=scratch, stdout=sys.stderr, check=False).returncode != 0:
        raise SystemExit(f"elasticsearch: {line[0]} failed; see above")


def installed() -> Path:
    """The server's home, put together on first use; its version is part of the path."""
    home = cache() / f"elasticsearch-{VERSION}"
    if (home / "complete").exists():
        return home
    mvn = tool("mvn", "install Maven; it fetches the server's jars once")
    javac = tool("javac", "install a Java 17 development kit")
    say(f"elasticsearch: fetching the {VERSION} jars (once, under a minute) ...")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as name:
        scratch = Path(name) / "home"
        fetch(mvn, scratch)
        config = scratch / "config"
        config.mkdir()
        shutil.copy(HERE / "log4j2.properties", config)
        run(
            [javac, "-cp", f"{scratch}/lib/*", "-d", f"{scratch}/out", f"{HERE}/Launcher.java"],
            scratch,
        )
        (scratch / "complete").write_text(VERSION, encoding="ascii")
        shutil.rmtree(home, ignore_errors=True)
        scratch.replace(home)
    return home


def fetch(mvn: str, home: Path) -> None:
    module = home / "modules" / "transport-netty4"
    module.mkdir(parents=True)
    base = [mvn, "-q", "-B", PLUGIN]
    run([*base, "-f", f"{HERE}/pom.xml", f"-DoutputDirectory={home}/lib"], home)
    without = "-DexcludeArtifactIds=elasticsearch-core"
    run([*base, "-f", f"{HERE}/pom-netty.xml", f"-DoutputDirectory={module}", without], home)
    (module / "plugin-descriptor.properties").write_text(DESCRIPTOR, encoding="ascii")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_state(state: Path) -> dict:
    try:
        return json.loads((state / "node.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def is_ours(pid: int) -> bool:
    """Whether this process is alive and is the node; process ids are used again."""
    command = ["ps", "-p", str(pid), "-o", "command="]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return "java" in shown and " Launcher " in shown


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_cluster/health", timeout=3) as reply:
            return json.load(reply)["status"] in ("green", "yellow")
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return False


def running(state: Path) -> dict:
    known = read_state(state)
    return known if known and is_ours(known["pid"]) and answers(known["url"]) else {}


def command_line(home: Path, data: Path, port: int, heap: str) -> list:
    return [
        tool("java", "install Java 17"),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        f"-Des.path.home={home}",
        "-Des.distribution.type=tar",
        f"-Dlog4j2.configurationFile={home}/config/log4j2.properties",
        *("--module-path", f"{home}/lib", "--add-modules", "ALL-MODULE-PATH"),
        *("--add-modules", "jdk.net", "--add-modules", "jdk.management.agent"),
        *("-cp", f"{home}/out", "Launcher", str(home), str(data), str(port), str(free_port())),
    ]


def start(state: Path, port: int, heap: str) -> dict:
    known = running(state)
    if known:
        return known
    stop(state)
    home = installed()
    port = port or free_port()
    state.mkdir(parents=True, exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="data-", dir=state))
    with open(state / "node.log", "wb") as log:
        process = subprocess.Popen(
            command_line(home, data, port, heap),
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    known = {"pid": process.pid, "url": f"http://127.0.0.1:{port}", "data": str(data)}
    (state / "node.json").write_text(json.dumps(known), encoding="utf-8")
    wait_until_up(state, process, known["url"])
    return known


def wait_until_up(state: Path, process: subprocess.Popen, url: str) -> None:
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        if answers(url):
            return
        time.sleep(0.2)
    tail = (state / "node.log").read_text(encoding="utf-8", errors="replace")[-3000:]
    stop(state)
    raise SystemExit(f"elasticsearch: the node did not come up within {START_LIMIT_S} s\n{tail}")


def stop(state: Path) -> bool:
    """Stop the node of this state folder and remove its data; whether it ran."""
    known = read_state(state)
    ran = bool(known) and is_ours(known["pid"])
    if ran:
        end(known["pid"])
    if known:
        shutil.rmtree(known["data"], ignore_errors=True)
        (state / "node.json").unlink(missing_ok=True)
    return ran


def end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + STOP_LIMIT_S
    while time.monotonic() < until and is_ours(pid):
        time.sleep(0.1)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    if is_ours(pid):
        os.kill(pid, signal.SIGKILL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=["install", "start", "stop", "status"])
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--heap", default="1g", help="Java heap, default 1g")
    parser.add_argument("--dir", type=Path, help="default: elasticsearch/ in the cache folder")
    chosen = parser.parse_args()
    state = (chosen.dir or cache() / "elasticsearch").absolute()
    if chosen.action == "install":
        say(f"elasticsearch: {installed()}")
    elif chosen.action == "start":
        known = start(state, chosen.port, chosen.heap)
        print(f"export EVIDENCE_TEST_ELASTICSEARCH_URL={known['url']}")
        say("elasticsearch: running; stop it with: python infra/elasticsearch/node.py stop")
    elif chosen.action == "stop":
        say("elasticsearch: stopped" if stop(state) else "elasticsearch: was not running")
    else:
        known = running(state)
        say(f"elasticsearch: running at {known['url']}" if known else "elasticsearch: not running")
        if not known:
            return 3
        print(f"export EVIDENCE_TEST_ELASTICSEARCH_URL={known['url']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
