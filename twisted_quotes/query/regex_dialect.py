"""
Telling regular expressions of POSIX from those of other dialects, and from text.

GNU grep takes C{\\d}, C{(?i)} or C{a*?} without an error, and matches something
that nobody means. POSIX leaves them undefined (IEEE Std 1003.1, section 9.4).
"""

from __future__ import annotations

from re import DOTALL, VERBOSE, compile

from twisted_quotes.errors import BadRequest

_TOKEN = compile(
    r"""
    \\(?P<escaped>.)
    | (?P<bracket>\[\^?\]?(?>\[([:=.]).+?\3\]|[^]])*+)\]
    | (?P<group>\(\?)
    | (?P<quantifier>[*+?]|\{(?:[0-9]+,?[0-9]*|,[0-9]+)\})
    | \[.*  # Without an end it is for grep to refuse.
    | .
    """,
    DOTALL | VERBOSE,
)
# Two backslashes are a backslash in either reading.
_ESCAPE_IN_BRACKET = compile(r"\\(?:\\|(?P<escaped>[0-9A-Za-z])|(?P<last>\Z))")
_SECOND_CLOSING_BRACKET = compile(r"(?:[^][\\]|\\.)*+\]")

# What GNU grep knows beyond POSIX, and means as others do, is let pass:
# \w \W \s \S \b \B \< \> and back-references.
_NON_POSIX_ESCAPES = set("0acdefghijklmnopqrtuvxyzACDEFGHIJKLMNOPQRTUVXYZ`'")
_ADVICE = {
    "d": "Write [0-9].",
    "D": "Write [^0-9].",
    "h": "Write [[:blank:]].",
    "H": "Write [^[:blank:]].",
    "A": "Write ^.",
    "z": "Write $.",
    "Z": "Write $.",
    "N": "Write a dot.",
    "p": "Write a class such as [[:alpha:]].",
    "P": "Write a class such as [^[:alpha:]].",
    "t": "Write the tab itself.",
    "x": "Write the character itself.",
    "u": "Write the character itself.",
}
_ADVICE_IN_BRACKETS = {
    "d": "Write 0-9 there",
    "w": "Write [:alnum:]_ there",
    "s": "Write [:space:] there",
    "h": "Write [:blank:] there",
    "p": "Write a class such as [:alpha:] there",
    "t": "Write the tab itself there",
    "x": "Write the character itself there",
    "u": "Write the character itself there",
}

_REGEX_SYNTAX = (
    ("^ at its start", compile(r"\^")),
    ("$ at its end", compile(r".*\$\Z")),
    (".*", compile(r".*\.\*")),
    ("[...]", compile(r".*\[[^]]+\]")),
    ("\\|", compile(r".*\\\|")),
)


def find_regex_syntax(term: str) -> str:
    """
    What tells that a fixed string was meant as a regular expression.

    @return: the sign, without anything of the term; empty if there is none.
    """
    return next((sign for sign, found in _REGEX_SYNTAX if found.match(term)), "")


def check_dialect(term: str) -> None:
    """
    Check that a regular expression has nothing of another dialect.

    It may be wrong in other ways, which grep tells. A backslash before punctuation in
    brackets is let pass: that it matches a backslash, too, does no harm.

    @raise BadRequest: it has; the message says where, and what POSIX has instead.
    """
    quantifier = ""
    for token in _TOKEN.finditer(term):
        start = token.start()
        previous_quantifier, quantifier = quantifier, token["quantifier"] or ""
        if token["escaped"] and token["escaped"] in _NON_POSIX_ESCAPES:
            default = f"Write {token['escaped']} if that character is meant."
            raise _dialect_error(
                token[0], start, _ADVICE.get(token["escaped"], default)
            )
        if token["group"]:
            raise _dialect_error(
                "(?", start, 'A group begins with (, and "ignore_case" is a field.'
            )
        if previous_quantifier and quantifier in ("?", "+"):
            raise _dialect_error(
                f"{quantifier} after {previous_quantifier}",
                start,
                f"The longest match is found: leave out the {quantifier}.",
            )
        if token["bracket"]:
            _check_bracket(term, token["bracket"], start, token.end())


def _check_bracket(term: str, bracket: str, start: int, end: int) -> None:
    """
    Check a bracket expression, in which a backslash is a character like others.

    @param bracket: the expression without the bracket that closes it.
    @param start: where it begins in the term.
    @param end: where it ends there.
    """
    for found in _ESCAPE_IN_BRACKET.finditer(bracket):
        position = start + found.start()
        if escaped := found["escaped"]:
            advice = _ADVICE_IN_BRACKETS.get(escaped, f"Write {escaped} there")
            raise _dialect_error(
                f"{found[0]} in brackets",
                position,
                f"{advice}, or \\\\ for a backslash.",
            )
        if found["last"] is not None and _SECOND_CLOSING_BRACKET.match(term, end):
            raise _dialect_error(
                "\\] in brackets",
                position,
                "Write ] first there, as in []abc], or \\\\ for a backslash.",
            )


def _dialect_error(construct: str, position: int, advice: str) -> BadRequest:
    return BadRequest(
        f'The field "term" has {construct} at character {position + 1}, which POSIX '
        f"extended regular expressions do not have. {advice}"
    )
