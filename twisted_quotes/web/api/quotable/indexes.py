"""
The authors and the tags of the library by their slugs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.search.finder import Finder

from .authors import AuthorIndex
from .queries import TagNames, index_tags

S = TypeVar("S")
T = TypeVar("T")


class _CachedIndex(Generic[S, T]):
    """
    Makes an index of something in a thread, again only for another object.

    @param build: makes the index.
    """

    def __init__(self, in_thread: DeferToThread, build: Callable[[S], T]) -> None:
        self._in_thread = in_thread
        self._build = build
        self._latest: tuple[S, T] | None = None

    async def get(self, indexed: S) -> T:
        """Return the index of an object that is not changed later."""
        if self._latest is None or self._latest[0] is not indexed:
            self._latest = indexed, await self._in_thread(self._build, indexed)
        return self._latest[1]


class Indexes:
    """
    The authors and the tags of the library, by their slugs.

    @ivar in_thread: runs what takes long with many of them.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self.in_thread = finder.searchable_library.in_thread
        self._authors = _CachedIndex(self.in_thread, AuthorIndex)
        self._tags = _CachedIndex(self.in_thread, index_tags)

    @property
    def states(self) -> Mapping[str, FileState]:
        """The latest known states of dictionaries, by name."""
        return self._finder.searchable_library.monitor.latest_states

    async def authors(self, client_key: str | None) -> tuple[AuthorIndex, bool]:
        """Return all authors, and whether all dictionaries have an index."""
        authors, is_complete = await self._finder.find_authors(
            EVERY_DICTIONARY, client_key
        )
        return await self._authors.get(authors), is_complete

    async def tags(self) -> TagNames:
        """Return the names of all dictionaries."""
        await self._finder.list_dictionary_names()
        return await self._tags.get(self.states)
