"""
The sockets that systemd passes on, in the process that it starts and in its workers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.logger import Logger
from twisted.plugins.twisted_core import systemdEndpointParser
from twisted.python.systemd import ListenFDs

from twisted_quotes.listening.socket_activation import (
    LISTEN_FDS_START,
    activated_socket_names,
    initial_environment,
    resolve_socket_indexes,
    unused_sockets,
)
from twisted_quotes.service import startup

from .inherited_fds import WorkerConfiguration

_log = Logger()


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
        # An endpoint closes its descriptor when an AdoptingReactor adopts a socket.
        set_systemd_sockets([os.open(os.devnull, os.O_RDONLY) for _ in names])
    try:
        listen = resolve_socket_indexes(options["listen"], names)
    except ValueError as error:
        raise startup.CannotStart(f"--listen cannot be used: {error}") from None
    if configuration is None:
        # A client that connects to such a socket would wait without end.
        for each in unused_sockets(listen, names):
            _log.warn("No --listen names socket {socket} of systemd.", socket=each)
    return {**options, "listen": listen, "from_systemd": names}


def set_systemd_sockets(descriptors: Sequence[int]) -> None:
    """Set the sockets that C{systemd:} endpoints refer to."""
    parser: Any = systemdEndpointParser
    parser._sddaemon = ListenFDs(descriptors)
