"""
The types of the fields of queries, with their ranges.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

MAX_DICTIONARIES = 100
"""How often a query may name a dictionary."""

Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        pattern=r"^[^\0\r\n]*[^\s\0][^\0\r\n]*\Z",
        extra_json_schema={
            "x-allowed": "a string of 1 to 1024 characters, without NUL or line "
            "breaks, not only blanks"
        },
    ),
]
DictionaryName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        pattern=r"^[^\0]*\Z",
        description="where to search; without it, the default dictionary; "
        '"*" is every dictionary, in the order of their names',
        extra_json_schema={
            "x-allowed": "a file name in the library, with / for sub-folders, "
            'of 1 to 4096 characters, without NUL, or "*" for every dictionary'
        },
    ),
]
DictionaryNameList = Annotated[
    tuple[DictionaryName, ...],
    Meta(
        max_length=MAX_DICTIONARIES,
        description='where to search; "*" is every dictionary. It may be repeated',
        extra_json_schema={
            "x-allowed": "a file name in the library, with / for sub-folders, "
            'of 1 to 4096 characters, without NUL, or "*" for every dictionary'
        },
    ),
]
Term = Annotated[
    Text, Meta(description="the text to search for, or a pattern if regex is true")
]
SearchText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        pattern=r"^\s*[^\s\0][^\0]*\Z",
        extra_json_schema={
            "x-allowed": "a string of 1 to 1024 characters, without NUL, not only "
            "blanks"
        },
    ),
]
IgnoreCase = Annotated[
    bool | Literal["auto"],
    Meta(
        description="whether letters match in either case, in Unicode; auto: unless "
        "the term, or a word of q, has a capital",
        extra_json_schema={
            "x-allowed": "auto, true, false, 1, 0, yes, no, on or off, or without a "
            "value for true"
        },
    ),
]
WholeWord = Annotated[
    bool, Meta(description="the match is bounded by non-word characters")
]
IsRegex = Annotated[
    bool, Meta(description="the term is a POSIX extended regular expression")
]
Unit = Annotated[
    Literal["line", "quote"],
    Meta(description="what an entry is: a line, or the whole quote"),
]
ResultLimit = Annotated[
    int, Meta(description="the maximum number of entries; 0 or less returns all")
]
Offset = Annotated[int, Meta(ge=0, description="the number of entries to skip")]
PageSize = Annotated[
    int, Meta(ge=1, le=1000, description="the maximum number of quotes")
]
QuoteLength = Annotated[
    int,
    Meta(
        ge=0,
        description="the length of the text without its attribution, in characters",
    ),
]
Seed = Annotated[
    int, Meta(description="the same seed, dictionary and term give the same quotes")
]
