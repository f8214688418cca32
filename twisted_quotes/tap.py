"""
What C{twist quotes} runs: the options, and the service that they ask for.
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
from twisted_quotes.processes.descriptors import close_in_children, inheritable
from twisted_quotes.workers.inherited_fds import SOCKETS, inherit
from twisted_quotes.workers.resource_share import with_sockets
from twisted_quotes.workers.startup import supervised_service

from .composition import quotes_service, worker_service
from .options import QuotesOptions
from .startup import CannotStart

_LOG = "fileLogObserverFactory"


class Options(QuotesOptions):
    """
    The options, with C{twist}'s page of help left out of their errors, and its JSON
    log replaced with a flat one.
    """

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse the command line.

        @raise CannotStart: it is wrong.
        """
        try:
            super().parseOptions(options)
        except UsageError as error:
            raise CannotStart(f"{error} (see twist quotes --help)") from None
        # C{twist} reads it when it starts to log, after all options are parsed.
        twist: Any = self.parent or {}
        if twist.get(_LOG) is jsonFileLogObserver:
            twist[_LOG] = json_observer
        self["log-debug"] = twist.get("logLevel", LogLevel.debug) <= LogLevel.debug


def makeService(options: Mapping[str, Any]) -> IService:
    """
    Make the service, on the reactor that C{twist} has chosen by now.

    @raise CannotStart: something that the options name cannot be used.
    """
    from twisted.internet import reactor

    inheritance = inherit(os.environ)
    options = with_sockets(options, inheritance)
    close_in_children(inheritable(), given=SOCKETS + len(options["listen"]))
    # What is there by then stays, and need not be looked at again and again.
    reactor.callWhenRunning(gc.collect)
    reactor.callWhenRunning(gc.freeze)
    if inheritance is None and options["workers"] > 1:
        return supervised_service(
            reactor, options, [sys.executable, *sys.orig_argv[1:]], os.environ
        )
    if inheritance is None:
        return quotes_service(reactor, options)
    return worker_service(reactor, options, inheritance)
