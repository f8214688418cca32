"""
The program of a process that writes one index.

Run it as C{python -m twisted_quotes.library.index_process FOLDER}. It reads the
dictionary from its standard input. It does not import Twisted, so that it starts
quickly and stays small.
"""

from __future__ import annotations

import os
import sys

from .dictionary import Dictionary
from .index_format import write_index

# The increment of nice(2), so that the service and its greps run first.
_NICE = 10


def main() -> None:
    """Write the index of the standard input."""
    os.nice(_NICE)
    with Dictionary(0) as dictionary:
        write_index(dictionary, sys.argv[1])


if __name__ == "__main__":
    main()
