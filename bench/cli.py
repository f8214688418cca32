"""
The command line: C{python -m bench full}, C{python -m bench quick}.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from . import report
from .children import ROOT
from .errors import BenchmarkError
from .machine import OtherWork, machine, versions
from .measuring import Measuring, Wanted, find_subjects
from .scale import SCALES, Scale

_PAGE, _DATA, _PICTURE = "performance.md", "performance.json", "performance.png"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("scale", choices=list(SCALES), help="how much to measure")
    for name, what in (
        ("load", "measure only this load, such as distinct-16; may be repeated"),
        ("server", "measure only this server, such as webhook; may be repeated"),
    ):
        parser.add_argument(f"--{name}", action="append", default=[], help=what)
    for name in ("rounds", "seconds"):
        parser.add_argument(
            f"--{name}", type=int, help=f"other {name} than the scale's"
        )
    parser.add_argument(
        "--output",
        type=Path,
        help=f"folder for {_DATA}, {_PICTURE} and, where it is, the table in {_PAGE} "
        "[default: docs for a full run, else build/bench]",
    )
    return parser.parse_args(arguments)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _limits() -> Iterator[None]:
    """Have enough files for all connections, and end cleanly on signals."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    before = {
        number: signal.signal(number, _interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, disposition in before.items():
            signal.signal(number, disposition)


def _tell(what: str) -> None:
    print(what, flush=True)


def write(folder: Path, made: report.Report) -> None:
    """Write the data, the picture, and the table in the page that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    _tell(f"writing {_DATA} and more to {os.path.relpath(folder)}")
    data = json.dumps(report.data(made), indent=1)
    (folder / _DATA).write_text(f"{data}\n", "utf-8")
    page = folder / _PAGE
    if page.exists():
        table = report.put_between_markers(page.read_text("utf-8"), report.text(made))
        page.write_text(table, "utf-8")
    if find_spec("matplotlib") is None:
        _tell("no picture: matplotlib is missing; `make .venv/.bench` installs it")
        return
    from .plot import draw

    draw(made.results, folder / _PICTURE)


def _measure(scale: Scale, wanted: Wanted, name: str) -> report.Report:
    began, other_work = time.monotonic(), OtherWork()
    subjects, absent = find_subjects(wanted, _tell)
    with TemporaryDirectory(prefix="bench-") as folder:
        measuring = Measuring(Path(folder), scale, wanted, subjects, _tell)
        measuring.run()
    minutes = (time.monotonic() - began) / 60
    ran = (
        f"{name.capitalize()} run: {scale.rounds} rounds, {scale.seconds} s a run, "
        f"{minutes:.1f} minutes in all. Meanwhile other work took "
        f"{other_work.share():.0%} of the machine; numbers with more than a little of "
        "that are not to be trusted."
    )
    return measuring.report(ran, absent, machine(), versions())


def main(arguments: Sequence[str] = sys.argv[1:]) -> int:
    """Measure, print and write; return the exit status."""
    options = _options(arguments)
    wanted = Wanted(options.load, options.server)
    scale = SCALES[options.scale]
    scale = replace(
        scale,
        rounds=options.rounds or scale.rounds,
        seconds=options.seconds or scale.seconds,
    )
    whole = options.scale == "full" and not (options.load or options.server)
    output = options.output or ROOT / ("docs" if whole else "build/bench")
    try:
        with _limits():
            made = _measure(scale, wanted, options.scale)
    except BenchmarkError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; all servers are ended", file=sys.stderr)
        return 130
    print(f"\n{report.text(made)}")
    write(output, made)
    return 0
