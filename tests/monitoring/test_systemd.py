"""
Tests for L{twisted_quotes.monitoring.make_notifier}, on real sockets.
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


class NotifyTestCase(SynchronousTestCase):
    """
    Has a socket as systemd has one.

    @ivar address: its name.
    """

    def setUp(self) -> None:
        """Open the socket."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.address = str(Path(temporary_directory.name) / "notify")
        self.clock = Clock()
        self.socket = self.open_socket(self.address)

    def open_socket(self, address: str) -> socket.socket:
        """Have somebody listen somewhere."""
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(opened.close)
        opened.setblocking(False)
        opened.bind(address)
        return opened

    def make_notifier(self, watchdog: float | None = None) -> SystemdNotifier:
        """What the service tells how it is."""
        return SystemdNotifier(self.clock, self.address, watchdog)

    def read_datagrams(self) -> list[str]:
        """All datagrams that have come since."""
        found = []
        while True:
            try:
                found.append(os.fsdecode(self.socket.recv(4096)))
            except BlockingIOError:
                return found


class NotificationTests(NotifyTestCase):
    """Tests of what is told."""

    def test_it_is_told_when_the_service_is_ready_and_when_it_ends(self) -> None:
        """Each in one datagram, with words for people."""
        systemd = self.make_notifier()
        systemd.notify_ready("Listening")
        systemd.notify_stopping("Shutting down")
        systemd.stop_watchdog()
        self.assertEqual(
            self.read_datagrams(),
            ["READY=1\nSTATUS=Listening", "STOPPING=1\nSTATUS=Shutting down"],
        )

    def test_an_abstract_name_is_understood(self) -> None:
        """It begins with an C{@}, where the kernel wants a NUL."""
        name = f"twisted_quotes.{os.getpid()}"
        self.socket = self.open_socket(f"\0{name}")
        SystemdNotifier(self.clock, f"@{name}", None).notify_ready("Listening")
        self.assertEqual(len(self.read_datagrams()), 1)

    def test_a_path_that_is_no_text_is_told_as_it_is(self) -> None:
        """Bytes that are not UTF-8 come through."""
        self.make_notifier().notify_ready("Listening on unix:/run/\udcff")
        self.assertEqual(
            self.read_datagrams(), ["READY=1\nSTATUS=Listening on unix:/run/\udcff"]
        )

    def test_where_nobody_wants_to_know_nothing_is_done(self) -> None:
        """No socket is opened, and nothing is logged."""
        self.patch(socket, "socket", None)
        systemd = SystemdNotifier(self.clock, None, None)
        with capturedLogs() as events:
            systemd.notify_ready("Listening")
            systemd.notify_stopping("Shutting down")
        self.assertEqual(events, [])


class FailureTests(NotifyTestCase):
    """Tests of a socket that takes nothing."""

    def test_a_socket_that_is_gone_is_logged_once(self) -> None:
        """The service goes on; a socket that comes back and goes is logged again."""
        os.unlink(self.address)
        systemd = self.make_notifier(watchdog=2)
        with capturedLogs() as events:
            systemd.notify_ready("Listening")
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

    def test_a_socket_that_is_full_is_not_waited_for(self) -> None:
        """The reactor has better things to do."""
        systemd = self.make_notifier(watchdog=2)
        with capturedLogs() as events:
            systemd.notify_ready("Listening")
            while not events:
                self.clock.advance(1)
        [event] = events
        self.assertIn(os.strerror(11), formatEvent(event))

    def test_a_name_that_is_none_is_logged(self) -> None:
        """A path that is too long for a socket harms nobody."""
        with capturedLogs() as events:
            SystemdNotifier(self.clock, "/" + "x" * 200, None).notify_ready("Listening")
        self.assertEqual(len(events), 1)
        self.assertIn("too long", formatEvent(events[0]))


class WatchdogTests(NotifyTestCase):
    """Tests of the signs of life."""

    def test_signs_of_life_come_at_half_the_interval(self) -> None:
        """From when the service is ready, until all is over."""
        systemd = self.make_notifier(watchdog=10)
        self.clock.advance(100)
        self.assertEqual(self.read_datagrams(), [])
        systemd.notify_ready("Listening")
        self.assertEqual(self.read_datagrams()[1:], ["WATCHDOG=1"])
        self.clock.advance(4.9)
        self.assertEqual(self.read_datagrams(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.read_datagrams(), ["WATCHDOG=1"])
        systemd.notify_stopping("Shutting down")
        self.clock.advance(5)
        self.assertEqual(self.read_datagrams()[1:], ["WATCHDOG=1"])
        systemd.stop_watchdog()
        self.clock.advance(5)
        self.assertEqual(self.read_datagrams(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_a_watchdog_there_are_none(self) -> None:
        """Nothing is left to do after the start."""
        self.make_notifier().notify_ready("Listening")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_interval_is_read_from_the_environment(self) -> None:
        """In microseconds, where this process is meant, or none is named."""
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
