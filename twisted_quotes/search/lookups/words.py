"""
Suggestions of words that occur in the library, for words that do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from re import compile
from typing import NamedTuple

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.grep.parallel import run_in_parallel
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.query.queries import DictionaryNames
from twisted_quotes.query.selection import Pattern, Selection
from twisted_quotes.search.batching.shared_greps import SharedGreps
from twisted_quotes.search.part_search import PartSearch
from twisted_quotes.search.results import Results
from twisted_quotes.search.sources.searchable_library import SearchableLibrary
from twisted_quotes.text.combining_marks import exchange_marks
from twisted_quotes.text.normalization import normalize_term

MAX_WORDS = 4
"""The maximum number of words of a search to find similar words for."""

MAX_SIMILAR = 3
"""The maximum number of suggestions for a word."""

_WORD = compile(r"[^\W\d_]{3,30}")
_MAX_OUTPUT = 64 * 1024


class Suggestion(NamedTuple):
    """
    A word that does not occur.

    @ivar similar: words that do, the most probable ones first.
    """

    word: str
    similar: Sequence[str]


@dataclass(frozen=True)
class WordSuggester:
    """Finds words that differ from others in one letter, with grep."""

    library: SearchableLibrary
    shared_greps: SharedGreps

    async def suggest(
        self,
        patterns: Sequence[Pattern],
        requested: DictionaryNames,
        slot_request: SlotRequest,
    ) -> tuple[list[Suggestion], bool]:
        """
        Find similar words for the first words of a search that occur in no quote.

        @param patterns: the words and phrases of the search.
        @return: a suggestion for each word that does not occur, and whether all
            dictionaries have an index.
        """
        found = chain.from_iterable(_WORD.findall(each.term) for each in patterns)
        words = list(dict.fromkeys(found))[:MAX_WORDS]
        results = Results()

        async def suggest(
            grep_session: GrepSession, parts: Sequence[PackPart]
        ) -> list[Suggestion]:
            return [
                Suggestion(word, await self._find_similar(grep_session, parts, word))
                for word in words
                if not await self._occurs(grep_session, parts, word)
            ]

        suggestions = await self.library.search(
            requested, slot_request, suggest, results
        )
        return suggestions, results.is_complete

    async def _occurs(
        self, grep_session: GrepSession, parts: Sequence[PackPart], word: str
    ) -> bool:
        selection = Selection(Pattern(word, ignore_case=True))
        search = PartSearch(self.library, self.shared_greps, selection)
        found = await search.find_first(grep_session, parts, 1)
        if found.timeout is not None:
            raise found.timeout
        return any(each.positions for each in found.parts)

    async def _find_similar(
        self, grep_session: GrepSession, parts: Sequence[PackPart], word: str
    ) -> list[str]:
        expression = similar_words_expression(normalize_term(word, regex=False))
        pattern = Pattern(
            exchange_marks(expression), ignore_case=True, whole_word=True, regex=True
        )

        async def find(grep_session: GrepSession, part: PackPart) -> bytes:
            with self.library.open_quotes(part) as source:
                return await source.print_matches(grep_session, pattern, _MAX_OUTPUT)

        outputs = await run_in_parallel(grep_session, find, parts)
        found = exchange_marks(b"".join(outputs).decode()).casefold().split("\n")
        return rank_words(word.casefold(), Counter(filter(None, found)))


def similar_words_expression(word: str) -> str:
    """
    Return a regular expression for the words at one edit from a word.

    An edit inserts, deletes or replaces a letter, or exchanges two adjacent letters.

    @param word: two letters or more, and nothing else.
    """
    return "|".join(dict.fromkeys(_edits(word)))


def _edits(word: str) -> Iterator[str]:
    for index in range(len(word) + 1):
        before, after = word[:index], word[index:]
        yield f"{before}[[:alpha:]]{after}"
        if after:
            yield f"{before}[[:alpha:]]?{after[1:]}"
        if len(after) > 1:
            yield f"{before}{after[1]}{after[0]}{after[2:]}"


def rank_words(word: str, counts: Counter[str]) -> list[str]:
    """Return the most frequent words, those with the same first letter first."""

    def rank(candidate: str) -> tuple[bool, int]:
        return candidate[0] != word[0], -counts[candidate]

    return sorted(counts, key=rank)[:MAX_SIMILAR]
