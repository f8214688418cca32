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
from .benchmark_run import BenchmarkRun, Selection, find_subjects
from .children import ROOT
from .errors import BenchmarkError
from .machine import OtherWork, describe_machine, find_versions
from .scale import SCALES, Scale

_PAGE, _DATA, _PLOT = "performance.md", "performance.json", "performance.png"


def _parse_options(arguments: Sequence[str]) -> argparse.Namespace:
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
        help=f"folder for {_DATA}, {_PLOT} and, where it is, the table in {_PAGE} "
        "[default: docs for a full run, else build/bench]",
    )
    return parser.parse_args(arguments)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _raised_file_limit() -> Iterator[None]:
    """Have enough files for all connections, and end cleanly on signals."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    previous_dispositions = {
        number: signal.signal(number, _interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, disposition in previous_dispositions.items():
            signal.signal(number, disposition)


def _print_progress(message: str) -> None:
    print(message, flush=True)


def write_report(folder: Path, result: report.Report) -> None:
    """Write the data, the picture, and the table in the page that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    _print_progress(f"writing {_DATA} and more to {os.path.relpath(folder)}")
    data = json.dumps(report.report_data(result), indent=1)
    (folder / _DATA).write_text(f"{data}\n", "utf-8")
    page = folder / _PAGE
    if page.exists():
        table = report.put_between_markers(
            page.read_text("utf-8"), report.format_report(result)
        )
        page.write_text(table, "utf-8")
    if find_spec("matplotlib") is None:
        _print_progress(
            "no picture: matplotlib is missing; `make .venv/.bench` installs it"
        )
        return
    from .plot import save_plot

    save_plot(result.results, folder / _PLOT)


def _measure(scale: Scale, selection: Selection, name: str) -> report.Report:
    began, other_work = time.monotonic(), OtherWork()
    subjects, absent = find_subjects(selection, _print_progress)
    with TemporaryDirectory(prefix="bench-") as folder:
        benchmark_run = BenchmarkRun(
            Path(folder), scale, selection, subjects, _print_progress
        )
        benchmark_run.run()
    minutes = (time.monotonic() - began) / 60
    run_description = (
        f"{name.capitalize()} run: {scale.rounds} rounds, {scale.seconds} s a run, "
        f"{minutes:.1f} minutes in all. Meanwhile other work took "
        f"{other_work.share():.0%} of the machine; numbers with more than a little of "
        "that are not to be trusted."
    )
    return benchmark_run.make_report(
        run_description, absent, describe_machine(), find_versions()
    )


def main(arguments: Sequence[str] = sys.argv[1:]) -> int:
    """Measure, print and write; return the exit status."""
    options = _parse_options(arguments)
    selection = Selection(options.load, options.server)
    scale = SCALES[options.scale]
    scale = replace(
        scale,
        rounds=options.rounds or scale.rounds,
        seconds=options.seconds or scale.seconds,
    )
    is_full_run = options.scale == "full" and not (options.load or options.server)
    output = options.output or ROOT / ("docs" if is_full_run else "build/bench")
    try:
        with _raised_file_limit():
            result = _measure(scale, selection, options.scale)
    except BenchmarkError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; all servers are ended", file=sys.stderr)
        return 130
    print(f"\n{report.format_report(result)}")
    write_report(output, result)
    return 0
