"""
A process that writes one index: C{python -m twisted_quotes.library.build_index FOLDER}.

It reads the dictionary on its standard input. The index of a large dictionary
takes a while to write, and here it takes no time from those who are answered.
"""

from __future__ import annotations

import os
import sys

from .dictionary import Dictionary
from .index import write_index

# How far it gives way to the service and its greps (nice(2)).
_NICE = 10


def main() -> None:
    """Write the index."""
    os.nice(_NICE)
    with Dictionary(0) as dictionary:
        write_index(dictionary, sys.argv[1])


if __name__ == "__main__":
    main()
