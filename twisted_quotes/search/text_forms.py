"""
Which form of a text grep must read to find what the client would find.
"""

from __future__ import annotations

from msgspec.structs import replace

from twisted_quotes.grep.arguments import (
    UNNORMALIZED_LINE_ARGUMENTS,
    marked_line_arguments,
    needs_normalized_text,
)
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.text_source import TextSource
from twisted_quotes.query.queries import All, Search
from twisted_quotes.query.selection import Pattern
from twisted_quotes.text.combining_marks import exchange_marks
from twisted_quotes.text.lines import TextForm


async def prepare_query(
    query: Search | All, grep_session: GrepSession, source: TextSource
) -> tuple[Search | All, TextForm]:
    """Return the query for the form of a text that grep must read, and this form."""
    form = await _choose_form(query.selection.pattern, grep_session, source)
    if form is TextForm.MARKS_EXCHANGED and isinstance(query, Search):
        query = replace(query, term=exchange_marks(query.term))
    return query, form


async def _choose_form(
    pattern: Pattern | None, grep_session: GrepSession, source: TextSource
) -> TextForm:
    async def has_line(arguments: tuple[str | bytes, ...]) -> bool:
        source.rewind()
        outcome = await grep_session.run(arguments, None, source.descriptor)
        return outcome.exit_code == 0

    if pattern is None:
        return TextForm.FILE
    if pattern.whole_word and await has_line(marked_line_arguments()):
        return TextForm.MARKS_EXCHANGED
    if (
        needs_normalized_text(pattern)
        and not source.is_normalized
        and await has_line(UNNORMALIZED_LINE_ARGUMENTS)
    ):
        return TextForm.NORMALIZED
    return TextForm.FILE
