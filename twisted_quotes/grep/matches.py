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

from twisted_quotes.library.indexes import InThread
from twisted_quotes.query.queries import Pattern

from . import arguments as grep
from . import output as grep_output
from .runner import Greps

Places: TypeAlias = list[tuple[int, int]]
"""Where matches start and end in a line, in bytes and in order."""

MAX_ROUNDS = 20
"""How many greps look for more matches that are whole words, one after another."""

_MAX_OUTPUT = 2 * 1024 * 1024
# What grep prints around a match: two numbers of 18 digits, and three marks.
_AROUND = 40

_WORD_CHARACTER = Pattern("[[:alnum:]_]", regex=True)
# A byte that is no character, so that no expression matches it, and no part of a word.
_NOTHING = b"\x80"


class Matches(NamedTuple):
    """
    Where a pattern matches in a line.

    @ivar is_truncated: whether there are more matches, or may be.
    """

    places: Places
    is_truncated: bool


async def matches(
    greps: Greps,
    pattern: Pattern,
    lines: Sequence[bytes],
    limit: int,
    in_thread: InThread,
) -> list[Matches]:
    """
    Have grep tell where it finds a pattern in lines.

    @param lines: lines of UTF-8, each with its line feed.
    @param limit: how many matches to find in each line, 1 or more.
    @param in_thread: runs what may take a while.
    @return: for each line, its first matches: leftmost, then longest.
    """
    # One more tells whether there are more.
    wanted = greps, pattern, lines, limit + 1, in_thread
    unsure: set[int] = set()
    if pattern.regex and pattern.whole_word:
        found, unsure = await _whole_words(*wanted)
    else:
        found = await _as_told(*wanted)
    return [
        Matches(places[:limit], len(places) > limit or number in unsure)
        for number, places in enumerate(found)
    ]


async def _as_told(
    greps: Greps,
    pattern: Pattern,
    lines: Sequence[bytes],
    limit: int,
    in_thread: InThread,
) -> list[Places]:
    """All that grep tells, as far as it is wanted."""
    found: list[Places] = []
    while len(found) < len(lines):
        left = lines[len(found) :]
        # Whatever is wanted of the first line always has room.
        room = max(_MAX_OUTPUT, len(left[0]) + limit * _AROUND)
        with _memory_file(b"".join(left)) as descriptor:
            outcome = await greps.run(
                grep.place_arguments(pattern),
                grep.environment(pattern),
                descriptor,
                pattern.regex,
                room,
            )
        found += await in_thread(_read, outcome.output, outcome.is_whole, left, limit)
    return found


def _read(
    output: bytes, is_whole: bool, lines: Sequence[bytes], limit: int
) -> list[Places]:
    """
    Read where matches are, for the first lines, of which grep has told all.

    @param is_whole: whether this is all that grep had to say.
    """
    found: dict[int, Places] = {}
    for number, places in groupby(
        grep_output.read_places(output), lambda place: place[0]
    ):
        found[number] = [(start, end) for _, start, end in places][:limit]
    told = len(lines)
    if not is_whole:
        # The last one may not be complete, unless it has enough.
        last = max(found, default=0)
        told = last + (len(found.get(last, ())) == limit)
    read, passed = [], 0
    for number, line in enumerate(lines[:told]):
        read.append([(a - passed, b - passed) for a, b in found.get(number, ())])
        passed += len(line)
    return read


async def _whole_words(
    greps: Greps,
    pattern: Pattern,
    lines: Sequence[bytes],
    limit: int,
    in_thread: InThread,
) -> tuple[list[Places], set[int]]:
    """
    Find matches of an expression that are bounded by non-word characters.

    Where such a match is shorter than the longest one at its start, GNU grep 3.8
    finds it only if it is the first in its line. So where it matters, the rest
    of a line behind each match is searched as a line of its own.

    @return: the matches, and the numbers of the lines that may have more.
    """
    anywhere = replace(pattern, whole_word=False)
    unbounded = await _as_told(greps, anywhere, lines, limit, in_thread)
    found = await _as_told(greps, pattern, lines, limit, in_thread)
    # Where both are the same, no shorter match was to be tried.
    unsure = [
        number for number, places in enumerate(found) if places != unbounded[number]
    ]
    words = await _word_characters(greps, [lines[each] for each in unsure])
    for number in unsure:
        del found[number][1:]
    for _ in range(MAX_ROUNDS):
        unsure = [each for each in unsure if 0 < len(found[each]) < limit]
        if not unsure:
            break
        starts = [_next_start(lines[n], found[n][-1][1], words) for n in unsure]
        rest = [_NOTHING + lines[n][at:] for n, at in zip(unsure, starts, strict=True)]
        following = await _as_told(greps, pattern, rest, 1, in_thread)
        for number, start, places in zip(unsure, starts, following, strict=True):
            shift = start - len(_NOTHING)
            found[number] += [(a + shift, b + shift) for a, b in places]
        unsure = [n for n, places in zip(unsure, following, strict=True) if places]
    return found, set(unsure)


async def _word_characters(greps: Greps, lines: Sequence[bytes]) -> set[str]:
    """Which characters of some lines grep takes for parts of words."""
    characters = sorted(set(b"".join(lines).decode()) - {"\n"})
    if not characters:
        return set()
    with _memory_file("".join(f"{each}\n" for each in characters).encode()) as file:
        outcome = await greps.run(
            grep.number_arguments(_WORD_CHARACTER, len(characters)),
            grep.environment(_WORD_CHARACTER),
            file,
            most_output=_MAX_OUTPUT * 16,
        )
    return {characters[each] for each in grep_output.read_numbers(outcome.output)}


def _next_start(line: bytes, end: int, word_characters: set[str]) -> int:
    """Where the next match may start at the earliest, which follows no word."""
    before = line[max(0, end - 4) : end].decode("utf-8", "ignore")[-1]
    if before not in word_characters:
        return end
    following = line[end : end + 4].decode("utf-8", "ignore")[0]
    return end if following == "\n" else end + len(following.encode())


@contextmanager
def _memory_file(data: bytes) -> Iterator[int]:
    """A file in memory, at its start."""
    with open(os.memfd_create("quotes"), "wb", buffering=0) as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()
