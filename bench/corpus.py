"""
The dictionaries that are searched. They are the same in every run.
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
"""The number of lines in which each term is found; they are never adjacent."""
MIN_TERM_LENGTH = 8
LINE_LENGTH = 119
"""The length of a line without its line feed: a number and a sentence."""
_SENTENCE_LENGTH = LINE_LENGTH - len("0000 ")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"

COMMON_TERM = "common thread"
RARE_TERM = "zanzibar nights are longer"
_BLOCK_LINES = 10_000
_LINES_PER_QUOTE = 5
_NUMBER_PLACEHOLDER = b"@@@@@@"


def make_sentences() -> list[str]:
    """Return sentences of random words, all of the same length."""
    source = Random(1)
    sentences = []
    for _ in range(SENTENCE_COUNT):
        sentence = ""
        while len(sentence) < _SENTENCE_LENGTH:
            word = "".join(source.choices(_ALPHABET, k=source.randint(3, 9)))
            sentence += f"{word} "
        # The last character is not a space.
        sentences.append(sentence[: _SENTENCE_LENGTH - 1] + source.choice(_ALPHABET))
    return sentences


def small_lines(texts: Sequence[str]) -> list[str]:
    """Return the lines of the small dictionary, 60 KB in total."""
    lines = list(texts) * COPIES_PER_SENTENCE
    return [f"{number:04d} {text}" for number, text in enumerate(lines)]


def distinct_terms(texts: Sequence[str]) -> list[str]:
    """
    Return about a million distinct terms with the same number of matches each.

    They are parts of the sentences, the shortest first. The first letters of a term
    occur only once in all sentences, so that the term is in one sentence only.
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
    Return a block of lines, about a megabyte, with a placeholder for its number.

    Every twentieth line contains L{COMMON_TERM}, and every fifth is blank: it ends a
    quote.
    """
    lines = []
    for number in range(_BLOCK_LINES):
        if number % _LINES_PER_QUOTE == _LINES_PER_QUOTE - 1:
            lines.append(b"\n")
            continue
        text = texts[number % len(texts)][:85]
        if number % 20 == 0:
            text = f"{COMMON_TERM} {text[len(COMMON_TERM) + 1 :]}"
        lines.append(b"%s-%04d %s\n" % (_NUMBER_PLACEHOLDER, number, text.encode()))
    return b"".join(lines)


def write_big(path: Path, block: bytes, megabytes: int) -> None:
    """Write a large dictionary: blocks, then a line that contains L{RARE_TERM}."""
    with path.open("wb") as file:
        for number in range(megabytes * 1_000_000 // len(block)):
            file.write(block.replace(_NUMBER_PLACEHOLDER, b"%06d" % number))
        file.write(f"{RARE_TERM} than the days\n".encode())


def write_library(folder: Path, texts: Sequence[str], big: bool) -> None:
    """
    Write the dictionaries.

    @param big: whether the large ones are needed.
    @raise BenchmarkError: there is not enough disk space for them.
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
            "set TMPDIR to use another one."
        )
    block = make_big_block(texts)
    write_big(folder / MEDIUM, block, MEDIUM_MEGABYTES)
    write_big(folder / LARGE, block, LARGE_MEGABYTES)
