"""
Reading lines off a dictionary, a piece at a time: all of them, or those that match.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import DictionaryChanging, EntryTooLong
from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep import output as grep_output
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.query.queries import All, Pattern, Search
from twisted_quotes.text.lines import Lines, NormalizedFile, add_context, parse_lines

from .results import CHUNK_SIZE, MAX_ENTRY_BYTES

READ_SIZE = 60 * 1024
"""
How many bytes of a text are read at one time.

Decoded, most texts take up to two bytes for each of them, and then still less
than 128 KiB: for more than that malloc asks the kernel each time, which takes
longer than all that is done with them (mallopt(3), M_MMAP_THRESHOLD).
"""


class LineReader(Protocol):
    """
    Reads entries, a piece at a time.

    Between two pieces nothing runs, and nothing is kept, however slowly the
    entries are taken.

    @ivar at_end: whether there are no more.
    """

    at_end: bool

    async def read(self, grep_session: GrepSession) -> Iterable[str]:
        """
        Read the next entries; there are some until the end, but for those that
        are passed over.

        @raise EntryTooLong: an entry is longer than may be.
        @raise DictionaryChanging: the dictionary has become shorter.
        """


class AllLinesReader:
    """
    Reads all lines as they stand. Nothing is looked for, so no grep is run.

    @param dictionary: the dictionary, which must stay open.
    @param skip: how many lines to pass over first, 0 or more, fewer than it has.
    @param in_thread: runs what may take a while.
    """

    def __init__(
        self, dictionary: Dictionary, skip: int, in_thread: DeferToThread
    ) -> None:
        self.at_end = False
        self._dictionary = dictionary
        self._skip = skip
        self._in_thread = in_thread
        self._start = dictionary.rewind()

    async def read(self, grep_session: GrepSession) -> Lines:
        """Read the next lines."""
        dictionary, size = self._dictionary, READ_SIZE
        if self._skip:
            self._start = await self._in_thread(
                dictionary.offset_after_lines, self._start, self._skip
            )
            self._skip = 0
        while True:
            byte_range = self._start, self._start + size
            data = dictionary.read_nowait(*byte_range)
            if data is None:
                data = await self._in_thread(dictionary.read_at, *byte_range)
            lines = self._consume_lines(data)
            if lines or self.at_end:
                return lines
            if len(data) < size:
                raise DictionaryChanging()
            # It had no room for one line.
            if size >= MAX_ENTRY_BYTES:
                raise EntryTooLong(MAX_ENTRY_BYTES)
            size = min(size * 4, MAX_ENTRY_BYTES)

    def _consume_lines(self, data: bytes) -> Lines:
        """Take the lines that are complete, and go on behind them."""
        self.at_end = self._start + len(data) >= self._dictionary.state.size
        end = len(data) if self.at_end else data.rfind(b"\n") + 1
        self._start += end
        return parse_lines(data[:end])


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
        in_thread: DeferToThread,
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
        self._already_read = 0

    async def read(self, grep_session: GrepSession) -> Iterable[str]:
        """Read the next entries."""
        has_context = self._query.n_before or self._query.n_after
        # What stands around an entry may make it much longer than what is read.
        max_output = CHUNK_SIZE // 4 if has_context else CHUNK_SIZE
        while True:
            output, is_whole = await self._run_grep(grep_session, max_output)
            if not output:
                entries: Iterable[str] | None = () if is_whole else None
            elif has_context:
                entries = await self._read_with_context(output, is_whole)
            else:
                entries = await self._read_without_context(output, is_whole)
            if entries is not None:
                self.at_end = is_whole
                return entries
            # It had no room for one entry.
            if max_output >= MAX_ENTRY_BYTES:
                raise EntryTooLong(MAX_ENTRY_BYTES)
            max_output = min(max_output * 4, MAX_ENTRY_BYTES)

    async def _run_grep(
        self, grep_session: GrepSession, max_output: int
    ) -> tuple[bytes, bool]:
        """Have grep print lines; say whether these are all, and whole in any case."""
        start = self._start
        self._dictionary.seek(start)
        text = NormalizedFile(self._dictionary.open_reader(start))
        outcome = await grep_session.run(
            grep.line_arguments(self._query, None, numbered=True),
            self._pattern,
            text if self._normalized else self._dictionary.fileno(),
            max_output,
        )
        if outcome.is_complete:
            return outcome.stdout, True
        return outcome.stdout[: outcome.stdout.rfind(b"\n") + 1], False

    async def _read_without_context(self, output: bytes, is_whole: bool) -> Lines:
        """Take entries that have no lines around them, and go on behind them."""
        printed, last_line = grep_output.strip_line_numbers(output)
        if not is_whole:
            await self._advance_past(last_line)
        lines = parse_lines(printed, self._normalized)
        skipped = min(self._skip, len(lines))
        self._skip -= skipped
        return lines[skipped:]

    async def _read_with_context(
        self, output: bytes, is_whole: bool
    ) -> Iterable[str] | None:
        """
        Take the entries that are complete, and go on behind them.

        @return: L{None} where none is.
        """
        before, after = self._query.n_before, self._query.n_after
        printed = parse_lines(output, self._normalized)
        lines, found = grep_output.parse_numbered_lines(printed)
        matches = [
            (index, number)
            for index, number in found
            if number > self._already_read and (is_whole or index + after < len(lines))
        ]
        if not is_whole:
            if not matches:
                return None
            await self._advance_past(matches[-1][1])
        skipped = matches[: self._skip]
        del matches[: self._skip]
        self._skip -= len(skipped)
        return add_context(lines, matches, before, after)

    async def _advance_past(self, last_line: int) -> None:
        """
        Begin the next time with the context of what may follow a match.

        @param last_line: the number of its line, counted from 1 at the last start.
        """
        skipped_lines = max(0, last_line - self._query.n_before)
        self._start = await self._in_thread(
            self._dictionary.offset_after_lines, self._start, skipped_lines
        )
        self._already_read = last_line - skipped_lines


def make_reader(
    dictionary: Dictionary,
    query: Search | All,
    normalized: bool,
    skip: int,
    in_thread: DeferToThread,
) -> LineReader:
    """
    What reads the entries that a query asks for.

    @param normalized: whether grep is to read the dictionary as normalized text.
    @param skip: how many entries to pass over first, 0 or more.
    """
    pattern = query.selection.pattern
    if pattern is None or isinstance(query, All):
        return AllLinesReader(dictionary, skip, in_thread)
    return MatchReader(dictionary, query, pattern, normalized, skip, in_thread)
