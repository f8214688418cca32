"""
Notifications to systemd: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


@dataclass
class SystemdNotifier:
    """
    Sends the state of the service to systemd, as datagrams to a UNIX socket.

    The first of several failures in a row is logged.

    @param notify_socket: the value of C{NOTIFY_SOCKET}: a path, or an abstract name
        after C{@}; L{None} if the service was not started by systemd.
    @param watchdog_timeout: the time without a notification after which systemd
        regards the service as hung, in seconds; L{None} for no watchdog.
    """

    clock: IReactorTime
    notify_socket: str | None
    watchdog_timeout: float | None
    _failed: bool = False
    _log = Logger()

    def __post_init__(self) -> None:
        self._watchdog_loop = LoopingCall(self._notify, "WATCHDOG=1")
        self._watchdog_loop.clock = self.clock

    def notify_ready(self, status: str) -> None:
        """
        Report that the service is ready, and start the watchdog notifications.

        @param status: a line that C{systemctl status} shows.
        """
        self._notify("READY=1", f"STATUS={status}")
        if self.watchdog_timeout is not None:
            self._watchdog_loop.start(self.watchdog_timeout / 2)

    def notify_stopping(self, status: str) -> None:
        """Report that the service shuts down. Watchdog notifications go on."""
        self._notify("STOPPING=1", f"STATUS={status}")

    def stop_watchdog(self) -> None:
        """Stop the watchdog notifications."""
        if self._watchdog_loop.running:
            self._watchdog_loop.stop()

    def _notify(self, *variables: str) -> None:
        if self.notify_socket is None:
            return
        abstract = self.notify_socket.startswith("@")
        address = "\0" + self.notify_socket[1:] if abstract else self.notify_socket
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(os.fsencode("\n".join(variables)), address)
        except OSError as error:
            if not self._failed:
                self._log.error(
                    "Cannot notify systemd at {address!a}: {reason!a}",
                    address=self.notify_socket,
                    reason=error.strerror or str(error),
                )
            self._failed = True
        else:
            self._failed = False


def read_watchdog_timeout(environment: Mapping[str, str], pid: int) -> float | None:
    """
    Read the watchdog timeout of a process.

    @param pid: the id of this process: the variables may be for another one.
    @return: in seconds; L{None} if systemd expects no notifications.
    """
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit()):
        return None
    return int(microseconds) / 1e6 or None
