"""A clock that is set forward and back for some programs alone, while they run: the machine's own is not touched.

A small library stands between a program and its C library (LD_PRELOAD) and adds to the real time the seconds that a
file holds. What counts intervals (CLOCK_MONOTONIC) goes on, as it does where a clock is set.
"""

import os
import struct
import subprocess
from pathlib import Path

_CODE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long *seconds;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("STEPPED_CLOCK");
    int handle = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    real = dlsym(RTLD_NEXT, "clock_gettime");
    if (handle < 0) return;
    void *there = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, handle, 0);
    if (there != MAP_FAILED) seconds = there;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    if (!real) begin();
    int failed = real(which, now);
    if (!failed && seconds && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += *seconds;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""


class SteppedClock:
    """`env` gives it to a program and to all that this one starts. Needs a C compiler."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        code, library, self._file = (folder / name for name in ("clock.c", "clock.so", "clock.seconds"))
        code.write_text(_CODE)
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, code, "-ldl"], check=True)
        self._file.write_bytes(struct.pack("l", 0))
        self.env = {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """From now on the programs' clock is so far ahead of the machine's; below zero: behind."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("l", seconds))
