"""
Reading dictionaries to index them, in a thread or a process that may wait.
"""

from __future__ import annotations

from errno import EMFILE, ENFILE, ENOMEM
from time import sleep, time

from twisted_quotes.library.dictionary import (
    STABLE_TIME,
    Dictionary,
    is_recently_changed,
)
from twisted_quotes.library.opening import open_dictionary
from twisted_quotes.library.packs.columns import CopiedLines, ReadFailed
from twisted_quotes.quotes.formats import QuoteFormat, detect_format

# For all dictionaries, there are too few resources.
_RESOURCE_ERRNOS = {EMFILE, ENFILE, ENOMEM}


def open_when_stable(root: str, name: str) -> Dictionary:
    """
    Open a dictionary; wait if it was just changed.

    @raise ReadFailed: it cannot be opened, but other files can.
    """
    try:
        dictionary = open_dictionary(root, name)
        state = dictionary.state
        if is_recently_changed(time(), state.modified, state.changed):
            # Another change could leave this state the same.
            dictionary.close()
            sleep(STABLE_TIME)
            dictionary = open_dictionary(root, name)
        return dictionary
    except OSError as error:
        if error.errno in _RESOURCE_ERRNOS:
            raise
        raise ReadFailed(str(error)) from error


def read_format(dictionary: Dictionary, lines: CopiedLines) -> QuoteFormat:
    """Return the format of a dictionary, from its lines and its C{.dat} file."""
    header = dictionary.state.strfile_header
    if header is not None:
        return QuoteFormat("percent", header.delimiter, header.rot13)
    return detect_format(lines)
