"""
A plot of the rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .rounds import Outcomes, Spread, summarize
from .small_loads import FLOORS, TWO_GREPS

_DISTINCT = "distinct-"
_BARS = {
    "distinct-64": "distinct terms",
    "zipf-64": "Zipf mix",
    "popular-64": "one popular term",
}


def save_plot(results: Mapping[str, Outcomes], path: Path) -> None:
    """
    Plot the rate of distinct terms by the number of clients, and the rates of
    several loads with 64 clients.

    @param results: the results by load.
    @param path: the PNG file.
    """
    names = dict.fromkeys(name for each in results.values() for name in each)
    colors = {
        name: f"C{number % 10}"
        for number, name in enumerate(names)
        if name not in FLOORS
    }
    figure = Figure(figsize=(13, 5.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_lines(left, results, colors)
    _draw_bars(right, results, colors)
    for axes in (left, right):
        axes.set_ylabel("requests per second")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
    figure.savefig(path, dpi=100)


def _find_points(
    results: Mapping[str, Outcomes], loads: Sequence[str], name: str
) -> dict[int, Spread]:
    """Return the rates of a contestant by the positions of the loads."""
    spreads = {
        position: summarize(results[load][name].values("rate"))
        for position, load in enumerate(loads)
        if name in results[load]
    }
    return {position: x for position, x in spreads.items() if x is not None}


def _draw_lines(
    axes: Any, results: Mapping[str, Outcomes], colors: Mapping[str, str]
) -> None:
    loads = [load for load in results if load.startswith(_DISTINCT)]
    for name, color in colors.items():
        points = _find_points(results, loads, name)
        if points:
            axes.errorbar(
                [*points],
                [each.median for each in points.values()],
                yerr=[
                    [each.median - each.least for each in points.values()],
                    [each.most - each.median for each in points.values()],
                ],
                label=name,
                color=color,
                marker="o",
                capsize=3,
            )
    floor = results.get("floor", {}).get(TWO_GREPS)
    if floor and (rate := summarize(floor.values("rate"))):
        axes.axhline(
            rate.median, label=TWO_GREPS, color="gray", linestyle="--", linewidth=1
        )
    axes.set_xticks(range(len(loads)), [load.removeprefix(_DISTINCT) for load in loads])
    axes.set_xlabel("clients")
    axes.set_title("Distinct terms (median, minimum and maximum of the rounds)")


def _draw_bars(
    axes: Any, results: Mapping[str, Outcomes], colors: Mapping[str, str]
) -> None:
    loads = [load for load in _BARS if load in results]
    names = [name for name in colors if any(name in results[load] for load in loads)]
    width = 0.8 / max(1, len(names))
    for number, name in enumerate(names):
        points = _find_points(results, loads, name)
        if points:
            axes.bar(
                [position + number * width for position in points],
                [each.median for each in points.values()],
                width,
                label=name,
                color=colors[name],
            )
    middles = [position + 0.4 - width / 2 for position in range(len(loads))]
    axes.set_xticks(middles, [_BARS[load] for load in loads])
    axes.set_title("64 clients, by load")
