"""
The arguments, the environment and the exit status of GNU grep.

grep always reads the dictionary from its standard input. So no file name can be taken
for an option or appear in an error, and grep reads the file that was checked when the
dictionary was opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from twisted_quotes.errors import BadRequest
from twisted_quotes.query.queries import All, Search
from twisted_quotes.query.selection import Pattern
from twisted_quotes.text.combining_marks import mark_characters
from twisted_quotes.text.lines import VALID_UTF8_LINE_PATTERN

from .letter_case import expand_case_variants, has_ascii_case_variants_only

C_LOCALE = {"LC_ALL": "C"}
_UTF8_LOCALE = {"LC_ALL": "C.UTF-8"}

# Selects a line with a carriage return or invalid UTF-8, in the C locale.
# With -q instead of -c, grep would abort if it had too little memory.
UNNORMALIZED_LINE_ARGUMENTS = (
    *("-a", "-c", "-m1", "-v", "-x", "-E"),
    *("-e", VALID_UTF8_LINE_PATTERN),
)


@cache
def marked_line_arguments() -> tuple[str, ...]:
    """Return the arguments for looking for a line with a mark, in the C locale."""
    return ("-a", "-c", "-m1", "-F", "-e", "\n".join(mark_characters()))


class GrepFailed(Exception):
    """
    grep failed for a reason that is not in the query: a signal, or a read error.

    The message is for the log only.
    """


def line_arguments(
    query: Search | All, limit: int | None, numbered: bool = False
) -> tuple[str, ...]:
    """
    Return the arguments for printing lines with their context.

    @param limit: the number of matches after which grep may stop; L{None} for no
        limit.
    @param numbered: whether to number lines that have no context, too.
    """
    numbering, limit_arguments = ["-n"] * numbered, []
    if query.n_before or query.n_after:
        numbering = ["-n", "--no-group-separator"]
        numbering += [f"-B{query.n_before}", f"-A{query.n_after}"]
    if limit is not None:
        # After its last match grep stops the context at the next match, so this adds
        # as many matches as the context can contain.
        limit_arguments = ["-m", str(min(limit + query.n_after, 2**62))]
    pattern_arguments = _pattern_arguments(query.selection.pattern)
    return ("-a", *numbering, *limit_arguments, *pattern_arguments)


def is_bytewise_search(query: Search) -> bool:
    """
    Return whether the bytes of the term alone decide which lines match.

    They do for a search of a fixed string without context.
    """
    pattern = query.selection.pattern
    return (
        pattern is not None
        and not (query.n_before or query.n_after or pattern.ignore_case)
        and is_matched_as_bytes(pattern)
        and not needs_normalized_text(pattern)
    )


def any_term_arguments(
    terms: Iterable[str], ignore_case: bool = False, numbered: bool = False
) -> tuple[str, ...]:
    """
    Return the arguments for printing the lines that contain any of some terms.

    @param terms: terms that are L{matched as bytes<is_matched_as_bytes>}.
    @param numbered: whether to number the lines.
    """
    term_arguments = (argument for term in terms for argument in ("-e", term))
    return ("-a", *["-n"] * numbered, *["-i"] * ignore_case, "-F", *term_arguments)


def pattern_file_arguments(descriptor: int) -> tuple[str, ...]:
    """
    Return the arguments for reading the term from a file with this one line.

    grep reads that file to its end before it reads its standard input.

    @param descriptor: its file descriptor in the process of grep.
    """
    return ("-a", "-F", "-f", f"/proc/self/fd/{descriptor}")


def line_number_arguments(pattern: Pattern, limit: int) -> tuple[str, ...]:
    """
    Return the arguments for printing the numbers of the lines that match.

    grep leaves the offset of its standard input after the last match, so that the next
    grep continues there. GNU grep documents this for C{-m} and regular files.

    @param limit: the maximum number of matches, 1 or more.
    """
    return ("-a", "-n", "-m", str(limit), *_pattern_arguments(pattern))


def count_arguments(pattern: Pattern | None) -> tuple[str, ...]:
    """Return the arguments for counting the lines that match."""
    return ("-a", "-c", *_pattern_arguments(pattern))


def match_position_arguments(pattern: Pattern) -> tuple[str, ...]:
    """Return the arguments for printing each match with its line and offset."""
    return ("-a", "-n", "-o", "-b", *_pattern_arguments(pattern))


def match_arguments(pattern: Pattern) -> tuple[str, ...]:
    """Return the arguments for printing each match on a line of its own."""
    return ("-a", "-o", *_pattern_arguments(pattern))


def whole_line_arguments(line: str) -> tuple[str, ...]:
    """Return the arguments for printing the number of the first such line."""
    return ("-a", "-n", "-m", "1", "-F", "-x", "-e", line)


def _pattern_arguments(pattern: Pattern | None) -> list[str]:
    if pattern is None:
        return ["-e", ""]
    term, options = pattern.term, ["-E" if pattern.regex else "-F"]
    if pattern.ignore_case:
        expanded = None
        if not is_matched_as_bytes(pattern):
            expanded = expand_case_variants(term, pattern.regex)
        options = ["-E"] if expanded else [*options, "-i"]
        term = expanded or term
    return [*options, *["-w"] * pattern.whole_word, "-e", term]


def pattern_environment(pattern: Pattern | None) -> Mapping[str, str]:
    """
    Return the environment of grep for a pattern.

    Bytes are faster than characters.
    """
    if pattern is None or is_matched_as_bytes(pattern):
        return C_LOCALE
    return _UTF8_LOCALE


def is_matched_as_bytes(pattern: Pattern) -> bool:
    """
    Return whether the same lines match as bytes and as characters.

    They do for fixed strings. Words, regular expressions, and the case of other letters
    than those of ASCII need characters.
    """
    return not (pattern.regex or pattern.whole_word) and (
        not pattern.ignore_case or has_ascii_case_variants_only(pattern.term)
    )


def needs_normalized_text(pattern: Pattern | None) -> bool:
    r"""
    Return whether a pattern could match the bytes of a file, but not its text.

    The client sees no C{"\r"} at the end of a line, and invalid bytes as U+FFFD. But
    for grep a C{$} does not match before C{"\r"}, and nothing matches invalid bytes.
    """
    return pattern is not None and (
        pattern.regex or "\N{REPLACEMENT CHARACTER}" in pattern.term
    )


def check_exit_status(status: int | None, errors: bytes, regex: bool) -> None:
    """
    Check how grep exited.

    @param status: its exit code; L{None} if a signal killed it.
    @param errors: its standard error.
    @param regex: whether the client sent a regular expression.
    @raise BadRequest: the regular expression is invalid, or it or a line of the
        dictionary needs too much memory.
    @raise GrepFailed: there was any other error.
    """
    if status in (0, 1):
        return
    lines = errors.decode("utf-8", "replace").splitlines() or [""]
    error_message = lines[-1].removeprefix("grep: ")
    if status == 2 and error_message == "memory exhausted":
        raise BadRequest(
            "The search needs more memory than it may use: a line of the dictionary is "
            "too long, or the regular expression is too large. Search for something "
            "simpler, or in another dictionary."
        )
    is_about_input = "(standard input)" in error_message
    if status != 2 or not regex or not error_message or is_about_input:
        raise GrepFailed(f"grep ended with status {status}, saying {error_message!r}")
    raise BadRequest(
        'The "term" is not a POSIX extended regular expression: '
        f"{error_message}. "
        'Correct it, or leave out "regex" to search for it as a fixed string.'
    )
