"""
The report: tables in Markdown that are also readable as plain text, and JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import truediv
from typing import Any

from .ours import OURS
from .rounds import Load, Outcomes, Spread, compare_paired, summarize
from .small_loads import WITH_BACKGROUND, WITHOUT_BACKGROUND
from .targets import Judgement

BEGIN_MARKER, END_MARKER = "<!-- table -->", "<!-- end of the table -->"
_TEXT_COLUMNS = ("", "load", "verdict")
_UNITS = {
    "rate": "requests/s",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "ms": "ms",
    "MB/s": "MB/s",
    "peak MB": "peak MB",
    "more MB": "beyond idle MB",
    "MB": "MB",
}
_ROW_TITLES = {
    WITHOUT_BACKGROUND: "no background load",
    WITH_BACKGROUND: "100 distinct searches/s in the background",
}


@dataclass(frozen=True)
class Report:
    """
    The results of a run.

    @ivar scale: a description of the run.
    @ivar machine: the properties of the machine by name.
    @ivar versions: the versions of the software by name.
    @ivar loads: the loads that were measured.
    @ivar results: their results by name.
    @ivar absent: why contestants are absent, by name.
    @ivar judgements: the results for the targets, by the title of their table.
    """

    scale: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    loads: Sequence[Load]
    results: Mapping[str, Outcomes]
    absent: Mapping[str, str]
    judgements: Mapping[str, Sequence[Judgement]]


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table; columns of numbers are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    sides = ["<" if title in _TEXT_COLUMNS else ">" for title in head]
    rules = [
        f"{'-' * (width + 1)}{':' if side == '>' else '-'}"
        for side, width in zip(sides, widths, strict=True)
    ]
    lines = [
        " | ".join(
            f"{cell:{side}{width}}"
            for cell, side, width in zip(cells, sides, widths, strict=True)
        )
        for cells in (head, *rows)
    ]
    first, *others = (f"| {line} |" for line in lines)
    return "\n".join([first, f"|{'|'.join(rules)}|", *others])


def format_number(value: float) -> str:
    """Format a number with three significant digits, or as a whole number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def format_ratio(spread: Spread) -> str:
    """Format a ratio with its minimum and maximum."""
    return f"{spread.median:.2f} ({spread.least:.2f}..{spread.most:.2f})"


def format_load_table(outcomes: Outcomes, absent: Sequence[str] = ()) -> str:
    """
    Format the medians of one load, the comparison with our server, and failures.

    @param absent: the names of absent contestants.
    """
    metrics = [
        metric
        for metric in _UNITS
        if any(metric in (each or {}) for o in outcomes.values() for each in o.numbers)
    ]
    failures = "".join(
        f"\nFailed: {name}: {failure}."
        for name, outcome in outcomes.items()
        for failure in dict.fromkeys(outcome.failures)
    )
    if not metrics:
        return failures
    head = ["", *(_UNITS[metric] for metric in metrics), "ours / this", "failed runs"]
    rows = []
    for name, outcome in outcomes.items():
        medians = [summarize(outcome.values(metric)) for metric in metrics]
        failed = f"{len(outcome.failures)} of {len(outcome.numbers)}"
        rows.append(
            [
                _ROW_TITLES.get(name, name),
                *(
                    "-" if each is None else format_number(each.median)
                    for each in medians
                ),
                _format_comparison(name, outcomes, metrics[0]),
                failed if outcome.failures else "",
            ]
        )
    rows += [[name, "absent", *[""] * (len(head) - 2)] for name in absent]
    # Leave out columns that are empty.
    used = [0, *(n for n in range(1, len(head)) if any(row[n] for row in rows))]
    head, *rows = ([row[n] for n in used] for row in (head, *rows))
    return f"{format_table(head, rows)}\n{failures}".rstrip()


def _format_comparison(name: str, outcomes: Outcomes, metric: str) -> str:
    ours = outcomes.get(OURS.name)
    if ours is None or name == OURS.name:
        return ""
    seen = compare_paired(ours.values(metric), outcomes[name].values(metric), truediv)
    return "-" if seen is None else format_ratio(seen)


def format_target_table(judgements: Sequence[Judgement]) -> str:
    """Format the table of the targets."""
    rows = [
        [
            each.target.what,
            each.target.formatted_limit,
            "-" if each.seen is None else format_ratio(each.seen),
            each.verdict,
        ]
        for each in judgements
    ]
    return format_table(["load", "target", "measured", "verdict"], rows)


def format_report(report: Report) -> str:
    """Format the whole report."""
    return "\n\n".join(_report_sections(report)) + "\n"


def _report_sections(report: Report) -> Iterator[str]:
    yield report.scale
    for title, values in (("Machine", report.machine), ("Versions", report.versions)):
        yield f"{title}: {', '.join(map(' '.join, values.items()))}."
    if report.absent:
        yield "Absent:"
        yield "\n".join(f"- {name}: {why}" for name, why in report.absent.items())
    for title, judgements in report.judgements.items():
        yield f"### {title}"
        yield format_target_table(judgements)
    for load in report.loads:
        yield f"### {load.title}"
        # A contestant that was not selected is not absent.
        absent = [name for name in load.absent if name in report.absent]
        yield format_load_table(report.results[load.name], absent)


def report_data(report: Report) -> dict[str, Any]:
    """Return the report as values for JSON, with the numbers of each round."""
    return {
        "scale": report.scale,
        "machine": report.machine,
        "versions": report.versions,
        "absent": report.absent,
        "targets": [
            asdict(judgement)
            for judgements in report.judgements.values()
            for judgement in judgements
        ],
        "loads": {
            load.name: {
                "title": load.title,
                "contestants": {
                    name: asdict(outcome)
                    for name, outcome in report.results[load.name].items()
                },
            }
            for load in report.loads
        },
    }


def put_between_markers(page: str, content: str) -> str:
    """
    Replace what is between the two markers of a page.

    @raise ValueError: the page does not have each marker exactly once.
    """
    if page.count(BEGIN_MARKER) != 1 or page.count(END_MARKER) != 1:
        raise ValueError(f"the page must have {BEGIN_MARKER} and {END_MARKER} once")
    before, rest = page.split(BEGIN_MARKER)
    _, after = rest.split(END_MARKER)
    return f"{before}{BEGIN_MARKER}\n\n{content}\n{END_MARKER}{after}"
