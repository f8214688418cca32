"""
The sum of the metrics of several processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import add

from msgspec.structs import replace

from .metrics import MetricFamily, Sample

# All processes have the same dictionaries. The service started with the first of them.
_COMBINERS = {
    "quotes_dictionaries": max,
    "quotes_packs": max,
    "quotes_index_bytes": max,
    "quotes_index_ratio": max,
    "process_start_time_seconds": min,
}
_CUMULATIVE_KINDS = {"counter", "histogram"}


def aggregate(reports: Iterable[Sequence[MetricFamily]]) -> list[MetricFamily]:
    """
    Add up the metrics of several processes.

    @param reports: the metrics of each process.
    @return: each metric once, in the order of its first occurrence.
    """
    families: dict[str, MetricFamily] = {}
    totals: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for family in chain.from_iterable(reports):
        families.setdefault(family.name, family)
        values = totals.setdefault(family.name, {})
        combine = _COMBINERS.get(family.name, add)
        for sample in family.samples:
            key, value = (sample.name, sample.labels), sample.value
            values[key] = combine(values[key], value) if key in values else value
    return [
        replace(family, samples=[Sample(*key, x) for key, x in totals[name].items()])
        for name, family in families.items()
    ]


def cumulative_only(report: Iterable[MetricFamily]) -> list[MetricFamily]:
    """Return what still counts when a process has ended: no gauges."""
    return [each for each in report if each.kind in _CUMULATIVE_KINDS]
