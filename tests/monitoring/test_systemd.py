"""
Tests for L{twisted_quotes.monitoring.systemd}, on real sockets.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.systemd import SystemdNotifier, read_watchdog_timeout


class SystemdNotifierTests(SynchronousTestCase):
    """Tests with a socket like that of systemd."""

    def setUp(self) -> None:
        self.address = str(Path(self.enterContext(TemporaryDirectory())) / "notify")
        self.clock = Clock()
        self.socket = self.open_socket(self.address)

    def open_socket(self, address: str) -> socket.socket:
        """Open a socket that receives datagrams."""
        opened = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        opened.setblocking(False)
        opened.bind(address)
        return opened

    def make_notifier(self, watchdog: float | None = None) -> SystemdNotifier:
        """Return a notifier for the socket."""
        return SystemdNotifier(self.clock, self.address, watchdog)

    def read_datagrams(self) -> list[str]:
        """Return all datagrams that have arrived since the last call."""
        datagrams = []
        while True:
            try:
                datagrams.append(os.fsdecode(self.socket.recv(4096)))
            except BlockingIOError:
                return datagrams

    def test_each_state_is_sent_in_one_datagram(self) -> None:
        """
        A status that is not UTF-8 is sent unchanged. Without a watchdog nothing more
        is sent.
        """
        notifier = self.make_notifier()
        notifier.notify_ready("Listening on unix:/run/\udcff")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        notifier.notify_stopping("Shutting down")
        notifier.stop_watchdog()
        self.assertEqual(
            self.read_datagrams(),
            [
                "READY=1\nSTATUS=Listening on unix:/run/\udcff",
                "STOPPING=1\nSTATUS=Shutting down",
            ],
        )

    def test_the_socket_may_have_an_abstract_name(self) -> None:
        """Such a name begins with C{@} in place of a NUL."""
        name = f"twisted_quotes.{os.getpid()}"
        self.socket = self.open_socket(f"\0{name}")
        SystemdNotifier(self.clock, f"@{name}", None).notify_ready("Listening")
        self.assertEqual(len(self.read_datagrams()), 1)

    def test_nothing_is_sent_or_logged_without_systemd(self) -> None:
        self.patch(socket, "socket", None)
        notifier = SystemdNotifier(self.clock, None, None)
        with capturedLogs() as events:
            notifier.notify_ready("Listening")
            notifier.notify_stopping("Shutting down")
        self.assertEqual(events, [])

    def test_repeated_failures_are_logged_once(self) -> None:
        """A failure after a success is logged again."""
        os.unlink(self.address)
        notifier = self.make_notifier(watchdog=2)
        with capturedLogs() as events:
            notifier.notify_ready("Listening")
            self.clock.pump([1, 1])
        [event] = events
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertIn(self.address, formatEvent(event))
        self.socket = self.open_socket(self.address)
        self.clock.advance(1)
        self.assertEqual(self.read_datagrams(), ["WATCHDOG=1"])
        os.unlink(self.address)
        with capturedLogs() as events:
            self.clock.pump([1, 1])
        self.assertEqual(len(events), 1)

    def test_a_full_socket_does_not_block(self) -> None:
        notifier = self.make_notifier(watchdog=2)
        with capturedLogs() as events:
            notifier.notify_ready("Listening")
            while not events:
                self.clock.advance(1)
        [event] = events
        self.assertIn(os.strerror(11), formatEvent(event))

    def test_an_invalid_name_is_logged(self) -> None:
        """A path may be too long for a socket."""
        with capturedLogs() as events:
            SystemdNotifier(self.clock, "/" + "x" * 200, None).notify_ready("Listening")
        self.assertEqual(len(events), 1)
        self.assertIn("too long", formatEvent(events[0]))

    def test_the_watchdog_is_notified_at_half_the_timeout(self) -> None:
        """From when the service is ready until its shutdown is complete."""
        notifier = self.make_notifier(watchdog=10)
        self.clock.advance(100)
        self.assertEqual(self.read_datagrams(), [])
        notifier.notify_ready("Listening")
        self.assertEqual(self.read_datagrams()[1:], ["WATCHDOG=1"])
        self.clock.advance(4.9)
        self.assertEqual(self.read_datagrams(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.read_datagrams(), ["WATCHDOG=1"])
        notifier.notify_stopping("Shutting down")
        self.clock.advance(5)
        self.assertEqual(self.read_datagrams()[1:], ["WATCHDOG=1"])
        notifier.stop_watchdog()
        self.clock.advance(5)
        self.assertEqual(self.read_datagrams(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_timeout_is_read_from_the_environment(self) -> None:
        """It is in microseconds, and may be for another process."""
        for environment, expected in (
            ({}, None),
            ({"WATCHDOG_USEC": "1500000"}, 1.5),
            ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "7"}, 1.5),
            ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "8"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": ""}, None),
            ({"WATCHDOG_USEC": "-1"}, None),
            ({"WATCHDOG_USEC": "\u0663"}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
        ):
            self.assertEqual(
                read_watchdog_timeout(environment, 7), expected, environment
            )
