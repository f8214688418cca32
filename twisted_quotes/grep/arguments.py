"""
How grep is asked, and how it ends. No process is run here.

grep always reads the dictionary on its standard input, so no file name can be
taken for an option or turn up in an error, and what was checked when the
dictionary was opened is what is read. Only GNU grep is spoken to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted_quotes.errors import BadRequest
from twisted_quotes.query.queries import All, Pattern, Search
from twisted_quotes.text.letter_case import (
    expand_case_variants,
    has_unsupported_case_variants,
)
from twisted_quotes.text.lines import VALID_UTF8_LINE_PATTERN

C_LOCALE = {"LC_ALL": "C"}
_UTF8_LOCALE = {"LC_ALL": "C.UTF-8"}

_STATUS_MATCHED, _STATUS_NO_MATCH = 0, 1
_MEMORY_EXHAUSTED = "memory exhausted"


class GrepFailed(Exception):
    """
    grep ended in a way that no query explains: killed from outside, or unable
    to read. The message is for the log alone.
    """


def line_arguments(
    query: Search | All, limit: int | None, numbered: bool = False
) -> tuple[str, ...]:
    """
    The arguments that make grep print lines, with their context.

    @param limit: after how many matches grep may end; L{None} for never.
    @param numbered: whether lines are numbered where they have no context, too.
    """
    numbering, limit_arguments = ["-n"] * numbered, []
    if query.n_before or query.n_after:
        numbering = ["-n", "--no-group-separator"]
        numbering += [f"-B{query.n_before}", f"-A{query.n_after}"]
    if limit is not None:
        # After its last match grep may cut the context short at the next match,
        # so it is asked for as many more as could stand in that context.
        limit_arguments = ["-m", str(min(limit + query.n_after, 2**62))]
    return (
        "-a",
        *numbering,
        *limit_arguments,
        *_pattern_arguments(query.selection.pattern),
    )


def is_bytewise_search(query: Search) -> bool:
    """
    Whether each line matches or not by the bytes of the term alone.

    It does where a fixed string is looked for as it stands, and each entry is
    the line that it stands in.
    """
    pattern = query.selection.pattern
    return (
        pattern is not None
        and not (query.n_before or query.n_after)
        and environment(pattern) is C_LOCALE
        and not needs_normalized_text(pattern)
    )


def any_term_arguments(terms: Sequence[str]) -> tuple[str, ...]:
    """The arguments that make grep print the lines that hold any of some terms."""
    return ("-a", "-F", *(argument for term in terms for argument in ("-e", term)))


def pattern_file_arguments(descriptor: int) -> tuple[str, ...]:
    """
    The arguments that make grep read from an open file what to look for.

    It reads nothing else before that is at its end. That file is not its standard
    input, which is the dictionary.

    @param descriptor: that file, in its own process.
    """
    return ("-a", "-F", "-f", f"/proc/self/fd/{descriptor}")


def encode_pattern_file(term: str) -> bytes:
    """What is to be written there, for a term in which no line ends."""
    return term.encode() + b"\n"


def line_number_arguments(pattern: Pattern, limit: int) -> tuple[str, ...]:
    """
    The arguments that make grep number the lines that match.

    Its standard input is left after the last one, so that the next grep goes on
    from there; that is so for files, as GNU grep documents with C{-m}.

    @param limit: how many to find, 1 or more.
    """
    return ("-a", "-n", "-m", str(limit), *_pattern_arguments(pattern))


def count_arguments(pattern: Pattern | None) -> tuple[str, ...]:
    """The arguments that make grep count the lines that match."""
    return ("-a", "-c", *_pattern_arguments(pattern))


def match_position_arguments(pattern: Pattern) -> tuple[str, ...]:
    """The arguments that make grep print each match by itself, with its place."""
    return ("-a", "-n", "-o", "-b", *_pattern_arguments(pattern))


def whole_line_arguments(line: str) -> tuple[str, ...]:
    """The arguments that make grep number the first line that is just this."""
    return ("-a", "-n", "-m", "1", "-F", "-x", "-e", line)


def _pattern_arguments(pattern: Pattern | None) -> list[str]:
    """What matches; anything does where there is no pattern."""
    if pattern is None:
        return ["-e", ""]
    kind, term = "-E" if pattern.regex else "-F", pattern.term
    if (
        pattern.ignore_case
        and not pattern.regex
        and has_unsupported_case_variants(term)
    ):
        kind, term = "-E", expand_case_variants(term)
    options = [kind, *["-i"] * pattern.ignore_case, *["-w"] * pattern.whole_word]
    return [*options, "-e", term]


def environment(pattern: Pattern | None) -> Mapping[str, str]:
    """
    The environment that grep needs to look for something.

    Bytes and characters give the same answer for a fixed string as it stands,
    and bytes are quicker. Case, words and patterns are about characters.
    """
    if pattern is None or not (
        pattern.regex or pattern.ignore_case or pattern.whole_word
    ):
        return C_LOCALE
    return _UTF8_LOCALE


def needs_normalized_text(pattern: Pattern | None) -> bool:
    r"""
    Whether the bytes of a file could match otherwise than its text.

    A regular expression can ask for the end of a line, where a C{"\r"} may
    stand, or for any character, where a bad byte is none to grep; and U+FFFD
    can be asked for by name.
    """
    return pattern is not None and (
        pattern.regex or "\N{REPLACEMENT CHARACTER}" in pattern.term
    )


# Selects a line that is no text as it stands.
# Not with -q: that has grep abort where it has too little memory.
UNNORMALIZED_LINE_ARGUMENTS = (
    "-a",
    "-c",
    "-m1",
    "-v",
    "-x",
    "-E",
    "-e",
    VALID_UTF8_LINE_PATTERN,
)


def check_exit_status(status: int | None, errors: bytes, regex: bool) -> bool:
    """
    Judge how grep ended.

    @param status: its exit code; L{None} when a signal ended it.
    @param errors: what it wrote to its standard error.
    @param regex: whether the caller gave a regular expression.
    @return: whether it found anything.
    @raise BadRequest: grep says that the regular expression is wrong, or has no room
        for it, or for a line.
    @raise GrepFailed: anything else went wrong.
    """
    if status in (_STATUS_MATCHED, _STATUS_NO_MATCH):
        return status == _STATUS_MATCHED
    lines = errors.decode("utf-8", "replace").splitlines() or [""]
    error_message = lines[-1].removeprefix("grep: ")
    if status is not None and error_message == _MEMORY_EXHAUSTED:
        raise BadRequest(
            "The search needs more memory than it may use: a line of the dictionary is "
            "too long, or the regular expression too large. Look for something "
            "simpler, or in another dictionary."
        )
    if (
        status is None
        or not regex
        or not error_message
        or "(standard input)" in error_message
    ):
        raise GrepFailed(f"grep ended with status {status}, saying {error_message!r}")
    raise BadRequest(
        'The field "term" is not a POSIX extended regular expression: '
        f"{error_message}. "
        'Mend it, or leave out "regex" to look for it as it stands.'
    )
