"""
Where the text of a quote matches a pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.grep.matches import Matches, find_matches
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.query.selection import Pattern
from twisted_quotes.quotes.quote import Quote
from twisted_quotes.text.combining_marks import exchange_marks
from twisted_quotes.text.normalization import normalize_for_search, original_spans

from .sources.cursor import normalize_pattern

MAX_SPANS = 1000
"""The maximum number of match spans of a quote."""


async def locate_matches(
    grep_session: GrepSession,
    patterns: Sequence[Pattern],
    quotes: Sequence[Quote],
    in_thread: DeferToThread,
) -> list[Quote]:
    """Return quotes with the spans where grep finds patterns in their texts."""
    lines: list[bytes] = await in_thread(_normalized_lines, quotes)
    matches = [
        await find_matches(
            grep_session, normalize_pattern(pattern), lines, MAX_SPANS, in_thread
        )
        for pattern in patterns
    ]
    located: list[Quote] = await in_thread(_add_spans, quotes, lines, matches)
    return located


def _normalized_lines(quotes: Sequence[Quote]) -> list[bytes]:
    texts = (exchange_marks(normalize_for_search(quote.text)) for quote in quotes)
    return [text.encode() + b"\n" for text in texts]


def _add_spans(
    quotes: Sequence[Quote],
    lines: Sequence[bytes],
    matches: Sequence[Sequence[Matches]],
) -> list[Quote]:
    located = []
    for quote, line, *found in zip(quotes, lines, *matches, strict=True):
        spans = _merge_spans([span for each in found for span in each.spans])
        is_truncated = len(spans) > MAX_SPANS or any(x.is_truncated for x in found)
        spans = original_spans(quote.text, _to_code_points(line, spans[:MAX_SPANS]))
        located.append(
            replace(quote, match_spans=spans, match_spans_truncated=is_truncated)
        )
    return located


def _merge_spans(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sort spans, and merge those that overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            start, previous_end = merged.pop()
            end = max(end, previous_end)
        merged.append((start, end))
    return merged


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
