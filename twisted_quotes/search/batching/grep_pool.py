"""
Prestarted greps: processes that are ready before the next search arrives.

A search of a small dictionary spends half of its time on the creation of the process
and the start of grep. So while searches follow one another, the grep for the next one
starts while one is running. It waits for its term on a pipe, and reads nothing of
the dictionary before.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import BinaryIO

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twisted_quotes.concurrency.closing import Closeable
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import QuotesError
from twisted_quotes.grep.arguments import (
    C_LOCALE,
    pattern_file_arguments,
)
from twisted_quotes.grep.runner import MAX_BUFFERED, GrepRunner
from twisted_quotes.library.dictionary import Dictionary, PathState, is_recently_changed
from twisted_quotes.library.library import Library
from twisted_quotes.processes.process import ChildProcess, Outcome

MAX_PRESTARTED = 4
"""The maximum number of prestarted greps, each for another dictionary."""

IDLE_TIMEOUT = 2.0
"""How long a grep waits for its term, in seconds."""

MAX_OUTPUT = MAX_BUFFERED + 2
"""
The maximum output of grep for a small dictionary, in bytes: all of it, and a line
feed that its last line may lack.
"""

_MAX_LOGGED_BYTES = 100
"""How many bytes of the end of the standard error are logged."""

_PATTERN_FD = 3
"""The file descriptor from which grep reads its term."""


@dataclass(eq=False)
class PrestartedGrep(Closeable):
    """
    A grep that waits for its term.

    @ivar dictionary: what it reads; closed together with it.
    @ivar path_state: the state of the dictionary's path before it was opened.
    @ivar start_offset: the file offset at which it starts to read.
    @ivar pipe: the end of the pipe to which the term is written.
    @ivar outstanding: contains the process until it ends.
    @ivar timeout_call: closes it if it gets no term.
    """

    dictionary: Dictionary
    path_state: PathState
    start_offset: int
    child: ChildProcess
    pipe: BinaryIO
    outstanding: Outstanding
    timeout_call: IDelayedCall

    def send_term(self, term: str) -> bool:
        """
        Send it the term, for which it searches at once.

        @return: L{False} if it has been killed, or if the term is too long to be
            written in one piece.
        """
        message = term.encode() + b"\n"
        if len(message) > select.PIPE_BUF:
            return False
        try:
            is_sent = self.pipe.write(message) == len(message)
        except OSError:
            return False
        self.pipe.close()
        return is_sent

    def close(self) -> None:
        """Kill it if it has not finished, and close its files."""
        if self.timeout_call.active():
            self.timeout_call.cancel()
        self.outstanding.add(self.child.ended)
        self.child.cancel()
        self.pipe.close()
        self.dictionary.close()


class GrepPool:
    """
    The prestarted greps, at most one for each dictionary.

    Each uses a free slot without acquiring it. It is closed when a search needs the
    slot.

    @param limit: the maximum number of prestarted greps, 0 or more.
    @param now: returns the time, in seconds since 1970.
    """

    _log = Logger()

    def __init__(
        self,
        runner: GrepRunner,
        library: Library,
        limit: int,
        now: Callable[[], float],
    ) -> None:
        self._runner = runner
        self._library = library
        self._limit = limit
        self._now = now
        self._idle: dict[str, PrestartedGrep] = {}
        self._used = runner.metrics.prestarted_greps.labels("used")
        self._unused = runner.metrics.prestarted_greps.labels("unused")
        runner.limiter.on_acquired = self._evict_excess

    def acquire(self, dictionary_name: str, term: str) -> PrestartedGrep | None:
        """
        Send a term to the grep for a dictionary, if the dictionary is unchanged.

        @return: the grep, to be closed after use; L{None} if there is none.
        """
        prestarted = self._idle.get(dictionary_name)
        if prestarted is None:
            return None
        path_state = self._library.path_state(dictionary_name)
        if path_state != prestarted.path_state or not prestarted.send_term(term):
            self._discard(dictionary_name)
            return None
        del self._idle[dictionary_name]
        prestarted.timeout_call.cancel()
        self._used.inc()
        return prestarted

    def prestart(self, dictionary_name: str) -> None:
        """Start a grep for the next search of a dictionary, if there is a free slot."""
        limit = min(self._limit, self._runner.limiter.available)
        if dictionary_name in self._idle or len(self._idle) >= limit:
            return
        path_state = self._library.path_state(dictionary_name)
        if path_state is None or is_recently_changed(
            self._now(), *[changed for _, _, changed in path_state]
        ):
            return
        # The next search meets the same error, if it persists.
        with suppress(QuotesError, OSError):
            self._start_grep(dictionary_name, path_state)

    def _start_grep(self, dictionary_name: str, path_state: PathState) -> None:
        runner = self._runner
        with ExitStack() as stack:
            dictionary = stack.enter_context(self._library.open(dictionary_name))
            state = dictionary.state
            is_replaced = path_state[-1] != (state.device, state.inode, state.changed)
            if is_replaced or dictionary.size >= MAX_BUFFERED:
                return
            start_offset = dictionary.rewind()
            read_end, write_end = os.pipe()
            os.set_blocking(write_end, False)
            pipe = stack.enter_context(os.fdopen(write_end, "wb", 0))
            try:
                child = runner.start(
                    pattern_file_arguments(_PATTERN_FD),
                    C_LOCALE,
                    dictionary.fileno(),
                    MAX_OUTPUT,
                    {_PATTERN_FD: read_end},
                )
            finally:
                os.close(read_end)
            stack.pop_all()
        self._idle[dictionary_name] = PrestartedGrep(
            dictionary,
            path_state,
            start_offset,
            child,
            pipe,
            runner.outstanding,
            runner.reactor.callLater(IDLE_TIMEOUT, self._discard, dictionary_name),
        )
        child.result.addCallback(self._child_answered, dictionary_name, child)

    def _child_answered(
        self, outcome: Outcome, dictionary_name: str, child: ChildProcess
    ) -> Outcome:
        """Discard a grep that has ended without a term."""
        prestarted = self._idle.get(dictionary_name)
        if prestarted is None or prestarted.child is not child:
            return outcome
        if outcome.signal is None and self._limit:
            # Every other one would end, too: it is not GNU grep, or lacks /proc.
            self._limit = 0
            self._log.warn(
                "Cannot prestart greps: one ended with status {status}, saying "
                "{errors}",
                status=outcome.exit_code,
                errors=outcome.stderr[-_MAX_LOGGED_BYTES:],
            )
        self._discard(dictionary_name)
        return outcome

    def _discard(self, dictionary_name: str) -> None:
        self._unused.inc()
        self._idle.pop(dictionary_name).close()

    def _evict_excess(self) -> None:
        """Close the oldest greps for which there is no free slot any more."""
        while len(self._idle) > self._runner.limiter.available:
            self._discard(next(iter(self._idle)))

    def stop(self) -> None:
        """Start no more greps, and close all that are waiting."""
        self._limit = 0
        for dictionary_name in list(self._idle):
            self._discard(dictionary_name)
