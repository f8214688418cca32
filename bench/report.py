"""
Tables of what was measured, in Markdown that can be read as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import truediv
from typing import Any

from .ours import OURS
from .rounds import Load, Outcomes, Spread, compare_paired, summarize
from .targets import Judgement

BEGIN_MARKER, END_MARKER = "<!-- table -->", "<!-- end of the table -->"
_TEXT_COLUMNS = ("load", "verdict")
"""The titles of columns that are not numbers; one of names has none."""
_UNITS = {
    "rate": "requests/s",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "ms": "ms",
    "MB/s": "MB/s",
    "peak MB": "peak MB",
    "more MB": "beyond idle MB",
}


@dataclass(frozen=True)
class Report:
    """
    All that is reported.

    @ivar scale: how much was measured, in words.
    @ivar machine: on what, by what.
    @ivar versions: with which versions, by name.
    @ivar loads: the loads.
    @ivar results: what became of them, by name.
    @ivar absent: why contestants are absent, by name.
    @ivar judgements: what was reached.
    """

    scale: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    loads: Sequence[Load]
    results: Mapping[str, Outcomes]
    absent: Mapping[str, str]
    judgements: Sequence[Judgement]


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; all columns but the first and the verdicts are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            f"{cell:{side}{width}}"
            for cell, side, width in zip(cells, sides, widths, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    sides = ["<" if title in ("", *_TEXT_COLUMNS) else ">" for title in head]
    rules = [
        f"{'-' * (width + 1)}{':' if side == '>' else '-'}"
        for side, width in zip(sides, widths, strict=True)
    ]
    return "\n".join([line(head), f"|{'|'.join(rules)}|", *map(line, rows)])


def format_number(value: float) -> str:
    """A number with as many digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def format_ratio(summary: Spread) -> str:
    """A ratio, with the least and the most that was seen."""
    return f"{summary.median:.2f} ({summary.least:.2f}..{summary.most:.2f})"


def format_load_table(outcomes: Outcomes, absent: Sequence[str] = ()) -> str:
    """
    The table of one load: medians over the rounds, and how ours compares.

    @param absent: who would be in it, and is not.
    """
    metrics = [
        metric
        for metric in _UNITS
        if any(metric in (each or {}) for o in outcomes.values() for each in o.numbers)
    ]
    if not metrics:
        return _format_failures(outcomes)
    main = metrics[0]
    head = ["", *(_UNITS[metric] for metric in metrics), "ours / this", "failed runs"]
    rows = []
    for name, outcome in outcomes.items():
        medians = [summarize(outcome.values(metric)) for metric in metrics]
        cells = [
            "-" if each is None else format_number(each.median) for each in medians
        ]
        failed = f"{len(outcome.failures)} of {len(outcome.numbers)}"
        rows.append(
            [
                name,
                *cells,
                _format_comparison(name, outcomes, main),
                failed * bool(outcome.failures),
            ]
        )
    rows += [[name, "absent", *[""] * (len(head) - 2)] for name in absent]
    # What says nothing here is left out.
    used = [0, *(n for n in range(1, len(head)) if any(row[n] for row in rows))]
    head, *rows = ([row[n] for n in used] for row in (head, *rows))
    return f"{format_table(head, rows)}\n{_format_failures(outcomes)}".rstrip()


def _format_comparison(name: str, outcomes: Outcomes, metric: str) -> str:
    """How ours compares with another; nothing where it is not there."""
    ours = outcomes.get(OURS.name)
    if ours is None or name == OURS.name:
        return ""
    seen = compare_paired(ours.values(metric), outcomes[name].values(metric), truediv)
    return "-" if seen is None else format_ratio(seen)


def _format_failures(outcomes: Outcomes) -> str:
    messages = [
        f"Failed: {name}: {failure}."
        for name, outcome in outcomes.items()
        for failure in dict.fromkeys(outcome.failures)
    ]
    return "".join(f"\n{line}" for line in messages)


def format_target_table(judgements: Sequence[Judgement]) -> str:
    """The table of what is to be reached."""
    rows = []
    for each in judgements:
        seen = "-"
        if each.seen is not None:
            seen = format_ratio(each.seen)
        rows.append([each.target.what, each.target.formatted_limit, seen, each.verdict])
    return format_table(["load", "reach", "seen", "verdict"], rows)


def format_report(report: Report) -> str:
    """All of it."""
    return "\n\n".join(_report_sections(report)) + "\n"


def _report_sections(report: Report) -> Iterator[str]:
    yield report.scale
    yield "Machine: " + _format_values(report.machine)
    yield "Versions: " + _format_values(report.versions)
    if report.absent:
        yield "Absent:"
        yield "\n".join(f"- {name}: {why}" for name, why in report.absent.items())
    yield "### What is to be reached"
    yield format_target_table(report.judgements)
    for load in report.loads:
        yield f"### {load.title}"
        # Who was not wanted is not called absent.
        absent = [name for name in load.absent if name in report.absent]
        yield format_load_table(report.results[load.name], absent)


def _format_values(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) + "."


def report_data(report: Report) -> dict[str, Any]:
    """All of it, for JSON."""
    return {
        "scale": report.scale,
        "machine": dict(report.machine),
        "versions": dict(report.versions),
        "absent": dict(report.absent),
        "targets": [asdict(judgement) for judgement in report.judgements],
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
    Put something into a page, in place of what stands between its two markers.

    @raise ValueError: the page does not have both, once each.
    """
    if page.count(BEGIN_MARKER) != 1 or page.count(END_MARKER) != 1:
        raise ValueError(f"the page has not one {BEGIN_MARKER} and one {END_MARKER}")
    before, rest = page.split(BEGIN_MARKER)
    _, after = rest.split(END_MARKER)
    return f"{before}{BEGIN_MARKER}\n\n{content}\n{END_MARKER}{after}"
