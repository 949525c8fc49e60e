#!/usr/bin/env bash
# Makes .venv/ with everything that is locked, and the command .venv/bin/evidence.
# Linux and macOS; neither root nor Java, Go or a server is needed. Running it again does
# nothing while the lock and the project file are the same.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

UV_VERSION=0.13.9

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

find_python() {
  local name
  for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 && fits "$name"; then
      command -v "$name"
      return 0
    fi
  done
  return 1
}

make_venv() {
  local python
  if python=$(find_python); then
    say "making .venv with $("$python" --version)"
    if "$python" -m venv --clear .venv; then return 0; fi
    say "this Python cannot make virtual environments"
  fi
  if command -v uv >/dev/null 2>&1; then
    say "making .venv with uv"
    uv venv --quiet --clear --seed --python 3.11 .venv
    return 0
  fi
  say "Python 3.11, 3.12 or 3.13 with its venv module is needed."
  say "  Debian, Ubuntu: apt install python3 python3-venv    macOS: brew install python@3.12"
  say "  or install uv, which brings its own Python; or name one: PYTHON=/path/to/python3 make setup"
  return 1
}

fingerprint() {
  .venv/bin/python - requirements.lock infra/build.lock pyproject.toml infra/setup.sh <<'PY'
import hashlib, os, sys
digest = hashlib.sha256(f"{sys.version} {os.getcwd()}".encode())
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        digest.update(file.read())
print(digest.hexdigest())
PY
}

install_locked() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" &&
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --require-hashes \
      -r requirements.lock
}

install_locked_by_pip() {
  say "uv could not do it; trying pip, which takes longer"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
    --require-hashes -r requirements.lock
}

install_project() {
  # The build tools are pinned as well; they stay out of .venv.
  if .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps \
    --build-constraints infra/build.lock --editable . 2>/dev/null; then return 0; fi
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
}

main() {
  local stamp=.venv/.replay-evidence-stamp
  if ! { [ -x .venv/bin/python ] && fits .venv/bin/python; }; then make_venv; fi
  if [ -x .venv/bin/evidence ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint)" ]; then
    say "up to date"
    return 0
  fi
  say "installing what requirements.lock names (the first time: about 1 GB to fetch)"
  install_locked || install_locked_by_pip
  install_project
  # Where nothing may be written at run time (a container, another user's folder) every start would
  # translate what it imports anew, and half of a start is that. Packages have templates that are no
  # Python yet; those are passed over.
  .venv/bin/python -m compileall -q -j 0 .venv/lib pipeline flows >/dev/null 2>&1 || true
  # A database for temporary Prefect servers: without it each fresh one makes its own, in four seconds.
  .venv/bin/python -m flows.template || say "no database was made ahead; flows make their own"
  fingerprint >"$stamp"
  say "done: .venv/bin/evidence"
}

main
