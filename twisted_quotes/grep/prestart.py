"""
Greps started ahead: one is ready for the next search before that is asked.

Half of the time that a search of a small dictionary takes, the kernel makes a
process, and grep gets ready. So where searches come one after another, the grep
for the next one is started while one looks. It waits to be told what to look
for, and reads nothing of the dictionary before.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twisted_quotes.concurrency.closing import Closeable
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import DictionaryChanging, QuotesError
from twisted_quotes.library.dictionary import Dictionary, PathState
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import is_recently_changed
from twisted_quotes.processes.process import ChildProcess, Outcome

from . import arguments as grep
from .runner import MAX_BUFFERED, GrepRunner

MAX_PRESTARTED = 4
"""How many greps may wait at one time, each for another dictionary."""

IDLE_TIMEOUT = 2.0
"""How long a grep waits to be told what to look for, in seconds."""

MAX_OUTPUT = MAX_BUFFERED + 2
"""
How many bytes grep may print of a small dictionary: all, with a line feed more,
where the last line has none.
"""

_MAX_LOGGED_BYTES = 100
"""How many bytes of what grep says are logged, the last of them."""

_PATTERN_FD = 3
"""The open file in which a grep finds what to look for."""


class PrestartedGrep(Closeable):
    """
    A grep that was started ahead.

    @param dictionary: what it is to look through; it is closed with it.
    @param path_state: the dictionary as it was then.
    @param child: the grep.
    @param pipe: the writable end of a pipe, as an open file: what is written to it is
        looked for.
    @param outstanding: is told of its end.
    @param exited_early: is called when it has ended before it was told anything.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        path_state: PathState,
        child: ChildProcess,
        pipe: int,
        outstanding: Outstanding,
        exited_early: Callable[[Outcome], object],
    ) -> None:
        self.dictionary = dictionary
        self.path_state = path_state
        self.child = child
        self._pipe: int | None = pipe
        self._outstanding = outstanding
        self._exited_early = exited_early
        self._start_offset = self._current_offset()
        child.result.addCallback(self._answered)

    def _answered(self, outcome: Outcome) -> Outcome:
        if self._pipe is not None:
            self._exited_early(outcome)
        return outcome

    def send_term(self, term: str) -> bool:
        """
        Tell it what to look for, all of it: it begins at once.

        @return: whether it could be told. It may have been killed, and nothing is
            written in parts.
        """
        assert self._pipe is not None, "it has been told before"
        message = grep.encode_pattern_file(term)
        if len(message) > select.PIPE_BUF:
            return False
        try:
            os.write(self._pipe, message)
        except OSError:
            # Whoever killed it is not our concern; another one is run.
            return False
        pipe, self._pipe = self._pipe, None
        os.close(pipe)
        return True

    def bytes_read(self) -> int:
        """How many bytes of the dictionary it has read."""
        return self._current_offset() - self._start_offset

    def _current_offset(self) -> int:
        return os.lseek(self.dictionary.fileno(), 0, os.SEEK_CUR)

    def close(self) -> None:
        """Give it up; if it has not answered, it is killed."""
        pipe, self._pipe = self._pipe, None
        self._outstanding.add(self.child.ended)
        self.child.cancel()
        if pipe is not None:
            os.close(pipe)
        self.dictionary.close()


class GrepPool:
    """
    The greps that wait to be told what to look for, one for a dictionary.

    Each waits in a free place, and leaves it to the search that takes the place.

    @param runner: runs them.
    @param library: the dictionaries.
    @param limit: how many may wait at one time, 0 or more.
    @param now: tells the time, in seconds since 1970.
    """

    _log = Logger()

    def __init__(
        self,
        runner: GrepRunner,
        library: Library,
        limit: int,
        now: Callable[[], float],
    ) -> None:
        self._now = now
        self._limit = limit
        self._runner = runner
        self._library = library
        self._idle: dict[str, tuple[PrestartedGrep, IDelayedCall]] = {}
        self._is_enabled = limit > 0
        runner.limiter.on_acquired = self._evict_excess

    def acquire(self, dictionary_name: str, term: str) -> PrestartedGrep | None:
        """
        Take the grep that waits for a dictionary, if that is still what it was, and
        tell it what to look for.

        @return: what is to be closed; L{None} where none waits that could be told.
        """
        if dictionary_name not in self._idle:
            return None
        prestarted, timeout_call = self._idle.pop(dictionary_name)
        timeout_call.cancel()
        if self._library.path_state(
            dictionary_name
        ) == prestarted.path_state and prestarted.send_term(term):
            self._runner.metrics.prestarted_greps.labels("used").inc()
            return prestarted
        self._close_unused(prestarted)
        return None

    def prestart(self, dictionary_name: str) -> None:
        """Start a grep for the next search of a dictionary, if that will do."""
        if (
            not self._is_enabled
            or dictionary_name in self._idle
            or len(self._idle) >= min(self._limit, self._runner.limiter.available)
        ):
            return
        path_state = self._library.path_state(dictionary_name)
        if path_state is None or is_recently_changed(
            self._now(), *[changed for _, _, changed in path_state]
        ):
            return
        try:
            prestarted = self._start_grep(dictionary_name, path_state)
        except (QuotesError, OSError):
            # Who asks next is told what is wrong, if anything still is.
            return
        timeout_call = self._runner.reactor.callLater(
            IDLE_TIMEOUT, self._discard, dictionary_name
        )
        self._idle[dictionary_name] = prestarted, timeout_call

    def _start_grep(
        self, dictionary_name: str, path_state: PathState
    ) -> PrestartedGrep:
        """
        Start a grep.

        @raise QuotesError: the dictionary is not what it was just now.
        @raise OSError: it could not be started.
        """
        with ExitStack() as cleanup:
            dictionary = cleanup.enter_context(self._library.open(dictionary_name))
            if dictionary.state.size >= MAX_BUFFERED:
                raise DictionaryChanging()
            read_end, write_end = os.pipe()
            cleanup.callback(os.close, write_end)
            try:
                os.set_blocking(write_end, False)
                child = self._runner.start(
                    grep.pattern_file_arguments(_PATTERN_FD),
                    grep.C_LOCALE,
                    dictionary.fileno(),
                    MAX_OUTPUT,
                    {_PATTERN_FD: read_end},
                )
            finally:
                os.close(read_end)
            cleanup.pop_all()
        outstanding, exited_early = (
            self._runner.outstanding,
            partial(self._exited_early, dictionary_name),
        )
        return PrestartedGrep(
            dictionary, path_state, child, write_end, outstanding, exited_early
        )

    def _exited_early(self, dictionary_name: str, outcome: Outcome) -> None:
        """One has ended, and nobody told it anything."""
        if outcome.signal is None and self._is_enabled:
            # Not a GNU grep, or nowhere to find the term: so will the next one be.
            self._is_enabled = False
            self._log.warn(
                "No grep can be started ahead: it ended with status {status}, saying "
                "{errors}",
                status=outcome.exit_code,
                errors=outcome.stderr[-_MAX_LOGGED_BYTES:],
            )
        self._discard(dictionary_name)

    def _discard(self, dictionary_name: str) -> None:
        prestarted, timeout_call = self._idle.pop(dictionary_name)
        if timeout_call.active():
            timeout_call.cancel()
        self._close_unused(prestarted)

    def _close_unused(self, prestarted: PrestartedGrep) -> None:
        self._runner.metrics.prestarted_greps.labels("unused").inc()
        prestarted.close()

    def _evict_excess(self) -> None:
        """End those that have waited longest, where there would be too many greps."""
        while len(self._idle) > self._runner.limiter.available:
            self._discard(next(iter(self._idle)))

    def close_all(self) -> None:
        """End all that wait."""
        for dictionary_name in list(self._idle):
            self._discard(dictionary_name)

    def stop(self) -> None:
        """Start no more, and end all that wait."""
        self._is_enabled = False
        self.close_all()
