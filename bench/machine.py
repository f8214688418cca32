"""
On what it was measured: the machine, and the versions of everything.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which

_MODULES = (
    *("Twisted", "Klein", "msgspec"),
    *("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "quart", "hypercorn"),
)
_WHILE = 1.0
_PACKAGES = ("grep", "wrk", "webhook", "nginx-light", "fcgiwrap")


def machine() -> Mapping[str, str]:
    """The machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    kernel = re.match(r"\d+\.\d+", platform.release())
    return {
        "processor": _value(Path("/proc/cpuinfo"), r"model name\s*: (.*)"),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": _value(Path("/etc/os-release"), r'PRETTY_NAME="?([^"\n]*)'),
        "Linux": kernel[0] if kernel else "unknown",
        "Python": platform.python_version(),
        "other work before the run": f"{_busy():.0%} of it",
    }


def _busy() -> float:
    """How much of the machine is busy for a while, as a share of all its cores."""
    idle, total = _ticks()
    time.sleep(_WHILE)
    idle_later, total_later = _ticks()
    return 1 - (idle_later - idle) / max(1, total_later - total)


def _ticks() -> tuple[int, int]:
    """The processors' idle time since the start, and all their time."""
    first = Path("/proc/stat").read_text("utf-8").splitlines()[0]
    ticks = [int(each) for each in first.split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _value(path: Path, pattern: str) -> str:
    found = re.search(pattern, path.read_text("utf-8")) if path.exists() else None
    return found[1].strip() if found else "unknown"


def versions() -> Mapping[str, str]:
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
