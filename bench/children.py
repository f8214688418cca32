"""
Processes that help to measure, and that never outlive the measuring.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import RunFailed

ROOT = Path(__file__).parents[1]
_EXIT_TIMEOUT = 60


@contextmanager
def running_child(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a process whose input and output are pipes, and end it in any case."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def module_command(name: str, *arguments: object) -> Sequence[str]:
    """The command line of a module of the benchmark."""
    return [sys.executable, "-m", f"bench.{name}", *map(str, arguments)]


def read_output(process: subprocess.Popen[str], seconds: float = 0) -> str:
    """
    Close a process's input, wait for its end, and return what it printed.

    @param seconds: how long it is expected to run.
    @raise RunFailed: it runs on.
    """
    try:
        output, _ = process.communicate(timeout=seconds + _EXIT_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise RunFailed("a helper did not end") from None
    return output


def last_line(text: str) -> str:
    """The last line of what a process said: where it failed, that says why."""
    return (text.strip().splitlines() or ["nothing"])[-1]
