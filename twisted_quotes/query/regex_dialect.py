"""
Detection of regular expressions in terms, and of their dialect.

GNU grep accepts C{\\d}, C{(?i)} or C{a*?} without an error, but they match something
unexpected. POSIX leaves them undefined (IEEE Std 1003.1, section 9.4).
"""

from __future__ import annotations

from re import DOTALL, VERBOSE, compile

from twisted_quotes.errors import BadRequest

# The extensions of GNU grep that mean the same in other dialects are allowed:
# \w \W \s \S \b \B \< \> and back-references.
# There must be no group inside of (?>...) or ...*+: Python 3.11 can then fail with a
# SystemError.
_TOKEN = compile(
    r"""
    \\(?P<escaped>[0ac-rt-vx-zAC-RT-VX-Z`'])
    | (?P<bracket>\[\^?\]?(?>\[:.+?:\]|\[=.+?=\]|\[\..+?\.\]|[^]])*+)\]
    | (?P<group>\(\?)
    | (?P<quantifier>[*+?]|\{(?:[0-9]+,?[0-9]*|,[0-9]+)\})(?P<modifier>[?+]?)
    | \\.
    | \[.*  # grep reports that it has no end.
    | .
    """,
    DOTALL | VERBOSE,
)
# Two backslashes are a backslash in each dialect.
_ESCAPE_IN_BRACKET = compile(r"\\(?:\\|(?P<escaped>[0-9A-Za-z])|(?P<last>\Z))")
_SECOND_CLOSING_BRACKET = compile(r"(?:[^][\\]|\\.)*+\]")

_POSIX_CLASSES = {"d": "0-9", "h": "[:blank:]", "s": "[:space:]", "w": "[:alnum:]_"}

_REGEX_SYNTAX = (
    ("^ at its start", compile(r"\^")),
    ("$ at its end", compile(r".*\$\Z")),
    (".*", compile(r".*\.\*")),
    ("[...]", compile(r".*\[[^]]+\]")),
    ("\\|", compile(r".*\\\|")),
)


def find_regex_syntax(term: str) -> str:
    """Return what makes a fixed string look like a regular expression, or nothing."""
    return next((sign for sign, syntax in _REGEX_SYNTAX if syntax.match(term)), "")


def check_dialect(term: str) -> None:
    """
    Check that a regular expression has no syntax of another dialect.

    Other errors are left to grep. A backslash before punctuation in brackets is
    allowed: it is harmless that it matches a backslash, too.

    @raise BadRequest: it has. The message says where, and what POSIX has instead.
    """
    for token in _TOKEN.finditer(term):
        if escaped := token["escaped"]:
            advice = "the character itself, or a class such as [[:alpha:]]"
            if posix_class := _POSIX_CLASSES.get(escaped.lower()):
                advice = f"[{'^' * escaped.isupper()}{posix_class}]"
            raise _dialect_error(token[0], token.start(), f"Write {advice}.")
        if token["group"]:
            advice = 'A group begins with (, and "ignore_case" makes case irrelevant.'
            raise _dialect_error("(?", token.start(), advice)
        if modifier := token["modifier"]:
            raise _dialect_error(
                f"{modifier} after {token['quantifier']}",
                token.start("modifier"),
                f"The longest match is found: leave out the {modifier}.",
            )
        if token["bracket"]:
            _check_bracket(term, token["bracket"], token.start())


def _check_bracket(term: str, bracket: str, start: int) -> None:
    """Check a bracket expression at C{start}, without its closing bracket."""
    after = start + len(bracket) + 1
    for match in _ESCAPE_IN_BRACKET.finditer(bracket):
        if escaped := match["escaped"]:
            advice = _POSIX_CLASSES.get(escaped, "the character itself") + " there"
        elif match["last"] is not None and _SECOND_CLOSING_BRACKET.match(term, after):
            advice = "] first there, as in []abc]"
        else:
            continue
        raise _dialect_error(
            f"\\{escaped or ']'} in brackets",
            start + match.start(),
            f"Write {advice}, or \\\\ for a backslash.",
        )


def _dialect_error(construct: str, position: int, advice: str) -> BadRequest:
    return BadRequest(
        f'The "term" has {construct} at character {position + 1}, which POSIX '
        f"extended regular expressions do not have. {advice}"
    )
