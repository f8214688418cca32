"""
What a field of a question may hold, declared once.

A field's type carries its range, what is allowed in words, and what it means;
the decoders, the error messages and the instructions all read them from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.inspect import StructType, type_info

_TERM_PATTERN = r"^(?=.*\S)[^\0\r\n]*\Z"
_NAME_PATTERN = r"^[^\0]*\Z"


def _allowed(allowed: str) -> dict[str, str]:
    """What a field may hold, in words, kept beside its type."""
    return {"allowed": allowed}


_TEXT_DESCRIPTION = (
    "a string of 1 to 1024 characters, without NUL or line breaks, not only blanks"
)

Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        pattern=_TERM_PATTERN,
        extra=_allowed(_TEXT_DESCRIPTION),
    ),
]
Flag = Annotated[bool, Meta(extra=_allowed("true or false"))]
WholeNumber = Annotated[int, Meta(extra=_allowed("a whole number"))]
Offset = Annotated[int, Meta(ge=0, extra=_allowed("a whole number, 0 or more"))]
ContextCount = Annotated[
    int, Meta(ge=0, le=1000, extra=_allowed("a whole number from 0 to 1000"))
]
PageSize = Annotated[
    int, Meta(ge=1, le=1000, extra=_allowed("a whole number from 1 to 1000"))
]
Unit = Annotated[Literal["line", "quote"], Meta(extra=_allowed('"line" or "quote"'))]
QuoteUnit = Annotated[Literal["quote"], Meta(extra=_allowed('"quote"'))]
DictionaryName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        pattern=_NAME_PATTERN,
        extra=_allowed(
            "a file name in the library, with / for sub-folders, "
            'of 1 to 4096 characters, without NUL, or "*" for every dictionary'
        ),
    ),
]


@dataclass(frozen=True)
class Field:
    """
    One field of a question.

    @ivar default: its default as JSON, or the empty string where it has none.
    @ivar required: whether it must be given.
    @ivar is_text: whether it is a string.
    """

    name: str
    allowed: str
    description: str
    default: str
    required: bool
    is_text: bool = True


def fields_of(query_type: type[Struct]) -> dict[str, Field]:
    """Read the fields of a question off its type, by name, required ones first."""
    struct_info = type_info(query_type)
    assert isinstance(struct_info, StructType)
    found = []
    for field in struct_info.fields:
        metadata = dict(_iterate_metadata(field.type))
        default = (
            ""
            if field.default is msgspec.NODEFAULT
            else msgspec.json.encode(field.default).decode()
        )
        found.append(
            Field(
                field.encode_name,
                metadata["allowed"],
                metadata["meaning"],
                default,
                field.required,
                _is_text(field.type),
            )
        )
    found.sort(key=lambda field: not field.required)
    return {field.name: field for field in found}


def _is_text(type_: msgspec.inspect.Type) -> bool:
    match type_:
        case msgspec.inspect.Metadata():
            return _is_text(type_.type)
        case msgspec.inspect.UnionType():
            return any(map(_is_text, type_.types))
    return isinstance(type_, msgspec.inspect.StrType | msgspec.inspect.LiteralType)


def _iterate_metadata(type_: msgspec.inspect.Type) -> Iterator[tuple[str, str]]:
    """The meaning and the allowed values noted on a field's type."""
    while isinstance(type_, msgspec.inspect.Metadata):
        if type_.extra_json_schema is not None:
            yield "meaning", type_.extra_json_schema["description"]
        yield from (type_.extra or {}).items()
        type_ = type_.type
    if isinstance(type_, msgspec.inspect.UnionType):
        for each in type_.types:
            yield from _iterate_metadata(each)
