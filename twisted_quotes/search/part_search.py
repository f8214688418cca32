"""
Searching parts of packs for quotes, several at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twisted_quotes.errors import SearchTimedOut
from twisted_quotes.grep.arguments import is_matched_as_bytes
from twisted_quotes.grep.parallel import run_in_parallel
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.query.selection import Selection

from .batching.shared_greps import SharedGreps
from .sources.cursor import MatchCursor, normalize_pattern
from .sources.searchable_library import SearchableLibrary

MAX_FOUND = 1000
"""The maximum number of quotes that a shared search finds; it counts the others."""


class FoundInPart(NamedTuple):
    """
    What was found in a part.

    @ivar positions: the first positions.
    @ivar other_count: the number of others; L{None} if they are not counted yet.
    """

    positions: Sequence[int]
    other_count: int | None = None


class FirstFound(NamedTuple):
    """
    What was found in some parts, in order.

    @ivar timeout: why the last parts are missing; L{None} if they are not.
    """

    parts: Sequence[FoundInPart]
    timeout: SearchTimedOut | None


@dataclass(frozen=True)
class PartSearch:
    """
    Searches parts of packs.

    @ivar selection: selects the quotes to find.
    """

    library: SearchableLibrary
    shared_greps: SharedGreps
    selection: Selection

    async def find_first(
        self, grep_session: GrepSession, parts: Sequence[PackPart], limit: int
    ) -> FirstFound:
        """Find the first quotes of all parts, at least as many as the limit."""
        timeout: SearchTimedOut | None = None

        async def find(
            grep_session: GrepSession, part: PackPart
        ) -> FoundInPart | SearchTimedOut:
            nonlocal limit, timeout
            if timeout is not None:
                return timeout
            if limit <= 0:
                return FoundInPart(())
            try:
                found = await self._find_in_part(grep_session, part, limit)
            except SearchTimedOut as error:
                timeout = error
                return error
            limit -= len(found.positions)
            return found

        in_time: list[FoundInPart] = []
        for found in await run_in_parallel(grep_session, find, parts):
            if isinstance(found, SearchTimedOut):
                break
            in_time.append(found)
        return FirstFound(in_time, timeout)

    async def _find_in_part(
        self, grep_session: GrepSession, part: PackPart, limit: int
    ) -> FoundInPart:
        with self.library.open_quotes(part) as source:
            cursor = await source.open_cursor(grep_session, self.selection)
            positions = await cursor.fetch(limit)
            if isinstance(cursor, MatchCursor) and len(positions) == limit:
                return FoundInPart(positions)
            return FoundInPart(positions, await cursor.count_remaining())

    async def find_first_or_share(
        self, grep_session: GrepSession, parts: Sequence[PackPart], limit: int
    ) -> FirstFound:
        """
        Find the first quotes as L{find_first} does, or with those of other searches.

        Use this only if the total is needed: a shared grep reads all of each part.

        @param limit: at most L{MAX_FOUND}.
        """
        pattern = self.selection.only_text_pattern
        if (
            not parts
            or pattern is None
            or not is_matched_as_bytes(normalize_pattern(pattern))
        ):
            return await self.find_first(grep_session, parts, limit)
        ignore_case = pattern.ignore_case
        return await self.shared_greps.find(
            grep_session,
            ("texts", tuple(parts), ignore_case),
            sum(len(part.byte_range("lines")) for part in parts),
            normalize_pattern(pattern).term,
            lambda: self.find_first(grep_session, parts, limit),
            lambda terms: self._find_each(grep_session, parts, terms, ignore_case),
        )

    async def _find_each(
        self,
        grep_session: GrepSession,
        parts: Sequence[PackPart],
        terms: Sequence[str],
        ignore_case: bool,
    ) -> dict[str, FirstFound]:
        """Find the first quotes with each of some terms, and count the others."""
        limits = dict.fromkeys(terms, MAX_FOUND)

        async def find(
            grep_session: GrepSession, part: PackPart
        ) -> dict[str, FoundInPart]:
            with self.library.open_quotes(part) as source:
                found = await source.find_each(grep_session, dict(limits), ignore_case)
            in_part = {}
            for term, (positions, count) in found.items():
                limits[term] -= min(limits[term], len(positions))
                in_part[term] = FoundInPart(positions, count - len(positions))
            return in_part

        in_parts = await run_in_parallel(grep_session, find, parts)
        return {
            term: FirstFound([in_part[term] for in_part in in_parts], None)
            for term in limits
        }

    async def count_others(
        self,
        grep_session: GrepSession,
        parts: Sequence[PackPart],
        found: Sequence[FoundInPart],
    ) -> int:
        """Count the quotes of parts that L{find_first} has not found."""
        known, uncounted = 0, []
        for part, (positions, other_count) in zip(parts, found, strict=True):
            if other_count is None:
                uncounted.append(part)
                known -= len(positions)
            else:
                known += other_count
        return known + await self.count(grep_session, uncounted)

    async def count(self, grep_session: GrepSession, parts: Sequence[PackPart]) -> int:
        """Count the quotes of parts."""

        async def count(grep_session: GrepSession, part: PackPart) -> int:
            with self.library.open_quotes(part) as source:
                cursor = await source.open_cursor(grep_session, self.selection)
                return await cursor.count_remaining()

        if self.selection == Selection():
            return sum(len(part.quotes) for part in parts)
        return sum(await run_in_parallel(grep_session, count, parts))
