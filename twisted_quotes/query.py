"""
What can be asked: frozen queries, and the fields they are made of.

The fields, their types, ranges and defaults are those of the contract's
section 1. They are declared once, on L{Search} and L{All}; the decoder, the
error messages and the instructions page all read them from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.inspect import StructType, multi_type_info

_TERM = r"^(?=.*\S)[^\0\r\n]*\Z"
_NAME = r"^[^\0]*\Z"


def _allowed(allowed: str) -> dict[str, str]:
    """What a field may hold, in words, kept beside its type."""
    return {"allowed": allowed}


_FLAG = _allowed("true or false")

Flag = Annotated[bool, Meta(extra=_FLAG)]
LineCount = Annotated[
    int, Meta(ge=0, le=1000, extra=_allowed("a whole number from 0 to 1000"))
]


class _Request(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action"
):
    """The fields that go with every action."""

    dictionary: Annotated[
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=4096,
                pattern=_NAME,
                extra=_allowed(
                    "a file name in the library, with / for sub-folders, "
                    "of 1 to 4096 characters, without NUL"
                ),
            ),
        ]
        | UnsetType,
        Meta(description="where to look; left out, the default dictionary"),
    ] = UNSET
    nresults: Annotated[
        int,
        Meta(
            description="how many entries to return; 0 or less returns all",
            extra=_allowed("a whole number"),
        ),
    ] = 0
    offset: Annotated[
        int,
        Meta(
            ge=0,
            description="how many entries to pass over first",
            extra=_allowed("a whole number, 0 or more"),
        ),
    ] = 0
    ignore_case: Annotated[
        Flag, Meta(description="letters match in either case, in Unicode")
    ] = False
    whole_word: Annotated[
        Flag, Meta(description="the match is bounded by non-word characters")
    ] = False
    regex: Annotated[
        Flag, Meta(description="the term is a POSIX extended regular expression")
    ] = False

    @property
    def most(self) -> int | None:
        """How many entries are wanted at the most; L{None} for all."""
        return self.nresults if self.nresults > 0 else None


class Search(_Request, frozen=True, kw_only=True, tag="search"):
    """Find the lines that match a term."""

    term: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1024,
            pattern=_TERM,
            description="what to look for, as it stands unless regex is true",
            extra=_allowed(
                "a string of 1 to 1024 characters, "
                "without NUL or line breaks, not only blanks"
            ),
        ),
    ]
    n_before: Annotated[
        LineCount, Meta(description="lines of context before each match")
    ] = 0
    n_after: Annotated[
        LineCount, Meta(description="lines of context after each match")
    ] = 0


class All(_Request, frozen=True, kw_only=True, tag="all"):
    """Return every line of a dictionary, in order."""


Query: TypeAlias = Search | All


@dataclass(frozen=True)
class Field:
    """
    One field of a request, as the instructions show it.

    @ivar actions: the actions that the field goes with.
    @ivar default: its default as JSON, or L{None} where it is required.
    """

    name: str
    actions: tuple[str, ...]
    allowed: str
    meaning: str
    default: str | None


def _metadata(type_: msgspec.inspect.Type) -> Iterator[tuple[str, str]]:
    """The meaning and the allowed values noted on a field's type."""
    while isinstance(type_, msgspec.inspect.Metadata):
        if type_.extra_json_schema is not None:
            yield "meaning", type_.extra_json_schema["description"]
        yield from (type_.extra or {}).items()
        type_ = type_.type
    if isinstance(type_, msgspec.inspect.UnionType):
        for each in type_.types:
            yield from _metadata(each)


def _default(field: msgspec.inspect.Field) -> str | None:
    if field.required:
        return None
    if field.default is msgspec.NODEFAULT:
        return ""
    return msgspec.json.encode(field.default).decode()


def _known() -> tuple[Field, ...]:
    """Read every field, with the actions it goes with, off the query types."""
    types = [
        each for each in multi_type_info([Search, All]) if isinstance(each, StructType)
    ]
    fields: dict[str, Field] = {
        "action": Field(
            "action",
            tuple(str(each.tag) for each in types),
            " or ".join(f'"{each.tag}"' for each in types),
            "what to do",
            None,
        )
    }
    for type_ in types:
        for field in type_.fields:
            notes = dict(_metadata(field.type))
            seen = fields.get(field.name)
            actions = (*(seen.actions if seen else ()), str(type_.tag))
            fields[field.name] = Field(
                field.name, actions, notes["allowed"], notes["meaning"], _default(field)
            )
    return tuple(sorted(fields.values(), key=lambda field: field.default is not None))


FIELDS = _known()


def action_of(query: Query) -> str:
    """The C{action} that a query asks for."""
    return str(query.__struct_config__.tag)
