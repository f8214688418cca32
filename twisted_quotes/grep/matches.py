"""
Finding where grep matches a pattern in lines of text, in bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple, TypeAlias

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.query.selection import Pattern

from .arguments import (
    is_matched_as_bytes,
    line_number_arguments,
    match_position_arguments,
)
from .output import parse_line_numbers, parse_match_positions
from .runner import GrepSession

MatchSpans: TypeAlias = list[tuple[int, int]]
"""The start and the end of each match in a line, in bytes and in order."""

MAX_ROUNDS = 20
"""The maximum number of greps that search for further matches of whole words."""

_MAX_OUTPUT = 2 * 1024 * 1024
# grep prints two numbers of up to 18 digits and three marks with each match.
_MATCH_OVERHEAD = 40

_WORD_CHARACTER = Pattern("[[:alnum:]_]", regex=True)
# No regular expression matches an invalid byte, and it is no part of a word.
_INVALID_BYTE = b"\x80"


class Matches(NamedTuple):
    """
    The matches in a line.

    @ivar is_truncated: whether there are, or may be, more matches.
    """

    spans: MatchSpans
    is_truncated: bool


async def find_matches(
    grep_session: GrepSession,
    pattern: Pattern,
    lines: Sequence[bytes],
    limit: int,
    in_thread: DeferToThread,
) -> list[Matches]:
    """
    Find the matches of a pattern in each of some lines.

    @param lines: lines of UTF-8, each with its line feed.
    @param limit: the maximum number of matches in each line, 1 or more.
    @return: for each line the first matches: leftmost, then longest.
    """
    finder = _MatchFinder(grep_session, in_thread)
    truncated: set[int] = set()
    # One match more than the limit shows that the line has more.
    if pattern.regex and pattern.whole_word:
        spans, truncated = await finder.find_whole_words(pattern, lines, limit + 1)
    else:
        spans = await finder.find(pattern, lines, limit + 1)
    return [
        Matches(line_spans[:limit], len(line_spans) > limit or number in truncated)
        for number, line_spans in enumerate(spans)
    ]


@dataclass(frozen=True)
class _MatchFinder:
    grep_session: GrepSession
    in_thread: DeferToThread

    async def find(
        self, pattern: Pattern, lines: Sequence[bytes], limit: int
    ) -> list[MatchSpans]:
        """Find the first matches in each line, as grep prints them."""
        spans: list[MatchSpans] = []
        if is_matched_as_bytes(pattern):
            spans += await self.in_thread(_find_term, pattern, lines, limit)
        while len(spans) < len(lines):
            rest = lines[len(spans) :]
            # Enough for all matches of the first line.
            max_output = max(_MAX_OUTPUT, len(rest[0]) + limit * _MATCH_OVERHEAD)
            with _memory_file(b"".join(rest)) as descriptor:
                outcome = await self.grep_session.run(
                    match_position_arguments(pattern),
                    pattern,
                    descriptor,
                    max_output,
                )
            spans += await self.in_thread(
                _parse_spans, outcome.stdout, outcome.is_complete, rest, limit
            )
        return spans

    async def find_whole_words(
        self, pattern: Pattern, lines: Sequence[bytes], limit: int
    ) -> tuple[list[MatchSpans], set[int]]:
        """
        Find matches of a regular expression that are whole words.

        If such a match is shorter than the longest match at its start, GNU grep 3.8
        finds it only if it is the first of its line. So if that can be the case, the
        rest of a line after each match is searched as a line of its own.

        @return: the matches, and the numbers of the lines that may have more.
        """
        unbounded_pattern = replace(pattern, whole_word=False)
        unbounded_spans = await self.find(unbounded_pattern, lines, limit)
        spans = await self.find(pattern, lines, limit)
        # If both are equal, there is no shorter match.
        unresolved = [n for n in range(len(lines)) if spans[n] != unbounded_spans[n]]
        word_characters = await self._find_word_characters(
            [lines[number] for number in unresolved]
        )
        for number in unresolved:
            del spans[number][1:]
        for _ in range(MAX_ROUNDS):
            starts = {
                number: _next_start(
                    lines[number], spans[number][-1][1], word_characters
                )
                for number in unresolved
                if 0 < len(spans[number]) < limit
            }
            if not starts:
                return spans, set()
            rests = [_INVALID_BYTE + lines[n][start:] for n, start in starts.items()]
            found = await self.find(pattern, rests, 1)
            for (number, start), matches in zip(starts.items(), found, strict=True):
                shift = start - len(_INVALID_BYTE)
                spans[number] += [(a + shift, b + shift) for a, b in matches]
            unresolved = [n for n, new in zip(starts, found, strict=True) if new]
        return spans, set(unresolved)

    async def _find_word_characters(self, lines: Sequence[bytes]) -> set[str]:
        """Return those characters of some lines that are parts of words for grep."""
        characters = sorted(set(b"".join(lines).decode()) - {"\n"})
        if not characters:
            return set()
        with _memory_file("".join(f"{each}\n" for each in characters).encode()) as file:
            outcome = await self.grep_session.run(
                line_number_arguments(_WORD_CHARACTER, len(characters)),
                _WORD_CHARACTER,
                file,
                _MAX_OUTPUT * 16,
            )
        numbers = parse_line_numbers(outcome.stdout)
        return {characters[number] for number in numbers}


def _find_term(
    pattern: Pattern, lines: Iterable[bytes], limit: int
) -> list[MatchSpans]:
    """Find a fixed string in each line. This is faster than the start of a grep."""
    term, found = pattern.term.encode(), list[MatchSpans]()
    for line in lines:
        if pattern.ignore_case:
            term, line = term.lower(), line.lower()
        found.append([])
        start = line.find(term)
        while start >= 0 and len(found[-1]) < limit:
            end = start + len(term)
            found[-1].append((start, end))
            start = line.find(term, end)
    return found


def _parse_spans(
    output: bytes, is_complete: bool, lines: Sequence[bytes], limit: int
) -> list[MatchSpans]:
    """
    Parse the first matches in each of the first lines.

    @param is_complete: whether the output is complete. Otherwise the result has only
        the lines of which all matches are known.
    """
    positions = parse_match_positions(output)
    # The last match may be cut off.
    line_count = len(lines) if is_complete else positions.pop()[0]
    spans_by_line = {
        number: [(start, end) for _, start, end in matches][:limit]
        for number, matches in groupby(positions, lambda position: position[0])
    }
    if len(spans_by_line.get(line_count, ())) == limit:
        line_count += 1
    parsed, line_start = [], 0
    for number, line in enumerate(lines[:line_count]):
        spans = spans_by_line.get(number, ())
        parsed.append([(start - line_start, end - line_start) for start, end in spans])
        line_start += len(line)
    return parsed


def _next_start(line: bytes, end: int, word_characters: set[str]) -> int:
    """Return the first offset after a match that does not follow a word character."""
    previous_character = line[max(0, end - 4) : end].decode("utf-8", "ignore")[-1]
    if previous_character not in word_characters:
        return end
    next_character = line[end : end + 4].decode("utf-8", "ignore")[0]
    return end if next_character == "\n" else end + len(next_character.encode())


@contextmanager
def _memory_file(data: bytes) -> Iterator[int]:
    """Create a file in memory; yield its file descriptor, at its start."""
    with open(os.memfd_create("quotes"), "wb", buffering=0) as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()
