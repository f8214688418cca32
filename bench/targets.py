"""
The performance targets, and whether they were reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import sub, truediv

from .big_loads import ALL_LOAD, FIRST_LOAD, GREP_NAME, RARE_LOAD
from .ours import OURS, TWO_WORKERS, UNBATCHED
from .peers.catalogue import FASTAPI, QUART, WEBHOOK
from .rounds import Outcomes, Spread, compare_paired, summarize
from .small_loads import TWO_GREPS, WITH_BACKGROUND, WITHOUT_BACKGROUND, idle_run_name


@dataclass(frozen=True)
class Target:
    """
    A performance target.

    @ivar what: its description.
    @ivar load: the name of the load.
    @ivar ours: the contestant that should reach the target.
    @ivar peer: the contestant that it is compared with; L{None} if the metric itself
        is compared with the limit.
    @ivar metric: the metric that is compared.
    @ivar limit: the limit for the comparison.
    @ivar at_least: whether the limit is a minimum; else it is a maximum.
    @ivar difference: whether the difference is compared; else the ratio is.
    """

    what: str
    load: str
    ours: str
    peer: str | None
    metric: str
    limit: float
    at_least: bool = True
    difference: bool = False

    @property
    def formatted_limit(self) -> str:
        """The limit with its sign and unit."""
        sign = ">=" if self.at_least else "<="
        unit = "x" if self.peer else self.metric
        if self.difference:
            unit = f"{self.metric} more"
        return f"{sign} {self.limit:g} {unit}"


@dataclass(frozen=True)
class Judgement:
    """
    The result for a target.

    @ivar seen: the measured ratio or difference over the rounds, if any.
    @ivar verdict: C{reached}, C{missed}, or why there is no result.
    """

    target: Target
    seen: Spread | None
    verdict: str


_OURS, _ALONE, _TWO = OURS.name, UNBATCHED.name, TWO_WORKERS.name
_WEBHOOK, _FASTAPI = WEBHOOK.name, FASTAPI.name

TARGETS = (
    Target(
        "distinct terms, 1 client: latency compared with webhook",
        *("distinct-1", _OURS, _WEBHOOK, "p50", 1.1, False),
    ),
    Target(
        "distinct terms, 16 clients: `--workers 2` compared with webhook",
        *("distinct-16", _TWO, _WEBHOOK, "rate", 1.1),
    ),
    Target(
        "distinct terms, 16 clients: one process without batching compared with "
        "webhook",
        *("distinct-16", _ALONE, _WEBHOOK, "rate", 0.85),
    ),
    Target(
        "distinct terms, 64 clients: with batching compared with webhook",
        *("distinct-64", _OURS, _WEBHOOK, "rate", 2),
    ),
    Target(
        "distinct terms, 64 clients: with batching compared with grep alone",
        *("distinct-64", _OURS, TWO_GREPS, "rate", 1),
    ),
    Target(
        "distinct terms, 64 clients: `--workers 2` compared with webhook",
        *("distinct-64", _TWO, _WEBHOOK, "rate", 2),
    ),
    Target(
        "distinct terms, 16 clients: compared with FastAPI",
        *("distinct-16", _OURS, _FASTAPI, "rate", 1.3),
    ),
    Target(
        "distinct terms, 16 clients: compared with Quart",
        *("distinct-16", _OURS, QUART.name, "rate", 2),
    ),
    Target(
        "one popular term, 64 clients: compared with webhook",
        *("popular-64", _OURS, _WEBHOOK, "rate", 5),
    ),
    Target(
        "one popular term, 64 clients: `--workers 2` compared with webhook",
        *("popular-64", _TWO, _WEBHOOK, "rate", 5),
    ),
    Target(
        "Zipf mix, 64 clients: compared with webhook",
        *("zipf-64", _OURS, _WEBHOOK, "rate", 3),
    ),
    Target(
        "Zipf mix, 64 clients: `--workers 2` compared with webhook",
        *("zipf-64", _TWO, _WEBHOOK, "rate", 3),
    ),
    Target(
        "distinct terms: 3,000 idle connections compared with none",
        *("idle", idle_run_name(3000), idle_run_name(0), "rate", 0.85),
    ),
    Target(
        "rare term in 500 MB: duration compared with grep alone",
        *(RARE_LOAD, _ALONE, GREP_NAME, "ms", 1.15, False),
    ),
    Target(
        'common term in 500 MB, `"nresults": 10`: duration compared with grep -m 10',
        *(FIRST_LOAD, _ALONE, GREP_NAME, "ms", 5, False, True),
    ),
    Target(
        "all of 50 MB: megabytes per second compared with FastAPI",
        *(ALL_LOAD, _OURS, _FASTAPI, "MB/s", 1.5),
    ),
    Target(
        "all of 50 MB: memory beyond idle compared with FastAPI",
        *(ALL_LOAD, _OURS, _FASTAPI, "more MB", 0.1, False),
    ),
    Target(
        "popular term: p99 with 100 distinct searches/s in the background compared "
        "with none",
        *("beside", WITH_BACKGROUND, WITHOUT_BACKGROUND, "p99", 3, False),
    ),
)


def judge_target(
    target: Target, results: Mapping[str, Outcomes], absent: Mapping[str, str]
) -> Judgement:
    """
    Compare the median of the rounds with the limit of a target.

    @param results: the results by load.
    @param absent: why contestants are absent, by name.
    """
    for name in (target.ours, target.peer):
        if name is not None and name in absent:
            return Judgement(target, None, f"left out: {name}: {absent[name]}")
    outcomes = results.get(target.load, {})
    ours, peer = outcomes.get(target.ours), outcomes.get(target.peer or target.ours)
    if ours is None or peer is None:
        return Judgement(target, None, "not measured in this run")
    values = ours.values(target.metric)
    if target.peer is None:
        seen = summarize(values)
    else:
        compare = sub if target.difference else truediv
        seen = compare_paired(values, peer.values(target.metric), compare)
    if seen is None:
        return Judgement(target, None, "failed")
    reached = (
        seen.median >= target.limit if target.at_least else seen.median <= target.limit
    )
    return Judgement(target, seen, "reached" if reached else "missed")
