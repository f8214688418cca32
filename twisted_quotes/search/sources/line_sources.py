"""
Where searches of lines read: dictionaries, or packs with all of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from twisted_quotes.errors import (
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
    DictionaryNotText,
    Unavailable,
)
from twisted_quotes.grep.arguments import any_term_arguments
from twisted_quotes.grep.parallel import run_in_parallel
from twisted_quotes.grep.runner import MAX_BUFFERED, GrepSession
from twisted_quotes.library.packs.columns import PackDamaged
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.library.text_source import TextSource
from twisted_quotes.query.queries import EVERY_DICTIONARY, DictionaryNames
from twisted_quotes.search.batching.batch_queue import MAX_SHARED_OUTPUT
from twisted_quotes.search.results import Entries, TooLargeToBuffer
from twisted_quotes.text.lines import (
    Lines,
    approximate_size,
    concatenate_entries,
    lines_containing,
    parse_lines,
)

from .searchable_library import INDEX_TIME_LIMIT, SearchableLibrary

_MAX_FILES, _LONG_TIME_LIMIT = 1000, 10.0
"""
Up to how many dictionaries are read one after another, and how long a search of more of
them waits for their index, in seconds.
"""

LineOrigin: TypeAlias = str | Pack
"""Where lines come from: the name of a dictionary, or a pack with several."""


class PackLines(TextSource):
    """
    The lines of all dictionaries of a pack.

    @raise PackDamaged: its files cannot be opened.
    """

    is_normalized = True
    start = 0

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._files = pack.open("lines")
        self.descriptor = self._files.open("lines")
        self.size = pack.directory.sizes["lines"]

    def is_unchanged(self) -> bool:
        """Return whether nobody wrote to the pack, as nobody should."""
        return self._files.are_unchanged()

    def neighbors(self, line: int) -> range:
        """Return the lines of the dictionary that contains a line."""
        number = bisect_left(self._pack.line_ends, line)
        lines = PackPart(self._pack, range(number, number + 1)).lines
        return range(lines.start + 1, lines.stop + 1)

    def close(self) -> None:
        """Close its files."""
        self.descriptor = -1
        self._files.close()


async def find_line_origins(
    library: SearchableLibrary, requested: DictionaryNames
) -> Sequence[LineOrigin]:
    """
    Return where the lines of dictionaries are.

    For a search of all dictionaries they are in packs. For a search of one, and if
    there are no packs in time, they are in the dictionaries themselves, unless these
    are so many that to read them takes longer than to index them.

    @raise Unavailable: there are many, and they have no index.
    """
    if requested != EVERY_DICTIONARY:
        return requested
    is_small = len((await library.monitor.snapshot()).states) <= _MAX_FILES
    try:
        time_limit = INDEX_TIME_LIMIT if is_small else _LONG_TIME_LIMIT
        parts, is_complete = await library.find_parts(requested, time_limit)
    except Unavailable:
        if not is_small:
            raise
        is_complete = False
    if is_complete or not is_small:
        return list(dict.fromkeys(part.pack for part in parts))
    return await library.list_names()


def packs_among(origins: Sequence[LineOrigin]) -> list[Pack]:
    """Return the places that are packs."""
    return [each for each in origins if isinstance(each, Pack)]


def open_lines(
    library: SearchableLibrary, origin: LineOrigin, requested: DictionaryNames
) -> TextSource | None:
    """
    Open the lines of a dictionary or of a pack.

    @return: L{None} if the query names all dictionaries and this one is gone.
    @raise DictionaryChanging: if the pack is damaged.
    """
    if isinstance(origin, Pack):
        return open_pack_lines(library, origin)
    try:
        return library.library.open(origin)
    except (DictionaryForbidden, DictionaryNotFound, DictionaryNotText):
        if requested == EVERY_DICTIONARY:
            return None
        raise


def open_pack_lines(library: SearchableLibrary, pack: Pack) -> PackLines:
    """Open the lines of a pack, or raise L{DictionaryChanging} if it is damaged."""
    try:
        return PackLines(pack)
    except PackDamaged:
        library.packs.discard_damaged(pack)
        raise DictionaryChanging() from None


async def find_lines_of_each(
    library: SearchableLibrary,
    grep_session: GrepSession,
    packs: Sequence[Pack],
    terms: Sequence[str],
) -> dict[str, Entries | None]:
    """
    Find the lines with each of some terms, with one grep of each pack for all of them.

    @param terms: terms that grep matches as bytes.
    @return: the lines for each term; L{None} if they are too large to buffer.
    @raise TooLargeToBuffer: if those of all terms together are.
    """
    remaining_sizes = dict.fromkeys(terms, MAX_BUFFERED)
    arguments = any_term_arguments(remaining_sizes)

    async def find(grep_session: GrepSession, pack: Pack) -> dict[str, Lines]:
        with open_pack_lines(library, pack) as source:
            outcome = await grep_session.run(
                arguments, None, source.descriptor, MAX_SHARED_OUTPUT
            )
            if not source.is_unchanged():
                raise DictionaryChanging()
        if not outcome.is_complete:
            raise TooLargeToBuffer()
        small = [term for term, size in remaining_sizes.items() if size >= 0]
        found: dict[str, Lines] = await library.in_thread(
            _parse_each, small, outcome.stdout
        )
        for term, lines in found.items():
            remaining_sizes[term] -= approximate_size(lines)
        return found

    by_pack = await run_in_parallel(grep_session, find, packs)
    return {
        term: concatenate_entries([found[term] for found in by_pack])
        if size >= 0
        else None
        for term, size in remaining_sizes.items()
    }


def _parse_each(terms: Iterable[str], output: bytes) -> dict[str, Lines]:
    """Return the lines of the output that contain each of some terms."""
    return {term: parse_lines(lines_containing(term, output), True) for term in terms}
