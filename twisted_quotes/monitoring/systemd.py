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


class Systemd:
    """
    What started the service, and wants to know how it is.

    Where it cannot be told, that is logged once, and the service goes on.

    @param clock: times the signs of life.
    @param address: the socket, as C{NOTIFY_SOCKET} names it: a path, or an
        abstract name after an C{@}; L{None} where nobody wants to know.
    @param watchdog: after how long without a sign of life the service counts
        as hung, in seconds; L{None} for never.

    @ivar watchdog: the same.
    """

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, address: str | None, watchdog: float | None
    ) -> None:
        self._address = address
        self.watchdog = watchdog
        self._failed = False
        self._signs_of_life = LoopingCall(self._tell, "WATCHDOG=1")
        self._signs_of_life.clock = clock

    def ready(self, status: str) -> None:
        """
        The service answers from now on, and gives signs of life if they are wanted.

        @param status: what C{systemctl status} shows, one line.
        """
        self._tell("READY=1", f"STATUS={status}")
        if self.watchdog is not None:
            self._signs_of_life.start(self.watchdog / 2)

    def stopping(self, status: str) -> None:
        """
        The end has begun. It may take a while, so signs of life go on.

        @param status: what C{systemctl status} shows, one line.
        """
        self._tell("STOPPING=1", f"STATUS={status}")

    def stopped(self) -> None:
        """All is over, and no further sign of life is given."""
        if self._signs_of_life.running:
            self._signs_of_life.stop()

    def _tell(self, *news: str) -> None:
        """Send a datagram, and wait for nobody."""
        if self._address is None:
            return
        abstract = self._address.startswith("@")
        address = "\0" + self._address[1:] if abstract else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(os.fsencode("\n".join(news)), address)
        except OSError as error:
            if not self._failed:
                self._log.error(
                    "Cannot tell systemd at {address!a}: {reason!a}",
                    address=self._address,
                    reason=error.strerror or str(error),
                )
            self._failed = True
        else:
            self._failed = False


def watchdog_of(environment: Mapping[str, str], pid: int) -> float | None:
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
