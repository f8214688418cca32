"""
Reading lines off a dictionary, a piece at a time: all of them, or those that match.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from twisted_quotes.errors import DictionaryChanging, EntryTooLong
from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep import output as grep_output
from twisted_quotes.grep.runner import Greps
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.indexes import InThread
from twisted_quotes.query.queries import All, Pattern, Search
from twisted_quotes.text.lines import Lines, NormalizedFile, text_lines, with_context

from .results import MOST_BYTES, PIECE

READ = 60 * 1024
"""
How many bytes of a text are read at one time.

Decoded, most texts take up to two bytes for each of them, and then still less
than 128 KiB: for more than that malloc asks the kernel each time, which takes
longer than all that is done with them (mallopt(3), M_MMAP_THRESHOLD).
"""


class Reader(Protocol):
    """
    Reads entries, a piece at a time.

    Between two pieces nothing runs, and nothing is kept, however slowly the
    entries are taken.

    @ivar at_end: whether there are no more.
    """

    at_end: bool

    async def read(self, greps: Greps) -> Iterable[str]:
        """
        Read the next entries; there are some until the end, but for those that
        are passed over.

        @raise EntryTooLong: an entry is longer than may be.
        @raise DictionaryChanging: the dictionary has become shorter.
        """


class TextReader:
    """
    Reads all lines as they stand. Nothing is looked for, so no grep is run.

    @param dictionary: the dictionary, which must stay open.
    @param skip: how many lines to pass over first, 0 or more, fewer than it has.
    @param in_thread: runs what may take a while.
    """

    def __init__(self, dictionary: Dictionary, skip: int, in_thread: InThread) -> None:
        self.at_end = False
        self._dictionary = dictionary
        self._skip = skip
        self._in_thread = in_thread
        self._start = dictionary.rewind()

    async def read(self, greps: Greps) -> Lines:
        """Read the next lines."""
        dictionary, size = self._dictionary, READ
        if self._skip:
            self._start = await self._in_thread(
                _behind, dictionary, self._start, self._skip
            )
            self._skip = 0
        while True:
            piece = self._start, self._start + size
            data = dictionary.read_at_once(*piece)
            if data is None:
                data = await self._in_thread(dictionary.read_at, *piece)
            lines = self._take(data)
            if lines or self.at_end:
                return lines
            if len(data) < size:
                raise DictionaryChanging()
            # It had no room for one line.
            if size >= MOST_BYTES:
                raise EntryTooLong(MOST_BYTES)
            size = min(size * 4, MOST_BYTES)

    def _take(self, data: bytes) -> Lines:
        """Take the lines that are complete, and go on behind them."""
        self.at_end = self._start + len(data) >= self._dictionary.state.size
        end = len(data) if self.at_end else data.rfind(b"\n") + 1
        self._start += end
        return text_lines(data[:end])


class MatchReader:
    """
    Reads lines that match, with the lines around them.

    Each grep is ended when it has printed a piece. The next one begins where
    the entries of that piece end.

    @param dictionary: the dictionary, which must stay open.
    @param query: what is looked for.
    @param pattern: the same, as grep is to look for it.
    @param normalized: whether grep is to be fed the text instead of the bytes.
    @param skip: how many entries to pass over first, 0 or more.
    @param in_thread: runs what may take a while.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        query: Search,
        pattern: Pattern,
        normalized: bool,
        skip: int,
        in_thread: InThread,
    ) -> None:
        self.at_end = False
        self._dictionary = dictionary
        self._query = query
        self._pattern = pattern
        self._normalized = normalized
        self._skip = skip
        self._in_thread = in_thread
        self._start = dictionary.rewind()
        # How many lines from that start on hold matches that were read before.
        self._seen = 0

    async def read(self, greps: Greps) -> Iterable[str]:
        """Read the next entries."""
        around = self._query.n_before or self._query.n_after
        # What stands around an entry may make it much longer than what is read.
        room = PIECE // 4 if around else PIECE
        while True:
            output, is_whole = await self._print(greps, room)
            if not output:
                entries: Iterable[str] | None = () if is_whole else None
            elif around:
                entries = await self._with_context(output, is_whole)
            else:
                entries = await self._alone(output, is_whole)
            if entries is not None:
                self.at_end = is_whole
                return entries
            # It had no room for one entry.
            if room >= MOST_BYTES:
                raise EntryTooLong(MOST_BYTES)
            room = min(room * 4, MOST_BYTES)

    async def _print(self, greps: Greps, room: int) -> tuple[bytes, bool]:
        """Have grep print lines; say whether these are all, and whole in any case."""
        start = self._start
        self._dictionary.seek(start)
        text = NormalizedFile(self._dictionary.reading(start))
        outcome = await greps.run(
            grep.line_arguments(self._query, None, numbered=True),
            grep.environment(self._pattern),
            text if self._normalized else self._dictionary.fileno(),
            self._pattern.regex,
            room,
        )
        if outcome.is_whole:
            return outcome.output, True
        return outcome.output[: outcome.output.rfind(b"\n") + 1], False

    async def _alone(self, output: bytes, is_whole: bool) -> Lines:
        """Take entries that have no lines around them, and go on behind them."""
        printed, last = grep_output.without_numbers(output)
        if not is_whole:
            await self._go_on_behind(last)
        lines = text_lines(printed, self._normalized)
        skipped = min(self._skip, len(lines))
        self._skip -= skipped
        return lines[skipped:]

    async def _with_context(
        self, output: bytes, is_whole: bool
    ) -> Iterable[str] | None:
        """
        Take the entries that are complete, and go on behind them.

        @return: L{None} where none is.
        """
        before, after = self._query.n_before, self._query.n_after
        printed = text_lines(output, self._normalized)
        lines, found = grep_output.numbered_lines(printed)
        matches = [
            (index, number)
            for index, number in found
            if number > self._seen and (is_whole or index + after < len(lines))
        ]
        if not is_whole:
            if not matches:
                return None
            await self._go_on_behind(matches[-1][1])
        skipped = matches[: self._skip]
        del matches[: self._skip]
        self._skip -= len(skipped)
        return with_context(lines, matches, before, after)

    async def _go_on_behind(self, last: int) -> None:
        """
        Begin the next time with the context of what may follow a match.

        @param last: the number of its line, counted from 1 at the last start.
        """
        passed = max(0, last - self._query.n_before)
        self._start = await self._in_thread(
            _behind, self._dictionary, self._start, passed
        )
        self._seen = last - passed


def reader_of(
    dictionary: Dictionary,
    query: Search | All,
    normalized: bool,
    skip: int,
    in_thread: InThread,
) -> Reader:
    """
    What reads the entries that a query asks for.

    @param normalized: whether grep is to read the dictionary as normalized text.
    @param skip: how many entries to pass over first, 0 or more.
    """
    pattern = query.selection.pattern
    if pattern is None or isinstance(query, All):
        return TextReader(dictionary, skip, in_thread)
    return MatchReader(dictionary, query, pattern, normalized, skip, in_thread)


def _behind(dictionary: Dictionary, start: int, lines: int) -> int:
    """
    Where so many lines end.

    @raise DictionaryChanging: the dictionary has no such lines any longer.
    """
    try:
        return dictionary.offset_behind(start, lines)
    except EOFError:
        raise DictionaryChanging() from None
