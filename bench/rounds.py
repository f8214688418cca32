"""
Rounds that take turns, and what is made of their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from .errors import RunFailed

Numbers = Mapping[str, float]
"""What one run measured, by metric."""


@dataclass(frozen=True)
class Load:
    """
    One load, and who is put under it.

    @ivar name: a short name.
    @ivar title: what it is, in words.
    @ivar entries: measures each contestant once; given the number of the round.
    @ivar absent: the contestants that are not measured in this run.
    """

    name: str
    title: str
    entries: Mapping[str, Callable[[int], Numbers]]
    absent: Sequence[str] = ()


@dataclass
class Outcome:
    """
    What became of one contestant under one load.

    @ivar numbers: what each round measured; L{None} where its run failed.
    @ivar failures: why runs failed.
    """

    numbers: list[Numbers | None] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def values(self, metric: str) -> list[float | None]:
        """One number of each round."""
        return [None if each is None else each.get(metric) for each in self.numbers]


Outcomes = Mapping[str, Outcome]
"""By contestant."""


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, the least and the most."""

    median: float
    least: float
    most: float


def rotate_names(names: Sequence[str], number: int) -> list[str]:
    """The order in a round: in each, another goes first."""
    first = number % len(names)
    return [*names[first:], *names[:first]]


def summarize(values: Sequence[float | None]) -> Spread | None:
    """Sum up the rounds that did not fail; L{None} if all did."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    return Spread(median(present), min(present), max(present))


def compare_paired(
    ours: Sequence[float | None],
    theirs: Sequence[float | None],
    compare: Callable[[float, float], float],
) -> Spread | None:
    """Compare round by round, where neither failed, and sum that up."""
    return summarize(
        [
            compare(one, other)
            for one, other in zip(ours, theirs, strict=True)
            if one is not None and other is not None
        ]
    )


def measure_load(
    load: Load, rounds: int, report_progress: Callable[[str], None]
) -> Outcomes:
    """
    Put all contestants under a load, in turns.

    @param report_progress: is told of each run.
    """
    outcomes = {name: Outcome() for name in load.entries}
    for number in range(rounds):
        for name in rotate_names(list(load.entries), number):
            try:
                numbers = load.entries[name](number)
            except RunFailed as failure:
                outcomes[name].numbers.append(None)
                outcomes[name].failures.append(str(failure))
                report_progress(
                    f"{load.name} {number + 1}/{rounds} {name}: failed: {failure}"
                )
            else:
                outcomes[name].numbers.append(numbers)
                formatted = ", ".join(
                    f"{key} {value:.5g}" for key, value in numbers.items()
                )
                report_progress(
                    f"{load.name} {number + 1}/{rounds} {name}: {formatted}"
                )
    return outcomes
