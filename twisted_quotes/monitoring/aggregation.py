"""
Metrics of several processes, added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .metrics import MetricFamily, Sample

# What is the same for all, and what is that of the one that started first.
_COMBINERS = {"quotes_dictionaries": max, "process_start_time_seconds": min}
_CUMULATIVE_KINDS = {"counter", "histogram"}


def aggregate(reports: Iterable[Sequence[MetricFamily]]) -> list[MetricFamily]:
    """
    Add up the metrics of several processes.

    @param reports: those of each.
    @return: each metric once, in the order in which they came first.
    """
    families: dict[str, MetricFamily] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for report in reports:
        for family in report:
            families.setdefault(family.name, family)
            samples = values.setdefault(family.name, {})
            combine = _COMBINERS.get(family.name)
            for sample in family.samples:
                key = sample.name, sample.labels
                before = samples.get(key)
                if before is None:
                    samples[key] = sample.value
                elif combine is not None:
                    samples[key] = combine(before, sample.value)
                else:
                    samples[key] = before + sample.value
    return [
        MetricFamily(
            each.name,
            each.documentation,
            each.kind,
            [Sample(*key, value) for key, value in values[each.name].items()],
        )
        for each in families.values()
    ]


def cumulative_only(report: Iterable[MetricFamily]) -> list[MetricFamily]:
    """What remains of a process that is gone: what it counted, and not its state."""
    return [each for each in report if each.kind in _CUMULATIVE_KINDS]
