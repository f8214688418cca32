"""
Tests of many shutdowns under load, each at a random moment.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from threading import Event

from ..integration.cases import LibraryTestCase
from ..integration.http_connection import TIMEOUT
from ..integration.repeating_client import RepeatingClient
from ..integration.server import Server
from .cases import FULL_RUN, format_counts, report

ROUNDS = 100 if FULL_RUN else 4
CLIENTS = 64


class ShutdownRoundTests(LibraryTestCase):
    """Tests of a shutdown at any moment."""

    def test_no_request_is_lost_during_a_shutdown(self) -> None:
        """Each request that was sent gets a complete response."""
        (self.library / "book").write_text("love\n" * 50)
        source = random.Random(1)
        counts = Counter[str]()
        for number in range(ROUNDS):
            stop_event = Event()
            with self.subTest(round=number):
                server = Server(f"--dictionaries={self.library}")
                self.addCleanup(server.kill)
                clients = [
                    RepeatingClient(server, n % 2 == 0, stop_event)
                    for n in range(CLIENTS)
                ]
                stop_event.wait(source.uniform(0.2, 0.8))
                server.send_signal(source.choice((signal.SIGTERM, signal.SIGINT)))
                status = server.wait_for_exit()
                stop_event.set()
                for client in clients:
                    client.thread.join(TIMEOUT)
                    counts += client.counts
                self.assertIn(status, (-signal.SIGTERM, -signal.SIGINT))
                self.assertFalse(
                    [x for x in server.lines if "Forcing the shutdown" in x]
                )
        report(
            f"{ROUNDS} x SIGTERM or SIGINT at any moment, with {CLIENTS} clients",
            "each request that was sent gets a complete response",
            format_counts(counts),
        )
        self.assertGreater(counts["200"], CLIENTS)
        self.assertEqual([each for each in counts if each.startswith("lost")], [])
