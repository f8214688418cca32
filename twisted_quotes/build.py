"""
A process that writes one index: C{python -m twisted_quotes.build FOLDER}.

It reads the dictionary on its standard input. The index of a large dictionary
takes a while to write, and here it takes no time from those who are answered.
"""

from __future__ import annotations

import os
import signal
import sys
from ctypes import CDLL

from .dictionary import Dictionary
from .index import write_index

# Linux, prctl(2).
_PR_SET_PDEATHSIG = 1

# How far it gives way to the service and its greps (nice(2)).
_NICE = 10


def end_with_parent() -> None:
    """Have the kernel end this process when the service is gone, however it went."""
    parent = os.getppid()
    CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the service is gone")


def main() -> None:
    """Write the index."""
    end_with_parent()
    os.nice(_NICE)
    with Dictionary(0) as dictionary:
        write_index(dictionary, sys.argv[1])


if __name__ == "__main__":
    main()
