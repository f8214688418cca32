"""
Where grep finds a pattern in lines of text, in bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple, TypeAlias

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.query.queries import Pattern

from . import arguments as grep
from . import output as grep_output
from .runner import GrepSession

MatchSpans: TypeAlias = list[tuple[int, int]]
"""Where matches start and end in a line, in bytes and in order."""

MAX_ROUNDS = 20
"""How many greps look for more matches that are whole words, one after another."""

_MAX_OUTPUT = 2 * 1024 * 1024
# What grep prints around a match: two numbers of 18 digits, and three marks.
_MATCH_OVERHEAD = 40

_WORD_CHARACTER = Pattern("[[:alnum:]_]", regex=True)
# A byte that is no character, so that no expression matches it, and no part of a word.
_INVALID_BYTE = b"\x80"


class Matches(NamedTuple):
    """
    Where a pattern matches in a line.

    @ivar is_truncated: whether there are more matches, or may be.
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
    Have grep tell where it finds a pattern in lines.

    @param lines: lines of UTF-8, each with its line feed.
    @param limit: how many matches to find in each line, 1 or more.
    @param in_thread: runs what may take a while.
    @return: for each line, its first matches: leftmost, then longest.
    """
    # One more tells whether there are more.
    search_arguments = grep_session, pattern, lines, limit + 1, in_thread
    possibly_truncated: set[int] = set()
    if pattern.regex and pattern.whole_word:
        found, possibly_truncated = await _find_whole_words(*search_arguments)
    else:
        found = await _find_reported_matches(*search_arguments)
    return [
        Matches(spans[:limit], len(spans) > limit or number in possibly_truncated)
        for number, spans in enumerate(found)
    ]


async def _find_reported_matches(
    grep_session: GrepSession,
    pattern: Pattern,
    lines: Sequence[bytes],
    limit: int,
    in_thread: DeferToThread,
) -> list[MatchSpans]:
    """All that grep tells, as far as it is wanted."""
    found: list[MatchSpans] = []
    while len(found) < len(lines):
        remaining_lines = lines[len(found) :]
        # Whatever is wanted of the first line always has room.
        max_output = max(_MAX_OUTPUT, len(remaining_lines[0]) + limit * _MATCH_OVERHEAD)
        with _memory_file(b"".join(remaining_lines)) as descriptor:
            outcome = await grep_session.run(
                grep.match_position_arguments(pattern),
                pattern,
                descriptor,
                max_output,
            )
        found += await in_thread(
            _parse_spans, outcome.stdout, outcome.is_complete, remaining_lines, limit
        )
    return found


def _parse_spans(
    output: bytes, is_complete: bool, lines: Sequence[bytes], limit: int
) -> list[MatchSpans]:
    """
    Read where matches are, for the first lines, of which grep has told all.

    @param is_complete: whether this is all that grep had to say.
    """
    found: dict[int, MatchSpans] = {}
    for number, spans in groupby(
        grep_output.parse_match_positions(output), lambda place: place[0]
    ):
        found[number] = [(start, end) for _, start, end in spans][:limit]
    complete_count = len(lines)
    if not is_complete:
        # The last one may not be complete, unless it has enough.
        last = max(found, default=0)
        complete_count = last + (len(found.get(last, ())) == limit)
    parsed, line_start = [], 0
    for number, line in enumerate(lines[:complete_count]):
        parsed.append(
            [(a - line_start, b - line_start) for a, b in found.get(number, ())]
        )
        line_start += len(line)
    return parsed


async def _find_whole_words(
    grep_session: GrepSession,
    pattern: Pattern,
    lines: Sequence[bytes],
    limit: int,
    in_thread: DeferToThread,
) -> tuple[list[MatchSpans], set[int]]:
    """
    Find matches of an expression that are bounded by non-word characters.

    Where such a match is shorter than the longest one at its start, GNU grep 3.8
    finds it only if it is the first in its line. So where it matters, the rest
    of a line behind each match is searched as a line of its own.

    @return: the matches, and the numbers of the lines that may have more.
    """
    unbounded_pattern = replace(pattern, whole_word=False)
    unbounded_spans = await _find_reported_matches(
        grep_session, unbounded_pattern, lines, limit, in_thread
    )
    found = await _find_reported_matches(grep_session, pattern, lines, limit, in_thread)
    # Where both are the same, no shorter match was to be tried.
    unresolved = [
        number
        for number, places in enumerate(found)
        if places != unbounded_spans[number]
    ]
    word_characters = await _find_word_characters(
        grep_session, [lines[each] for each in unresolved]
    )
    for number in unresolved:
        del found[number][1:]
    for _ in range(MAX_ROUNDS):
        unresolved = [each for each in unresolved if 0 < len(found[each]) < limit]
        if not unresolved:
            break
        starts = [
            _next_start(lines[n], found[n][-1][1], word_characters) for n in unresolved
        ]
        line_remainders = [
            _INVALID_BYTE + lines[n][at:]
            for n, at in zip(unresolved, starts, strict=True)
        ]
        next_spans = await _find_reported_matches(
            grep_session, pattern, line_remainders, 1, in_thread
        )
        for number, start, places in zip(unresolved, starts, next_spans, strict=True):
            shift = start - len(_INVALID_BYTE)
            found[number] += [(a + shift, b + shift) for a, b in places]
        unresolved = [
            n for n, places in zip(unresolved, next_spans, strict=True) if places
        ]
    return found, set(unresolved)


async def _find_word_characters(
    grep_session: GrepSession, lines: Sequence[bytes]
) -> set[str]:
    """Which characters of some lines grep takes for parts of words."""
    characters = sorted(set(b"".join(lines).decode()) - {"\n"})
    if not characters:
        return set()
    with _memory_file("".join(f"{each}\n" for each in characters).encode()) as file:
        outcome = await grep_session.run(
            grep.line_number_arguments(_WORD_CHARACTER, len(characters)),
            _WORD_CHARACTER,
            file,
            _MAX_OUTPUT * 16,
        )
    return {characters[each] for each in grep_output.parse_line_numbers(outcome.stdout)}


def _next_start(line: bytes, end: int, word_characters: set[str]) -> int:
    """Where the next match may start at the earliest, which follows no word."""
    previous_character = line[max(0, end - 4) : end].decode("utf-8", "ignore")[-1]
    if previous_character not in word_characters:
        return end
    next_character = line[end : end + 4].decode("utf-8", "ignore")[0]
    return end if next_character == "\n" else end + len(next_character.encode())


@contextmanager
def _memory_file(data: bytes) -> Iterator[int]:
    """A file in memory, at its start."""
    with open(os.memfd_create("quotes"), "wb", buffering=0) as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()
