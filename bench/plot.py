"""
A picture of what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .rounds import Outcomes, summarize
from .small_loads import FLOORS, TWO_GREPS

_DISTINCT = "distinct-"
_BARS = {
    "distinct-64": "distinct terms",
    "zipf-64": "Zipf mix",
    "popular-64": "one popular term",
}
_FLOOR_STYLE = {"color": "gray", "linestyle": "--", "linewidth": 1}


def save_plot(results: Mapping[str, Outcomes], path: Path) -> None:
    """
    Draw the rates: of distinct terms by the number of clients, and at 64 clients
    by what is asked.

    @param results: what was measured, by load.
    @param path: the PNG file.
    """
    names = dict.fromkeys(name for each in results.values() for name in each)
    colors = {name: f"C{number % 10}" for number, name in enumerate(names)}
    figure = Figure(figsize=(13, 5.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_clients(left, results, colors)
    _draw_bars(right, results, colors)
    for axes in (left, right):
        axes.set_ylabel("requests a second")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
    figure.savefig(path, dpi=100)


def _draw_clients(
    axes: Any, results: Mapping[str, Outcomes], colors: Mapping[str, str]
) -> None:
    loads = [load for load in results if load.startswith(_DISTINCT)]
    names = dict.fromkeys(name for load in loads for name in results[load])
    for name in names:
        spreads = [
            (position, summarize(results[load][name].values("rate")))
            for position, load in enumerate(loads)
            if name in results[load]
        ]
        points = [(place, each) for place, each in spreads if each is not None]
        if name in FLOORS or not points:
            continue
        axes.errorbar(
            [place for place, _ in points],
            [each.median for _, each in points],
            yerr=[
                [each.median - each.least for _, each in points],
                [each.most - each.median for _, each in points],
            ],
            label=name,
            color=colors[name],
            marker="o",
            capsize=3,
        )
    floor = results.get("floor", {}).get(TWO_GREPS)
    alone = floor and summarize(floor.values("rate"))
    if alone:
        axes.axhline(alone.median, label=TWO_GREPS, **_FLOOR_STYLE)
    axes.set_xticks(range(len(loads)), [load.removeprefix(_DISTINCT) for load in loads])
    axes.set_xlabel("clients")
    axes.set_title("Distinct terms (median, least and most of the rounds)")


def _draw_bars(
    axes: Any, results: Mapping[str, Outcomes], colors: Mapping[str, str]
) -> None:
    loads = [load for load in _BARS if load in results]
    names = dict.fromkeys(
        name for load in loads for name in results[load] if name not in FLOORS
    )
    width = 0.8 / max(1, len(names))
    for number, name in enumerate(names):
        spreads = [
            (place + number * width, summarize(results[load][name].values("rate")))
            for place, load in enumerate(loads)
            if name in results[load]
        ]
        points = [(place, each.median) for place, each in spreads if each is not None]
        if points:
            positions, rates = zip(*points, strict=True)
            axes.bar(positions, rates, width, label=name, color=colors[name])
    middles = [position + 0.4 - width / 2 for position in range(len(loads))]
    axes.set_xticks(middles, [_BARS[load] for load in loads])
    axes.set_title("64 clients, by what is asked")
