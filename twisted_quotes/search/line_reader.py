"""
Searching one open text for lines: all at once, or chunk after chunk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import DictionaryChanging, EntryTooLong
from twisted_quotes.grep.arguments import count_arguments, line_arguments
from twisted_quotes.grep.output import (
    parse_count,
    parse_numbered_lines,
    strip_line_numbers,
)
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.text_source import TextReader, TextSource
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.queries import All, Search
from twisted_quotes.text.combining_marks import exchange_marks
from twisted_quotes.text.lines import (
    Lines,
    NormalizedFile,
    TextForm,
    add_context,
    approximate_size,
    parse_lines,
)

from .results import CHUNK_SIZE, MAX_ENTRY_BYTES, Entries, split_into_chunks

READ_SIZE = 60 * 1024
"""
The number of bytes to read at a time.

Decoded, most texts take up to two bytes for each, which is less than 128 KiB. For
more, malloc calls the kernel each time, which takes longer than all the work on
the text (mallopt(3), M_MMAP_THRESHOLD).
"""


@dataclass
class SourceSearch:
    """
    The search of one open text.

    @ivar in_thread: runs what may block.
    @ivar text_form: what grep reads.
    """

    source: TextSource
    query: Search | All
    grep_session: GrepSession
    in_thread: DeferToThread
    text_form: TextForm

    @property
    def has_context(self) -> bool:
        return bool(self.query.n_before or self.query.n_after)

    async def run_grep(
        self,
        arguments: tuple[str, ...],
        max_output: int | None = None,
        start: int | None = None,
    ) -> Outcome:
        """Run grep on the text, or on the part of it from an offset on."""
        start = self.source.start if start is None else start
        self.source.seek(start)
        stdin: int | NormalizedFile = self.source.fileno()
        if self.text_form is not TextForm.FILE:
            reader = TextReader(self.source, start)
            exchanges = self.text_form is TextForm.MARKS_EXCHANGED
            stdin = NormalizedFile(reader, exchange_marks if exchanges else str)
        return await self.grep_session.run(
            arguments, self.query.selection.pattern, stdin, max_output
        )

    def parse_lines(self, output: bytes) -> Lines:
        """Parse complete lines of the output of grep."""
        if self.text_form is TextForm.MARKS_EXCHANGED:
            output = exchange_marks(output.decode()).encode()
        is_normalized = self.source.is_normalized
        return parse_lines(output, is_normalized or self.text_form is not TextForm.FILE)

    async def count(self) -> int:
        """Count the entries."""
        arguments = count_arguments(self.query.selection.pattern)
        return parse_count((await self.run_grep(arguments)).stdout)

    async def find(self, limit: int | None, max_characters: int) -> Entries | None:
        """
        Find all entries at once.

        @param limit: the maximum number of entries; L{None} for all.
        @return: L{None} if they have more than C{max_characters}.
        """
        needs_all = self.query.selection.pattern is None and limit is None
        if needs_all and self.source.size > max_characters:
            return None
        outcome = await self.run_grep(
            line_arguments(self.query, limit), max(1, max_characters)
        )
        if not outcome.is_complete:
            return None
        lines = self.parse_lines(outcome.stdout)
        if not self.has_context:
            return lines[:limit]
        entries = add_context(
            *parse_numbered_lines(lines),
            self.query.n_before,
            self.query.n_after,
            self.source.neighbors,
        )
        found = next(split_into_chunks(entries, limit, max_characters + 1), [])
        return found if approximate_size(found) <= max_characters else None

    def open_reader(self, skip: int) -> EntryReader:
        """Read the entries chunk after chunk, without the first ones."""
        if self.query.selection.pattern is None:
            return AllLinesReader(self, READ_SIZE, skip, self.source.start)
        # With their context, entries may be much longer than the output.
        size = CHUNK_SIZE // 4 if self.has_context else CHUNK_SIZE
        return MatchReader(self, size, skip, self.source.start)


@dataclass
class EntryReader(ABC):
    """
    Reads entries, a chunk at a time.

    @ivar chunk_size: the size of a chunk in bytes, if entries fit in it.
    @ivar skip: the number of entries to skip, fewer than there are.
    @ivar start: the offset at which the next chunk starts.
    @ivar at_end: whether there are no more entries.
    """

    search: SourceSearch
    chunk_size: int
    skip: int
    start: int
    at_end: bool = False

    async def read(self) -> Iterable[str]:
        """
        Read the next entries. There are none if all of them are skipped.

        @raise EntryTooLong: if an entry is longer than L{MAX_ENTRY_BYTES}.
        @raise DictionaryChanging: if the dictionary has become shorter.
        """
        size = self.chunk_size
        while (entries := await self._read(size)) is None:
            if size >= MAX_ENTRY_BYTES:
                raise EntryTooLong(MAX_ENTRY_BYTES)
            size = min(size * 4, MAX_ENTRY_BYTES)
        return entries

    @abstractmethod
    async def _read(self, size: int) -> Iterable[str] | None:
        """Read a chunk; return L{None} if no entry fits in it."""


@dataclass
class AllLinesReader(EntryReader):
    """Reads all lines, without grep."""

    async def _read(self, size: int) -> Lines | None:
        source, in_thread = self.search.source, self.search.in_thread
        if self.skip:
            self.start = await in_thread(
                source.offset_after_lines, self.start, self.skip
            )
            self.skip = 0
        byte_range = self.start, self.start + size
        data = source.read_nowait(*byte_range)
        if data is None:
            data = await in_thread(source.read_at, *byte_range)
        self.at_end = self.start + len(data) >= source.size
        end = len(data) if self.at_end else data.rfind(b"\n") + 1
        if end or self.at_end:
            self.start += end
            return parse_lines(data[:end], source.is_normalized)
        if len(data) < size:
            raise DictionaryChanging()
        return None


@dataclass
class MatchReader(EntryReader):
    """
    Reads matching lines with their context.

    Each chunk is the output of a grep that is killed after it. The next grep starts
    where the entries of that chunk end. Between two chunks no process runs.

    @ivar lines_read: the number of lines from there whose matches were read before.
    @ivar lines_before: the number of lines before the start.
    """

    lines_read: int = 0
    lines_before: int = 0

    async def _read(self, size: int) -> Iterable[str] | None:
        search = self.search
        arguments = line_arguments(search.query, None, numbered=True)
        outcome = await search.run_grep(arguments, size, self.start)
        output, self.at_end = outcome.stdout, outcome.is_complete
        if not self.at_end:
            output = output[: output.rfind(b"\n") + 1]
        if not output:
            return () if self.at_end else None
        if search.has_context:
            return await self._parse_with_context(output)
        return await self._parse_without_context(output)

    async def _parse_without_context(self, output: bytes) -> Lines:
        """Return the matching lines, and advance past them."""
        printed, last_line = strip_line_numbers(output)
        await self._advance_past(last_line)
        lines = self.search.parse_lines(printed)
        skipped = min(self.skip, len(lines))
        self.skip -= skipped
        return lines[skipped:]

    async def _parse_with_context(self, output: bytes) -> Iterable[str] | None:
        """Return the complete entries, and advance past them; L{None} for none."""
        search, lines_before = self.search, self.lines_before
        before, after = search.query.n_before, search.query.n_after
        lines, matches = parse_numbered_lines(search.parse_lines(output))
        matches = [
            (index, line)
            for index, line in matches
            if line > self.lines_read and (self.at_end or index + after < len(lines))
        ]
        if matches:
            await self._advance_past(matches[-1][1])
        elif not self.at_end:
            return None
        skipped = min(self.skip, len(matches))
        self.skip -= skipped
        numbered = [(index, line + lines_before) for index, line in matches[skipped:]]
        return add_context(lines, numbered, before, after, search.source.neighbors)

    async def _advance_past(self, last_line: int) -> None:
        """
        Start the next grep at the first line of context of a later match.

        @param last_line: the last match, counted from 1 at the last start.
        """
        if self.at_end:
            return
        skipped_lines = max(0, last_line - self.search.query.n_before)
        self.start = await self.search.in_thread(
            self.search.source.offset_after_lines, self.start, skipped_lines
        )
        self.lines_before += skipped_lines
        self.lines_read = last_line - skipped_lines
