"""
Tests of the composition of the supervisor.
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
from twisted_quotes.service.startup import CannotStart
from twisted_quotes.workers.inherited_fds import CONFIGURATION_VARIABLE
from twisted_quotes.workers.supervisor import Supervisor
from twisted_quotes.workers.supervisor_composition import supervised_service

from ..service.cases import ListeningReactor

COMMAND = ["/bin/python", "-m", "twisted", "quotes"]


class SupervisedServiceTests(SynchronousTestCase):
    """Tests of L{supervised_service}."""

    def setUp(self) -> None:
        """Make a library with a dictionary."""
        self.library = Path(self.enterContext(TemporaryDirectory()))
        (self.library / "book").write_text("love\n")
        self.reactor = ListeningReactor()

    def make_supervisor(self, *arguments: str) -> Supervisor:
        """Make a supervisor from a command line."""
        options = QuotesOptions({})
        library = f"--dictionaries={self.library}"
        options.parseOptions(["--workers=3", library, *arguments])
        service = supervised_service(self.reactor, options, COMMAND, {})
        assert isinstance(service, Supervisor)
        return service

    def test_options_that_no_worker_can_use_stop_the_start(self) -> None:
        """Before a worker is started."""
        for argument in (
            "--default-dictionary=other",
            f"--access-log={self.library}",
            "--listen=carrier-pigeon:1",
            "--dictionaries=/nowhere",
        ):
            with self.assertRaises(CannotStart):
                self.make_supervisor(argument)

    def test_each_worker_has_its_configuration(self) -> None:
        """It has the share of the worker."""
        service = self.make_supervisor()
        service.endpoints = []
        service.startService()
        self.reactor.start_running()
        self.reactor.pump([0, 0])
        for _, _, factory in self.reactor.adoptedStreamConnections:
            factory.buildProtocol(None).makeConnection(StringTransport())
        configurations = [
            each.environment[CONFIGURATION_VARIABLE]
            for each in self.reactor.processes
            if each.arguments == tuple(COMMAND)
        ]
        self.assertEqual(len(configurations), 3)
        for share, each in enumerate(configurations):
            self.assertIn(f'"share":{share},"shares":3', each)
        [finished] = self.reactor.fire_shutdown()
        self.reactor.advance(0)
        for process in self.reactor.processes:
            process.end()
        self.successResultOf(finished)

    def test_if_no_worker_can_serve_the_status_is_1(self) -> None:
        """The reason is printed, and the reactor shuts down first."""
        printed = StringIO()
        self.patch(sys, "__stderr__", printed)
        self.make_supervisor().exit_with_error("no luck")
        self.assertEqual(printed.getvalue(), "twist quotes: no luck\n")
        self.assertTrue(self.reactor.hasStopped)
        [(call, args, _)] = self.reactor.triggers["after"]["shutdown"]
        self.assertEqual((call, args), (os._exit, (1,)))
