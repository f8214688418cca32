"""
The rate of grep alone, which is the upper limit for a server that runs one grep
for each request.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, cycle, repeat
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from shutil import which
from statistics import fmean, quantiles

from .errors import RunFailed
from .rounds import Numbers
from .subjects import Command

_GREP = which("grep") or "grep"
_ENVIRONMENT = {"LC_ALL": "C"}
_START_TIMEOUT = 60.0
"""How long the processes wait for each other before their loops, in seconds."""


def run_grep(arguments: Sequence[str], dictionary: str = os.devnull) -> bytes:
    """Run grep on a file, or on those that the arguments name."""
    return run_command([_GREP, "-a", "-F", *arguments], dictionary)


def run_command(command: Command, input_file: str = os.devnull) -> bytes:
    """Run a program with C{posix_spawn}, the fastest way in Python."""
    read, write = os.pipe()
    input_fd = os.open(input_file, os.O_RDONLY)
    pid = os.posix_spawn(
        command[0],
        [*command],
        _ENVIRONMENT,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, input_fd, 0),
            (os.POSIX_SPAWN_DUP2, write, 1),
        ],
    )
    os.close(write)
    os.close(input_fd)
    with open(read, "rb", buffering=0) as output:
        printed = output.readall()
    os.waitpid(pid, 0)
    return printed


def run_loop(terms: Sequence[str], dictionary: str, seconds: float) -> list[float]:
    """
    Run one grep after another, each with the next term.

    @param seconds: how long to start greps.
    @return: the duration of each grep in seconds.
    """
    durations = []
    started = time.monotonic()
    end = started + seconds
    for term in cycle(terms):
        if started >= end:
            break
        run_grep(["-e", term], dictionary)
        ended = time.monotonic()
        durations.append(ended - started)
        started = ended
    return durations


def _prepare_process(cores: Sequence[int], others: Barrier) -> None:
    """Use only some cores, and wait until the other processes run too."""
    os.sched_setaffinity(0, cores)
    others.wait(_START_TIMEOUT)


def summarize_durations(durations: Sequence[float], seconds: float) -> Numbers:
    """
    Return the numbers of a run, the same as for a server.

    @raise RunFailed: there are fewer than two durations.
    """
    if len(durations) < 2:
        raise RunFailed("fewer than two greps ended")
    percentiles = quantiles(durations, n=100)
    return {
        "rate": len(durations) / seconds,
        "p50": 1000 * percentiles[49],
        "p99": 1000 * percentiles[98],
        "mean": 1000 * fmean(durations),
    }


def measure_floor(
    terms: Sequence[str], dictionary: Path, loops: int, cores: int, seconds: int
) -> Numbers:
    """
    Run loops of greps in parallel processes on a number of cores.

    @raise RunFailed: there are fewer cores, or a loop failed.
    """
    available = sorted(os.sched_getaffinity(0))
    if len(available) < cores:
        raise RunFailed(f"only {len(available)} cores are available")
    # A forked copy of this large process would be slower.
    context = get_context("spawn")
    with ProcessPoolExecutor(
        loops,
        context,
        _prepare_process,
        (available[:cores], context.Barrier(loops)),
    ) as pool:
        try:
            durations = pool.map(
                run_loop, repeat(terms, loops), repeat(str(dictionary)), repeat(seconds)
            )
            return summarize_durations(list(chain(*durations)), seconds)
        except OSError as error:
            raise RunFailed(str(error)) from error
