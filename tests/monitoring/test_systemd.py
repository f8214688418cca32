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

from twisted_quotes.monitoring.systemd import Systemd, watchdog_of


class NotifyTestCase(SynchronousTestCase):
    """
    Has a socket as systemd has one.

    @ivar address: its name.
    """

    def setUp(self) -> None:
        """Open the socket."""
        room = TemporaryDirectory()
        self.addCleanup(room.cleanup)
        self.address = str(Path(room.name) / "notify")
        self.clock = Clock()
        self.socket = self.open(self.address)

    def open(self, address: str) -> socket.socket:
        """Have somebody listen somewhere."""
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(opened.close)
        opened.setblocking(False)
        opened.bind(address)
        return opened

    def systemd(self, watchdog: float | None = None) -> Systemd:
        """What the service tells how it is."""
        return Systemd(self.clock, self.address, watchdog)

    def received(self) -> list[str]:
        """All datagrams that have come since."""
        found = []
        while True:
            try:
                found.append(os.fsdecode(self.socket.recv(4096)))
            except BlockingIOError:
                return found


class NewsTests(NotifyTestCase):
    """Tests of what is told."""

    def test_it_is_told_when_the_service_is_ready_and_when_it_ends(self) -> None:
        """Each in one datagram, with words for people."""
        systemd = self.systemd()
        systemd.ready("Listening")
        systemd.stopping("Shutting down")
        systemd.stopped()
        self.assertEqual(
            self.received(),
            ["READY=1\nSTATUS=Listening", "STOPPING=1\nSTATUS=Shutting down"],
        )

    def test_an_abstract_name_is_understood(self) -> None:
        """It begins with an C{@}, where the kernel wants a NUL."""
        name = f"twisted_quotes.{os.getpid()}"
        self.socket = self.open(f"\0{name}")
        Systemd(self.clock, f"@{name}", None).ready("Listening")
        self.assertEqual(len(self.received()), 1)

    def test_a_path_that_is_no_text_is_told_as_it_is(self) -> None:
        """Bytes that are not UTF-8 come through."""
        self.systemd().ready("Listening on unix:/run/\udcff")
        self.assertEqual(
            self.received(), ["READY=1\nSTATUS=Listening on unix:/run/\udcff"]
        )

    def test_where_nobody_wants_to_know_nothing_is_done(self) -> None:
        """No socket is opened, and nothing is logged."""
        self.patch(socket, "socket", None)
        systemd = Systemd(self.clock, None, None)
        with capturedLogs() as events:
            systemd.ready("Listening")
            systemd.stopping("Shutting down")
        self.assertEqual(events, [])


class FailureTests(NotifyTestCase):
    """Tests of a socket that takes nothing."""

    def test_a_socket_that_is_gone_is_logged_once(self) -> None:
        """The service goes on; a socket that comes back and goes is logged again."""
        os.unlink(self.address)
        systemd = self.systemd(watchdog=2)
        with capturedLogs() as events:
            systemd.ready("Listening")
            self.clock.pump([1, 1])
        [event] = events
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertIn(self.address, formatEvent(event))
        self.socket = self.open(self.address)
        self.clock.advance(1)
        self.assertEqual(self.received(), ["WATCHDOG=1"])
        os.unlink(self.address)
        with capturedLogs() as events:
            self.clock.pump([1, 1])
        self.assertEqual(len(events), 1)

    def test_a_socket_that_is_full_is_not_waited_for(self) -> None:
        """The reactor has better things to do."""
        systemd = self.systemd(watchdog=2)
        with capturedLogs() as events:
            systemd.ready("Listening")
            while not events:
                self.clock.advance(1)
        [event] = events
        self.assertIn(os.strerror(11), formatEvent(event))

    def test_a_name_that_is_none_is_logged(self) -> None:
        """A path that is too long for a socket harms nobody."""
        with capturedLogs() as events:
            Systemd(self.clock, "/" + "x" * 200, None).ready("Listening")
        self.assertEqual(len(events), 1)
        self.assertIn("too long", formatEvent(events[0]))


class WatchdogTests(NotifyTestCase):
    """Tests of the signs of life."""

    def test_signs_of_life_come_at_half_the_interval(self) -> None:
        """From when the service is ready, until all is over."""
        systemd = self.systemd(watchdog=10)
        self.clock.advance(100)
        self.assertEqual(self.received(), [])
        systemd.ready("Listening")
        self.assertEqual(self.received()[1:], ["WATCHDOG=1"])
        self.clock.advance(4.9)
        self.assertEqual(self.received(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.received(), ["WATCHDOG=1"])
        systemd.stopping("Shutting down")
        self.clock.advance(5)
        self.assertEqual(self.received()[1:], ["WATCHDOG=1"])
        systemd.stopped()
        self.clock.advance(5)
        self.assertEqual(self.received(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_a_watchdog_there_are_none(self) -> None:
        """Nothing is left to do after the start."""
        self.systemd().ready("Listening")
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
            self.assertEqual(watchdog_of(environment, 7), expected, environment)
