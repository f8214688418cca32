"""
Room for so many, and not one more.
"""

from __future__ import annotations


class Room:
    """
    Room for so many.

    @param most: how many, 1 or more.
    @ivar taken: how many are in it.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    def enter(self) -> bool:
        """Take room for one more; say whether there was any."""
        if self.taken >= self.most:
            return False
        self.taken += 1
        return True

    def leave(self) -> None:
        """Give back the room of one."""
        self.taken -= 1
