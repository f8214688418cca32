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


def rotated(names: Sequence[str], number: int) -> list[str]:
    """The order in a round: in each, another goes first."""
    first = number % len(names)
    return [*names[first:], *names[:first]]


def spread(values: Sequence[float | None]) -> Spread | None:
    """Sum up the rounds that did not fail; L{None} if all did."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    return Spread(median(there), min(there), max(there))


def paired(
    ours: Sequence[float | None],
    theirs: Sequence[float | None],
    compare: Callable[[float, float], float],
) -> Spread | None:
    """Compare round by round, where neither failed, and sum that up."""
    return spread(
        [
            compare(one, other)
            for one, other in zip(ours, theirs, strict=True)
            if one is not None and other is not None
        ]
    )


def measure(load: Load, rounds: int, tell: Callable[[str], None]) -> Outcomes:
    """
    Put all contestants under a load, in turns.

    @param tell: is told of each run.
    """
    outcomes = {name: Outcome() for name in load.entries}
    for number in range(rounds):
        for name in rotated(list(load.entries), number):
            try:
                numbers = load.entries[name](number)
            except RunFailed as failure:
                outcomes[name].numbers.append(None)
                outcomes[name].failures.append(str(failure))
                tell(f"{load.name} {number + 1}/{rounds} {name}: failed: {failure}")
            else:
                outcomes[name].numbers.append(numbers)
                seen = ", ".join(f"{key} {value:.5g}" for key, value in numbers.items())
                tell(f"{load.name} {number + 1}/{rounds} {name}: {seen}")
    return outcomes
