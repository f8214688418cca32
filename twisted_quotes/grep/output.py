"""
Parsing the output of grep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from re import DOTALL, compile

from .arguments import GrepFailed

_COUNT = compile(rb"\d{1,18}\n")
# It matches whole lines: to look for the start of each takes four times as long.
_LINE_NUMBER = compile(rb"([1-9]\d{0,17}):.*+\n")
_MATCH_POSITION = compile(rb"(\d{1,18}):(\d{1,18}):")
_NUMBERED_LINE = compile(r"(\d{1,18})([:-])(.*)", DOTALL)


def parse_numbered_lines(
    output_lines: Sequence[str],
) -> tuple[list[str], list[tuple[int, int]]]:
    """
    Parse lines with their numbers: C{12:} marks a match, C{12-} context.

    @return: the lines, and for each match its index there and its line number.
    @raise GrepFailed: a line has no number.
    """
    lines: list[str] = []
    matches: list[tuple[int, int]] = []
    for index, output_line in enumerate(output_lines):
        parts = _NUMBERED_LINE.match(output_line)
        if parts is None:
            raise GrepFailed("grep printed a line without its number")
        number, mark, line = parts.groups()
        lines.append(line)
        if mark == ":":
            matches.append((index, int(number)))
    return lines, matches


def strip_line_numbers(output: bytes) -> tuple[bytes, int]:
    """
    Parse complete lines with their numbers, all of which match.

    @param output: one line or more.
    @return: the lines, and the number of the last line.
    @raise GrepFailed: a line has no number.
    """
    # Twice as fast as a regular expression for thousands of lines.
    parts = [line.partition(b":") for line in output[:-1].split(b"\n")]
    numbers, marks, lines = zip(*parts, strict=True)
    if not (all(numbers) and all(marks) and b"".join(numbers).isdigit()):
        raise GrepFailed("grep printed a line without its number")
    return b"\n".join([*lines, b""]), int(numbers[-1])


def parse_count(output: bytes) -> int:
    """
    Parse the number of lines that grep counted.

    @raise GrepFailed: the output is not a number.
    """
    if not _COUNT.fullmatch(output):
        raise GrepFailed("grep printed something else than a count")
    return int(output)


def parse_line_numbers(output: bytes) -> list[int]:
    """Parse the numbers of the lines that grep printed, counted from 0."""
    return [int(number) - 1 for number in _LINE_NUMBER.findall(output)]


def find_terms(
    output: bytes, limits: Mapping[str, int], ignore_case: bool
) -> dict[str, tuple[list[int], int]]:
    """
    Parse lines with their numbers; each has at least one of some terms.

    @param limits: for each term, which grep matches as bytes, how many lines to return.
    @return: for each term, the numbers of the first lines that contain it, counted from
        0, and the number of all such lines.
    """
    if ignore_case:
        output = output.lower()
    numbers = parse_line_numbers(output)
    lines = [line.partition(b":")[2] for line in output[:-1].split(b"\n")]
    found = {}
    for term, limit in limits.items():
        sought = (term.lower() if ignore_case else term).encode()
        pairs = zip(numbers, lines, strict=False)
        matching = [number for number, line in pairs if sought in line]
        found[term] = matching[:limit], len(matching)
    return found


def parse_match_positions(output: bytes) -> list[tuple[int, int, int]]:
    """
    Parse the positions of matches.

    @param output: may be cut off. Then the end of the last match may be wrong.
    @return: for each match the number of its line, counted from 0, and the offsets
        of its start and its end in the input of grep.
    @raise GrepFailed: a line has no position.
    """
    *lines, cut_off = output.split(b"\n")
    if _MATCH_POSITION.match(cut_off):
        lines.append(cut_off)
    positions = []
    for line in lines:
        parts = _MATCH_POSITION.match(line)
        if parts is None:
            raise GrepFailed("grep printed a match without its position")
        start, length = int(parts[2]), len(line) - parts.end()
        positions.append((int(parts[1]) - 1, start, start + length))
    return positions
