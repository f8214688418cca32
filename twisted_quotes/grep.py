"""
How grep is asked, and how its answer is read. No process is run here.

grep always reads the dictionary on its standard input, so no file name can be
taken for an option or turn up in an error, and what was checked when the
dictionary was opened is what is read. Only GNU grep is spoken to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from re import DOTALL, compile

from .errors import BadRequest
from .query import All, Query, Search

_BYTES = {"LC_ALL": "C"}
_CHARACTERS = {"LC_ALL": "C.UTF-8"}

_FOUND, _FOUND_NOTHING = 0, 1
_NUMBERED_LINE = compile(r"(\d+)([:-])(.*)", DOTALL)


class GrepFailed(Exception):
    """
    grep ended in a way that no query explains: killed from outside, or unable
    to read. The message is for the log alone.
    """


def search_arguments(query: Query) -> tuple[str, ...]:
    """The arguments that make grep answer a query."""
    if isinstance(query, All):
        matching = ["-e", ""]
    else:
        matching = ["-E" if query.regex else "-F"]
        matching += ["-i"] * query.ignore_case + ["-w"] * query.whole_word
        matching += ["-e", query.term]
    return ("-a", *_numbering(query), *_limit(query), *matching)


def context(query: Query) -> tuple[int, int]:
    """The lines of context wanted before and after each match."""
    return (query.n_before, query.n_after) if isinstance(query, Search) else (0, 0)


def _numbering(query: Query) -> list[str]:
    before, after = context(query)
    if not (before or after):
        return []
    return ["-n", "--no-group-separator", f"-B{before}", f"-A{after}"]


def _limit(query: Query) -> list[str]:
    """
    Let grep end early.

    After its last match grep may cut the context short at the next match, so
    it is asked for as many more as could stand in that context.
    """
    if query.most is None:
        return []
    _, after = context(query)
    return ["-m", str(min(query.offset + query.most + after, 2**62))]


def search_environment(query: Query) -> Mapping[str, str]:
    """
    The environment grep needs to answer a query.

    Bytes and characters give the same answer for a fixed string as it stands,
    and bytes are quicker. Case, words and patterns are about characters.
    """
    if isinstance(query, All) or not (
        query.regex or query.ignore_case or query.whole_word
    ):
        return _BYTES
    return _CHARACTERS


def needs_normalized_text(query: Query) -> bool:
    r"""
    Whether the bytes of a file could match otherwise than its text.

    A pattern can ask for the end of a line, where a C{"\r"} may stand, or for
    any character, where a bad byte is none to grep; and U+FFFD can be asked
    for by name.
    """
    return isinstance(query, Search) and (
        query.regex or "\N{REPLACEMENT CHARACTER}" in query.term
    )


# Selects a line that holds a carriage return, or bytes that are no text.
ABNORMAL_LINE_ARGUMENTS = ("-a", "-q", "-v", "-x", "-e", "[^\r]*")
ABNORMAL_LINE_ENVIRONMENT = _CHARACTERS


def check(status: int | None, errors: bytes, pattern: bool) -> bool:
    """
    Judge how grep ended.

    @param status: its exit code; L{None} when a signal ended it.
    @param errors: what it wrote to its standard error.
    @param pattern: whether the caller gave a regular expression.
    @return: whether it found anything.
    @raise BadRequest: grep says that the regular expression is wrong.
    @raise GrepFailed: anything else went wrong.
    """
    if status in (_FOUND, _FOUND_NOTHING):
        return status == _FOUND
    lines = errors.decode("utf-8", "replace").splitlines() or [""]
    complaint = lines[-1].removeprefix("grep: ")
    if (
        status is None
        or not pattern
        or not complaint
        or "(standard input)" in complaint
    ):
        raise GrepFailed(f"grep ended with status {status}, saying {complaint!r}")
    raise BadRequest(
        f'The field "term" is not a POSIX extended regular expression: {complaint}. '
        'Mend it, or leave out "regex" to look for it as it stands.'
    )


def numbered_lines(
    printed: Sequence[str],
) -> tuple[list[str], list[tuple[int, int]]]:
    """
    Read lines that grep numbered: C{12:} marks a match, C{12-} context.

    @return: the lines, and for each match its index there and its line number.
    @raise GrepFailed: a line has no number.
    """
    lines: list[str] = []
    matches: list[tuple[int, int]] = []
    for index, line in enumerate(printed):
        found = _NUMBERED_LINE.match(line)
        if found is None:
            raise GrepFailed("grep printed a line without its number")
        number, mark, text = int(found[1]), found[2], found[3]
        lines.append(text)
        if mark == ":":
            matches.append((index, number))
    return lines, matches
