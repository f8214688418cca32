"""
Tables of the fields of requests: a row for each name, whatever takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple, get_args

from twisted_quotes.query.fields import Field, fields_of
from twisted_quotes.web.openapi.operation import Operation


class FieldRow(NamedTuple):
    """
    A row of a table.

    @ivar users: the actions or URLs that take the field.
    """

    name: str
    allowed: str
    default: str
    meaning: str
    users: str


def body_fields(query: object) -> list[FieldRow]:
    """Return the fields of the body of a request, a union of types with a tag."""
    kinds = {kind.__struct_config__.tag: kind for kind in get_args(query)}
    [tag_field] = {kind.__struct_config__.tag_field for kind in kinds.values()}
    actions = ", ".join(kinds)
    allowed = ", ".join(f'"{action}"' for action in kinds)
    tag_row = FieldRow(tag_field, allowed, "required", "what to do", actions)
    return [tag_row, *_merge({action: fields_of(kinds[action]) for action in kinds})]


def query_parameters(operations: Sequence[Operation], prefix: str) -> list[FieldRow]:
    """
    Return the parameters in the queries of URLs.

    @param prefix: what all paths start with, which the rows leave out.
    """
    return _merge(
        {
            operation.path.removeprefix(prefix): fields_of(operation.parameters)
            for operation in operations
            if operation.parameters is not None
        }
    )


def _merge(fields_by_user: Mapping[str, Mapping[str, Field]]) -> list[FieldRow]:
    names = dict.fromkeys(chain.from_iterable(fields_by_user.values()))
    return [_merge_field(name, fields_by_user) for name in names]


def _merge_field(
    name: str, fields_by_user: Mapping[str, Mapping[str, Field]]
) -> FieldRow:
    """Make the row of a field, with the differences between those that take it."""
    fields = {user: f[name] for user, f in fields_by_user.items() if name in f}
    first, *_ = fields.values()
    defaults = [] if first.required else [first.default or "-"]
    if required_by := [user for user, field in fields.items() if field.required]:
        defaults.append(f"required by {', '.join(required_by)}")
    defaults += [
        f"{field.default} for {user}"
        for user, field in fields.items()
        if not field.required and field.default not in ("", first.default)
    ]
    return FieldRow(
        name, first.allowed, "; ".join(defaults), first.description, ", ".join(fields)
    )
