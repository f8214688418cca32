"""
Attributions at the end of the only line of a quote (contract, section 3).
"""

from __future__ import annotations

from re import compile
from typing import NamedTuple

DASHES = r"\u2013-\u2015\u2500\uff0d"
"""The dashes that are marks, as part of a set of characters."""

# Not the end of a sentence, except after a short word such as "Jr.".
_NAME = compile(
    r"[\"'\u2018-\u201f\xab(\[@]*+([^\W_]).*(?<![!?\u2026\u0964\u3002\uff01\uff1f])"
    r"(?<!\w{4}\.)(?<!\.\.)"
)
_INLINE_MARK = compile(
    r"(?<=\S)(?:[^\S\n]+(?:--+|[\u2013-\u2015\u2500\uff0d]++|~++|-(?=\s|(?<=[.!?\"\u201d]\s-)))"
    r"|[\u2014\u2015\u2500\uff0d]++|\t++)[^\S\n]*+(?=\S)"
)
_ANY_MARK = compile(rf"[-{DASHES}~\t]")
_INLINE_NAME = compile(r"(?=.*\w\w)[^\W\d_]")
_IN_BRACKETS = compile(r"(.*\S)\s*[(\uff08\[]([^()\uff08\uff09\[\]]+)[)\uff09\]]")
_FULL_STOP = compile(
    r"[.!?\u2026\u061f\u06d4\u0964\u3002\uff01\uff1f]"
    r"[\"'\u2018-\u201f\xab\xbb)\]*_\s]*+\Z"
)
_IN_QUOTATION_MARKS = compile('["\u201c-\u201f\xab].*["\u201c-\u201f\xbb]\\W*')
_NAME_END = compile(r"[,;:([]")
_MIN_WORDS, _MAX_WORDS = 3, 6

# This limit keeps the time linear for any text.
_MAX_LENGTH = 400

_CLOSING = (")", "]", "\uff09")


class Attribution(NamedTuple):
    """
    An attribution.

    @ivar name: what it says, without its mark, in one line.
    @ivar length: the number of code points that it adds to the text of its quote, with
        its mark and the blanks and line breaks before it.
    """

    name: str
    length: int


NO_ATTRIBUTION = Attribution("", 0)


def find_inline_attribution(text: str) -> Attribution | None:
    """Find the attribution at the end of the only line of a quote."""
    line = text.rstrip()
    blanks, line = len(text) - len(line), line.lstrip()
    attribution = None if "\n" in line else _parse_inline(line)
    return attribution and Attribution(attribution.name, attribution.length + blanks)


def ends_quote(line: str) -> bool:
    """
    Return whether a line ends like a quote.

    It ends a sentence or in an attribution, or is in quotation marks.
    """
    line = line.strip()
    return (
        _FULL_STOP.search(line) is not None
        or _IN_QUOTATION_MARKS.fullmatch(line) is not None
        or _parse_inline(line) is not None
    )


def _parse_inline(line: str) -> Attribution | None:
    """
    Return the attribution at the end of a line, after a mark, a tab or in brackets.

    It is a name of a few words; these have capitals if it is in brackets, or if no
    sentence ends before it.
    """
    line = line[-_MAX_LENGTH:]
    # The patterns are slow, and few lines without a mark or a bracket can match.
    marks = _INLINE_MARK.finditer(line) if _ANY_MARK.search(line) else ()
    for mark in marks:
        before, attribution = line[: mark.start()], line[mark.end() :].rstrip()
        attribution = attribution.removesuffix(mark[0].strip()).rstrip()
        ends_sentence = _FULL_STOP.search(before) is not None
        if ends_sentence:
            name = _without_full_stop(attribution)
        else:
            name = attribution if len(before.split()) >= _MIN_WORDS else ""
        if _is_inline_name(name, capitals=not ends_sentence):
            return Attribution(attribution, len(line) - len(before.rstrip()))
    in_brackets = line.endswith(_CLOSING) and _IN_BRACKETS.fullmatch(line)
    if (
        in_brackets
        and _FULL_STOP.search(in_brackets[1])
        and _is_inline_name(in_brackets[2], capitals=True)
    ):
        return Attribution(in_brackets[2], len(line) - len(in_brackets[1]))
    return None


def _without_full_stop(attribution: str) -> str:
    """Remove a full stop after two words or more, all with capitals."""
    words = attribution.split()
    is_name = len(words) > 1 and not any(map(str.islower, words))
    return attribution.removesuffix(".") if is_name else attribution


def _is_inline_name(attribution: str, capitals: bool) -> bool:
    """
    Return whether a text is a name, with a title or more after a comma or bracket.

    @param capitals: whether all words of the name must have capitals, except short
        ones.
    """
    name = _NAME_END.split(attribution)[0]
    words = name.split()
    return (
        len(words) <= _MAX_WORDS
        and _INLINE_NAME.match(name) is not None
        and is_name(attribution)
        and not (capitals and any(x.islower() and len(x) > 3 for x in words))
    )


def is_name(attribution: str) -> bool:
    """Return whether a text starts like a name, and does not end a sentence."""
    match = _NAME.fullmatch(attribution)
    return match is not None and not match[1].islower()
