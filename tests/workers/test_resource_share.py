"""
Tests of what a process has of the limits.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.shared_counters import Column, Scoreboard, SharedRoom
from twisted_quotes.errors import TooBusy
from twisted_quotes.options import QuotesOptions
from twisted_quotes.workers.inherited_fds import Inheritance
from twisted_quotes.workers.resource_share import Part, SharedPlaces, inherited, whole
from twisted_quotes.workers.worker_sockets import know_systemd

from ..fakes import FakeReactor


class PartTests(SynchronousTestCase):
    """Tests of the whole, and of parts of it."""

    def setUp(self) -> None:
        """Have a scoreboard, and know nothing of systemd afterwards."""
        self.scoreboard = Scoreboard.make(8)
        self.addCleanup(os.close, self.scoreboard.descriptor)
        self.addCleanup(know_systemd, ())

    def options(self, *arguments: str) -> QuotesOptions:
        """Options from a command line."""
        options = QuotesOptions({})
        options.parseOptions(arguments)
        return options

    def part(self, share: int, *arguments: str) -> Part:
        """The part of one of two workers."""
        reactor: Any = FakeReactor()

        async def everywhere() -> list[Any]:
            return []

        return inherited(
            reactor,
            self.options(*arguments),
            Inheritance(share, 8, share, 2, 3, 1),
            self.scoreboard,
            everywhere,
        )

    def test_the_only_process_has_all(self) -> None:
        """What the options say."""
        found = whole(
            FakeReactor(),
            self.options("--max-running=5", "--max-waiting=7", "--max-connections=3"),
        )
        self.assertEqual((found.running, found.waiting), (5, 7))
        self.assertEqual((found.cache_bytes, found.room.most), (64 * 1024 * 1024, 3))
        self.assertEqual(found.waits_share, 500)
        self.assertIsNone(found.everywhere)

    def test_workers_share_what_is_shared_out(self) -> None:
        """All together they have what the only process would have."""
        options = "--max-running=5", "--max-waiting=7", "--cache-bytes=10"
        one, other = (self.part(each, *options) for each in (0, 1))
        self.assertEqual((one.running, other.running), (3, 2))
        self.assertEqual((one.waiting, other.waiting), (4, 3))
        self.assertEqual((one.cache_bytes, other.cache_bytes), (5, 5))
        self.assertEqual((one.waits_share, other.waits_share), (250, 250))
        self.assertEqual(len(one.endpoints), 1)
        none = self.part(0, "--max-waiting=0", "--cache-bytes=0")
        self.assertEqual((none.waiting, none.cache_bytes), (0, 0))

    def test_they_have_room_as_long_as_there_is_any(self) -> None:
        """One may have all connections that may be."""
        one, other = (self.part(each).room for each in (0, 1))
        self.assertEqual([one.enter() for _ in range(4)], [True] * 3 + [False])
        self.assertFalse(other.enter())

    def test_they_have_places_to_wait_as_long_as_there_are_any(self) -> None:
        """One may have them all, too."""
        one, other = (
            SharedPlaces(SharedRoom(2, self.scoreboard, row, Column.WAITS))
            for row in (0, 1)
        )
        places = [self.successResultOf(one.take()) for _ in range(2)]
        self.assertEqual(one.taken, 2)
        self.failureResultOf(other.take(), TooBusy)
        places[0].close()
        self.successResultOf(other.take())
        self.failureResultOf(one.take(), TooBusy)
