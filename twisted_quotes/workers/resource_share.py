"""
What a process has of the limits and the listening sockets: all, or a part.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamServerEndpoint

from twisted_quotes import startup
from twisted_quotes.concurrency.capacity import Capacity
from twisted_quotes.concurrency.limiter import (
    DEFAULT_SLOT_REQUEST,
    ConcurrencyLimiter,
    Slot,
    SlotRequest,
)
from twisted_quotes.concurrency.shared_counters import (
    Column,
    SharedCapacity,
    SharedCounters,
)
from twisted_quotes.errors import TooBusy
from twisted_quotes.listening.socket_activation import (
    LISTEN_FDS_START,
    activated_socket_names,
    initial_environment,
)
from twisted_quotes.monitoring.metrics import MetricFamily
from twisted_quotes.processes.descriptors import DescriptorBudget

from .inherited_fds import WorkerConfiguration
from .worker_sockets import AdoptingReactor, open_placeholders, set_systemd_sockets


@dataclass(frozen=True)
class ResourceShare:
    """
    What a process has.

    Places for searches, those who may wait for one, and the bytes of answers
    that are kept are shared out. Connections and C{/wait} are not: there is room
    for any of them as long as all workers together have fewer than may be.

    @ivar max_running: how many greps it may run at one time.
    @ivar max_waiting: how many searches may wait for a place.
    @ivar cache_bytes: how many bytes of answers it may keep.
    @ivar connection_capacity: room for connections.
    @ivar wait_limiter: places for C{/wait}.
    @ivar max_waits_per_client: how many of them one client may have while others have
        some.
    @ivar max_unsent_bytes: how many bytes of answers clients may have yet to read.
    @ivar allowance: what may be open in this process.
    @ivar endpoints: where to listen, each with its description.
    @ivar collect_all_metrics: collects the metrics of all workers; L{None} where this
        is
        the only process.
    """

    max_running: int
    max_waiting: int
    cache_bytes: int
    connection_capacity: Capacity
    wait_limiter: ConcurrencyLimiter
    max_waits_per_client: int
    max_unsent_bytes: int
    allowance: DescriptorBudget
    endpoints: list[tuple[str, IStreamServerEndpoint]]
    collect_all_metrics: Callable[[], Awaitable[Sequence[MetricFamily]]] | None = None


def resolve_systemd_sockets(
    options: Mapping[str, Any], worker_configuration: WorkerConfiguration | None
) -> Mapping[str, Any]:
    """
    The options, with the sockets of systemd named by their indexes.

    @raise CannotStart: one is named that was not handed over.
    """
    if worker_configuration is None:
        names = activated_socket_names(initial_environment(), os.getpid())
        set_systemd_sockets(range(LISTEN_FDS_START, LISTEN_FDS_START + len(names)))
    else:
        names = worker_configuration.from_systemd
    listen = startup.resolve_socket_names(options["listen"], names)
    if worker_configuration is None:
        startup.warn_about_unused_sockets(listen, names)
    return {**options, "listen": listen, "from_systemd": names}


def total_share(reactor: Any, options: Mapping[str, Any]) -> ResourceShare:
    """
    All that the options say, for the only process.

    @raise CannotStart: there is not so much, or an endpoint is none.
    """
    allowance = startup.allowance(options)
    return ResourceShare(
        startup.max_running(options),
        options["max-waiting"],
        options["cache-bytes"],
        Capacity(allowance.max_connections),
        ConcurrencyLimiter(allowance.max_waits, 0),
        allowance.max_waits // 2,
        options["max-unsent-bytes"],
        allowance,
        startup.endpoints(reactor, options["listen"]),
    )


def worker_share(
    reactor: Any,
    options: Mapping[str, Any],
    worker_configuration: WorkerConfiguration,
    shared_counters: SharedCounters,
    collect_all_metrics: Callable[[], Awaitable[Sequence[MetricFamily]]],
) -> ResourceShare:
    """
    The part of a worker.

    @param worker_configuration: tells which.
    @param shared_counters: tells what the others have.
    @param collect_all_metrics: collects the metrics of all workers.
    """
    allowance = startup.allowance(options)
    set_systemd_sockets(open_placeholders(len(worker_configuration.from_systemd)))

    def shared_capacity(limit: int, column: Column) -> SharedCapacity:
        return SharedCapacity(limit, shared_counters, worker_configuration.row, column)

    return ResourceShare(
        worker_configuration.share_of(startup.max_running(options)),
        worker_configuration.share_of(options["max-waiting"]),
        worker_configuration.share_of(options["cache-bytes"]),
        shared_capacity(worker_configuration.connections, Column.CONNECTIONS),
        SharedConcurrencyLimiter(shared_capacity(allowance.max_waits, Column.WAITS)),
        worker_configuration.share_of(allowance.max_waits) // 2,
        worker_configuration.share_of(options["max-unsent-bytes"]),
        allowance,
        [
            (each, startup.endpoint(AdoptingReactor(reactor, listener_fd), each))
            for each, listener_fd in zip(
                options["listen"], worker_configuration.listener_fds, strict=True
            )
        ],
        collect_all_metrics,
    )


class SharedConcurrencyLimiter(ConcurrencyLimiter):
    """
    Places of which all workers together have so many; nobody waits for one.

    @param capacity: has how many are taken.
    """

    def __init__(self, capacity: Capacity) -> None:
        super().__init__(capacity.limit, 0)
        self._capacity = capacity

    def acquire(
        self, slot_request: SlotRequest = DEFAULT_SLOT_REQUEST
    ) -> Deferred[Slot]:
        """
        Take a place.

        @return: fires with the place; or fails with L{TooBusy} where all are taken.
        """
        if not self._capacity.try_acquire():
            return fail(TooBusy())
        return super().acquire(slot_request)

    def _release(self, slot_request: SlotRequest) -> None:
        self._capacity.release()
        super()._release(slot_request)
