"""
Reading the lines that match off a dictionary, a piece at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import grep
from .dictionary import Dictionary
from .errors import DictionaryChanging, EntryTooLong
from .greps import Greps
from .indexes import InThread
from .lines import NormalizedFile, text_lines, with_context
from .query import All, Search
from .results import MOST_BYTES, PIECE


class LineReader:
    """
    Reads entries that are lines, with the lines around them.

    Each grep is ended when it has printed a piece. The next one begins where
    the entries of that piece end: between two of them nothing runs, and nothing
    is kept, however slowly the entries are taken.

    @param dictionary: the dictionary, which must stay open.
    @param query: what is looked for.
    @param normalized: whether grep is to be fed the text instead of the bytes.
    @param skip: how many entries to pass over first, 0 or more.
    @param in_thread: runs what may take a while.

    @ivar at_end: whether there are no more.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        query: Search | All,
        normalized: bool,
        skip: int,
        in_thread: InThread,
    ) -> None:
        self.at_end = False
        self._dictionary = dictionary
        self._query = query
        self._normalized = normalized
        self._skip = skip
        self._in_thread = in_thread
        self._start = dictionary.rewind()
        # How many lines from that start on hold matches that were read before.
        self._seen = 0

    async def read(self, greps: Greps) -> Iterator[str]:
        """
        Read the next entries; there are some until the end, but for those that
        are passed over.

        @raise EntryTooLong: an entry is longer than may be.
        @raise DictionaryChanging: the dictionary has become shorter.
        """
        query = self._query
        # What stands around an entry may make it much longer than what is read.
        room = PIECE // 4 if query.n_before or query.n_after else PIECE
        while True:
            output, is_whole = await self._print(greps, room)
            lines = text_lines(output, self._normalized)
            entries = await self._entries(lines, len(output), is_whole)
            if entries is not None:
                self.at_end = is_whole
                return entries
            # It had no room for one entry.
            if room >= MOST_BYTES:
                raise EntryTooLong(MOST_BYTES)
            room = min(room * 4, MOST_BYTES)

    async def _print(self, greps: Greps, room: int) -> tuple[bytes, bool]:
        """Have grep print lines; say whether these are all, and whole in any case."""
        query, dictionary = self._query, self._dictionary
        pattern = query.selection.pattern
        start = self._start
        dictionary.seek(start)
        text = NormalizedFile(dictionary.reading(start))
        outcome = await greps.run(
            grep.line_arguments(query, None, numbered=pattern is not None),
            grep.environment(pattern),
            text if self._normalized else dictionary.fileno(),
            pattern is not None and pattern.regex,
            room,
        )
        if outcome.is_whole:
            return outcome.output, True
        return outcome.output[: outcome.output.rfind(b"\n") + 1], False

    async def _entries(
        self, lines: list[str], size: int, is_whole: bool
    ) -> Iterator[str] | None:
        """
        Take the entries that are complete, and go on behind them.

        @param size: how many bytes the lines have.
        @return: L{None} where none is.
        """
        query = self._query
        if query.selection.pattern is None:
            self._start += size
            entries = iter(lines[self._skip :])
            self._skip = max(0, self._skip - len(lines))
            return entries if lines or is_whole else None
        lines, found = grep.numbered_lines(lines)
        matches = [
            (index, number)
            for index, number in found
            if number > self._seen and (is_whole or index + query.n_after < len(lines))
        ]
        if not is_whole:
            if not matches:
                return None
            await self._go_on_behind(matches[-1][1])
        skipped = matches[: self._skip]
        del matches[: self._skip]
        self._skip -= len(skipped)
        return with_context(lines, matches, query.n_before, query.n_after)

    async def _go_on_behind(self, last: int) -> None:
        """
        Begin the next time with the context of what may follow a match.

        @param last: the number of its line, counted from 1 at the last start.
        @raise DictionaryChanging: the dictionary has no such line any longer.
        """
        passed = max(0, last - self._query.n_before)
        try:
            self._start = await self._in_thread(
                self._dictionary.offset_behind, self._start, passed
            )
        except EOFError:
            raise DictionaryChanging() from None
        self._seen = last - passed
