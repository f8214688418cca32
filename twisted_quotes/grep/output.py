"""
How the output of grep is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from re import DOTALL, MULTILINE, compile

from .arguments import GrepFailed

_COUNT = compile(rb"\d{1,18}\n")
_LINE_NUMBER = compile(rb"^(\d{1,18}):", MULTILINE)
_MATCH_POSITION = compile(rb"(\d{1,18}):(\d{1,18}):")
_NUMBERED_LINE = compile(r"(\d{1,18})([:-])(.*)", DOTALL)


def parse_numbered_lines(
    output_lines: Sequence[str],
) -> tuple[list[str], list[tuple[int, int]]]:
    """
    Read lines that grep numbered: C{12:} marks a match, C{12-} context.

    @return: the lines, and for each match its index there and its line number.
    @raise GrepFailed: a line has no number.
    """
    lines: list[str] = []
    matches: list[tuple[int, int]] = []
    for index, line in enumerate(output_lines):
        found = _NUMBERED_LINE.match(line)
        if found is None:
            raise GrepFailed("grep printed a line without its number")
        number, mark, text = int(found[1]), found[2], found[3]
        lines.append(text)
        if mark == ":":
            matches.append((index, number))
    return lines, matches


def strip_line_numbers(output: bytes) -> tuple[bytes, int]:
    """
    Read whole lines that grep numbered, all of which match.

    @param output: one of them at least.
    @return: the lines, and the line number of the last of them.
    @raise GrepFailed: a line has no number.
    """
    # Twice as quick as a regular expression, for some thousands of lines.
    partitioned_lines = [each.partition(b":") for each in output[:-1].split(b"\n")]
    numbers, marks, lines = zip(*partitioned_lines, strict=True)
    if not (all(numbers) and all(marks) and b"".join(numbers).isdigit()):
        raise GrepFailed("grep printed a line without its number")
    return b"\n".join([*lines, b""]), int(numbers[-1])


def parse_count(output: bytes) -> int:
    """
    Read how many lines grep counted.

    @raise GrepFailed: that is no number.
    """
    if not _COUNT.fullmatch(output):
        raise GrepFailed("grep printed no number where it was to count")
    return int(output)


def parse_line_numbers(output: bytes) -> list[int]:
    """
    Read the numbers of the lines that grep printed.

    @return: the numbers, counted from 0.
    """
    return [int(number) - 1 for number in _LINE_NUMBER.findall(output)]


def parse_match_positions(output: bytes) -> list[tuple[int, int, int]]:
    """
    Read where grep found each match.

    @return: the number of its line, counted from 0, and the offsets of its
        start and its end in what grep read.
    @raise GrepFailed: a line has no place.
    """
    found = []
    # What follows the last line feed was cut short.
    for line in output.split(b"\n")[:-1]:
        position = _MATCH_POSITION.match(line)
        if position is None:
            raise GrepFailed("grep printed a match without its place")
        start, end = int(position[2]), len(line) - position.end()
        found.append((int(position[1]) - 1, start, start + end))
    return found
