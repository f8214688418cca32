"""
What is to be reached, and whether it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import sub, truediv

from .big_loads import ALL_LOAD, FIRST_LOAD, GREP_NAME, RARE_LOAD
from .ours import OURS, TWO_WORKERS, UNBATCHED
from .peers.catalogue import FASTAPI, QUART, WEBHOOK
from .rounds import Outcome, Outcomes, Spread, compare_paired
from .small_loads import TWO_GREPS, WITH_BACKGROUND, WITHOUT_BACKGROUND, idle_run_name


@dataclass(frozen=True)
class Target:
    """
    Something to be reached.

    @ivar what: in words.
    @ivar load: the name of the load.
    @ivar ours: which of its contestants is to reach something.
    @ivar peer: against which other.
    @ivar metric: what is compared.
    @ivar limit: what is to be reached.
    @ivar at_least: whether the limit is the least, else it is the most.
    @ivar difference: whether to compare by the difference, else it is by the ratio.
    """

    what: str
    load: str
    ours: str
    peer: str
    metric: str
    limit: float
    at_least: bool = True
    difference: bool = False

    @property
    def formatted_limit(self) -> str:
        """The limit, in signs."""
        sign = ">=" if self.at_least else "<="
        unit = f"{self.metric} more" if self.difference else "x"
        return f"{sign} {self.limit:g} {unit}"


@dataclass(frozen=True)
class Judgement:
    """
    Whether a target was reached.

    @ivar seen: what was seen over the rounds; L{None} if nothing was.
    @ivar verdict: C{reached}, C{missed}, or why it cannot be said.
    """

    target: Target
    seen: Spread | None
    verdict: str


_OURS, _WEBHOOK, _FASTAPI = OURS.name, WEBHOOK.name, FASTAPI.name

TARGETS = (
    Target(
        "distinct terms, 1 client, latency against webhook",
        *("distinct-1", _OURS, _WEBHOOK, "p50", 1.1),
        at_least=False,
    ),
    Target(
        "distinct terms, 16 clients, `--workers 2`, against webhook",
        *("distinct-16", TWO_WORKERS.name, _WEBHOOK, "rate", 1.1),
    ),
    Target(
        "distinct terms, 16 clients, one process and each search alone, "
        "against webhook",
        *("distinct-16", UNBATCHED.name, _WEBHOOK, "rate", 0.85),
    ),
    Target(
        "distinct terms, 64 clients, searching together, against webhook",
        *("distinct-64", _OURS, _WEBHOOK, "rate", 2),
    ),
    Target(
        "distinct terms, 64 clients, searching together, against grep alone",
        *("distinct-64", _OURS, TWO_GREPS, "rate", 1),
    ),
    Target(
        "distinct terms, 64 clients, `--workers 2`, against webhook",
        *("distinct-64", TWO_WORKERS.name, _WEBHOOK, "rate", 2),
    ),
    Target(
        "distinct terms, 16 clients, against FastAPI",
        *("distinct-16", _OURS, _FASTAPI, "rate", 1.3),
    ),
    Target(
        "distinct terms, 16 clients, against Quart",
        *("distinct-16", _OURS, QUART.name, "rate", 2),
    ),
    Target(
        "one popular term, 64 clients, against webhook",
        *("popular-64", _OURS, _WEBHOOK, "rate", 5),
    ),
    Target(
        "one popular term, 64 clients, `--workers 2`, against webhook",
        *("popular-64", TWO_WORKERS.name, _WEBHOOK, "rate", 5),
    ),
    Target(
        "Zipf mix, 64 clients, against webhook",
        *("zipf-64", _OURS, _WEBHOOK, "rate", 3),
    ),
    Target(
        "Zipf mix, 64 clients, `--workers 2`, against webhook",
        *("zipf-64", TWO_WORKERS.name, _WEBHOOK, "rate", 3),
    ),
    Target(
        "3,000 idle connections, distinct terms, against none",
        *("idle", idle_run_name(3000), idle_run_name(0), "rate", 0.85),
    ),
    Target(
        "rare term in 500 MB, time against grep alone",
        *(RARE_LOAD, UNBATCHED.name, GREP_NAME, "ms", 1.15),
        at_least=False,
    ),
    Target(
        'common term in 500 MB, `"nresults": 10`, time against grep -m 10 alone',
        *(FIRST_LOAD, UNBATCHED.name, GREP_NAME, "ms", 5),
        at_least=False,
        difference=True,
    ),
    Target(
        "all of 50 MB, megabytes a second against FastAPI",
        *(ALL_LOAD, _OURS, _FASTAPI, "MB/s", 1.5),
    ),
    Target(
        "all of 50 MB, memory beyond idle against FastAPI",
        *(ALL_LOAD, _OURS, _FASTAPI, "more MB", 0.1),
        at_least=False,
    ),
    Target(
        "p99 of a popular term while 100 distinct searches a second run, against none",
        *("beside", WITH_BACKGROUND, WITHOUT_BACKGROUND, "p99", 3),
        at_least=False,
    ),
)


def judge_target(
    target: Target, results: Mapping[str, Outcomes], absent: Mapping[str, str]
) -> Judgement:
    """
    Say whether a target was reached: by the median over the rounds.

    @param results: what was measured, by load.
    @param absent: why contestants are absent, by name.
    """
    for name in (target.ours, target.peer):
        if name in absent:
            return Judgement(target, None, f"left out: {name}: {absent[name]}")
    outcomes = results.get(target.load, {})
    ours, peer = outcomes.get(target.ours), outcomes.get(target.peer)
    if ours is None or peer is None:
        return Judgement(target, None, "not measured in this run")
    seen = _compare_outcomes(target, ours, peer)
    if seen is None:
        return Judgement(target, None, "failed")
    reached = (
        seen.median >= target.limit if target.at_least else seen.median <= target.limit
    )
    return Judgement(target, seen, "reached" if reached else "missed")


def _compare_outcomes(target: Target, ours: Outcome, peer: Outcome) -> Spread | None:
    compare = sub if target.difference else truediv
    return compare_paired(
        ours.values(target.metric), peer.values(target.metric), compare
    )
