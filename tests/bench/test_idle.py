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
    def test_connections_stay_open(self) -> None:
        """Other clients get responses meanwhile."""
        with running_server() as server, idle_connections(server.address[1], 20):
            self.assertEqual(server.get("/livez").status, 200)

    def test_a_server_that_closes_them_fails_the_run(self) -> None:
        """The load was not what its name says."""

        def measure() -> None:
            with running_server() as server, idle_connections(server.address[1], 3):
                server.send_signal()
                server.wait_for_exit()

        error = self.assertRaises(RunFailed, measure)
        self.assertEqual(str(error), "0 of 3 idle connections stayed open")

    def test_a_missing_server_fails_the_run(self) -> None:
        """The message has the reason; no connections need no server."""
        with idle_connections(free_port(), 0):
            pass
        context = idle_connections(free_port(), 1)
        error = self.assertRaises(RunFailed, context.__enter__)
        self.assertIn("Connection refused", str(error))
