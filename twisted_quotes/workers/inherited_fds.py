"""
What a worker inherits from the supervisor: file descriptors and a configuration.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

import msgspec

# The prefix TWISTED_QUOTES_ is reserved for options.
CONFIGURATION_VARIABLE = "_TWISTED_QUOTES_WORKER"
"""The environment variable with the L{WorkerConfiguration} of a worker, in JSON."""

CONTROL_FD, SHARED_COUNTERS_FD, FIRST_LISTENER_FD = 3, 4, 5


class WorkerConfiguration(msgspec.Struct, frozen=True):
    """
    The configuration of a worker.

    @ivar row: its row of the shared counters.
    @ivar share: the index of its share of the limits, from 0.
    @ivar shares: the number of shares.
    @ivar listeners: the number of listening sockets, which are in the order of the
        endpoints.
    @ivar from_systemd: the names of all sockets that systemd passed to the service.
    """

    row: int
    share: int
    shares: int
    listeners: int
    from_systemd: tuple[str, ...] = ()

    @property
    def listener_fds(self) -> range:
        """The file descriptors of the listening sockets."""
        return range(FIRST_LISTENER_FD, FIRST_LISTENER_FD + self.listeners)

    def share_of(self, total: int) -> int:
        """Return this worker's share of a limit, at least 1 unless that is 0."""
        if not total:
            return 0
        return max(1, total // self.shares + (self.share < total % self.shares))


def take_worker_configuration(
    environment: MutableMapping[str, str],
) -> WorkerConfiguration | None:
    """
    Remove the configuration of a worker from the environment, and have no child
    process inherit what it describes.

    @return: L{None} if this process is not a worker.
    """
    encoded = environment.pop(CONFIGURATION_VARIABLE, None)
    if encoded is None:
        return None
    configuration = msgspec.json.decode(encoded, type=WorkerConfiguration)
    for descriptor in (CONTROL_FD, SHARED_COUNTERS_FD, *configuration.listener_fds):
        os.set_inheritable(descriptor, False)
    return configuration
