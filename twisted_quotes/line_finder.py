"""
Finding lines, with the lines around them.
"""

from __future__ import annotations

from . import grep
from .dictionary import Dictionary
from .errors import DictionaryChanging, DictionaryForbidden, DictionaryNotFound
from .greps import GrepRunner, Greps
from .library import Library
from .lines import NormalizedFile, text_lines, with_context
from .query import EVERY_DICTIONARY, All, Search
from .settle import ATTEMPTS


class LineFinder:
    """
    Finds entries that are lines by running grep on the dictionaries themselves.

    @param runner: runs grep.
    @param library: the dictionaries.
    """

    def __init__(self, runner: GrepRunner, library: Library) -> None:
        self._runner = runner
        self._library = library

    async def entries(self, asked: str, query: Search | All) -> list[str]:
        """
        Find entries.

        @param asked: the name of a dictionary, or C{"*"} for every one.
        """
        every = asked == EVERY_DICTIONARY
        entries: list[str] = []
        end = None if query.most is None else query.offset + query.most
        with await self._runner.take_place() as greps:
            for name in self._library.names() if every else [asked]:
                most = None if end is None else end - len(entries)
                if most == 0:
                    break
                try:
                    entries += await self._entries_of(name, query, most, greps)
                except (DictionaryForbidden, DictionaryNotFound):
                    # Of every dictionary, none that is gone by now is missed.
                    if not every:
                        raise
        return entries[query.offset : end]

    async def _entries_of(
        self, name: str, query: Search | All, most: int | None, greps: Greps
    ) -> list[str]:
        """Find entries in one dictionary, in one state of it."""
        for _ in range(ATTEMPTS):
            with self._library.open(name) as dictionary:
                lines = await self._lines_of(dictionary, query, most, greps)
                if dictionary.is_unchanged():
                    break
        else:
            raise DictionaryChanging()
        if query.n_before or query.n_after:
            lines, matches = grep.numbered_lines(lines)
            lines = with_context(lines, matches, query.n_before, query.n_after)
        return lines[:most]

    async def _lines_of(
        self,
        dictionary: Dictionary,
        query: Search | All,
        most: int | None,
        greps: Greps,
    ) -> list[str]:
        """Have grep print lines of a dictionary."""
        pattern = query.selection.pattern
        regex = pattern is not None and pattern.regex
        stdin: int | NormalizedFile = dictionary.fileno()
        if grep.needs_normalized_text(pattern):
            if await self._is_abnormal(dictionary, greps):
                stdin = NormalizedFile(dictionary)
            dictionary.rewind()
        outcome = await greps.run(
            grep.line_arguments(query, most), grep.environment(pattern), stdin, regex
        )
        return text_lines(outcome.output, isinstance(stdin, NormalizedFile))

    async def _is_abnormal(self, dictionary: Dictionary, greps: Greps) -> bool:
        """Whether the text of a dictionary is other than its bytes."""
        outcome = await greps.run(
            grep.ABNORMAL_LINE_ARGUMENTS,
            grep.ABNORMAL_LINE_ENVIRONMENT,
            dictionary.fileno(),
        )
        return outcome.status == 0
