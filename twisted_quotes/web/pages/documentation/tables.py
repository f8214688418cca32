"""
Tables of the documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.web.template import Tag, tags


def table(labels: Sequence[str], rows: list[Tag]) -> Tag:
    """Return a table that a narrow screen shows as a block for each row."""
    heads = [tags.th(each, scope="col") for each in labels]
    return tags.table(tags.thead(tags.tr(heads)), tags.tbody(rows), class_="fields")


def row(labels: Sequence[str], name: str, *values: Any) -> Tag:
    """
    Return a row.

    @param labels: those of the table, the first for C{name}.
    """
    cells = [
        tags.td(value, **{"data-label": label})
        for label, value in zip(labels[1:], values, strict=True)
    ]
    return tags.tr(tags.th(tags.code(name), scope="row"), cells)
