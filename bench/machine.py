"""
The machine and the versions of the software on it.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which

_MODULES = (
    *("Twisted", "Klein", "msgspec"),
    *("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "quart", "hypercorn"),
)
_PACKAGES = ("grep", "wrk", "webhook", "nginx-light", "fcgiwrap", "ripgrep")


def describe_machine() -> Mapping[str, str]:
    """Describe the machine without its host name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cpu_info = Path("/proc/cpuinfo").read_text("utf-8")
    processor = re.search(r"model name\s*: (.*)", cpu_info)
    return {
        "processor": processor[1].strip() if processor else "unknown",
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "Linux": ".".join(platform.release().split(".")[:2]),
        "Python": platform.python_version(),
    }


class OtherWork:
    """
    Measures how much processor time other processes use from now on.

    The time of this process and of its children that have ended is subtracted.
    """

    def __init__(self) -> None:
        self._times_before = _processor_times()

    def share(self) -> float:
        """Return the share of the time of all cores, from 0 to 1."""
        own, busy, total = (
            after - before
            for before, after in zip(
                self._times_before, _processor_times(), strict=True
            )
        )
        return max(0.0, busy - own) / total if total else 0.0


def _processor_times() -> tuple[float, float, float]:
    """Return the time used by this process, by all, and in total, in seconds."""
    line = Path("/proc/stat").read_text("utf-8").splitlines()[0]
    ticks = [int(each) for each in line.split()[1:9]]
    total = sum(ticks) / os.sysconf("SC_CLK_TCK")
    # The fourth and fifth are idle, and idle while a disk is busy; see proc(5).
    idle = (ticks[3] + ticks[4]) / os.sysconf("SC_CLK_TCK")
    return sum(os.times()[:4]), total - idle, total


def find_versions() -> Mapping[str, str]:
    """Return the versions of the servers and the tools."""
    return {
        **{name: _module_version(name) for name in _MODULES},
        **_package_versions(),
    }


def _module_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _package_versions() -> dict[str, str]:
    if which("dpkg-query") is None:
        return dict.fromkeys(_PACKAGES, "unknown")
    printed = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *_PACKAGES],
        stdout=subprocess.PIPE,
        # Only messages about missing packages.
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    versions = dict(line.split(" ", 1) for line in printed.splitlines())
    return {name: versions.get(name) or "missing" for name in _PACKAGES}
