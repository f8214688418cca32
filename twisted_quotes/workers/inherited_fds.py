"""
What a worker inherits from the supervisor: open files, and what they are.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

import msgspec

# The prefix TWISTED_QUOTES_ is for options alone.
CONFIGURATION_VARIABLE = "_TWISTED_QUOTES_WORKER"
"""The variable that tells a process that it is a worker."""

# The numbers of the open files in the worker.
CONTROL_FD, SHARED_COUNTERS_FD, FIRST_LISTENER_FD = 3, 4, 5


class WorkerConfiguration(msgspec.Struct, frozen=True):
    """
    What a worker inherits.

    @ivar row: its row on the scoreboard.
    @ivar rows: how many rows that has.
    @ivar share: which share of what is shared out it has, counted from 0.
    @ivar shares: how many shares there are.
    @ivar connections: how many connections all workers together may have.
    @ivar listeners: how many listening sockets there are, in the order of the
        endpoints.
    @ivar from_systemd: the names of the sockets that systemd has opened for the
        service, whether or not an endpoint names them.
    """

    row: int
    rows: int
    share: int
    shares: int
    connections: int
    listeners: int
    from_systemd: tuple[str, ...] = ()

    @property
    def listener_fds(self) -> list[int]:
        """The listening sockets, as open files."""
        return list(range(FIRST_LISTENER_FD, FIRST_LISTENER_FD + self.listeners))

    def share_of(self, total: int) -> int:
        """
        This worker's part of what is shared out among all.

        @param total: what there is, 0 or more.
        @return: all parts together are the total, but each of something is at
            least 1.
        """
        if not total:
            return 0
        return max(1, total // self.shares + (self.share < total % self.shares))


def encode_worker_configuration(worker_configuration: WorkerConfiguration) -> str:
    """Write down what a worker inherits, for its environment."""
    return msgspec.json.encode(worker_configuration).decode()


def take_worker_configuration(
    environment: MutableMapping[str, str],
) -> WorkerConfiguration | None:
    """
    Take what this process inherits, and leave none of it to its own children.

    @return: L{None} where it is no worker.
    """
    encoded = environment.pop(CONFIGURATION_VARIABLE, None)
    if encoded is None:
        return None
    worker_configuration = msgspec.json.decode(encoded, type=WorkerConfiguration)
    for descriptor in (
        CONTROL_FD,
        SHARED_COUNTERS_FD,
        *worker_configuration.listener_fds,
    ):
        os.set_inheritable(descriptor, False)
    return worker_configuration
