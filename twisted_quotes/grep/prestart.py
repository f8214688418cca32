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

from twisted_quotes.concurrency.closing import Closing
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import DictionaryChanging, QuotesError
from twisted_quotes.library.dictionary import Dictionary, Version
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import is_fresh
from twisted_quotes.processes.process import Child, Outcome

from . import arguments as grep
from .runner import MAX_BUFFERED, GrepRunner

MOST_SPARES = 4
"""How many greps may wait at one time, each for another dictionary."""

SPARE_TIME = 2.0
"""How long a grep waits to be told what to look for, in seconds."""

MOST_OUTPUT = MAX_BUFFERED + 2
"""
How many bytes grep may print of a small dictionary: all, with a line feed more,
where the last line has none.
"""

_MOST_SAID = 100
"""How many bytes of what grep says are logged, the last of them."""

_TERM = 3
"""The open file in which a grep finds what to look for."""


class Spare(Closing):
    """
    A grep that was started ahead.

    @param dictionary: what it is to look through; it is closed with it.
    @param version: the dictionary as it was then.
    @param child: the grep.
    @param pipe: the writable end of a pipe, as an open file: what is written to it is
        looked for.
    @param outstanding: is told of its end.
    @param died: is called when it has ended before it was told anything.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        version: Version,
        child: Child,
        pipe: int,
        outstanding: Outstanding,
        died: Callable[[Outcome], object],
    ) -> None:
        self.dictionary = dictionary
        self.version = version
        self.child = child
        self._pipe: int | None = pipe
        self._outstanding = outstanding
        self._died = died
        self._start = self._offset()
        child.answered.addCallback(self._answered)

    def _answered(self, outcome: Outcome) -> Outcome:
        if self._pipe is not None:
            self._died(outcome)
        return outcome

    def tell(self, term: str) -> bool:
        """
        Tell it what to look for, all of it: it begins at once.

        @return: whether it could be told. It may have been killed, and nothing is
            written in parts.
        """
        assert self._pipe is not None, "it has been told before"
        message = grep.told(term)
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
        return self._offset() - self._start

    def _offset(self) -> int:
        return os.lseek(self.dictionary.fileno(), 0, os.SEEK_CUR)

    def close(self) -> None:
        """Give it up; if it has not answered, it is killed."""
        pipe, self._pipe = self._pipe, None
        self._outstanding.add(self.child.ended)
        self.child.give_up()
        if pipe is not None:
            os.close(pipe)
        self.dictionary.close()


class SpareGreps:
    """
    The greps that wait to be told what to look for, one for a dictionary.

    Each waits in a free place, and leaves it to the search that takes the place.

    @param runner: runs them.
    @param library: the dictionaries.
    @param most: how many may wait at one time, 0 or more.
    @param now: tells the time, in seconds since 1970.
    """

    _log = Logger()

    def __init__(
        self,
        runner: GrepRunner,
        library: Library,
        most: int,
        now: Callable[[], float],
    ) -> None:
        self._now = now
        self._most = most
        self._runner = runner
        self._library = library
        self._waiting: dict[str, tuple[Spare, IDelayedCall]] = {}
        self._possible = most > 0
        runner.places.when_taken(self._make_room)

    def take(self, name: str, term: str) -> Spare | None:
        """
        Take the grep that waits for a dictionary, if that is still what it was, and
        tell it what to look for.

        @return: what is to be closed; L{None} where none waits that could be told.
        """
        if name not in self._waiting:
            return None
        spare, end = self._waiting.pop(name)
        end.cancel()
        if self._library.version(name) == spare.version and spare.tell(term):
            self._runner.metrics.spare_greps.labels("used").inc()
            return spare
        self._end(spare)
        return None

    def prepare(self, name: str) -> None:
        """Start a grep for the next search of a dictionary, if that will do."""
        if (
            not self._possible
            or name in self._waiting
            or len(self._waiting) >= min(self._most, self._runner.places.free)
        ):
            return
        version = self._library.version(name)
        if (
            version is None
            or version.state.size >= MAX_BUFFERED
            or is_fresh(self._now(), *version.changes)
        ):
            return
        try:
            spare = self._start(name, version)
        except (QuotesError, OSError):
            # Who asks next is told what is wrong, if anything still is.
            return
        end = self._runner.reactor.callLater(SPARE_TIME, self._drop, name)
        self._waiting[name] = spare, end

    def _start(self, name: str, version: Version) -> Spare:
        """
        Start a grep.

        @raise QuotesError: the dictionary is not what it was just now.
        @raise OSError: it could not be started.
        """
        with ExitStack() as if_it_fails:
            dictionary = if_it_fails.enter_context(self._library.open(name))
            if dictionary.state != version.state:
                raise DictionaryChanging()
            theirs, ours = os.pipe()
            if_it_fails.callback(os.close, ours)
            try:
                os.set_blocking(ours, False)
                child = self._runner.start(
                    grep.told_arguments(_TERM),
                    grep.BYTES,
                    dictionary.fileno(),
                    MOST_OUTPUT,
                    {_TERM: theirs},
                )
            finally:
                os.close(theirs)
            if_it_fails.pop_all()
        outstanding, died = self._runner.outstanding, partial(self._died, name)
        return Spare(dictionary, version, child, ours, outstanding, died)

    def _died(self, name: str, outcome: Outcome) -> None:
        """One has ended, and nobody told it anything."""
        if outcome.signal is None and self._possible:
            # Not a GNU grep, or nowhere to find the term: so will the next one be.
            self._possible = False
            self._log.warn(
                "No grep can be started ahead: it ended with status {status}, saying "
                "{errors}",
                status=outcome.status,
                errors=outcome.errors[-_MOST_SAID:],
            )
        self._drop(name)

    def _drop(self, name: str) -> None:
        spare, end = self._waiting.pop(name)
        if end.active():
            end.cancel()
        self._end(spare)

    def _end(self, spare: Spare) -> None:
        self._runner.metrics.spare_greps.labels("unused").inc()
        spare.close()

    def _make_room(self) -> None:
        """End those that have waited longest, where there would be too many greps."""
        while len(self._waiting) > self._runner.places.free:
            self._drop(next(iter(self._waiting)))

    def end_all(self) -> None:
        """End all that wait."""
        for name in list(self._waiting):
            self._drop(name)

    def stop(self) -> None:
        """Start no more, and end all that wait."""
        self._possible = False
        self.end_all()
