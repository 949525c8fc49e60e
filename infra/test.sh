#!/usr/bin/env bash
# All checks: style, types, layers, then every test with the real services that this machine
# can run. What could not be started is named at the end, and its tests are shown as skipped.
# Arguments go to pytest:  infra/test.sh tests/unit -k sqlite
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'test: %s\n' "$*" >&2; }

skipped=()
stops=()
work=$(mktemp -d "${TMPDIR:-/tmp}/replay-evidence-test.XXXXXX")

finish() {
  local code=$? command
  trap - EXIT
  for command in ${stops[@]+"${stops[@]}"}; do
    eval "$command" >/dev/null 2>&1 || say "could not stop: $command"
  done
  rm -rf "$work"
  for command in ${skipped[@]+"${skipped[@]}"}; do say "NOT RUN: $command"; done
  if [ "$code" -eq 0 ]; then say "all passed"; else say "FAILED ($code)"; fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Start a service by its script; it prints "export NAME=value" lines.
start() {
  local name=$1 needs=$2 script=$3 lines
  if [ ! -f "$script" ]; then
    skipped+=("$name: $script is not there")
  elif lines=$(.venv/bin/python "$script" start --dir "$work/$name"); then
    stops+=(".venv/bin/python $script stop --dir $work/$name")
    eval "$(printf '%s\n' "$lines" | grep -E '^export [A-Z0-9_]+=[^[:space:];&|$`]*$')"
  else
    skipped+=("$name: it did not start (it needs $needs); see above")
  fi
}

find_browser() {
  local name
  for name in "${EVIDENCE_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
      EVIDENCE_TEST_CHROMIUM=$(command -v "$name")
      export EVIDENCE_TEST_CHROMIUM
      return 0
    fi
  done
  skipped+=("browser: no chromium on this machine")
}

step() {
  say "$*"
  "$@"
}

infra/setup.sh

export PREFECT_HOME="$work/prefect" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1
export HF_HUB_DISABLE_TELEMETRY=1 OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

checks() {
  step .venv/bin/ruff check . && step .venv/bin/ruff format --check . &&
    step .venv/bin/mypy && step .venv/bin/lint-imports
}

# While the services start, which mostly waits.
if [ $# -eq 0 ]; then
  checks >"$work/checks" 2>&1 &
  checking=$!
fi

start s3 "Go, once" infra/s3/server.py
start elasticsearch "Java 17 or newer, and Maven once" infra/elasticsearch/node.py
find_browser

if [ $# -eq 0 ]; then
  checked=0
  wait "$checking" || checked=$?
  cat "$work/checks" >&2
  [ "$checked" -eq 0 ] || exit "$checked"
fi

# Files are dealt out whole, so that what a file loads (a model, a server) is loaded once; those that
# take long come before the others (tests/conftest.py), so that no worker is left with a long one.
# A worker more than two processors: tests of what is on air, killed or away mostly wait.
step .venv/bin/python -m pytest -n "${EVIDENCE_TEST_WORKERS:-3}" --dist loadfile \
  --no-loadscope-reorder "$@"
