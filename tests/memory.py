"""
Measuring the memory that Python allocates.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable


def peak_memory(function: Callable[[], object]) -> int:
    """Call a function, and return how much it allocates at most, in bytes."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
