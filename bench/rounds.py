"""
Measure in rounds, and summarize their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from logging import getLogger
from statistics import median

from .errors import RunFailed

_log = getLogger(__name__)

Numbers = Mapping[str, float]
"""The numbers of one run, by metric."""

Values = Sequence[float | None]
"""The values of one metric by round; L{None} where the run failed."""


@dataclass(frozen=True)
class Load:
    """
    A load and the contestants that are measured under it.

    @ivar name: a short name.
    @ivar title: a title for the report.
    @ivar entries: the functions that measure a contestant once, by its name; they
        take the number of the round.
    @ivar absent: the contestants that do not run.
    """

    name: str
    title: str
    entries: Mapping[str, Callable[[int], Numbers]]
    absent: Sequence[str] = ()


@dataclass
class Outcome:
    """
    The results of one contestant under one load.

    @ivar numbers: the numbers of each round; L{None} where the run failed.
    @ivar failures: why runs failed.
    """

    numbers: list[Numbers | None] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def values(self, metric: str) -> Values:
        """Return the values of one metric."""
        return [None if each is None else each.get(metric) for each in self.numbers]


Outcomes = Mapping[str, Outcome]
"""Results by contestant."""


@dataclass(frozen=True)
class Spread:
    """The median, the minimum and the maximum of the rounds."""

    median: float
    least: float
    most: float


def rotate_names(names: Sequence[str], number: int) -> list[str]:
    """Return the order of a round: each round starts with another name."""
    first = number % len(names)
    return [*names[first:], *names[:first]]


def summarize(values: Values) -> Spread | None:
    """Summarize the rounds that did not fail; return L{None} if all failed."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    return Spread(median(present), min(present), max(present))


def compare_paired(
    ours: Values, theirs: Values, compare: Callable[[float, float], float]
) -> Spread | None:
    """Compare the rounds in which neither failed, and summarize the results."""
    return summarize(
        [
            compare(our, their)
            for our, their in zip(ours, theirs, strict=True)
            if our is not None and their is not None
        ]
    )


def measure_load(load: Load, rounds: int) -> Outcomes:
    """Measure all contestants in each round, and log the numbers of each run."""
    outcomes = {name: Outcome() for name in load.entries}
    for number in range(rounds):
        for name in rotate_names(list(load.entries), number):
            numbers = None
            try:
                numbers = load.entries[name](number)
            except RunFailed as failure:
                outcomes[name].failures.append(str(failure))
                result = f"failed: {failure}"
            else:
                result = ", ".join(f"{key} {x:.5g}" for key, x in numbers.items())
            outcomes[name].numbers.append(numbers)
            _log.info("%s %d/%d %s: %s", load.name, number + 1, rounds, name, result)
    return outcomes
