"""
Libraries of many dictionaries. They are the same in every run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from string import ascii_lowercase

from .corpus import COMMON_TERM, RARE_TERM

QUOTES_PER_FILE = 50
QUOTES_PER_COMMON_TERM = 20
"""One of so many quotes contains L{COMMON_TERM}; the last one contains L{RARE_TERM}."""
FORTUNE_FILES = 43
_QUOTES_PER_FORTUNE_FILE = 480
_PHRASES = 3000
_MIN_TERM_LENGTH = 8
_BLANK_LINE, _PERCENT = "\n\n", "\n%\n"


@dataclass(frozen=True)
class Libraries:
    """
    The folders of the libraries.

    @ivar many: many files of 7 to 8 KB.
    @ivar few: three of these files.
    @ivar joined: one file with the text of all of them.
    @ivar fortunes: 43 files of about 70 KB, like the fortunes of Debian.
    @ivar joined_fortunes: one file with the text of all of them.
    """

    many: Path
    few: Path
    joined: Path
    fortunes: Path
    joined_fortunes: Path


def _random_word(source: Random) -> str:
    return "".join(source.choices(ascii_lowercase, k=source.randint(3, 9)))


def _own_word(number: int) -> str:
    """Return a word of five letters that differs for each number."""
    letters = (ascii_lowercase[number // 26**place % 26] for place in range(5))
    return "".join(letters)


def make_quotes(count: int) -> Iterator[str]:
    """
    Return quotes of three lines and an author, about 150 bytes each.

    The first line of each starts with a word that is its own.
    """
    source = Random(3)
    phrases = [
        " ".join(_random_word(source) for _ in range(source.randint(5, 7)))
        for _ in range(_PHRASES)
    ]
    authors = [_random_word(source).capitalize() for _ in range(_PHRASES)]
    for number in range(count):
        first, second, third = source.choices(phrases, k=3)
        if number == count - 1:
            second = RARE_TERM
        if number % QUOTES_PER_COMMON_TERM == 0:
            third = f"{COMMON_TERM} {third[len(COMMON_TERM) + 1 :]}"
        author = f"{source.choice(authors)} {source.choice(authors)}"
        yield f"{_own_word(number)} {first}\n{second}\n{third}\n-- {author}"


def distinct_quote_terms(quotes: Sequence[str]) -> Iterator[str]:
    """
    Return distinct terms, each in one quote only, the shortest first.

    They are the starts of first lines, which have a word of their own.
    """
    lines = [quote.partition("\n")[0] for quote in quotes]
    for length in range(_MIN_TERM_LENGTH, max(map(len, lines)) + 1):
        for line in lines:
            if len(line) >= length and line[length - 1] != " ":
                yield line[:length]


def fortune_quotes() -> list[str]:
    """Return the quotes of the library that is like the fortunes of Debian."""
    return list(make_quotes(FORTUNE_FILES * _QUOTES_PER_FORTUNE_FILE))


def file_name(number: int) -> str:
    """Return the name of a dictionary."""
    return f"{number:05}"


def _write_files(
    folder: Path, quotes: Iterator[str], quotes_per_file: int, separator: str
) -> None:
    """Write all quotes to files, with a separator after each quote."""
    folder.mkdir()
    number = 0
    while chunk := list(islice(quotes, quotes_per_file)):
        text = "".join(f"{quote}{separator}" for quote in chunk)
        (folder / file_name(number)).write_text(text, "utf-8")
        number += 1


def _join_files(source: Path, folder: Path) -> None:
    """Write a library of one file with the text of all files of another library."""
    folder.mkdir()
    with (folder / file_name(0)).open("wb") as joined:
        for path in sorted(source.iterdir()):
            joined.write(path.read_bytes())


def write_libraries(folder: Path, file_count: int) -> Libraries:
    """
    Write all libraries.

    @param folder: a new folder for them.
    @param file_count: the number of files of the library of many.
    """
    folder.mkdir()
    libraries = Libraries(
        *(folder / name for name in ("many", "few", "joined", "fortunes", "one"))
    )
    quotes = make_quotes(file_count * QUOTES_PER_FILE)
    _write_files(libraries.many, quotes, QUOTES_PER_FILE, _BLANK_LINE)
    libraries.few.mkdir()
    for number in (0, file_count // 2, file_count - 1):
        name = file_name(number)
        shutil.copyfile(libraries.many / name, libraries.few / name)
    _join_files(libraries.many, libraries.joined)
    _write_files(
        libraries.fortunes, iter(fortune_quotes()), _QUOTES_PER_FORTUNE_FILE, _PERCENT
    )
    _join_files(libraries.fortunes, libraries.joined_fortunes)
    return libraries
