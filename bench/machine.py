"""
On what it was measured: the machine, and the versions of everything.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from shutil import which

_MODULES = (
    *("Twisted", "Klein", "msgspec"),
    *("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "quart", "hypercorn"),
)
_PACKAGES = ("grep", "wrk", "webhook", "nginx-light", "fcgiwrap")


def describe_machine() -> Mapping[str, str]:
    """The machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    kernel = re.match(r"\d+\.\d+", platform.release())
    return {
        "processor": _search_file(Path("/proc/cpuinfo"), r"model name\s*: (.*)"),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": _search_file(Path("/etc/os-release"), r'PRETTY_NAME="?([^"\n]*)'),
        "Linux": kernel[0] if kernel else "unknown",
        "Python": platform.python_version(),
    }


class OtherWork:
    """
    Watches, from when it is made, how busy the machine is with other things.

    What this process and its children use does not count, once they have ended.
    """

    def __init__(self) -> None:
        self._times_before = _times()

    def share(self) -> float:
        """How much of all cores' time other things took so far, 0 to 1."""
        now = _times()
        own, busy, total = (
            after - before
            for before, after in zip(self._times_before, now, strict=True)
        )
        return max(0.0, busy - own) / total if total else 0.0


def _times() -> tuple[float, float, float]:
    """The processor time that we used, that all used, and that there was, in s."""
    first = Path("/proc/stat").read_text("utf-8").splitlines()[0]
    ticks = [int(each) for each in first.split()[1:9]]
    # The fourth and the fifth are idle, and idle until a disk answers.
    busy, total = sum(ticks) - ticks[3] - ticks[4], sum(ticks)
    used = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    own = sum(each.ru_utime + each.ru_stime for each in used)
    ticks_per_second = os.sysconf("SC_CLK_TCK")
    return own, busy / ticks_per_second, total / ticks_per_second


def _search_file(path: Path, pattern: str) -> str:
    found = re.search(pattern, path.read_text("utf-8")) if path.exists() else None
    return found[1].strip() if found else "unknown"


def find_versions() -> Mapping[str, str]:
    """The versions of what is measured and of what measures."""
    return {**_module_versions(_MODULES), **_package_versions(_PACKAGES)}


def _module_versions(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def _package_versions(names: Sequence[str]) -> dict[str, str]:
    if which("dpkg-query") is None:
        return dict.fromkeys(names, "unknown")
    printed = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *names],
        stdout=subprocess.PIPE,
        # It says there which of them are missing; so do we.
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    found = dict(line.split(" ", 1) for line in printed.splitlines())
    return {name: found.get(name) or "missing" for name in names}
