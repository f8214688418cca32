"""
What C{twist quotes} runs: the options, and the service that they describe.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.application.service import IService
from twisted.logger import LogLevel, jsonFileLogObserver
from twisted.python.usage import UsageError

from twisted_quotes.monitoring.json_log import json_observer
from twisted_quotes.processes.descriptors import restrict_descriptor_scan
from twisted_quotes.processes.memory import return_large_blocks
from twisted_quotes.processes.signals import simplify_handler_scan
from twisted_quotes.service.startup import CannotStart
from twisted_quotes.workers.inherited_fds import (
    FIRST_LISTENER_FD,
    take_worker_configuration,
)
from twisted_quotes.workers.supervisor_composition import supervised_service
from twisted_quotes.workers.systemd_sockets import resolve_systemd_sockets

from .options import QuotesOptions

_LOG_OBSERVER_KEY = "fileLogObserverFactory"


class Options(QuotesOptions):
    """
    The options, without the help of C{twist} in their errors, and with a flat JSON log
    instead of that of C{twist}.
    """

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line; raise L{CannotStart} if an option is not valid."""
        try:
            super().parseOptions(options)
        except UsageError as error:
            raise CannotStart(f"{error} (see twist quotes --help)") from None
        # C{twist} reads it after all options are parsed.
        twist_options: Any = self.parent or {}
        if twist_options.get(_LOG_OBSERVER_KEY) is jsonFileLogObserver:
            twist_options[_LOG_OBSERVER_KEY] = json_observer
        self["log-debug"] = (
            twist_options.get("logLevel", LogLevel.debug) <= LogLevel.debug
        )


def makeService(options: Mapping[str, Any]) -> IService:
    """Make the service; raise L{CannotStart} if an option cannot be used."""
    from twisted.internet import reactor

    configuration = take_worker_configuration(os.environ)
    options = resolve_systemd_sockets(options, configuration)
    restrict_descriptor_scan(
        child_descriptor_limit=FIRST_LISTENER_FD + len(options["listen"]),
    )
    simplify_handler_scan()
    return_large_blocks()
    # Freeze long-lived objects so that the garbage collector skips them.
    reactor.callWhenRunning(gc.collect)
    reactor.callWhenRunning(gc.freeze)
    if configuration is None and options["workers"] > 1:
        return supervised_service(
            reactor, options, [sys.executable, *sys.orig_argv[1:]], os.environ
        )
    # The supervisor does not need these modules, which take a while to import.
    if configuration is None:
        from twisted_quotes.service.composition import quotes_service

        return quotes_service(reactor, options)
    from twisted_quotes.workers.worker_composition import worker_service

    return worker_service(reactor, options, configuration)
