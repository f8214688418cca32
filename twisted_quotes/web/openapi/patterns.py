"""
Regular expressions of Python in the dialect of JSON Schema, ECMA-262.
"""

from __future__ import annotations

from re import VERBOSE, compile

# What C{\s} matches in a string of Python. C{\s} of ECMA-262 differs by six characters.
_BLANKS = (
    r"\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
)

# The tokens that have an equivalent: outside and inside of a character class. At the
# end of a text, C{$} of Python matches before a line feed, too: with the look-ahead,
# the converted pattern has one meaning in both dialects.
_OUTSIDE = {r"\Z": r"(?!\n)$", r"\s": f"[{_BLANKS}]", r"\S": f"[^{_BLANKS}]"}
_OUTSIDE |= {".": r"[^\n]", r"\0": r"\u0000"}
_INSIDE = {r"\s": _BLANKS, r"\0": r"\u0000"}

# What is the same in both dialects.
_COMMON_ESCAPE = compile(
    r"\\(?:[tnrfv^$\\.*+?()\[\]{}|/]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})"
)

_TOKEN = compile(
    r"""
    (?P<escape>    \\ (?: x[0-9a-fA-F]{2} | u[0-9a-fA-F]{4} | 0(?![0-9]) | [^0] ) ) |
    (?P<group>     \( (?: \?(?: [:=!] ) )? (?!\?) ) |
    (?P<repeat>    (?: [*+?] | \{ [0-9]+ (?: , [0-9]* )? \} ) \?? (?![*+?{]) ) |
    (?P<start>     \[ \^? (?!\]) ) |
    (?P<literal>   [^\\\[\]({}*+?$] )
    """,
    VERBOSE,
)


class PatternNotPortable(ValueError):
    """A pattern has no equivalent in ECMA-262 that is known to mean the same."""


def ecma_pattern(pattern: str) -> str:
    r"""
    Convert a pattern of Python for texts to ECMA-262.

    The result means the same with and without the flag C{u}, and in Python.

    @raise PatternNotPortable: the pattern has something that the dialects read in
        different ways, such as C{\d}, C{\b}, C{$} or a flag.
    """
    converted, position, in_class = [], 0, False
    while position < len(pattern):
        if in_class and pattern[position] in "](){}*+?$[":
            token, kind = pattern[position], "literal"
            in_class = token != "]"
        else:
            match = _TOKEN.match(pattern, position)
            if match is None or match.lastgroup is None:
                raise PatternNotPortable(f"{pattern!r} from {pattern[position:]!r}")
            token, kind = match[0], match.lastgroup
            in_class = in_class or kind == "start"
        position += len(token)
        converted.append(_convert_token(pattern, token, kind, in_class))
    return "".join(converted)


def _convert_token(pattern: str, token: str, kind: str, in_class: bool) -> str:
    known = _INSIDE if in_class else _OUTSIDE
    if token in known:
        return known[token]
    if kind == "escape" and not _COMMON_ESCAPE.fullmatch(token):
        raise PatternNotPortable(f"{token} in {pattern!r}")
    return token
