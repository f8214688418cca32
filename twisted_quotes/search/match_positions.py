"""
Where the text of a quote matches a pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.grep.matches import Matches, find_matches
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.query.queries import Pattern
from twisted_quotes.quotes.quote import Quote
from twisted_quotes.text.combining_marks import exchange_marks
from twisted_quotes.text.normalization import normalize_for_search, original_spans

from .cursor import normalize_pattern

MAX_SPANS = 1000
"""The maximum number of match spans of a quote."""


async def locate_matches(
    grep_session: GrepSession,
    pattern: Pattern,
    quotes: Sequence[Quote],
    in_thread: DeferToThread,
) -> list[Quote]:
    """Return quotes with the spans where grep finds a pattern in their texts."""
    lines: list[bytes] = await in_thread(_normalized_lines, quotes)
    matches = await find_matches(
        grep_session, normalize_pattern(pattern), lines, MAX_SPANS, in_thread
    )
    located: list[Quote] = await in_thread(_add_spans, quotes, lines, matches)
    return located


def _normalized_lines(quotes: Sequence[Quote]) -> list[bytes]:
    texts = (exchange_marks(normalize_for_search(quote.text)) for quote in quotes)
    return [text.encode() + b"\n" for text in texts]


def _add_spans(
    quotes: Sequence[Quote], lines: Sequence[bytes], matches: Sequence[Matches]
) -> list[Quote]:
    return [
        replace(
            quote,
            match_spans=original_spans(quote.text, _to_code_points(line, match.spans)),
            match_spans_truncated=match.is_truncated,
        )
        for quote, line, match in zip(quotes, lines, matches, strict=True)
    ]


def _to_code_points(
    line: bytes, spans: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Convert offsets in UTF-8 to offsets in code points."""
    converted, offset, points = [], 0, 0
    for start, end in spans:
        points += len(line[offset:start].decode())
        length = len(line[start:end].decode())
        converted.append((points, points + length))
        offset, points = end, points + length
    return converted
