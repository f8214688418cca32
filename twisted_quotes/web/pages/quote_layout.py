"""
The layout of a quote: which of its lines are wrapped prose, verse, or a table.

C{static/page.js} has the same rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from re import compile
from typing import Literal, NamedTuple, TypeAlias

Span: TypeAlias = tuple[int, int]
"""Start and end in a text, in code points."""

_MAX_LINES = 400
"""The maximum number of lines to lay out; more are shown as they are."""

_WIDE = 65
"""The width from which on lines are probably wrapped, in columns."""

_SLACK = 8
"""How much shorter than the longest line a wrapped line may be, in columns."""

_COLUMN_GAP = compile(r"\S(?: {4,}|\t+)\S")
_LABEL_LENGTH = 3
"""The length of what may stand before a gap that separates no columns, as C{Q:}."""


class Block(NamedTuple):
    """
    A part of a quote: a paragraph, a stanza, or a table.

    @ivar spans: a paragraph or a table has one, a stanza has one for each line.
    """

    kind: Literal["prose", "verse", "table"]
    spans: Sequence[Span]


class _Line(NamedTuple):
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def width(self) -> int:
        return len(_expand_tabs(self.text))

    @property
    def indent(self) -> int:
        return self.width - len(_expand_tabs(self.text).lstrip())

    @property
    def blanks(self) -> str:
        return self.text[: len(self.text) - len(self.text.lstrip())]


def _expand_tabs(text: str) -> str:
    return text.replace("\t", " " * 8)


def lay_out(text: str) -> Sequence[Block]:
    """Return the blocks of a quote without its attribution."""
    stanzas = list(_stanzas(text))
    lines = [line for stanza in stanzas for line in stanza]
    if len(lines) > _MAX_LINES or _is_table(lines):
        return [Block("table", [(0, len(text))])]
    width = max((line.width for line in lines), default=0)
    columns = zip(*(line.blanks for line in lines), strict=False)
    margin = len([*takewhile(lambda blanks: len({*blanks}) == 1, columns)])
    blocks: list[Block] = []
    for stanza in stanzas:
        if _is_prose(stanza, width):
            blocks += [
                Block("prose", [(first.start, last.end)])
                for first, last in _paragraphs(stanza)
            ]
        else:
            spans = [(line.start + margin, line.end) for line in stanza]
            blocks.append(Block("verse", spans))
    return blocks


def _stanzas(text: str) -> Iterator[list[_Line]]:
    """Yield runs of lines that are not blank."""
    stanza: list[_Line] = []
    start = 0
    for line in f"{text}\n".split("\n"):
        if line.strip():
            stanza.append(_Line(start, line.rstrip()))
        elif stanza:
            yield stanza
            stanza = []
        start += len(line) + 1


def _is_table(lines: Sequence[_Line]) -> bool:
    """Return whether lines have columns, or are a picture of characters."""
    texts = [line.text.strip() for line in lines]
    if sum(bool(_COLUMN_GAP.search(text, _LABEL_LENGTH)) for text in texts) > 1:
        return True
    characters = "".join("".join(texts).split())
    return len(lines) > 2 and sum(map(str.isalnum, characters)) < 0.6 * len(characters)


def _is_prose(stanza: Sequence[_Line], max_width: int) -> bool:
    """
    Return whether the lines of a stanza are wrapped.

    Then the first word of a line did not fit on the line before, and often is in lower
    case.

    @param max_width: the width of the longest line of the quote.
    """
    if len(stanza) == 1:
        return not stanza[0].indent
    count = early = lower = 0
    for line, following in pairwise(stanza):
        if following.indent <= line.indent:
            word = following.text.split(maxsplit=1)[0]
            count += 1
            early += line.width + 1 + len(word) <= max_width - _SLACK
            lower += word[0].islower()
    is_wide = max_width >= _WIDE and count < 3
    return early * 8 <= count and bool(count) and (lower * 4 >= count or is_wide)


def _paragraphs(stanza: Sequence[_Line]) -> Iterator[tuple[_Line, _Line]]:
    """Yield the first and last line of each paragraph: a deeper line starts one."""
    first = stanza[0]
    for line, following in pairwise(stanza):
        if following.indent > line.indent:
            yield first, line
            first = following
    yield first, stanza[-1]
