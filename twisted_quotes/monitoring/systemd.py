"""
Telling systemd how the service is: sd_notify(3), sd_watchdog_enabled(3).

systemd names a UNIX socket in the environment, and takes a datagram with each
piece of news. Where something else starts the service, nobody is told.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class SystemdNotifier:
    """
    What started the service, and wants to know how it is.

    Where it cannot be told, that is logged once, and the service goes on.

    @param clock: times the signs of life.
    @param notify_socket: the socket, as C{NOTIFY_SOCKET} names it: a path, or an
        abstract name after an C{@}; L{None} where nobody wants to know.
    @param watchdog_timeout: after how long without a sign of life the service counts
        as hung, in seconds; L{None} for never.

    @ivar watchdog_timeout: the same.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        notify_socket: str | None,
        watchdog_timeout: float | None,
    ) -> None:
        self._notify_socket = notify_socket
        self.watchdog_timeout = watchdog_timeout
        self._failed = False
        self._watchdog_loop = LoopingCall(self._notify, "WATCHDOG=1")
        self._watchdog_loop.clock = clock

    def notify_ready(self, status: str) -> None:
        """
        The service answers from now on, and gives signs of life if they are wanted.

        @param status: what C{systemctl status} shows, one line.
        """
        self._notify("READY=1", f"STATUS={status}")
        if self.watchdog_timeout is not None:
            self._watchdog_loop.start(self.watchdog_timeout / 2)

    def notify_stopping(self, status: str) -> None:
        """
        The end has begun. It may take a while, so signs of life go on.

        @param status: what C{systemctl status} shows, one line.
        """
        self._notify("STOPPING=1", f"STATUS={status}")

    def stop_watchdog(self) -> None:
        """All is over, and no further sign of life is given."""
        if self._watchdog_loop.running:
            self._watchdog_loop.stop()

    def _notify(self, *variables: str) -> None:
        """Send a datagram, and wait for nobody."""
        if self._notify_socket is None:
            return
        abstract = self._notify_socket.startswith("@")
        address = "\0" + self._notify_socket[1:] if abstract else self._notify_socket
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(os.fsencode("\n".join(variables)), address)
        except OSError as error:
            if not self._failed:
                self._log.error(
                    "Cannot tell systemd at {address!a}: {reason!a}",
                    address=self._notify_socket,
                    reason=error.strerror or str(error),
                )
            self._failed = True
        else:
            self._failed = False


def read_watchdog_timeout(environment: Mapping[str, str], pid: int) -> float | None:
    """
    Find out after how long without a sign of life systemd takes action.

    @param pid: the id of this process: another one may be meant.
    @return: in seconds; L{None} where no signs of life are wanted.
    """
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit()):
        return None
    return int(microseconds) / 1e6 or None
