"""
Tests for L{bench.idle}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.errors import RunFailed
from bench.idle import idle_connections
from bench.servers import free_port

from ..integration.server import running_server


class IdleTests(SynchronousTestCase):
    """Tests of idle connections to the real service."""

    def test_they_are_held(self) -> None:
        """As long as they are needed, others are answered."""
        with running_server() as server, idle_connections(server.address[1], 20):
            self.assertEqual(server.get("/livez").status, 200)

    def test_a_server_that_closes_them_is_found_out(self) -> None:
        """Then the run was not what it was meant to be."""

        def measure() -> None:
            with running_server() as server, idle_connections(server.address[1], 3):
                server.send_signal()
                server.wait_for_exit()

        error = self.assertRaises(RunFailed, measure)
        self.assertEqual(str(error), "of 3 idle connections were held: 0")

    def test_a_server_that_is_not_there_is_found_out(self) -> None:
        """The reason is told."""

        def measure() -> None:
            with idle_connections(free_port(), 1):
                self.fail("there are no connections")

        error = self.assertRaises(RunFailed, measure)
        self.assertIn("Connection refused", str(error))

    def test_none_need_no_server(self) -> None:
        """The run without them is the one to compare with."""
        with idle_connections(free_port(), 0):
            pass
