"""A process whose wall clock jumps while it runs; its monotonic clock does not, as on a real machine.

A small library laid before the C library adds to the wall clock what stands in a file.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.command import env

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead(void) {
    char text[32] = {0};
    int file = open(getenv("JUMPING_CLOCK"), O_RDONLY);
    if (file < 0) return 0;
    long found = read(file, text, sizeof text - 1) > 0 ? atol(text) : 0;
    close(file);
    return found;
}

int clock_gettime(clockid_t which, struct timespec *out) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(which, out);
    if (!done && which == CLOCK_REALTIME) out->tv_sec += ahead();
    return done;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


def library(folder: Path) -> Path:
    """The library, built here; a test that needs it is skipped without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, made = folder / "clock.c", folder / "clock.so"
    source.write_text(_SOURCE)
    build = [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"]
    subprocess.run(build, check=True, capture_output=True)
    return made


def jumping(
    command: Sequence[str],
    folder: Path,
    *,
    jumps: Sequence[int],
    every_s: float,
    begun: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command; its clock is so many seconds ahead, then so many, and so on.

    ``begun`` is a file that the command makes; its clock jumps from then on.
    """
    clock = folder / "clock"
    clock.write_text("0\n")
    faked = env(LD_PRELOAD=str(library(folder)), JUMPING_CLOCK=str(clock))
    process = subprocess.Popen(
        list(command), env=faked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    seen = 0
    while process.poll() is None:
        time.sleep(every_s)
        if begun is not None and not begun.exists():
            continue
        clock.write_text(f"{jumps[seen % len(jumps)]}\n")
        seen += 1
    out, err = process.communicate()
    assert seen >= 2, "it ended before its clock had jumped"
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)
