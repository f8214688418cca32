"""
The share that a process has of the limits and of the listening sockets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger

from twisted_quotes.concurrency.capacity import Capacity
from twisted_quotes.concurrency.shared_counters import (
    Column,
    SharedCapacity,
    SharedCounters,
)
from twisted_quotes.listening.socket_activation import (
    LISTEN_FDS_START,
    activated_socket_names,
    initial_environment,
    resolve_socket_indexes,
    unused_sockets,
)
from twisted_quotes.processes.descriptors import DescriptorBudget
from twisted_quotes.service import startup

from .inherited_fds import WorkerConfiguration
from .worker_sockets import AdoptingReactor, open_placeholders, set_systemd_sockets

_log = Logger()


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
    return _make_share(
        options,
        lambda total: total,
        lambda limit, _: Capacity(limit),
        startup.endpoints(reactor, options["listen"]),
    )


def worker_share(
    reactor: Any,
    options: Mapping[str, Any],
    configuration: WorkerConfiguration,
    shared_counters: SharedCounters,
) -> ResourceShare:
    """Return the share of a worker, or raise L{CannotStart}."""
    return _make_share(
        options,
        configuration.share_of,
        lambda limit, column: SharedCapacity(
            limit, shared_counters, configuration.row, column
        ),
        [
            (each, startup.endpoint(AdoptingReactor(reactor, descriptor), each))
            for each, descriptor in zip(
                options["listen"], configuration.listener_fds, strict=True
            )
        ],
    )


def _make_share(
    options: Mapping[str, Any],
    share_of: Callable[[int], int],
    make_capacity: Callable[[int, Column], Capacity],
    endpoints: list[tuple[str, IStreamServerEndpoint]],
) -> ResourceShare:
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


def resolve_systemd_sockets(
    options: Mapping[str, Any], configuration: WorkerConfiguration | None
) -> Mapping[str, Any]:
    """
    Return the options with the systemd sockets in C{from_systemd}, and have the
    endpoints refer to them by index.

    @param configuration: L{None} if this process is not a worker.
    @raise CannotStart: an endpoint refers to a socket that systemd did not pass.
    """
    if configuration is None:
        names = activated_socket_names(initial_environment(), os.getpid())
        set_systemd_sockets(range(LISTEN_FDS_START, LISTEN_FDS_START + len(names)))
    else:
        names = configuration.from_systemd
        set_systemd_sockets(open_placeholders(len(names)))
    try:
        listen = resolve_socket_indexes(options["listen"], names)
    except ValueError as error:
        raise startup.CannotStart(f"cannot listen: {error}") from None
    if configuration is None:
        # A client that connects to such a socket would wait without end.
        for each in unused_sockets(listen, names):
            _log.warn("No --listen names socket {socket} of systemd.", socket=each)
    return {**options, "listen": listen, "from_systemd": names}
