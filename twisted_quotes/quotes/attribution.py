"""
Attributions: the persons and works that quotes name as their sources.

The rules are those of the contract, section 3.

An attribution is at the end of a quote, on a line of its own that starts with a mark:
hyphens, dashes or tildes, or a single C{-} or C{*} with a blank after it. In a quote of
one line, it may be at the end of that line, after a mark or a tab, or in brackets.

It continues on lines that are indented like its text, and while a bracket, a quotation
mark or a comma is open. Only a note in brackets may follow it.

The same marks are common in dialogues, lists and wrapped sentences. A line that is
indented deeper than the line before is an attribution in any case.
"""

from __future__ import annotations

from itertools import takewhile
from re import Match, compile

from .inline_attribution import (
    DASHES,
    Attribution,
    find_inline_attribution,
    is_name,
)

_MARKED_LINE = compile(
    # It starts with a literal, which is found faster than the start of a line, and most
    # lines fail at the set after it.
    rf"\n(?=[\s\-~*{DASHES}])([^\S\n]*+)([-{DASHES}]{{2,}}+|[{DASHES}]|~++|[-*](?=[^\S\n]))"
    r"([^\S\n]*+)(\S[^\n]*+)"
)
_PLAIN_LAST_LINE = compile(
    r"\n[^\S\n]*+(?:--+|\u2014)[^\S\n]++([^\W_](?:[^\n]*[^\s\-\u2014])?)"
)
_LETTER_OR_DIGIT = compile(r"[^\W_]")
_NOTE = compile(r"\s*+(?:\[[^\]]*+\]|\([^)]*+\)|\{[^}]*+\})?+\s*+")
_SENTENCE_END = compile(
    r"[.!?:;,\u2026\u061f\u06d4\u0964\u3002\uff01\uff1f\"'\u2019\u201c\u201d\xab\xbb]"
    r"[)\]*_\s]*+\Z"
)
_QUESTION_OR_COLON = compile(r"[?:\u061f\uff1a\uff1f]\s*+\Z")

# These limits keep the time linear for any text.
_MAX_LENGTH = 4000
_MAX_MARKED_LINES, _MAX_LINES = 3, 10

_CLOSING_BRACKETS = {"(": ")", "[": "]", "\u201c": "\u201d", "\xab": "\xbb"}


def parse_attribution(text: str) -> str | None:
    """Return the C{name} of the attribution of a quote, or L{None}."""
    attribution = find_attribution(text)
    return attribution and attribution.name


def find_attribution(text: str) -> Attribution | None:
    """
    Find the attribution of a quote.

    @param text: the quote. If it is long, only its end is looked at.
    @return: L{None} if the quote has none.
    """
    if len(text) > _MAX_LENGTH:
        text = _end_of_long_quote(text)
    # The most common form is read in a faster way.
    last_line = text.rfind("\n")
    plain = _PLAIN_LAST_LINE.fullmatch(text, last_line) if last_line > 0 else None
    if plain and text[0].isalnum() and not _MARKED_LINE.search(text, 0, last_line):
        return Attribution(plain[1], len(text) - len(text[:last_line].rstrip()))
    if not text[:1].isalnum():
        text = f"\n{text}"  # The first line may have a mark, too.
    marked_lines = list(_MARKED_LINE.finditer(text))
    if not marked_lines:
        return find_inline_attribution(text)
    for _ in marked_lines[-_MAX_MARKED_LINES:]:
        marked_line = marked_lines.pop()
        attribution, rest = _read_attribution(text, marked_line)
        # An earlier mark counts if this one is on a line of its attribution.
        if not rest or _NOTE.fullmatch(rest):
            if _is_attribution(text, marked_line, attribution, marked_lines):
                before = text[: marked_line.start()].rstrip()
                length = len(text) - len(before) - len(rest.rstrip())
                return Attribution(attribution, length)
            return None
    return None


def _end_of_long_quote(text: str) -> str:
    """Return the end of a quote: its last lines, after a line with a letter."""
    end = text[-_MAX_LENGTH:]
    if "\n" not in text:
        return end
    start = end.find("\n")
    return f"a{end[start:]}" if start >= 0 else ""


def _read_attribution(text: str, marked_line: Match[str]) -> tuple[str, str]:
    """Return the attribution from a marked line on, and the text after it."""
    indent, mark, blanks, attribution = marked_line.groups()
    attribution = attribution.rstrip()
    if marked_line.end() == len(text):
        return attribution.removesuffix(mark).rstrip(), ""
    column = _width(indent + mark + blanks)
    end = marked_line.end()
    lines = text[end + 1 :].split("\n", _MAX_LINES)[:_MAX_LINES]
    for line in takewhile(str.strip, lines):
        if not _is_open(attribution) and _indentation(line) < column:
            break
        attribution += f" {line.strip()}"
        end += 1 + len(line)
    return attribution.removesuffix(mark).rstrip(), text[end:]


def _is_open(attribution: str) -> bool:
    return (
        attribution.endswith(",")
        or attribution.count('"') % 2 == 1
        or any(
            attribution.count(opening) > attribution.count(closing)
            for opening, closing in _CLOSING_BRACKETS.items()
        )
    )


def _is_attribution(
    text: str, marked_line: Match[str], attribution: str, earlier: list[Match[str]]
) -> bool:
    """
    Return whether a text at the end of a quote is an attribution.

    @param earlier: the marked lines before it.
    """
    indent, mark, blanks, _ = marked_line.groups()
    is_single = mark in "-*"
    if not (
        _LETTER_OR_DIGIT.search(attribution)
        and _LETTER_OR_DIGIT.search(text, 0, marked_line.start())
        and (is_name(attribution) or not (is_single or mark[0] == "~"))
    ):
        return False
    if blanks and not is_single and not earlier:
        return True
    before = text[: marked_line.start()].rstrip()
    if _width(indent) > _indentation(before[before.rfind("\n") + 1 :]):
        return True
    is_next_line = "\n" not in text[len(before) : marked_line.start()]
    is_wrapped = not blanks and is_next_line and not _SENTENCE_END.search(before)
    is_answer = is_single and _QUESTION_OR_COLON.search(before)
    is_in_list = any(each[2] == mark for each in earlier)
    return not (is_wrapped or is_answer or is_in_list)


def _indentation(line: str) -> int:
    return _width(line[: len(line) - len(line.lstrip())])


def _width(blanks: str) -> int:
    return len(blanks.expandtabs(8))
