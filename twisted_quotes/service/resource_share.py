"""
The share that a process has of the limits and of the listening sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint

from twisted_quotes.concurrency.capacity import Capacity
from twisted_quotes.concurrency.shared_counters import Column
from twisted_quotes.processes.descriptors import DescriptorBudget

from . import startup


@dataclass(frozen=True, kw_only=True)
class ResourceShare:
    """
    The limits and the endpoints of a process.

    The limits are divided among the workers, except for connections and C{/wait}: of
    these, one worker can have as many as the limit of all workers leaves.

    @ivar cores: the number of cores, at least 1.
    @ivar max_waits_per_client: the maximum number of C{/wait} of a client while others
        have some.
    @ivar budget: the limits that follow from the number of file descriptors.
    @ivar endpoints: the endpoints to listen on, each with its description.
    """

    max_running: int
    max_waiting: int
    cores: int
    cache_bytes: int
    max_unsent_bytes: int
    max_waits_per_client: int
    budget: DescriptorBudget
    connection_capacity: Capacity
    wait_capacity: Capacity
    endpoints: list[tuple[str, IStreamServerEndpoint]]


def total_share(reactor: Any, options: Mapping[str, Any]) -> ResourceShare:
    """Return the limits of a single process, or raise L{CannotStart}."""
    return make_share(
        options,
        lambda total: total,
        lambda limit, _: Capacity(limit),
        startup.endpoints(reactor, options["listen"]),
    )


def make_share(
    options: Mapping[str, Any],
    share_of: Callable[[int], int],
    make_capacity: Callable[[int, Column], Capacity],
    endpoints: list[tuple[str, IStreamServerEndpoint]],
) -> ResourceShare:
    """
    Return a share of the limits, or raise L{CannotStart}.

    @param share_of: returns the share of a number.
    @param make_capacity: makes a limit that all processes share, from its maximum.
    """
    budget = startup.descriptor_budget(options)
    return ResourceShare(
        max_running=share_of(startup.max_running(options)),
        max_waiting=share_of(options["max-waiting"]),
        cores=max(1, startup.core_count() // options["workers"]),
        cache_bytes=share_of(options["cache-bytes"]),
        max_unsent_bytes=share_of(options["max-unsent-bytes"]),
        max_waits_per_client=share_of(budget.max_waits) // 2,
        budget=budget,
        connection_capacity=make_capacity(budget.max_connections, Column.CONNECTIONS),
        wait_capacity=make_capacity(budget.max_waits, Column.WAITS),
        endpoints=endpoints,
    )
