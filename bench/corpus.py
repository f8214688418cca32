"""
The dictionaries that are searched, made anew in each run and always the same.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from .errors import BenchmarkError

SMALL = "small"
MEDIUM = "medium"
LARGE = "large"
MEDIUM_MEGABYTES = 50
LARGE_MEGABYTES = 500
_FREE_MEGABYTES = 500

SENTENCE_COUNT = 250
COPIES_PER_SENTENCE = 2
"""In so many lines each term is found; the lines never stand side by side."""
MIN_TERM_LENGTH = 8
LINE_LENGTH = 119
"""Each line has so many letters, without its line feed: a number and a sentence."""
_SENTENCE_LENGTH = LINE_LENGTH - len("0000 ")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"

COMMON_TERM = "common thread"
RARE_TERM = "zanzibar nights are longer"
_BLOCK_LINES = 10_000
_NUMBER_PLACEHOLDER = b"@@@@@@"


def make_sentences() -> list[str]:
    """Sentences of words of random letters, all of the same length."""
    source = Random(1)
    found = []
    for _ in range(SENTENCE_COUNT):
        sentence = ""
        while len(sentence) < _SENTENCE_LENGTH:
            word = "".join(source.choices(_ALPHABET, k=source.randint(3, 9)))
            sentence += f"{word} "
        # None may end in a blank: a grep's output is compared as it is.
        found.append(sentence[: _SENTENCE_LENGTH - 1] + source.choice(_ALPHABET))
    return found


def small_lines(texts: Sequence[str]) -> list[str]:
    """The lines of the small dictionary, 60 KB: each sentence as often as C{COPIES}."""
    lines = list(texts) * COPIES_PER_SENTENCE
    return [f"{number:04d} {text}" for number, text in enumerate(lines)]


def distinct_terms(texts: Sequence[str]) -> list[str]:
    """
    About a million terms, no two alike, each found in as many lines as any other.

    They are pieces of the sentences, short ones first. A piece begins where its
    first letters stand nowhere else, so that it is in one sentence only.
    """
    starts = [
        (text, start)
        for text in texts
        for start in range(len(text) - MIN_TERM_LENGTH + 1)
    ]
    seen = Counter(text[start : start + MIN_TERM_LENGTH] for text, start in starts)
    starts = [
        (text, start)
        for text, start in starts
        if text[start] != " " and seen[text[start : start + MIN_TERM_LENGTH]] == 1
    ]
    source = Random(2)
    terms: list[str] = []
    for length in range(MIN_TERM_LENGTH, _SENTENCE_LENGTH + 1):
        substrings = [
            text[start : start + length]
            for text, start in starts
            if start + length <= len(text) and text[start + length - 1] != " "
        ]
        source.shuffle(substrings)
        terms += substrings
    return terms


def make_big_block(texts: Sequence[str]) -> bytes:
    """
    A block of lines, about a megabyte, with room for its number in each line.

    Every twentieth line holds C{COMMON}.
    """
    lines = []
    for number in range(_BLOCK_LINES):
        text = texts[number % len(texts)][:85]
        if number % 20 == 0:
            text = f"{COMMON_TERM} {text[len(COMMON_TERM) + 1 :]}"
        lines.append(b"%s-%04d %s\n" % (_NUMBER_PLACEHOLDER, number, text.encode()))
    return b"".join(lines)


def write_big(path: Path, block: bytes, megabytes: int) -> None:
    """Write a big dictionary: blocks, and a last line that holds C{RARE}."""
    with path.open("wb") as file:
        for number in range(megabytes * 1_000_000 // len(block)):
            file.write(block.replace(_NUMBER_PLACEHOLDER, b"%06d" % number))
        file.write(f"{RARE_TERM} than the days\n".encode())


def write_library(folder: Path, texts: Sequence[str], big: bool) -> None:
    """
    Write the dictionaries.

    @param big: whether the big ones are needed.
    @raise BenchmarkError: there is no room for them on the disk.
    """
    folder.mkdir()
    small = "".join(f"{line}\n" for line in small_lines(texts))
    (folder / SMALL).write_text(small, "utf-8")
    if not big:
        return
    needed = MEDIUM_MEGABYTES + LARGE_MEGABYTES + _FREE_MEGABYTES
    if shutil.disk_usage(folder).free < needed * 1_000_000:
        raise BenchmarkError(
            f"The folder for temporary files needs {needed} MB of free space; "
            "TMPDIR names another."
        )
    block = make_big_block(texts)
    write_big(folder / MEDIUM, block, MEDIUM_MEGABYTES)
    write_big(folder / LARGE, block, LARGE_MEGABYTES)
