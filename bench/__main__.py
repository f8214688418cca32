"""
Compare twisted_quotes with other servers on this machine.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from . import report
from .benchmark_run import BenchmarkRun, find_subjects
from .errors import BenchmarkError, RunFailed
from .library_targets import LIBRARY_TARGETS
from .machine import OtherWork, describe_machine, find_versions
from .scale import SCALES, Scale
from .servers import ROOT
from .targets import TARGETS, judge_target

_PAGE, _DATA, _PLOT = "performance.md", "performance.json", "performance.png"
_TARGETS = {"Targets": TARGETS, "Targets for a library of any size": LIBRARY_TARGETS}
_log = logging.getLogger("bench")


def _parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("scale", choices=list(SCALES), help="how much to measure")
    for name, example in (("load", "distinct-16"), ("server", "webhook")):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            help=f"measure only this {name}, for example {example}; repeatable",
        )
    for name in ("rounds", "seconds"):
        parser.add_argument(
            f"--{name}", type=int, help=f"the number of {name} [default: the scale's]"
        )
    parser.add_argument(
        "--output",
        type=Path,
        help=f"the folder for {_DATA} and {_PLOT}; the table in its {_PAGE}, if any, "
        "is replaced [default: docs for a full run, else build/bench]",
    )
    return parser.parse_args(arguments)


def _write_report(folder: Path, result: report.Report) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _log.info("writing the results to %s", os.path.relpath(folder))
    data = json.dumps(report.report_data(result), indent=1)
    (folder / _DATA).write_text(f"{data}\n", "utf-8")
    page = folder / _PAGE
    if page.exists():
        page.write_text(
            report.put_between_markers(
                page.read_text("utf-8"), report.format_report(result)
            ),
            "utf-8",
        )
    if find_spec("matplotlib") is None:
        _log.info("no plot: matplotlib is missing; see `make .venv/.bench`")
        return
    from .plot import save_plot

    save_plot(result.results, folder / _PLOT)


def _measure(scale: Scale, options: argparse.Namespace) -> report.Report:
    start, other_work = time.monotonic(), OtherWork()
    subjects, absent = find_subjects(options.server)
    with TemporaryDirectory(prefix="bench-") as folder:
        run = BenchmarkRun(Path(folder), scale, options.load, subjects)
        run.run()
    minutes = (time.monotonic() - start) / 60
    return report.Report(
        f"{options.scale.capitalize()} run: {scale.rounds} rounds of {scale.seconds} s "
        f"for each server and load, {minutes:.1f} minutes in total. Other processes "
        f"used {other_work.share():.0%} of the machine's processor time; do not rely "
        "on the numbers if that is more than a few percent.",
        describe_machine(),
        find_versions(),
        run.loads,
        run.results,
        absent,
        {
            title: [judge_target(target, run.results, absent) for target in targets]
            for title, targets in _TARGETS.items()
        },
    )


def main(arguments: Sequence[str] = sys.argv[1:]) -> int:
    """Measure, print and write the results; return the exit status."""
    options = _parse_options(arguments)
    scale = SCALES[options.scale]
    scale = replace(
        scale,
        rounds=options.rounds or scale.rounds,
        seconds=options.seconds or scale.seconds,
    )
    is_full_run = options.scale == "full" and not (options.load or options.server)
    output = options.output or ROOT / ("docs" if is_full_run else "build/bench")
    # The idle connections need many descriptors, here and in the servers.
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    _log.setLevel(logging.INFO)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        result = _measure(scale, options)
    except (BenchmarkError, RunFailed) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; all servers have been stopped", file=sys.stderr)
        return 130
    print(f"\n{report.format_report(result)}")
    _write_report(output, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
