"""
The program of a process that writes one index.

Run it as C{python -m twisted_quotes.library.indexes.process HEADER FOLDER}, with the
L{StrfileHeader} as JSON. It reads the dictionary from its standard input. It does not
import Twisted, so that it starts quickly and stays small.
"""

from __future__ import annotations

import json
import os
import sys

from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.quotes.strfile import StrfileHeader

from .format import write_index

# The increment of nice(2), so that the service and its greps run first.
_NICE = 10


def main() -> None:
    """Write the index of the standard input."""
    os.nice(_NICE)
    header, folder = json.loads(sys.argv[1]), sys.argv[2]
    strfile_header = header and StrfileHeader(*header)
    with Dictionary(0, strfile_header=strfile_header) as dictionary:
        write_index(dictionary, folder)


if __name__ == "__main__":
    main()
