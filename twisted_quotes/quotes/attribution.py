"""
Attributions: whom a quote says it is from (contract, section 3).

An attribution is at the end of a quote, on a line of its own that starts with a mark:
hyphens, dashes or tildes, or a single C{-} or C{*} with a blank after it. In a quote of
one line, it may be at the end of that line, after a mark or a tab, or in brackets.

It continues on lines that are indented like its text, and while a bracket, a quotation
mark or a comma is open. Only a note in brackets may follow it.

The same marks are common in dialogues, lists and wrapped sentences. A line that is
indented deeper than the line before is none of these.
"""

from __future__ import annotations

from itertools import takewhile
from re import Match, compile

_DASHES = r"\u2013-\u2015\u2500\uff0d"
_MARKED_LINE = compile(
    # It starts with a literal, which is found faster than the start of a line.
    rf"\n([^\S\n]*+)([-{_DASHES}]{{2,}}+|[{_DASHES}]|~++|[-*](?=[^\S\n]))"
    r"([^\S\n]*+)(\S[^\n]*+)"
)
_PLAIN_LAST_LINE = compile(r"\n[^\S\n]*+(?:--+|\u2014)[^\S\n]++([^\W_][^\n]*[\w.)\"])")
_LETTER_OR_DIGIT = compile(r"[^\W_]")
_NOTE = compile(r"\s*+(?:\[[^\]]*+\]|\([^)]*+\)|\{[^}]*+\})?+\s*+")
_SENTENCE_END = compile(
    r"[.!?:;,\u2026\u061f\u06d4\u0964\u3002\uff01\uff1f\"'\u2019\u201c\u201d\xab\xbb]"
    r"[)\]*_\s]*+\Z"
)
_QUESTION_OR_COLON = compile(r"[?:\u061f\uff1a\uff1f]\s*+\Z")
# Not the end of a sentence, except after a short word such as "Jr.".
_NAME = compile(
    r"[\"'\u2018-\u201f\xab(\[@]*+([^\W_]).*(?<![!?\u2026\u0964\u3002\uff01\uff1f])"
    r"(?<!\w{4}\.)(?<!\.\.)"
)
_INLINE_MARK = compile(
    r"(?<=\S)(?:[^\S\n]+(?:--+|[\u2013-\u2015\u2500\uff0d]++|~++|-(?=\s|(?<=[.!?\"\u201d]\s-)))"
    r"|[\u2014\u2015\u2500\uff0d]++|\t++)[^\S\n]*+(?=\S)"
)
_ANY_MARK = compile(rf"[-{_DASHES}~\t]")
_INLINE_NAME = compile(r"(?=.*\w\w)[^\W\d_]")
_IN_BRACKETS = compile(r"(.*\S)\s*[(\uff08\[]([^()\uff08\uff09\[\]]+)[)\uff09\]]")
_FULL_STOP = compile(
    r"[.!?\u2026\u061f\u06d4\u0964\u3002\uff01\uff1f]"
    r"[\"'\u2018-\u201f\xab\xbb)\]*_\s]*+\Z"
)
_IN_QUOTATION_MARKS = compile('["\u201c-\u201f\xab].*["\u201c-\u201f\xbb]\\W*')
_NAME_END = compile(r"[,;:([]")
_MIN_WORDS, _MAX_WORDS = 3, 6

# These limits keep the time linear for any text.
_MAX_LENGTH, _MAX_INLINE_LENGTH = 4000, 400
_MAX_MARKED_LINES, _MAX_LINES = 3, 10

_CLOSING = (")", "]", "\uff09")
_CLOSING_BRACKETS = {"(": ")", "[": "]", "\u201c": "\u201d", "\xab": "\xbb"}


def parse_attribution(text: str) -> str | None:
    """
    Return the attribution of a quote without its mark, in one line.

    @param text: the quote. If it is long, only its end is looked at.
    @return: L{None} if the quote has none.
    """
    if len(text) > _MAX_LENGTH:
        text = _end_of_long_quote(text)
    # The most common form is read in a faster way.
    last_line = text.rfind("\n")
    plain = _PLAIN_LAST_LINE.fullmatch(text, last_line) if last_line > 0 else None
    if plain and text[0].isalnum() and not _MARKED_LINE.search(text, 0, last_line):
        return plain[1]
    if not text[:1].isalnum():
        text = f"\n{text}"  # The first line may have a mark, too.
    marked_lines = list(_MARKED_LINE.finditer(text))
    if not marked_lines:
        text = text.strip()
        return None if "\n" in text else _parse_inline(text)
    for _ in marked_lines[-_MAX_MARKED_LINES:]:
        marked_line = marked_lines.pop()
        attribution, rest = _read_attribution(text, marked_line)
        # An earlier mark counts if this one is on a line of its attribution.
        if not rest or _NOTE.fullmatch(rest):
            if _is_attribution(text, marked_line, attribution, marked_lines):
                return attribution
            return None
    return None


def _end_of_long_quote(text: str) -> str:
    """Return the end of a quote: its last lines, after a line with a letter."""
    end = text[-_MAX_LENGTH:]
    if "\n" not in text:
        return end
    start = end.find("\n")
    return f"a{end[start:]}" if start >= 0 else ""


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


def _parse_inline(line: str) -> str | None:
    """
    Return the attribution at the end of a line, after a mark, a tab or in brackets.

    It is a name of a few words; these have capitals if it is in brackets, or if no
    sentence ends before it.
    """
    line = line[-_MAX_INLINE_LENGTH:]
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
            return attribution
    in_brackets = line.endswith(_CLOSING) and _IN_BRACKETS.fullmatch(line)
    if (
        in_brackets
        and _FULL_STOP.search(in_brackets[1])
        and _is_inline_name(in_brackets[2], capitals=True)
    ):
        return in_brackets[2]
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
        and _is_name(attribution)
        and not (capitals and any(x.islower() and len(x) > 3 for x in words))
    )


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
        and (_is_name(attribution) or not (is_single or mark[0] == "~"))
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


def _is_name(attribution: str) -> bool:
    match = _NAME.fullmatch(attribution)
    return match is not None and not match[1].islower()


def _indentation(line: str) -> int:
    return _width(line[: len(line) - len(line.lstrip())])


def _width(blanks: str) -> int:
    return len(blanks.expandtabs(8))
