"""
The use cases: what is done to answer a query.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorProcess, IReactorTime

from . import grep
from .errors import SearchTimedOut
from .library import Dictionary, Library
from .lines import NormalizedFile, text_lines, with_context
from .outstanding import Outstanding
from .places import Place, Places
from .process import Command, Outcome, run
from .query import Query, Search


class ReactorForProcesses(IReactorProcess, IReactorTime):
    """What is needed of the reactor: to start processes and to tell time."""


class Finder:
    """
    Finds entries in the dictionaries of a library by running grep.

    @param reactor: starts and times the processes.
    @param executable: the absolute path of grep.
    @param library: the dictionaries.
    @param places: where greps run, and searches wait.
    @param time_limit: how long a grep may run, in seconds.
    @param outstanding: is told of each search and each grep.
    """

    def __init__(
        self,
        reactor: ReactorForProcesses,
        executable: str,
        library: Library,
        places: Places,
        time_limit: float,
        outstanding: Outstanding,
    ) -> None:
        self._reactor = reactor
        self._executable = executable
        self._library = library
        self._places = places
        self._time_limit = time_limit
        self._outstanding = outstanding

    @property
    def default_dictionary(self) -> str:
        """The dictionary of the queries that name none."""
        return self._library.default

    def find(self, query: Query) -> Deferred[list[str]]:
        """
        Answer a query.

        @return: fires with the entries, or fails with a
            L{QuotesError<twisted_quotes.errors.QuotesError>} that says why
            there are none, or with L{GrepFailed<twisted_quotes.grep.GrepFailed>}
            or L{OSError} where grep could not be run. Cancelling it gives up
            the wait, or kills the grep.
        """
        found = Deferred.fromCoroutine(self._find(query))
        return self._outstanding.add(found, found.cancel)

    async def _find(self, query: Query) -> list[str]:
        name = query.dictionary or self.default_dictionary
        with await self._places.take() as place, self._library.open(name) as dictionary:
            normalize = grep.needs_normalized_text(query) and await self._is_abnormal(
                place, dictionary
            )
            dictionary.rewind()
            printed = await self._grep(
                place,
                grep.search_arguments(query),
                grep.search_environment(query),
                NormalizedFile(dictionary) if normalize else dictionary,
            )
        pattern = isinstance(query, Search) and query.regex
        grep.check(printed.status, printed.errors, pattern)
        return _entries(query, printed.output)

    async def _is_abnormal(self, place: Place, dictionary: Dictionary) -> bool:
        """Whether the text of a dictionary is other than its bytes."""
        found = await self._grep(
            place,
            grep.ABNORMAL_LINE_ARGUMENTS,
            grep.ABNORMAL_LINE_ENVIRONMENT,
            dictionary,
        )
        return grep.check(found.status, found.errors, pattern=False)

    async def _grep(
        self,
        place: Place,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        file: Dictionary | NormalizedFile,
    ) -> Outcome:
        """Run grep on a file, within the time limit."""
        command = Command(self._executable, arguments, environment)
        if isinstance(file, Dictionary):
            child = run(self._reactor, command, file.fileno())
        else:
            child = run(self._reactor, command, "w")
            child.feed(file)
        place.hold_until(self._outstanding.add(child.ended))
        try:
            return await child.answered.addTimeout(self._time_limit, self._reactor)
        except TimeoutError:
            raise SearchTimedOut(self._time_limit) from None


def _entries(query: Query, output: bytes) -> list[str]:
    """Read what grep printed, and take the part that was asked for."""
    entries = text_lines(output)
    before, after = grep.context(query)
    if before or after:
        entries = with_context(*grep.numbered_lines(entries), before, after)
    end = None if query.most is None else query.offset + query.most
    return entries[query.offset : end]
