"""
A process that writes one index: C{python -m twisted_quotes.library.build_index FOLDER}.

It reads the dictionary from its standard input. It does not import Twisted, so that
it starts quickly and stays small.
"""

from __future__ import annotations

import os
import sys

from .dictionary import Dictionary
from .index import write_index

# The increment of nice(2), so that the service and its greps run first.
_NICE = 10


def main() -> None:
    """Write the index."""
    os.nice(_NICE)
    with Dictionary(0) as dictionary:
        write_index(dictionary, sys.argv[1])


if __name__ == "__main__":
    main()
