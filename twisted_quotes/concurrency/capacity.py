"""
Room for so many, and not one more.
"""

from __future__ import annotations


class Capacity:
    """
    Room for so many.

    @param limit: how many, 1 or more.
    @ivar in_use: how many are in it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_use = 0

    def try_acquire(self) -> bool:
        """Take room for one more; say whether there was any."""
        if self.in_use >= self.limit:
            return False
        self.in_use += 1
        return True

    def release(self) -> None:
        """Give back the room of one."""
        self.in_use -= 1
