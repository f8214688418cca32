"""
Tests of the supervisor as it is put together from the options.
"""

from __future__ import annotations

import os
import sys
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.options import QuotesOptions
from twisted_quotes.startup import CannotStart
from twisted_quotes.workers.inherited_fds import CONFIGURATION_VARIABLE
from twisted_quotes.workers.startup import supervised_service
from twisted_quotes.workers.supervisor import Supervisor

from ..test_service import ListeningReactor

COMMAND = ["/bin/python", "-m", "twisted", "quotes"]


class StartTests(SynchronousTestCase):
    """Tests of what the options make of it."""

    def setUp(self) -> None:
        """Make a library of one dictionary."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.library = Path(temporary_directory.name)
        (self.library / "book").write_text("love\n")
        self.reactor = ListeningReactor()

    def make_supervisor(self, *arguments: str) -> Supervisor:
        """A supervisor from a command line."""
        options = QuotesOptions({})
        library = f"--dictionaries={self.library}"
        options.parseOptions(["--workers=3", library, *arguments])
        service = supervised_service(self.reactor, options, COMMAND, {})
        assert isinstance(service, Supervisor)
        return service

    def test_what_cannot_be_used_stops_the_start(self) -> None:
        """Before any worker meets it."""
        for arguments in (
            ["--default-dictionary=other"],
            [f"--access-log={self.library}"],
            ["--listen=carrier-pigeon:1"],
            ["--dictionaries=/nowhere"],
        ):
            with self.assertRaises(CannotStart):
                self.make_supervisor(*arguments)

    def test_as_many_are_started_as_was_asked(self) -> None:
        """Each with what it inherits: its share, and the limits of all."""
        service = self.make_supervisor("--max-connections=55")
        service._listeners.open = lambda: None  # type: ignore[method-assign]
        service.startService()
        for call, args, kw in self.reactor.whenRunningHooks:
            call(*args, **kw)
        for _, _, factory in self.reactor.adoptedStreamConnections:
            factory.buildProtocol(None).makeConnection(StringTransport())
        written = [
            each.environment[CONFIGURATION_VARIABLE]
            for each in self.reactor.processes
            if each.arguments == tuple(COMMAND)
        ]
        self.assertEqual(len(written), 3)
        for share, each in enumerate(written):
            self.assertIn(f'"share":{share},"shares":3,"connections":55', each)
        [finished] = self.reactor.fire_shutdown()
        self.reactor.advance(0)
        for process in self.reactor.processes:
            process.end()
        self.successResultOf(finished)

    def test_where_none_can_serve_the_program_fails(self) -> None:
        """With a line on standard error, when the reactor has come to its end."""
        said = StringIO()
        self.patch(sys, "__stderr__", said)
        service = self.make_supervisor()
        service._exit_with_error("no luck")
        self.assertEqual(said.getvalue(), "twist quotes: no luck\n")
        self.assertTrue(self.reactor.hasStopped)
        [(call, args, _)] = self.reactor.triggers["after"]["shutdown"]
        self.assertEqual((call, args), (os._exit, (1,)))
