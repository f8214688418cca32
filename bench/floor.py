"""
grep alone, one after another: what no server that runs it can beat.

C{python -m bench.floor TERMS DICTIONARY CORES START SECONDS} looks for each term of
a file in turn, on the given cores, from a moment of C{CLOCK_MONOTONIC} on, and
prints how long each grep took, in seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from shutil import which
from statistics import fmean, quantiles

from .children import last_line, module_command, read_output, running_child
from .errors import RunFailed
from .rounds import Numbers

_ENVIRONMENT = {"LC_ALL": "C"}
_START_DELAY = 0.5
"""So many seconds after they are started all loops begin."""


def run_grep(grep: str, arguments: Sequence[str], dictionary: str) -> bytes:
    """
    Run grep on a file, in the quickest way that Python has.

    @param grep: its path.
    @return: its output.
    """
    read, write = os.pipe()
    dictionary_fd = os.open(dictionary, os.O_RDONLY)
    process = os.posix_spawn(
        grep,
        ["grep", "-a", "-F", *arguments],
        _ENVIRONMENT,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, dictionary_fd, 0),
            (os.POSIX_SPAWN_DUP2, write, 1),
        ],
    )
    os.close(write)
    os.close(dictionary_fd)
    output = []
    while piece := os.read(read, 1 << 16):
        output.append(piece)
    os.close(read)
    os.waitpid(process, 0)
    return b"".join(output)


def find_grep() -> str:
    """The path of grep."""
    grep = which("grep")
    if grep is None:
        raise RunFailed("there is no grep")
    return grep


def run_loop(
    terms: Sequence[str], dictionary: str, start: float, end: float
) -> list[float]:
    """Run one grep after another, and say how long each took."""
    grep = find_grep()
    durations = []
    time.sleep(max(0.0, start - time.monotonic()))
    began = time.monotonic()
    for term in cycle(terms):
        if began >= end:
            break
        run_grep(grep, ["-e", term], dictionary)
        ended = time.monotonic()
        durations.append(ended - began)
        began = ended
    return durations


def summarize_durations(durations: Sequence[float], seconds: float) -> Numbers:
    """
    The numbers of a run, as a server's are given.

    @raise RunFailed: there is nothing to sum up.
    """
    if len(durations) < 2:
        raise RunFailed("hardly a grep ended")
    hundredths = quantiles(durations, n=100)
    return {
        "rate": len(durations) / seconds,
        "p50": 1000 * hundredths[49],
        "p99": 1000 * hundredths[98],
        "mean": 1000 * fmean(durations),
    }


def measure_floor(
    terms: Path, dictionary: Path, loops: int, cores: int, seconds: int
) -> Numbers:
    """
    Run so many loops at one time on so many cores.

    @raise RunFailed: there are not so many cores, or a loop failed.
    """
    available = sorted(os.sched_getaffinity(0))
    if len(available) < cores:
        raise RunFailed(f"there is only {len(available)} core")
    used = ",".join(map(str, available[:cores]))
    start = time.monotonic() + _START_DELAY
    command = module_command("floor", terms, dictionary, used, start, seconds)
    durations: list[float] = []
    with ExitStack() as stack:
        processes = [stack.enter_context(running_child(command)) for _ in range(loops)]
        for process in processes:
            printed = read_output(process, seconds)
            if process.returncode:
                raise RunFailed(last_line(printed))
            durations += json.loads(printed)
    return summarize_durations(durations, seconds)


def main(terms: str, dictionary: str, cores: str, start: str, seconds: str) -> None:
    """Run one loop."""
    os.sched_setaffinity(0, map(int, cores.split(",")))
    start_time = float(start)
    lines = Path(terms).read_text("utf-8").splitlines()
    print(
        json.dumps(run_loop(lines, dictionary, start_time, start_time + float(seconds)))
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
